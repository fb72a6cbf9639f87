"""The initialisers of an ONNX model: names, types, shapes, and where their numbers lie.

The file is a protocol buffer; only the fields on the way to the initialisers are looked into (onnx.proto:
ModelProto.graph, GraphProto.initializer, TensorProto), everything else is skipped by its length. Numbers are
told as ranges of bytes, in this file or another; those that the format writes as varints are decoded.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from allmende.formats.errors import MalformedOnnx
from allmende.formats.safetensors import DTYPE_BITS

__all__ = ["ExternalData", "OnnxInitializer", "read_onnx_initializers"]

_GRAPH = 7
_INITIALIZER = 5
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_DIMS, _TYPE, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14
_FIXED_FIELDS = {4: "F32", 10: "F64"}
_VARINT_FIELDS = frozenset({5, 7, 11})
"""int32_data (also for all smaller types, and for the bits of half floats), int64_data, uint64_data."""

_TYPES: Mapping[int, str] = {
    1: "F32", 2: "U8", 3: "I8", 4: "U16", 5: "I16", 6: "I32", 7: "I64", 9: "BOOL", 10: "F16", 11: "F64",
    12: "U32", 13: "U64", 14: "C64", 16: "BF16", 17: "F8_E4M3", 18: "F8_E4M3FNUZ", 19: "F8_E5M2",
    20: "F8_E5M2FNUZ", 24: "F8_E8M0",
}  # fmt: skip
_MAX_FIELDS = 200_000
_MAX_INITIALIZERS = 100_000
_MAX_DIMENSIONS = 64
_MAX_TEXT_BYTES = 4096
_MAX_DECODED_BYTES = 16 * 1024 * 1024
_U63 = 2**63


@dataclass(frozen=True, slots=True)
class ExternalData:
    """Bytes in a file whose path is relative to the model's folder; without a length all from `offset` on."""

    location: str
    offset: int
    length: int | None


@dataclass(frozen=True, slots=True)
class OnnxInitializer:
    """One initialiser. `dtype` is that of safetensors; None for texts and types that are not whole bytes.

    Its words are `size_bytes` from `start` of the file on, or `held`, or in another file.
    """

    name: str
    dtype: str | None
    shape: tuple[int, ...]
    start: int
    size_bytes: int
    held: bytes | None
    external: ExternalData | None


def read_onnx_initializers(reader: BinaryIO, size_bytes: int) -> tuple[OnnxInitializer, ...]:
    """The initialisers of the model's graph, in its order. Those of sub-graphs are left out.

    Raises MalformedOnnx, with the code `onnx_beyond_limits` where there is more than is read.
    """
    cursor = _Cursor(reader, size_bytes)
    found: list[OnnxInitializer] = []
    for number, wire, start, end in cursor.fields(0, size_bytes):
        if (number, wire) != (_GRAPH, _LENGTH):
            continue
        for inner, inner_wire, begin, until in cursor.fields(start, end):
            if (inner, inner_wire) != (_INITIALIZER, _LENGTH):
                continue
            if len(found) == _MAX_INITIALIZERS:
                raise _beyond(f"The model has more than the {_MAX_INITIALIZERS} initialisers that are read.")
            found.append(_initializer(cursor, begin, until))
    return tuple(found)


def _beyond(sentence: str) -> MalformedOnnx:
    return MalformedOnnx(sentence, code="onnx_beyond_limits")


class _Cursor:
    """Reads fields from anywhere, and counts them and what is decoded."""

    def __init__(self, reader: BinaryIO, size_bytes: int) -> None:
        self._reader = reader
        self._size_bytes = size_bytes
        self._fields_left = _MAX_FIELDS
        self._decoded_left = _MAX_DECODED_BYTES

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Number, wire type, and where the value begins and ends, for each field of a message."""
        at = start
        while at < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise _beyond(f"The model has more than the {_MAX_FIELDS} fields that are read.")
            key, at = self.varint(at, end)
            wire = key & 7
            if wire == _LENGTH:
                length, at = self.varint(at, end)
            elif wire == _VARINT:
                length = self.varint(at, end)[1] - at
            elif wire in {_FIXED32, _FIXED64}:
                length = 4 if wire == _FIXED32 else 8
            else:
                raise MalformedOnnx(f"The model has a field of the unknown kind {wire}.")
            if at + length > end:
                raise MalformedOnnx(f"Field {key >> 3} of the model ends outside of its message.")
            yield key >> 3, wire, at, at + length
            at += length

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The number at `at`, and where it ends."""
        self._reader.seek(at)
        raw = self._reader.read(min(10, end - at))
        value = 0
        for place, byte in enumerate(raw):
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value, at + place + 1
        raise MalformedOnnx("The model has a number that does not end.")

    def bytes_at(self, start: int, end: int) -> bytes:
        """Bytes that are kept, which are bounded all together."""
        self._decoded_left -= end - start
        if self._decoded_left < 0:
            raise _beyond(f"The model has more than {_MAX_DECODED_BYTES} bytes of numbers to decode.")
        self._reader.seek(start)
        found = self._reader.read(end - start)
        if len(found) != end - start:
            raise MalformedOnnx("The model is shorter than its size says.")
        return found

    def text(self, start: int, end: int) -> str:
        """A name or path."""
        if end - start > _MAX_TEXT_BYTES:
            raise _beyond(f"The model has a name of {end - start} bytes; at most {_MAX_TEXT_BYTES} are read.")
        return self.bytes_at(start, end).decode("utf-8", errors="replace")

    def numbers(self, wire: int, start: int, end: int) -> list[int]:
        """The varints of one field: one, or many of them packed."""
        if wire == _VARINT:
            return [self.varint(start, end)[0]]
        if wire != _LENGTH:
            raise MalformedOnnx("The model has numbers of another kind than their field's.")
        return _varints(self.bytes_at(start, end))


