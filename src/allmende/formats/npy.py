"""The header of an array in NumPy's file format (versions 1 to 3), read strictly and within bounds.

Layout (NEP 1): a magic string, the version, the header's length, then a Python dict as text with exactly
`descr`, `fortran_order` and `shape`, then the words. The dict is matched as text and never evaluated.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from allmende.formats.errors import MalformedNpy
from allmende.formats.safetensors import DTYPE_BITS

__all__ = ["MAX_NPY_HEADER_BYTES", "NpyArray", "read_npy"]

MAX_NPY_HEADER_BYTES = 4096
"""Headers of plain arrays have 128 bytes; only descriptions of many fields, which are not read, have more."""

_MAGIC = b"\x93NUMPY"
_MAX_DIMENSIONS = 64
_DTYPES: Mapping[str, str] = {
    "|b1": "BOOL", "|u1": "U8", "|i1": "I8", "<u2": "U16", "<i2": "I16", "<u4": "U32", "<i4": "I32",
    "<u8": "U64", "<i8": "I64", "<f2": "F16", "<f4": "F32", "<f8": "F64", "<c8": "C64",
}  # fmt: skip
_ITEM = re.compile(
    r"\s*(?:'descr'\s*:\s*(?:'(?P<descr>[^']{1,32})'|(?P<fields>\[.*\]))"
    r"|'fortran_order'\s*:\s*(?P<order>True|False)"
    r"|'shape'\s*:\s*\((?P<shape>[0-9,\s]*)\))\s*(?:,|(?=\}))",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class NpyArray:
    """What the header says. `dtype` is that of safetensors, or None where the words are none of numbers.

    The words begin `data_start` bytes into the file, in the order of Fortran (first index fastest) or of C.
    """

    dtype: str | None
    description: str
    shape: tuple[int, ...]
    fortran_order: bool
    data_start: int

    @property
    def holds_objects(self) -> bool:
        """Whether the words are Python objects, which NumPy keeps as a pickle."""
        return self.description in {"|O", "O", "|O8"}

    @property
    def stride(self) -> tuple[int, ...]:
        """Words from one index of a dimension to the next."""
        lengths = self.shape if self.fortran_order else self.shape[::-1]
        steps = tuple(math.prod(lengths[:place]) for place in range(len(lengths)))
        return steps if self.fortran_order else steps[::-1]


def read_npy(head: bytes, size_bytes: int) -> NpyArray:
    """The header at the beginning of `head`, the first MAX_NPY_HEADER_BYTES of an array of `size_bytes`.

    Raises MalformedNpy, also where the array's words are not exactly what follows.
    """
    text, start = _header(head)
    found = _items(text)
    description, shape = found["descr"], _shape(found["shape"])
    dtype = _DTYPES.get(description)
    if dtype is not None and start + math.prod(shape) * DTYPE_BITS[dtype] // 8 != size_bytes:
        raise MalformedNpy(f"The array has {size_bytes - start} bytes, which is not what its shape asks for.")
    return NpyArray(dtype, description, shape, found["order"] == "True", start)


def _header(head: bytes) -> tuple[str, int]:
    if len(head) < 12 or not head.startswith(_MAGIC) or head[6] not in {1, 2, 3}:
        raise MalformedNpy("The file does not begin as an array of NumPy does.")
    start = 10 if head[6] == 1 else 12
    length = int.from_bytes(head[8:start], "little")
    if start + length > MAX_NPY_HEADER_BYTES:
        raise MalformedNpy(
            f"The header of the array has {length} bytes; at most {MAX_NPY_HEADER_BYTES - start} are read.",
            code="npy_beyond_limits",
        )
    if start + length > len(head):
        raise MalformedNpy("The array ends within its header.")
    try:
        return head[start : start + length].decode("latin-1" if head[6] < 3 else "utf-8"), start + length
    except UnicodeDecodeError as error:
        raise MalformedNpy("The header of the array is not text.") from error


def _items(text: str) -> dict[str, str]:
    body = text.strip()
    found: dict[str, str] = {}
    at = 1
    while body.startswith("{") and (item := _ITEM.match(body, at)):
        name = "descr" if item["fields"] else str(item.lastgroup)
        if name in found:
            raise MalformedNpy(f"The header of the array says {name} twice.")
        found[name] = item[str(item.lastgroup)]
        at = item.end()
    if body[at:].strip() != "}" or set(found) != {"descr", "order", "shape"}:
        raise MalformedNpy("The header of the array is not what NumPy writes.")
    return found


def _shape(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if parts[-1] == "":
        parts.pop()
    if len(parts) > _MAX_DIMENSIONS or not all(part.isdigit() and len(part) < 20 for part in parts):
        raise MalformedNpy("The header of the array has a shape that is none.")
    return tuple(int(part) for part in parts)
