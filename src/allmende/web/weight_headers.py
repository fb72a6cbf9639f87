"""What the header of a weights file says, for the page that shows it: bounded, and nothing but the header."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from allmende.formats import (
    ArraySummary,
    GgufHeader,
    GgufLimits,
    SafetensorsHeader,
    read_gguf,
    read_header,
)

__all__ = [
    "HEADER_SUFFIXES",
    "MAX_SAFETENSORS_HEADER_BYTES",
    "TensorLine",
    "WeightHeader",
    "read_gguf_header",
    "read_weight_header",
]

HEADER_SUFFIXES = (".safetensors", ".gguf")

MAX_SAFETENSORS_HEADER_BYTES = 4 * 1024 * 1024
_GGUF_LIMITS = GgufLimits(header_bytes=32 * 1024 * 1024, tensors=20_000, strings=400_000, kept_elements=4)
_ON_PAGE = 100
_MAX_ENTRIES = 200
_MAX_VALUE_CHARS = 300


@dataclass(frozen=True, slots=True)
class TensorLine:
    """One tensor."""

    name: str
    kind: str
    shape: str
    elements: int


@dataclass(frozen=True, slots=True)
class WeightHeader:
    """A header as far as a page shows it; the counts are those of the whole."""

    metadata: Mapping[str, str]
    metadata_count: int
    tensors: tuple[TensorLine, ...]
    tensor_count: int
    parameters: Mapping[str, int]
    total: int

    @property
    def parts(self) -> int:
        """On how many pages its tensors are shown."""
        return max(1, -(-self.tensor_count // _ON_PAGE))


def read_weight_header(reader: BinaryIO, size_bytes: int, path: str, part: int = 0) -> WeightHeader:
    """The header of a safetensors or GGUF file, with so much of its tensors as fits on the page `part`.

    Raises Malformed, also for what is beyond any page.
    """
    shown = slice(part * _ON_PAGE, (part + 1) * _ON_PAGE)
    if path.lower().endswith(".gguf"):
        return _gguf(reader, size_bytes, shown)
    header = read_header(reader, size_bytes, MAX_SAFETENSORS_HEADER_BYTES)
    lines = tuple(
        TensorLine(tensor.name, tensor.dtype, _shape(tensor.shape), tensor.elements)
        for tensor in header.tensors[shown]
    )
    return _header(header, lines)


def _header(header: SafetensorsHeader | GgufHeader, lines: tuple[TensorLine, ...]) -> WeightHeader:
    return WeightHeader(
        _entries(header.metadata),
        len(header.metadata),
        lines,
        len(header.tensors),
        header.parameters(),
        header.total,
    )


def read_gguf_header(reader: BinaryIO, size_bytes: int) -> GgufHeader:
    """The header of a GGUF file within the bounds of a page; raises Malformed."""
    return read_gguf(reader, size_bytes, _GGUF_LIMITS)


def _gguf(reader: BinaryIO, size_bytes: int, shown: slice) -> WeightHeader:
    header = read_gguf_header(reader, size_bytes)
    lines = tuple(
        TensorLine(tensor.name, tensor.type, _shape(tensor.dims), tensor.elements)
        for tensor in header.tensors[shown]
    )
    return _header(header, lines)


def _entries(metadata: Mapping[str, object]) -> dict[str, str]:
    return {name: _shown(metadata[name]) for name in sorted(metadata)[:_MAX_ENTRIES]}


def _shown(value: object) -> str:
    if isinstance(value, ArraySummary):
        first = ", ".join(str(item) for item in value.first)
        ellipsis = ", …" if value.length > len(value.first) else ""
        text = f"{value.element_type}[{value.length}]: {first}{ellipsis}"
    else:
        text = str(value)
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}…"


def _shape(sizes: tuple[int, ...]) -> str:
    return "[" + ", ".join(str(size) for size in sizes) + "]"
