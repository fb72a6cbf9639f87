"""The header of a safetensors file, read strictly and within bounds; the tensors themselves are not read.

Layout: eight bytes of little-endian header length, that many bytes of JSON, then the buffer. The checks are
those of the format's reference reader, and three more, because two readers must never see two different
files: no key twice, no white space before the first brace, integers written as integers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from allmende.formats.errors import MalformedJson, MalformedSafetensors
from allmende.formats.strict_json import JsonValue, read_json_object

__all__ = [
    "DTYPE_BITS",
    "HARD_MAX_HEADER_BYTES",
    "MAX_HEADER_BYTES",
    "SafetensorsHeader",
    "Tensor",
    "read_header",
]

HARD_MAX_HEADER_BYTES = 100_000_000
"""What the format itself allows; no setting goes beyond it."""

MAX_HEADER_BYTES = 25 * 1024 * 1024
"""What is read unless the caller says otherwise: some 200,000 tensors."""

DTYPE_BITS: Mapping[str, int] = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
"""Bits an element takes, for each dtype that safetensors 0.8 knows."""

_MAX_DIMENSIONS = 64
_U64_MAX = 2**64 - 1
_LENGTH_BYTES = 8
_JSON_DEPTH = 8
_CODES = {"json_beyond_limits": "safetensors_beyond_limits", "json_named_twice": "safetensors_named_twice"}
"""Codes of what is wrong with the header as JSON, where they say more than that."""
_FIELDS = ("dtype", "shape", "data_offsets")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its bytes are `buffer[start:end]`, the buffer beginning at the header's `data_start`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def elements(self) -> int:
        """The number of its elements; one for a scalar."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """All that a safetensors file says about itself; `tensors` are in the order of their bytes."""

    tensors: tuple[Tensor, ...]
    metadata: Mapping[str, str]
    header_bytes: int
    size_bytes: int

    @property
    def data_start(self) -> int:
        """Where in the file the buffer begins."""
        return _LENGTH_BYTES + self.header_bytes

    def parameters(self) -> dict[str, int]:
        """Elements for each dtype, as the Hub's model info shows them."""
        counts: dict[str, int] = {}
        for tensor in self.tensors:
            counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.elements
        return counts

    @property
    def total(self) -> int:
        """Elements of all tensors together."""
        return sum(tensor.elements for tensor in self.tensors)


def read_header(
    reader: BinaryIO, size_bytes: int, max_header_bytes: int = MAX_HEADER_BYTES
) -> SafetensorsHeader:
    """Reads and checks the header of a file of `size_bytes`, from the reader's present position.

    Raises MalformedSafetensors, with the code `safetensors_beyond_limits` where the header may be sound but
    is larger than `max_header_bytes`.
    """
    header = _header_json(reader, size_bytes, max_header_bytes)
    try:
        entries = read_json_object(header, max_header_bytes, _JSON_DEPTH)
    except MalformedJson as error:
        code = _CODES.get(error.code)
        raise MalformedSafetensors(f"The header is not sound. {error.message}", code=code) from error
    metadata = _metadata(entries.pop("__metadata__", None))
    tensors = [_tensor(name, entry) for name, entry in entries.items()]
    tensors.sort(key=lambda tensor: (tensor.start, tensor.end))
    _check_cover(tensors, size_bytes - _LENGTH_BYTES - len(header))
    return SafetensorsHeader(tuple(tensors), metadata, len(header), size_bytes)


def _header_json(reader: BinaryIO, size_bytes: int, max_header_bytes: int) -> bytes:
    if size_bytes < _LENGTH_BYTES:
        raise MalformedSafetensors(f"A file of {size_bytes} bytes has no room for a header.")
    length = int.from_bytes(_exactly(reader, _LENGTH_BYTES), "little")
    if length > HARD_MAX_HEADER_BYTES:
        raise MalformedSafetensors(
            f"The header claims {length} bytes; the format allows {HARD_MAX_HEADER_BYTES}."
        )
    if length > size_bytes - _LENGTH_BYTES:
        raise MalformedSafetensors(f"The header claims {length} bytes, but the file has {size_bytes}.")
    if length > max_header_bytes:
        raise MalformedSafetensors(
            f"The header is {length} bytes long; at most {max_header_bytes} are read.",
            hint="Split the file, or ask the operator to raise the limit.",
            code="safetensors_beyond_limits",
        )
    header = _exactly(reader, length)
    if not header.startswith(b"{"):
        raise MalformedSafetensors("The header does not begin with an opening brace.")
    return header


