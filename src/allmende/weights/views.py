"""Tensors seen otherwise than they lie: rows in another order, transposed, a constant off, or a part of them.

Converters between layouts move rows, transpose matrices and add constants to norms. A view undoes that as the
values are read; it copies nothing, and its `spans` are the bytes of what it looks at, as they lie.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.ggml_blocks import GgmlBlocks
from allmende.weights.number_types import Floats, number_type, spacing
from allmende.weights.tensors import Cell, PlainWords, Source, Span, WeightTensor

__all__ = ["Offset", "RowsMoved", "Transposed", "part_of"]

_PIECE_ELEMENTS = 1 << 20
_FEW = 4096
"""So few values are fetched one by one rather than by whole rows."""

Read = Callable[[int, int], Floats]
"""Values, or edges of cells, from a flat position on, so many."""


@dataclass(frozen=True, slots=True, eq=False)
class RowsMoved:
    """A matrix whose row `i` is row `rows_from[i]` of the source; `columns` is the width of a row."""

    source: Source
    rows_from: NDArray[np.int64]
    columns: int

    @property
    def spans(self) -> tuple[Span, ...]:
        """See Source."""
        return self.source.spans

    def values(self, first: int, count: int) -> Floats:
        """See Source."""
        return self._moved(self.source.values, first, count)

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """See Source."""
        rows, columns = np.divmod(positions, self.columns)
        return self.source.at(self.rows_from[rows] * self.columns + columns)

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """See Source."""
        return _both_edges(self.source, lambda read: self._moved(read, first, count))

    def _moved(self, read: Read, first: int, count: int) -> Floats:
        start, end = first // self.columns, -(-(first + count) // self.columns)
        found = self._rows(read, self.rows_from[start:end])
        return found.ravel()[first - start * self.columns :][:count]

    def _rows(self, read: Read, wanted: NDArray[np.int64]) -> Floats:
        if wanted.size == 0:
            return np.empty((0, self.columns), np.float32)
        lowest, highest = int(wanted.min()), int(wanted.max())
        # Rows that moved within a head lie close together: one read, then the order.
        if highest - lowest < 4 * wanted.size:
            block = read(lowest * self.columns, (highest - lowest + 1) * self.columns)
            return block.reshape(-1, self.columns)[wanted - lowest]
        first = read(int(wanted[0]) * self.columns, self.columns)
        found: Floats = np.empty((wanted.size, self.columns), first.dtype)
        for place, row in enumerate(wanted):
            found[place] = read(int(row) * self.columns, self.columns)
        return found


@dataclass(frozen=True, slots=True)
class Transposed:
    """The transpose of a source of `rows` by `columns`; itself it is `columns` by `rows`."""

    source: Source
    rows: int
    columns: int

    @property
    def spans(self) -> tuple[Span, ...]:
        """See Source."""
        return self.source.spans

    def values(self, first: int, count: int) -> Floats:
        """See Source. Reads the whole source unless few values are asked for."""
        if count <= _FEW:
            return self.at(np.arange(first, first + count))
        return self._turned(self.source.values, first, count)

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """See Source."""
        column, row = np.divmod(positions, self.rows)
        return self.source.at(row * self.columns + column)

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """See Source."""
        return _both_edges(self.source, lambda read: self._turned(read, first, count))

    def _turned(self, read: Read, first: int, count: int) -> Floats:
        start, end = first // self.rows, -(-(first + count) // self.rows)
        step = max(1, _PIECE_ELEMENTS // self.columns)
        found: Floats = np.empty((end - start, self.rows), read(0, 1).dtype)
        for row in range(0, self.rows, step):
            rows = min(step, self.rows - row)
            block = read(row * self.columns, rows * self.columns).reshape(rows, self.columns)
            found[:, row : row + rows] = block[:, start:end].T
        return found.ravel()[first - start * self.rows :][:count]


@dataclass(frozen=True, slots=True)
class Offset:
    """The values of a source less a constant; `dtype` is the type in which the source holds them."""

    source: Source
    minus: float
    dtype: str

    @property
    def spans(self) -> tuple[Span, ...]:
        """See Source."""
        return self.source.spans

    def values(self, first: int, count: int) -> Floats:
        """See Source."""
        return self.source.values(first, count) - np.float32(self.minus)

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """See Source."""
        return self.source.at(positions) - np.float32(self.minus)

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """See Source. Plain numbers were rounded where they lay, before the constant was taken off."""
        cell = self.source.rounding_cell(first, count)
        if cell is None and number_type(self.dtype) is not None:
            half = spacing(self.source.values(first, count), self.dtype) / 2
            return half, half
        return cell


def part_of(tensor: WeightTensor, name: str, number: int) -> WeightTensor | None:
    """Entry `number` of the first dimension, as a tensor of its own, made of its own bytes only.

    None where those are not whole words or blocks, or the tensor has scales beside it.
    """
    elements = tensor.elements // max(tensor.shape[0], 1)
    source = tensor.source
    if isinstance(source, PlainWords):
        words = number_type(source.dtype)
        assert words is not None, "plain words have a type of words"
        span = _part_of_span(source.span, number, elements * words.itemsize)
        return WeightTensor(name, tensor.dtype, tensor.shape[1:], PlainWords(span, source.dtype))
    if isinstance(source, GgmlBlocks) and elements % source.kind.block_elements == 0:
        size_bytes = elements // source.kind.block_elements * source.kind.bytes_per_block
        span = _part_of_span(source.span, number, size_bytes)
        return WeightTensor(name, tensor.dtype, tensor.shape[1:], GgmlBlocks(span, source.kind))
    return None


def _part_of_span(span: Span, number: int, size_bytes: int) -> Span:
    return Span(span.place, span.start + number * size_bytes, size_bytes)


def _both_edges(source: Source, arranged: Callable[[Read], Floats]) -> Cell | None:
    """The cells of a source, each edge arranged as the values of the view are."""
    if source.rounding_cell(0, 1) is None:
        return None
    return arranged(lambda first, count: _edge(source, first, count, 0)), arranged(
        lambda first, count: _edge(source, first, count, 1)
    )


def _edge(source: Source, first: int, count: int, side: int) -> Floats:
    cell = source.rounding_cell(first, count)
    assert cell is not None, "a source has cells everywhere or nowhere"
    return cell[side]
