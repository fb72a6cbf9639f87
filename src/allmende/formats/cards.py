"""Cards: a README with YAML front matter between two `---` fences, and a Markdown body.

Where the front matter begins and ends is decided exactly as the stock clients decide it, so that a card
never says one thing to them and another to the hub.
"""

import re
from dataclasses import dataclass, field

from allmende.formats.card_yaml import read_yaml
from allmende.formats.errors import MalformedCard
from allmende.formats.strict_json import JsonValue

__all__ = ["MAX_FRONT_MATTER_BYTES", "Card", "parse_card"]

MAX_FRONT_MATTER_BYTES = 256 * 1024

_OPEN = re.compile(r"\s*---(?:\r\n|\r|\n)")
_CLOSE = re.compile(r"(?:\r\n|\r|\n)---[ \t]*+(?:\r\n|\n|\Z)")


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says to programs, and what it says to people."""

    data: dict[str, JsonValue] = field(default_factory=dict)
    body: str = ""
    has_front_matter: bool = False


def parse_card(content: str) -> Card:
    """Splits and reads a card; without front matter all of it is body. Raises MalformedCard."""
    content = content.removeprefix("\ufeff")
    opened = _OPEN.match(content)
    start = opened.end() if opened else 0
    closed = _CLOSE.search(content, start) if opened else None
    if closed is None and content[:start].endswith("\r\n"):
        # To the clients the line feed of the first fence may also be the line end before the second.
        start -= 1
        closed = _CLOSE.search(content, start)
    if closed is None:
        return Card({}, content)
    front = content[start : closed.start()]
    if len(front.encode("utf-8", "surrogatepass")) > MAX_FRONT_MATTER_BYTES:
        raise MalformedCard(
            f"The front matter of the card is larger than {MAX_FRONT_MATTER_BYTES} bytes.",
            hint="Move long texts into the body of the card.",
            code="card_beyond_limits",
        )
    data = read_yaml(front)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise MalformedCard(
            "The front matter of the card is not a mapping.", hint="Write it as lines of the form key: value."
        )
    return Card(data, content[closed.end() :], True)
