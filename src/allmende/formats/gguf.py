"""The header of a GGUF file (versions 2 and 3, both byte orders), read within bounds.

Layout: magic, version, number of tensors, number of key-value pairs, the pairs, the tensor descriptions,
padding, data. Every length is checked against its bound and against the bytes that are left before anything
is allocated for it. Tensors must lie one behind the other as the writers of the format put them.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from allmende.formats.errors import MalformedGguf
from allmende.formats.ggml_types import FILE_TYPES, GGML_TYPES, GgmlType

__all__ = ["ArraySummary", "GgufHeader", "GgufLimits", "GgufTensor", "GgufValue", "read_gguf"]

_MAGIC = b"GGUF"
_STRING = 8
_ARRAY = 9
_SCALARS: Mapping[int, str] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"
}  # fmt: skip
_BOOL = 7
_TYPE_NAMES = (
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array", "uint64",
    "int64", "float64",
)  # fmt: skip
_MAX_DIMENSIONS = 4
_I64_MAX = 2**63 - 1
_IMPOSSIBLE = 2**50
"""What is claimed from here on, in bytes or parts, no machine can hold."""
_IMPOSSIBLE_RANK = 64
_GUESSED = 1024
_BLOCK_BYTES = 1 << 18
_DEFAULT_ALIGNMENT = 32
_MAX_ALIGNMENT = 1 << 20


@dataclass(frozen=True, slots=True)
class GgufLimits:
    """How much of a header is looked at before it is refused."""

    header_bytes: int = 128 * 1024 * 1024
    pairs: int = 10_000
    tensors: int = 100_000
    key_bytes: int = 65_535
    string_bytes: int = 4 * 1024 * 1024
    strings: int = 2_000_000
    """All strings of the header together: each is a read of its own, and they alone take time."""
    array_elements: int = 16_000_000
    kept_elements: int = 64
    """Longer arrays are told by type, length and their first elements."""


@dataclass(frozen=True, slots=True)
class ArraySummary:
    """An array of a header: all of it when it is short, else its beginning."""

    element_type: str
    length: int
    first: tuple["bool | int | float | str", ...]


GgufValue: TypeAlias = "bool | int | float | str | ArraySummary"
"""A value of the metadata. Infinities and NaN are told as text, since JSON has no numbers for them."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor, its bytes `offset` behind the header's `data_start`. The innermost dimension is first."""

    name: str
    dims: tuple[int, ...]
    type: str
    offset: int
    size_bytes: int

    @property
    def elements(self) -> int:
        """The number of its elements."""
        return math.prod(self.dims)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """All that a GGUF file says about itself."""

    version: int
    big_endian: bool
    metadata: Mapping[str, GgufValue]
    tensors: tuple[GgufTensor, ...]
    alignment: int
    data_start: int
    header_bytes: int
    """Where the descriptions end; up to `data_start` there is padding."""

    @property
    def architecture(self) -> str | None:
        """`general.architecture`, such as `llama`."""
        value = self.metadata.get("general.architecture")
        return value if isinstance(value, str) else None

    @property
    def context_length(self) -> int | None:
        """The number of tokens that the architecture was made for."""
        value = self.metadata.get(f"{self.architecture}.context_length")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def total(self) -> int:
        """Elements of all tensors together."""
        return sum(tensor.elements for tensor in self.tensors)

    def parameters(self) -> dict[str, int]:
        """Elements for each element type."""
        counts: dict[str, int] = {}
        for tensor in self.tensors:
            counts[tensor.type] = counts.get(tensor.type, 0) + tensor.elements
        return counts

    @property
    def quantization(self) -> str | None:
        """The mix that the file names; where it names none, the type that most elements have."""
        declared = self.metadata.get("general.file_type")
        if isinstance(declared, int) and not isinstance(declared, bool) and not declared & _GUESSED:
            return FILE_TYPES.get(declared)
        counts = self.parameters()
        return max(counts, key=lambda name: counts[name]) if counts else None


