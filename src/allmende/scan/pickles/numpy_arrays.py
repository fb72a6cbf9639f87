"""npy files (NEP 1): a literal header, and bare numbers or, for object arrays, a pickle behind it."""

import ast
import math
import re
from dataclasses import dataclass
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.pickles.running import run_pickle
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES", "ElementType", "element_type"]

TRAILING_BYTES = Rule(
    "npy-trailing-bytes",
    Severity.LOW,
    "bytes behind the end of an array",
    "numpy does not read them.",
    "Save the array again.",
    "NEP 1, the NPY format.",
)
OBJECT_ARRAY = Rule(
    "npy-object-array",
    Severity.INFO,
    "an array of Python objects",
    "It is a pickle, and is loaded with allow_pickle=True alone.",
    "Save numbers and texts as such.",
    "numpy documentation, numpy.load.",
)
RULES = (TRAILING_BYTES, OBJECT_ARRAY)

_MAGIC: Final = b"\x93NUMPY"
_MAX_HEADER_BYTES: Final = 1024 * 1024
_MAX_NESTING: Final = 40
_MAX_FIELDS: Final = 10_000
_DESCR: Final = re.compile(r"([<>=|]?)([?bBhHiIuUlLqQefdgFDGSaVOMmctp])(\d{0,10})(\[[^\]]{1,40}\])?")
_LITERAL: Final = re.compile(
    r"""(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"|[0-9]{1,20}+|True|False|None"""
    r"""|[ub](?=['"])|[\[\](){},:\s])*+"""
)
"""What a header is made of. What else Python reads, signs and words that nest, has no place there."""

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
        return ElementType(inner.size_bytes * _elements(descr[1]), inner.has_objects)
    if not isinstance(descr, list) or len(descr) > _MAX_FIELDS:
        raise Unreadable("The dtype is neither a code nor a list of fields.")
    parts = [_field(field, depth) for field in descr]
    return ElementType(sum(part.size_bytes for part in parts), any(part.has_objects for part in parts))


def _field(field: object, depth: int) -> ElementType:
    if not isinstance(field, tuple) or len(field) not in (2, 3):
        raise Unreadable("A field of the dtype is neither a pair nor a triple.")
    inner = element_type(field[1], depth + 1)
    return ElementType(inner.size_bytes * (_elements(field[2]) if len(field) == 3 else 1), inner.has_objects)


def _elements(shape: object) -> int:
    lengths = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(length, int) and 0 <= length < 2**63 for length in lengths) or len(lengths) > 64:
        raise Unreadable("A shape holds what is no length.")
    return math.prod(lengths)


def _claims(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.head.startswith(_MAGIC) else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Header, then data. Raises Unreadable, LimitReached."""
    header, start = _header(source)
    kind = element_type(header["descr"])
    data = source.window(start, source.size_bytes)
    if kind.has_objects:
        scan.found(OBJECT_ARRAY)
        end = run_pickle(source, scan, start)
    else:
        end = start + kind.size_bytes * _elements(header["shape"])
        if end > source.size_bytes:
            raise Unreadable(f"The array needs {end - start} bytes, the file has {data.size_bytes}.", start)
        scan.inside("data", data, raw=True)
    if end < source.size_bytes:
        scan.found(TRAILING_BYTES, source.read_at(end, 32), offset=end)
        scan.inside("trailing bytes", source.window(end, source.size_bytes), raw=True)


def _header(source: Source) -> tuple[dict[str, object], int]:
    major = source.read_at(6, 1)
    width = {b"\1": 2, b"\2": 4, b"\3": 4}.get(major)
    if width is None:
        raise Unreadable(f"The version {major!r} of the format is unknown.", 6)
    length = int.from_bytes(source.read_at(8, width), "little")
    text = source.read_at(8 + width, min(length, _MAX_HEADER_BYTES + 1))
    if len(text) < length or length > _MAX_HEADER_BYTES:
        raise Unreadable("The header is longer than it may be.", 8)
    if (
        sum(text.count(opening) for opening in (b"(", b"[", b"{")) > _MAX_FIELDS
        or _nesting(text) > _MAX_NESTING
    ):
        raise Unreadable("The header is nested too deep.", 8)
    # Python 2 wrote long integers as `1L`; numpy drops the letter, too.
    text = text if major == b"\3" else re.sub(rb"(?<=\d)L\b", b"", text)
    try:
        literal = text.decode("utf-8" if major == b"\3" else "latin-1").strip()
        header = ast.literal_eval(literal) if _LITERAL.fullmatch(literal) else None
    except (ValueError, SyntaxError, UnicodeDecodeError):
        raise Unreadable("The header is no literal.", 8) from None
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise Unreadable("The header does not hold descr, fortran_order and shape.", 8)
    if not isinstance(header["shape"], tuple) or not isinstance(header["fortran_order"], bool):
        raise Unreadable("The shape or the order in the header is of the wrong type.", 8)
    return header, 8 + width + length


def _nesting(text: bytes) -> int:
    depth = deepest = 0
    for byte in text:
        if byte in b"([{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b")]}":
            depth -= 1
    return deepest


READER = Reader("npy", "npy", _claims, _read)
