"""Words of eight bits with scales beside them: int8 and float8, per tensor, row, column or block.

The value is `(word - zero point) * scale`. Blocks as in DeepSeek's float8 (128 by 128), rows as in
compressed-tensors and in bitsandbytes' LLM.int8 (whose `SCB` is the largest value of a row, 127 scales).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats, decode, spacing
from allmende.weights.rounding_cells import even_cell, listed_cell
from allmende.weights.tensors import Cell, Span, WeightTensor

__all__ = ["ScaledWords", "looked_up"]

_LONGER = 4
_HALF_TYPES = frozenset({"F16", "BF16"})
_LOWEST, _HIGHEST = -127, 127
"""Symmetric quantisers clamp at -127; those that use -128 as well clamp there, so both have open cells."""


def looked_up(tensor: WeightTensor, positions: NDArray[np.int64]) -> Floats:
    """Values of a companion at many positions; their stretch is read where it is not much longer."""
    if not positions.size:
        return tensor.at(positions)
    first, last = int(positions.min()), int(positions.max())
    if last - first >= _LONGER * positions.size:
        return tensor.at(positions)
    return tensor.values(first, last - first + 1)[positions - first]


@dataclass(frozen=True, slots=True)
class ScaledWords:
    """A tensor of int8 or float8 words, and one scale for each block of it.

    `block` are the lengths of a block along each dimension; at its end a dimension may have a shorter one.
    """

    words: WeightTensor
    scales: WeightTensor
    block: tuple[int, ...]
    factor: float = 1.0
    zeros: WeightTensor | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """See Source."""
        others = () if self.zeros is None else self.zeros.source.spans
        return (*self.words.source.spans, *self.scales.source.spans, *others)

    def values(self, first: int, count: int) -> Floats:
        """See Source."""
        positions = np.arange(first, first + count, dtype=np.int64)
        return self._scaled(self.words.values(first, count), positions)

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """See Source."""
        return self._scaled(self.words.at(positions), positions)

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """See Source."""
        positions = np.arange(first, first + count, dtype=np.int64)
        scale = self._scale(positions).astype(np.float64)
        words = self.words.values(first, count).astype(np.float64)
        if self.words.dtype != "I8":
            levels = decode(np.arange(256, dtype=np.uint8), self.words.dtype).astype(np.float64)
            return listed_cell(words, levels, scale)
        error = spacing(scale, self.scales.dtype) / 2 if self.scales.dtype in _HALF_TYPES else 0.0
        slack = (np.abs(words - self._zero(positions)) + 0.5) * error
        return even_cell(words, scale, _LOWEST, _HIGHEST, slack)

    def _scaled(self, words: Floats, positions: NDArray[np.int64]) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):
            shifted = words if self.zeros is None else words - self._zero(positions)
            return shifted * self._scale(positions)

    def _scale(self, positions: NDArray[np.int64]) -> Floats:
        found = looked_up(self.scales, self._block_of(positions))
        return found if self.factor == 1 else found * np.float32(self.factor)

    def _zero(self, positions: NDArray[np.int64]) -> Floats | float:
        return 0.0 if self.zeros is None else looked_up(self.zeros, self._block_of(positions))

    def _block_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        rest, found, parts = positions, np.zeros(positions.shape, np.int64), 1
        for length, side in zip(reversed(self.words.shape), reversed(self.block), strict=True):
            rest, index = np.divmod(rest, length)
            found += index // side * parts
            parts *= -(-length // side)
        return found