def read_gguf(reader: BinaryIO, size_bytes: int, limits: GgufLimits | None = None) -> GgufHeader:
    """Reads and checks the header of a file of `size_bytes`, from the reader's present position.

    Raises MalformedGguf, with the code `gguf_beyond_limits` where the header is larger than `limits`.
    """
    cursor = _Cursor(reader, size_bytes, limits or GgufLimits())
    version = _version(cursor)
    tensor_count = cursor.count("tensors", cursor.limits.tensors)
    pair_count = cursor.count("key-value pairs", cursor.limits.pairs)
    metadata: dict[str, GgufValue] = {}
    for _ in range(pair_count):
        key = cursor.text(cursor.limits.key_bytes, "a key")
        if key in metadata:
            raise MalformedGguf(f"The key {_shown(key)} is there twice.", code="gguf_named_twice")
        metadata[key] = _value(cursor, key)
    alignment = _alignment(metadata)
    tensors = _tensors(cursor, tensor_count, alignment)
    data_start = -(-cursor.position // alignment) * alignment
    _check_data(tensors, data_start, size_bytes)
    return GgufHeader(version, cursor.big_endian, metadata, tensors, alignment, data_start, cursor.position)


class _Cursor:
    """Reads forward and never beyond the limits; ahead by a block, as most of what it takes is tiny."""

    def __init__(self, reader: BinaryIO, size_bytes: int, limits: GgufLimits) -> None:
        self.limits = limits
        self.big_endian = False
        self._reader = reader
        self._size_bytes = size_bytes
        self._strings_left = limits.strings
        self._block = b""
        self._block_start = 0
        self._at = 0

    @property
    def position(self) -> int:
        return self._block_start + self._at

    def take(self, count: int) -> bytes:
        if count > len(self._block) - self._at:
            self._read_on(count)
        start, self._at = self._at, self._at + count
        return self._block[start : self._at]

    def _read_on(self, count: int) -> None:
        """Puts at least `count` bytes into the block."""
        if count > self._size_bytes - self.position:
            raise MalformedGguf(f"The file ends inside its header, at byte {self._size_bytes}.")
        if self.position + count > self.limits.header_bytes:
            raise MalformedGguf(
                f"The header is longer than the {self.limits.header_bytes} bytes that are read.",
                code="gguf_beyond_limits",
            )
        parts = [self._block[self._at :]]
        have = len(parts[0])
        self._block_start, self._at = self.position, 0
        end = min(self._size_bytes, self.limits.header_bytes)
        wanted = min(max(count, _BLOCK_BYTES), end - self._block_start)
        while have < count:
            more = self._reader.read(wanted - have)
            if not more:
                self._block = b"".join(parts)
                raise MalformedGguf(f"The file ends inside its header, at byte {self._block_start + have}.")
            parts.append(more)
            have += len(more)
        self._block = b"".join(parts)

    def scalar(self, code: str) -> int | float:
        fmt = (">" if self.big_endian else "<") + code
        value: int | float = struct.unpack(fmt, self.take(struct.calcsize(fmt)))[0]
        return value

    def number(self, code: str) -> int:
        return int(self.scalar(code))

    def count(self, what: str, bound: int) -> int:
        count = self.number("Q")
        if count > bound:
            raise MalformedGguf(
                f"The header claims {count} {what}; at most {bound} are read.", code=_code_of(count)
            )
        return count

    def raw_string(self, bound: int, what: str) -> bytes:
        self._strings_left -= 1
        if self._strings_left < 0:
            raise MalformedGguf(
                f"The header holds more than the {self.limits.strings} strings that are read.",
                code="gguf_beyond_limits",
            )
        length = self.number("Q")
        if length > bound:
            raise MalformedGguf(
                f"The length of {what} is {length}; at most {bound} bytes are read.",
                code=_code_of(length),
            )
        return self.take(length)

    def skip_strings(self, count: int, bound: int, what: str) -> None:
        """Like `raw_string` so many times, without keeping them: vocabularies have hundreds of thousands."""
        length_at = struct.Struct(">Q" if self.big_endian else "<Q").unpack_from
        while count:
            block, at, left = self._block, self._at, min(count, self._strings_left)
            last = len(block) - 8
            while left and at <= last:
                following = at + 8 + length_at(block, at)[0]
                if following > len(block) or following - at - 8 > bound:
                    break
                at = following
                left -= 1
            done = min(count, self._strings_left) - left
            self._at = at
            self._strings_left -= done
            count -= done
            if count:
                # The next one goes beyond the block, or beyond a bound.
                self.raw_string(bound, what)
                count -= 1

    def text(self, bound: int, what: str) -> str:
        data = self.raw_string(bound, what)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedGguf(f"The text of {what} is not UTF-8: {data[:40]!r}.") from error


def _version(cursor: _Cursor) -> int:
    if cursor.take(len(_MAGIC)) != _MAGIC:
        raise MalformedGguf("The file does not begin with GGUF.")
    raw = cursor.take(4)
    version = int.from_bytes(raw, "little")
    if not version & 0xFFFF:
        # No version will ever be a multiple of 65536: these are the bytes of the other order.
        cursor.big_endian = True
        version = int.from_bytes(raw, "big")
    if version not in (2, 3):
        raise MalformedGguf(f"GGUF version {version} is not read; versions 2 and 3 are.")
    return version


def _value(cursor: _Cursor, key: str) -> GgufValue:
    kind = cursor.number("I")
    if kind == _ARRAY:
        return _array(cursor, key)
    return _single(cursor, kind, key)


def _single(cursor: _Cursor, kind: int, key: str) -> "bool | int | float | str":
    if kind == _STRING:
        data = cursor.raw_string(cursor.limits.string_bytes, f"the value of {_shown(key)}")
        return data.decode("utf-8", errors="replace")
    if kind not in _SCALARS:
        raise MalformedGguf(f"The value of {_shown(key)} has the unknown type {kind}.")
    value = cursor.scalar(_SCALARS[kind])
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if kind != _BOOL:
        return value
    if value > 1:
        raise MalformedGguf(f"The value of {_shown(key)} is {value}, and neither true nor false.")
    return bool(value)


def _array(cursor: _Cursor, key: str) -> ArraySummary:
    kind = cursor.number("I")
    if kind != _STRING and kind not in _SCALARS:
        raise MalformedGguf(f"The array {_shown(key)} has elements of type {kind}, which is not read.")
    length = cursor.count(f"elements in {_shown(key)}", cursor.limits.array_elements)
    kept = min(length, cursor.limits.kept_elements)
    first = tuple(_single(cursor, kind, key) for _ in range(kept))
    if kind == _STRING:
        cursor.skip_strings(length - kept, cursor.limits.string_bytes, f"an element of {_shown(key)}")
    else:
        _skip(cursor, (length - kept) * struct.calcsize("<" + _SCALARS[kind]))
    return ArraySummary(_TYPE_NAMES[kind], length, first)


def _skip(cursor: _Cursor, count: int) -> None:
    while count:
        step = min(count, 1 << 16)
        cursor.take(step)
        count -= step


def _alignment(metadata: Mapping[str, GgufValue]) -> int:
    value = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or not 1 <= value <= _MAX_ALIGNMENT
        or value & (value - 1)
    ):
        raise MalformedGguf(f"general.alignment is {_shown(value)}, which is no power of two in bounds.")
    return value


