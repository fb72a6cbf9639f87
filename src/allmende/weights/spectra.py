"""How many directions a change of a matrix has: its effective rank, and its rank where one stands out.

Both are read off the singular values of B - A, for large matrices off a sub-matrix of at most 512 rows and
512 columns drawn by fixed chance: a change of rank r keeps its rank in any sub-matrix that is larger than r.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats
from allmende.weights.tensors import WeightTensor

__all__ = ["Spectrum", "spectrum_of_change"]

_SIDE = 512
_SMALLEST_SIDE = 8
_CLEAR_GAP = 3.0
"""A rank is told where the singular values fall at least by this factor behind it. Those of noise fall by
1.5 or less at the ends of their range."""

_SEED = 0x616C6C6D
_MAX_ROW_ELEMENTS = 1 << 20
_STACK_SIDE = 32


@dataclass(frozen=True, slots=True)
class Spectrum:
    """`effective_rank`: exp of the entropy of the shares of the squared singular values (Roy and Vetterli
    2007, of the squares): 1 for one direction, the smaller side for a change without direction.

    `rank` stands before the largest gap s[i] / s[i+1] below half of the smaller side; None where no gap is
    clear. `of` is the smaller side of the matrix looked at; `sampled` says that it is a sub-matrix.
    """

    effective_rank: float
    rank: int | None
    gap: float | None
    of: int
    sampled: bool


def spectrum_of_change(a: WeightTensor, b: WeightTensor, rows_in_common: int) -> Spectrum | None:
    """Of the rows that both have. None for vectors, for small matrices, and for changes that are zero."""
    rows, columns = _matrix(a.shape, rows_in_common)
    if min(rows, columns) < _SMALLEST_SIDE:
        return None
    chance = np.random.default_rng(_SEED)
    chosen_rows, chosen_columns = _chosen(chance, rows), _chosen(chance, columns)
    change = _part(b, columns, chosen_rows, chosen_columns) - _part(a, columns, chosen_rows, chosen_columns)
    change = np.where(np.isfinite(change), change, 0)
    size = float(np.max(np.abs(change)))
    # Scaled, so that the squares of very small or large changes neither vanish nor overflow.
    return None if size == 0 else _spectrum(change / size, sampled=max(rows, columns) > _SIDE)


def _spectrum(change: NDArray[np.float64], *, sampled: bool) -> Spectrum:
    values = np.linalg.svd(change, compute_uv=False)
    shares = values**2 / np.sum(values**2)
    shares = shares[shares > 0]
    effective = math.exp(float(-np.sum(shares * np.log(shares))))
    # What is left of the arithmetic itself is no singular value.
    floor = values[0] * np.finfo(np.float64).eps * max(change.shape)
    kept = np.maximum(values, floor)
    gaps = kept[: len(kept) // 2] / kept[1 : len(kept) // 2 + 1]
    widest = int(np.argmax(gaps))
    gap = float(gaps[widest])
    rank, gap_told = (widest + 1, gap) if gap >= _CLEAR_GAP else (None, None)
    return Spectrum(effective, rank, gap_told, len(values), sampled)


def _matrix(shape: tuple[int, ...], rows_in_common: int) -> tuple[int, int]:
    """Rows and columns; a stack of matrices (experts) is taken as one above the other."""
    if len(shape) < 2:
        return (1, rows_in_common)
    if len(shape) == 3 and min(shape[1:]) >= _STACK_SIDE:
        return (rows_in_common * shape[1], shape[2])
    return (rows_in_common, math.prod(shape[1:]))


def _chosen(chance: np.random.Generator, count: int) -> NDArray[np.int64]:
    if count <= _SIDE:
        return np.arange(count, dtype=np.int64)
    # One of each of 512 equal parts: spread over the whole, and no list of all positions is made.
    edges = np.arange(_SIDE + 1, dtype=np.int64) * count // _SIDE
    return edges[:-1] + (chance.random(_SIDE) * np.diff(edges)).astype(np.int64)


def _part(
    tensor: WeightTensor, width: int, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    found = np.empty((len(rows), len(columns)))
    for place, row in enumerate(rows):
        first = int(row) * width
        values: Floats
        if width <= _MAX_ROW_ELEMENTS:
            values = tensor.values(first, width)[columns]
        else:
            values = tensor.at(first + columns)
        found[place] = values
    return found