@dataclass(slots=True)
class _Parts:
    """What the fields of a TensorProto have said so far."""

    name: str = ""
    type: int = 0
    dims: list[int] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    external: dict[str, str] = field(default_factory=dict)
    is_external: bool = False


def _initializer(cursor: _Cursor, start: int, end: int) -> OnnxInitializer:
    parts = _Parts()
    for number, wire, begin, until in cursor.fields(start, end):
        _take(cursor, parts, number, wire, begin, until)
    dtype = _TYPES.get(parts.type)
    shape = tuple(parts.dims)
    if len(shape) > _MAX_DIMENSIONS or any(length >= _U63 for length in shape):
        raise MalformedOnnx(f"The initialiser {parts.name[:200]!r} has a shape that is none.")
    if dtype is None:
        return OnnxInitializer(parts.name, None, shape, 0, 0, None, None)
    wanted = math.prod(shape) * DTYPE_BITS[dtype] // 8
    if parts.is_external:
        external = _external(parts)
        return OnnxInitializer(parts.name, dtype, shape, 0, wanted, None, external)
    held = _held(cursor, parts, dtype)
    begin, until = parts.ranges[0] if parts.ranges else (0, 0)
    if wanted != (until - begin if held is None else len(held)):
        raise MalformedOnnx(
            f"The initialiser {parts.name[:200]!r} has not the bytes that its shape asks for."
        )
    return OnnxInitializer(parts.name, dtype, shape, begin, wanted, held, None)


def _take(cursor: _Cursor, parts: _Parts, number: int, wire: int, start: int, end: int) -> None:
    if number == _DIMS:
        parts.dims += cursor.numbers(wire, start, end)
    elif number == _TYPE and wire == _VARINT:
        parts.type = cursor.varint(start, end)[0]
    elif number == _LOCATION and wire == _VARINT:
        parts.is_external = cursor.varint(start, end)[0] == 1
    elif number == _NAME and wire == _LENGTH:
        parts.name = cursor.text(start, end)
    elif number == _EXTERNAL and wire == _LENGTH:
        entry = {inner: cursor.text(begin, until) for inner, _, begin, until in cursor.fields(start, end)}
        parts.external[entry.get(1, "")] = entry.get(2, "")
    elif number == _RAW or number in _FIXED_FIELDS:
        parts.ranges.append((start, end))
    elif number in _VARINT_FIELDS:
        parts.numbers += cursor.numbers(wire, start, end)


def _held(cursor: _Cursor, parts: _Parts, dtype: str) -> bytes | None:
    """The words where they do not lie in the file in one run; None where they do."""
    if parts.numbers and not parts.ranges:
        size = DTYPE_BITS[dtype] // 8
        mask = (1 << (8 * size)) - 1
        return b"".join((number & mask).to_bytes(size, "little") for number in parts.numbers)
    if len(parts.ranges) > 1:
        return b"".join(cursor.bytes_at(start, end) for start, end in parts.ranges)
    return None


def _external(parts: _Parts) -> ExternalData:
    location = parts.external.get("location", "")
    steps = location.replace("\\", "/").split("/")
    if not location or "\0" in location or ":" in location or any(step in {"", ".."} for step in steps):
        raise MalformedOnnx(f"The initialiser {parts.name[:200]!r} lies outside of the model's folder.")
    offset, length = (_number(parts.external.get(key)) for key in ("offset", "length"))
    return ExternalData("/".join(step for step in steps if step != "."), offset or 0, length)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise MalformedOnnx("The place of an initialiser in another file is no number.")
    return int(text)


def _varints(raw: bytes) -> list[int]:
    found = []
    value = shift = 0
    for byte in raw:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value = shift = 0
        elif shift > 63:
            raise MalformedOnnx("The model has a number that does not end.")
    if shift:
        raise MalformedOnnx("The model has a number that does not end.")
    return found