def _tensors(cursor: _Cursor, count: int, alignment: int) -> tuple[GgufTensor, ...]:
    tensors = []
    names: set[str] = set()
    expected = 0
    for _ in range(count):
        tensor = _tensor(cursor)
        if tensor.name in names:
            raise MalformedGguf(f"The tensor {_shown(tensor.name)} is there twice.", code="gguf_named_twice")
        if tensor.offset != expected:
            raise MalformedGguf(
                f"Tensor {_shown(tensor.name)} begins at {tensor.offset}; it should begin at {expected}."
            )
        names.add(tensor.name)
        tensors.append(tensor)
        expected += -(-tensor.size_bytes // alignment) * alignment
    return tuple(tensors)


def _tensor(cursor: _Cursor) -> GgufTensor:
    name = cursor.text(cursor.limits.key_bytes, "a tensor name")
    rank = cursor.number("I")
    if rank > _MAX_DIMENSIONS:
        raise MalformedGguf(
            f"Tensor {_shown(name)} has {rank} dimensions; {_MAX_DIMENSIONS} are allowed.",
            code="gguf_impossible_size" if rank >= _IMPOSSIBLE_RANK else None,
        )
    dims = tuple(cursor.number("Q") for _ in range(rank))
    number = cursor.number("I")
    kind = GGML_TYPES.get(number)
    if kind is None:
        raise MalformedGguf(f"Tensor {_shown(name)} has the unknown type {number}.")
    offset = cursor.number("Q")
    return GgufTensor(name, dims, kind.name, offset, _tensor_bytes(name, dims, kind))


def _code_of(claimed: int) -> str:
    return "gguf_impossible_size" if claimed >= _IMPOSSIBLE else "gguf_beyond_limits"


def _tensor_bytes(name: str, dims: tuple[int, ...], kind: GgmlType) -> int:
    elements = 1
    for length in dims:
        elements *= length
        if elements > _I64_MAX:
            raise MalformedGguf(
                f"The size of tensor {_shown(name)} overflows 64 bits.", code="gguf_impossible_size"
            )
    if (dims[0] if dims else 1) % kind.block_elements:
        raise MalformedGguf(
            f"The rows of tensor {_shown(name)} are no multiple of the {kind.block_elements} elements "
            f"of a {kind.name} block."
        )
    return elements // kind.block_elements * kind.bytes_per_block


def _check_data(tensors: tuple[GgufTensor, ...], data_start: int, size_bytes: int) -> None:
    # The last tensor's padding may be missing; its bytes may not.
    needed = data_start + tensors[-1].offset + tensors[-1].size_bytes if tensors else 0
    if needed > size_bytes:
        code = "gguf_impossible_size" if needed >= _IMPOSSIBLE else None
        raise MalformedGguf(f"The tensors need {needed} bytes, the file has {size_bytes}.", code=code)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
