"""Tensors in the block types of ggml (Q4_0 to Q8_0, the K, I, ternary and MX types), dequantised.

The arithmetic of each type is that of the package `gguf`, which llama.cpp's own developers keep in step with
their C code. Here stands what a lineage asks beyond it: where a value's block lies, and what rounds to it.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from allmende.formats import GGML_TYPES, GgmlType
from allmende.weights.ggml_scales import EVEN_TYPES, levels_of
from allmende.weights.number_types import Floats
from allmende.weights.rounding_cells import even_cell
from allmende.weights.tensors import Cell, Span

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

__all__ = ["GgmlBlocks", "can_dequantise", "ggml_type"]


@cache
def can_dequantise(kind: GgmlType) -> bool:
    """Whether a type is one of blocks, and not one of the oldest or newest, which `gguf` does not know."""
    if kind.block_elements == 1:
        return False
    try:
        _dequantised(np.zeros((1, kind.bytes_per_block), np.uint8), kind)
    except (KeyError, NotImplementedError):
        return False
    return True


def ggml_type(name: str) -> GgmlType | None:
    """The layout of a type by its name."""
    return next((kind for kind in GGML_TYPES.values() if kind.name == name), None)


@dataclass(frozen=True, slots=True)
class GgmlBlocks:
    """A tensor of blocks; its rows are whole blocks, as ggml demands."""

    span: Span
    kind: GgmlType

    @property
    def spans(self) -> tuple[Span, ...]:
        """See Source."""
        return (self.span,)

    def values(self, first: int, count: int) -> Floats:
        """See Source."""
        size = self.kind.block_elements
        start, end = first // size, -(-(first + count) // size)
        return _dequantised(self._raw(start, end), self.kind).ravel()[first - start * size :][:count]

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """See Source."""
        if positions.size == 0:
            return np.empty(positions.shape, np.float32)
        size = self.kind.block_elements
        wanted, inverse = np.unique(positions.ravel() // size, return_inverse=True)
        raw = np.concatenate([self._raw(int(block), int(block) + 1) for block in wanted])
        found = _dequantised(raw, self.kind)
        return found[inverse, positions.ravel() % size].reshape(positions.shape)

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """See Source. None for the types that look their levels up in tables."""
        if self.kind.name not in EVEN_TYPES:
            return None
        size = self.kind.block_elements
        start, end = first // size, -(-(first + count) // size)
        blocks = self._raw(start, end)
        levels = levels_of(self.kind.name, blocks)
        assert levels is not None, "the type has even levels"
        parts = levels.step.shape[1]
        values = _dequantised(blocks, self.kind).reshape(len(blocks), parts, -1).astype(np.float64)
        step, offset, step_error, offset_error = (
            part[:, :, None] for part in (levels.step, levels.offset, levels.step_error, levels.offset_error)
        )
        with np.errstate(all="ignore"):
            codes = np.nan_to_num(np.rint((values - offset) / step))
            slack = (np.abs(codes) + 0.5) * step_error + offset_error
            lower, upper = even_cell(codes, step, levels.lowest, levels.highest, slack)
        begin = first - start * size
        return lower.ravel()[begin : begin + count], upper.ravel()[begin : begin + count]

    def _raw(self, start: int, end: int) -> NDArray[np.uint8]:
        raw = self.span.read(start * self.kind.bytes_per_block, (end - start) * self.kind.bytes_per_block)
        return np.frombuffer(raw, np.uint8).reshape(-1, self.kind.bytes_per_block)


def _dequantised(blocks: NDArray[np.uint8], kind: GgmlType) -> NDArray[np.float32]:
    from gguf.quants import dequantize

    with np.errstate(all="ignore"):
        found: NDArray[np.float32] = dequantize(blocks, _number(kind))
    return found


def _number(kind: GgmlType) -> "GGMLQuantizationType":
    from gguf import GGMLQuantizationType

    return GGMLQuantizationType[kind.name]
