"""Values as a page shows them, and what is counted while columns are read."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["MAX_COLUMNS", "MAX_ROWS", "Cell", "Column", "columns_of", "shown", "shown_text"]

MAX_ROWS: Final = 100
MAX_COLUMNS: Final = 100
_MAX_CHARS: Final = 200
_MAX_DISTINCT: Final = 100

Cell = str | dict[str, int] | None
"""A text, the size of bytes as `{"bytes": n}`, or nothing at all."""


@dataclass(slots=True)
class Column:
    """What the rows that were read tell of one column."""

    name: str
    type: str = ""
    nulls: int = 0
    numbers: int = 0
    total: float = 0.0
    smallest: float = math.inf
    largest: float = -math.inf
    texts: int = 0
    shortest: int = 0
    longest: int = 0
    different: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    has_bytes: bool = False

    def add(self, value: object, cell: Cell) -> None:
        """Count one value, given also as it is shown."""
        if value is None:
            self.nulls += 1
            return
        self.kinds.add(_TYPES.get(type(value), "text"))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._add_number(value)
        elif isinstance(value, str):
            length = len(value)
            self.shortest = min(self.shortest, length) if self.texts else length
            self.longest = max(self.longest, length)
            self.texts += 1
        if not isinstance(cell, str):
            self.has_bytes = True
        elif len(self.different) <= _MAX_DISTINCT:
            self.different.add(cell)

    def _add_number(self, value: float) -> None:
        try:
            number = float(value)
        except OverflowError:
            return
        if math.isfinite(number):
            self.numbers += 1
            self.total += number
            self.smallest = min(self.smallest, number)
            self.largest = max(self.largest, number)

    def _kind(self) -> str:
        """The type that all values have, where nobody declares one."""
        kinds = {"number"} if self.kinds == {"integer", "number"} else self.kinds
        return next(iter(kinds)) if len(kinds) == 1 else "mixed" if kinds else ""

    def row(self) -> dict[str, object]:
        """The statistics as JSON; what does not apply is absent."""
        told: dict[str, object] = {"name": self.name, "type": self.type or self._kind(), "nulls": self.nulls}
        if len(self.different) <= _MAX_DISTINCT and not self.has_bytes:
            told["distinct"] = len(self.different)
        if self.numbers and self.kinds <= {"integer", "number"}:
            told |= {"min": shown(self.smallest), "max": shown(self.largest)}
            mean = self.total / self.numbers
            if math.isfinite(mean):
                told["mean"] = f"{mean:.6g}"
        elif self.texts and self.kinds == {"text"}:
            told |= {"shortest": self.shortest, "longest": self.longest}
        return told


def columns_of(
    names: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[list[dict[str, object]], list[list[Cell]]]:
    """The statistics of each column, and the cells of each row; an empty type is told by the values."""
    columns = [Column(shown_text(name), shown_text(kind)) for name, kind in zip(names, types, strict=True)]
    cells: list[list[Cell]] = []
    for values in rows:
        row = [shown(value) for value in values]
        cells.append(row)
        for column, value, cell in zip(columns, values, row, strict=True):
            column.add(value, cell)
    return [column.row() for column in columns], cells


_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "text", dict: "object", list: "list"}


def shown(value: object) -> Cell:
    """A value in few characters; bytes by their size, what is nested as JSON."""
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": len(value)}
    if isinstance(value, float):
        return f"{value + 0.0:.10g}"  # no zero with a sign
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        return {"bytes": len(value["bytes"])}
    if isinstance(value, (dict, list, tuple)):
        return shown_text(json.dumps(_without_bytes(value), ensure_ascii=False, default=_plain))
    return shown_text(_plain(value))


def _plain(value: object) -> str:
    # Of an enormous integer the digits would take longer than all else.
    if isinstance(value, int) and value.bit_length() > 1024:
        return f"2^{value.bit_length()}"
    return str(value)


def _without_bytes(value: object, depth: int = 0) -> object:
    """What JSON can say of a nested value: short, and not deep."""
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} B"
    if isinstance(value, str):
        return value[:_MAX_CHARS]
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value.bit_length() <= 64 else _plain(value)
    if depth > 8:
        return "…"
    if isinstance(value, dict):
        inner = list(value.items())[:20]
        return {str(name)[:_MAX_CHARS]: _without_bytes(item, depth + 1) for name, item in inner}
    if isinstance(value, (list, tuple)):
        return [_without_bytes(item, depth + 1) for item in value[:20]]
    return value


def shown_text(text: str) -> str:
    """A text without its end where it is long, and without halves of characters."""
    kept = text if len(text) <= _MAX_CHARS else text[:_MAX_CHARS] + "…"
    return kept.encode("utf-8", "replace").decode()
