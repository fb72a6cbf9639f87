"""What is said aloud when this machine meets a hub for the first time."""

from allmende.cli.output import note
from allmende.client import KnownPolicy

__all__ = ["tell_first_contact"]


def tell_first_contact(known: KnownPolicy | None) -> None:
    """Say that the key of the hub's log was taken as it came, if it was."""
    if known is not None and known.is_new:
        note(f"This hub is seen for the first time: its key was taken as it came, and kept in {known.path}.")
