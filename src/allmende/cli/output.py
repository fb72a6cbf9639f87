"""What commands print: results, as text or as JSON with a schema, and beside them what is for people only."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

__all__ = ["AsJson", "complain", "note", "printable", "say", "say_json", "say_line", "say_table", "size_text"]

AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON, with a `schema` field.")]


def say(text: str = "") -> None:
    """One line of the result."""
    print(text)


def say_json(schema: str, document: Mapping[str, Any]) -> None:
    """The result for programs: `document` under the name and version of its form."""
    print(json.dumps({"schema": schema, **document}, indent=2, ensure_ascii=False))


def say_line(schema: str, document: Mapping[str, Any]) -> None:
    """One of several results for programs, in a line of its own, and at once."""
    print(json.dumps({"schema": schema, **document}, ensure_ascii=True), flush=True)


def say_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The result as columns; nothing but the headings when there are no rows."""
    lines = [list(headings), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def note(text: str) -> None:
    """A line beside the result."""
    print(text, file=sys.stderr)


def complain(message: str, hint: str | None = None) -> None:
    """What went wrong, and what to do about it."""
    print(f"error: {printable(message)}", file=sys.stderr)
    if hint is not None:
        print(f"hint: {printable(hint)}", file=sys.stderr)


def printable(text: str) -> str:
    """`text` without what a terminal would obey: names of files and texts in them are anybody's."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def size_text(size_bytes: int) -> str:
    """A size for people."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