def _exactly(reader: BinaryIO, count: int) -> bytes:
    parts = []
    missing = count
    while missing:
        part = reader.read(missing)
        if not part:
            raise MalformedSafetensors(f"The file ends {missing} bytes before its header does.")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _metadata(value: JsonValue) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedSafetensors("__metadata__ is not an object.")
    metadata = {}
    for key, text in value.items():
        if not isinstance(text, str):
            raise MalformedSafetensors(f"The value of {_shown(key)} in __metadata__ is not a string.")
        metadata[key] = text
    return metadata


def _tensor(name: str, entry: JsonValue) -> Tensor:
    if not isinstance(entry, dict):
        raise MalformedSafetensors(f"The entry of tensor {_shown(name)} is not an object.")
    for field in _FIELDS:
        if field not in entry:
            raise MalformedSafetensors(f"Tensor {_shown(name)} has no {field}.")
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise MalformedSafetensors(f"Tensor {_shown(name)} has the unknown dtype {_shown(dtype)}.")
    shape = _integers(name, "shape", entry["shape"])
    offsets = _integers(name, "data_offsets", entry["data_offsets"])
    if len(shape) > _MAX_DIMENSIONS:
        raise MalformedSafetensors(
            f"Tensor {_shown(name)} has {len(shape)} dimensions; at most {_MAX_DIMENSIONS} are read.",
            code="safetensors_beyond_limits",
        )
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise MalformedSafetensors(f"Tensor {_shown(name)} has data_offsets that are not a range.")
    tensor = Tensor(name, dtype, shape, offsets[0], offsets[1])
    _check_size(tensor)
    return tensor


def _integers(name: str, field: str, value: JsonValue) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise MalformedSafetensors(f"{field} of tensor {_shown(name)} is not a list.")
    numbers = []
    for number in value:
        # `True` is an int to Python and none to JSON.
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _U64_MAX:
            raise MalformedSafetensors(
                f"{field} of tensor {_shown(name)} holds {_shown(number)}, no unsigned 64-bit number."
            )
        numbers.append(number)
    return tuple(numbers)


def _check_size(tensor: Tensor) -> None:
    elements = 1
    for length in tensor.shape:
        # Checked at each step and not at the end: a zero further on would hide an overflow from readers
        # that multiply in 64 bits.
        elements *= length
        if elements > _U64_MAX:
            break
    bits = elements * DTYPE_BITS[tensor.dtype]
    if bits > _U64_MAX:
        raise MalformedSafetensors(
            f"The size of tensor {_shown(tensor.name)} overflows 64 bits.", code="safetensors_impossible_size"
        )
    if bits % 8:
        raise MalformedSafetensors(f"Tensor {_shown(tensor.name)} ends inside a byte.")
    if bits // 8 != tensor.end - tensor.start:
        raise MalformedSafetensors(
            f"Tensor {_shown(tensor.name)} takes {bits // 8} bytes by shape and dtype, "
            f"and {tensor.end - tensor.start} by its offsets."
        )


def _check_cover(tensors: list[Tensor], buffer_bytes: int) -> None:
    reached = 0
    for tensor in tensors:
        if tensor.start != reached:
            kind = "leaves a hole before" if tensor.start > reached else "overlaps"
            raise MalformedSafetensors(
                f"Tensor {_shown(tensor.name)} begins at {tensor.start} and {kind} byte {reached}."
            )
        reached = tensor.end
    if reached != buffer_bytes:
        raise MalformedSafetensors(f"The tensors take {reached} bytes, the file has {buffer_bytes} for them.")


def _shown(value: JsonValue) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
