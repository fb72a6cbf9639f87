"""How many bytes an element of an array takes, and whether it refers to objects: numpy's types."""

import math
import re
from dataclasses import dataclass
from typing import Final

from allmende.scan.scanning import Unreadable

__all__ = ["ElementType", "element_type", "elements"]

_MAX_NESTING: Final = 40
_MAX_FIELDS: Final = 10_000
_DESCR: Final = re.compile(r"([<>=|]?)([?bBhHiIuUlLqQefdgFDGSaVOMmctp])(\d{0,10})(\[[^\]]{1,40}\])?")

_LETTER_BYTES: Final = {
    "?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "u": 4, "I": 4, "l": 8, "L": 8, "q": 8, "Q": 8, "e": 2,
    "f": 4, "d": 8, "g": 16, "F": 8, "D": 16, "G": 32, "O": 8, "M": 8, "m": 8, "c": 1, "p": 8, "t": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ElementType:
    """The bytes of one element, and whether they are references to objects."""

    size_bytes: int
    has_objects: bool


def element_type(descr: object, depth: int = 0) -> ElementType:
    """What a dtype description takes (NEP 1 `descr`): a code, or a list of fields. Raises Unreadable."""
    if depth > _MAX_NESTING:
        raise Unreadable("The dtype is nested too deep.")
    if isinstance(descr, str):
        match = _DESCR.fullmatch(descr)
        if match is None:
            raise Unreadable(f"The dtype {descr[:40]!r} is unknown.")
        count = int(match[3]) if match[3] else 0
        if match[2] in "SaV":
            return ElementType(count, has_objects=False)
        if match[2] == "U":
            return ElementType(4 * count, has_objects=False)
        return ElementType(count or _LETTER_BYTES[match[2]], has_objects=match[2] == "O")
    if isinstance(descr, tuple) and len(descr) == 2 and not isinstance(descr[1], (str, list)):
        inner = element_type(descr[0], depth + 1)
        return ElementType(inner.size_bytes * elements(descr[1]), inner.has_objects)
    if not isinstance(descr, list) or len(descr) > _MAX_FIELDS:
        raise Unreadable("The dtype is neither a code nor a list of fields.")
    parts = [_field(field, depth) for field in descr]
    return ElementType(sum(part.size_bytes for part in parts), any(part.has_objects for part in parts))


def _field(field: object, depth: int) -> ElementType:
    if not isinstance(field, tuple) or len(field) not in (2, 3):
        raise Unreadable("A field of the dtype is neither a pair nor a triple.")
    inner = element_type(field[1], depth + 1)
    return ElementType(inner.size_bytes * (elements(field[2]) if len(field) == 3 else 1), inner.has_objects)


def elements(shape: object) -> int:
    """How many elements an array of this shape has. Raises Unreadable."""
    lengths = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(length, int) and 0 <= length < 2**63 for length in lengths) or len(lengths) > 64:
        raise Unreadable("A shape holds what is no length.")
    return math.prod(lengths)
