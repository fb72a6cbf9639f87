"""npy files (NEP 1): a literal header, and bare numbers or, for object arrays, a pickle behind it."""

import ast
import re
from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.pickles.element_types import element_type, elements
from allmende.scan.pickles.running import run_pickle
from allmende.scan.provable import IMPOSSIBLE_BYTES, IMPOSSIBLE_SIZE
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

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
_LITERAL: Final = re.compile(
    r"""(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"|[0-9]{1,20}+|True|False|None"""
    r"""|[ub](?=['"])|[\[\](){},:\s])*+"""
)
"""What a header is made of. What else Python reads, signs and words that nest, has no place there."""


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
        end = start + kind.size_bytes * elements(header["shape"])
        if end > source.size_bytes:
            what = f"The array needs {end - start} bytes, the file has {data.size_bytes}."
            raise Unreadable(what, start, IMPOSSIBLE_SIZE if end - start >= IMPOSSIBLE_BYTES else None)
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
