"""Tables in text: comma- or tab-separated values, and lines of JSON. Their beginning alone is read."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from typing import BinaryIO, Final

from allmende.tables.cells import MAX_COLUMNS, MAX_ROWS, Cell, columns_of
from allmende.tables.problems import NoTable

__all__ = ["read_lines_of_json", "read_separated"]

_START_BYTES: Final = 1024 * 1024
_MAX_NUMBER_CHARS: Final = 300


def read_separated(source: BinaryIO, size_bytes: int, delimiter: str) -> dict[str, object]:
    """The first rows of comma- or tab-separated values, whose first line names the columns (RFC 4180).

    Raises NoTable.
    """
    text, is_whole = _beginning(source, size_bytes)
    csv.field_size_limit(_START_BYTES)
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if line]
    except csv.Error as error:
        raise NoTable(f"The values are not separated in a way that can be read: {error}.") from error
    if not lines:
        raise NoTable("The file has no line.")
    if not is_whole and len(lines) > 1:
        # The last one may have been cut.
        lines.pop()
    names, *rest = lines
    width = min(len(names), MAX_COLUMNS)
    values = [[_value(field) for field in (line + [""] * width)[:width]] for line in rest]
    columns, rows = columns_of(names[:width], [""] * width, values)
    return _told(columns, rows, len(names), len(values) if is_whole else None)


def read_lines_of_json(source: BinaryIO, size_bytes: int) -> dict[str, object]:
    """The first lines of JSON, one object a line; their keys are the columns. Raises NoTable."""
    text, is_whole = _beginning(source, size_bytes)
    found = list(_objects(text, is_whole=is_whole))
    names = list(dict.fromkeys(name for line in found for name in line))
    kept = names[:MAX_COLUMNS]
    columns, rows = columns_of(kept, [""] * len(kept), ([line.get(name) for name in kept] for line in found))
    return _told(columns, rows, len(names), len(found) if is_whole else None)


def _told(
    columns: list[dict[str, object]], rows: list[list[Cell]], column_count: int, total: int | None
) -> dict[str, object]:
    return {
        "columns": columns,
        "column_count": column_count,
        "rows": rows[:MAX_ROWS],
        "rows_read": len(rows),
        "rows_total": total,
    }


def _beginning(source: BinaryIO, size_bytes: int) -> tuple[str, bool]:
    """The text that a file begins with, and whether that is all of it."""
    source.seek(0)
    data = source.read(min(size_bytes, _START_BYTES))
    if b"\0" in data:
        raise NoTable("The file is not text.")
    is_whole = len(data) == size_bytes
    if not is_whole:
        data = data[: data.rfind(b"\n") + 1] or data
    # Python's codec for a leading mark would have to be loaded from a file, and there are none here.
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace"), is_whole


def _objects(text: str, *, is_whole: bool) -> Iterator[dict[str, object]]:
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        raise NoTable("The file has no line.")
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines) and number > 1 and not is_whole:
                return
            if not is_whole and len(lines) == 1:
                raise NoTable("The first line is longer than what is read for a preview.") from error
            raise NoTable(f"Line {number} is not JSON.") from error
        if not isinstance(value, dict):
            raise NoTable(f"Line {number} is JSON, but no object.")
        yield value


def _value(field: str) -> object:
    """A field as a number where it is one, as nothing where it is empty."""
    if not field:
        return None
    if len(field) <= _MAX_NUMBER_CHARS:
        for kind in (int, float):
            try:
                return kind(field)
            except ValueError:
                continue
    return field
