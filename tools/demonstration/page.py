"""What the demonstration prints: plain text, wrapped to the terminal."""

import shutil
import textwrap
from pathlib import Path

from tools.demonstration.scene import BASE, LIAR, PRIVATE, PUBLISHER, TRAINED, Scene

__all__ = ["print_closing", "print_heading", "print_step"]

_TITLE_CHARS = 24
_WIDEST_CHARS = 110
_ADDRESS_CHARS = 54


def print_heading(url: str, folder: Path, *, port_taken: bool) -> None:
    """Where the hub is, before the first step."""
    print(f"Allmende is at {url}, its data in {folder}.")
    if port_taken:
        print("Port 8080 is taken by another program, so this is a free one.")
    print("Everything below goes through the stock huggingface_hub client.\n", flush=True)


def print_step(number: int, title: str, sentence: str, seconds: float) -> None:
    """One row: what was done and what it proved."""
    width = min(shutil.get_terminal_size().columns, _WIDEST_CHARS)
    first = f"{number:>3}  {title:<{_TITLE_CHARS}} "
    text = f"{sentence} ({seconds:.1f} s)"
    print(textwrap.fill(text, width, initial_indent=first, subsequent_indent=" " * len(first)), flush=True)


def print_closing(scene: Scene) -> None:
    """What to open and what to type next."""
    url = scene.hub.url
    pages = (
        ("", "the home page"),
        (BASE, "the base model"),
        (f"{BASE}/lineage", "its family, as measured"),
        (TRAINED, "a derivative of it"),
        (LIAR, "a model whose card lies"),
    )
    opened = "\n".join(f"  {f'{url}/{path}':<{_ADDRESS_CHARS}}  {what}" for path, what in pages)
    print(
        f"""
Open
{opened}

Type, in another shell ({PUBLISHER} is the publisher; {PRIVATE} is hers alone)
  export HF_ENDPOINT={url}
  export HF_TOKEN={scene.token(PUBLISHER)}
  {scene.client_program} download {BASE}
  {scene.client_program} upload {PUBLISHER}/my-model ./some-folder

Ctrl-C ends the hub; the data stay for the next time (make demo FRESH=1 forgets them).
""",
        flush=True,
    )
