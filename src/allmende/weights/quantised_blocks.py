"""bitsandbytes' types of four bits: NF4 and FP4, two codes a byte, a table of levels, a scale a block.

The layout is that of `QuantState.as_dict(packed=True)` in bitsandbytes: the first code of a byte is the high
one. The scales may themselves be quantised, to bytes with a table, scales of blocks and an offset (QLoRA's
double quantisation).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats
from allmende.weights.quantised_scaled import looked_up
from allmende.weights.rounding_cells import listed_cell
from allmende.weights.tensors import Cell, Span, WeightTensor

__all__ = ["FourBitBlocks", "NestedScales"]


@dataclass(frozen=True, slots=True)
class NestedScales:
    """How scales that are bytes are read: `table[byte] * scales[i // block] + offset`."""

    table: WeightTensor
    scales: WeightTensor
    block: int
    offset: float


@dataclass(frozen=True, slots=True)
class FourBitBlocks:
    """A tensor whose flat values are `table[code] * scale`, one scale for each `block` values."""

    codes: WeightTensor
    scales: WeightTensor
    table: WeightTensor
    block: int
    nested: NestedScales | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """See Source."""
        parts = [self.codes, self.scales, self.table]
        if self.nested is not None:
            parts += [self.nested.table, self.nested.scales]
        return tuple(span for part in parts for span in part.source.spans)

    def values(self, first: int, count: int) -> Floats:
        """See Source."""
        return self._scaled(self._codes(first, count), _range(first, count))

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """See Source."""
        both = self.codes.at(positions // 2).astype(np.int64)
        return self._scaled(np.where(positions % 2 == 0, both >> 4, both & 15), positions)

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """See Source."""
        levels = self._levels().astype(np.float64)
        return listed_cell(levels[self._codes(first, count)], levels, self._scale(_range(first, count)))

    def _scaled(self, codes: NDArray[np.int64], positions: NDArray[np.int64]) -> Floats:
        with np.errstate(all="ignore"):
            return self._levels()[codes] * self._scale(positions)

    def _codes(self, first: int, count: int) -> NDArray[np.int64]:
        start, end = first // 2, -(-(first + count) // 2)
        both = self.codes.values(start, end - start).astype(np.int64)
        return np.stack([both >> 4, both & 15], axis=1).ravel()[first - start * 2 :][:count]

    def _levels(self) -> Floats:
        return self.table.values()

    def _scale(self, positions: NDArray[np.int64]) -> Floats:
        places = positions // self.block
        found = looked_up(self.scales, places)
        if self.nested is None:
            return found
        table = self.nested.table.values()
        scales = looked_up(self.nested.scales, places // self.nested.block)
        return table[found.astype(np.int64)] * scales + np.float32(self.nested.offset)


def _range(first: int, count: int) -> NDArray[np.int64]:
    return np.arange(first, first + count, dtype=np.int64)
