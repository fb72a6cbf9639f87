"""What is said aloud when this machine meets a hub: for the first time, or with keys that have changed."""

from allmende.cli.output import note, printable
from allmende.client import KnownPolicy

__all__ = ["tell_first_contact"]


def tell_first_contact(known: KnownPolicy | None) -> None:
    """Say what witnesses said, whether keys have changed, and that a key was taken as it came, if it was."""
    if known is None:
        return
    for sentence in known.told:
        note(printable(sentence))
    if known.is_new and known.root is not None:
        note(
            f"This hub is seen for the first time: its root key was taken as it came, and kept beside "
            f"{known.path}. Compare it: {known.root.text}"
        )
    elif known.is_new:
        note(f"This hub is seen for the first time: its key was taken as it came, and kept in {known.path}.")
