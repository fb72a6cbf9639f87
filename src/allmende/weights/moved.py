"""Rows and columns that were moved: permuted neurons and heads, a vocabulary cut to chosen rows.

Two matrices whose entries disagree place by place may hold the same rows in another order. A row finds its
partner by the cosine of the two; chance gives next to nothing in so many dimensions, so a partner is taken
only when it is close and no other row comes near it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.tensors import WeightTensor

__all__ = ["Moved", "find_moved"]

Rows = NDArray[np.float32]
Places = NDArray[np.int64]

_FEW_DIMENSIONS = 64
_DIMENSIONS = 512
_PROBES = 24
_MAX_SIDE = 16_384
_MAX_ROWS = 400_000
_CHUNK = 1 << 16
_CLOSE = 0.6
_MARGIN = 0.15
_FAR_NEARER = 0.25
_ENOUGH = 0.8
_MIN_DIMENSIONS = 8


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the candidate has the query's rows and columns: `rows[i]` and `columns[j]`, None for in place.

    -1 stands for a row that has no partner.
    """

    rows: Places | None
    columns: Places | None

    def values(self, candidate: WeightTensor, positions: Places, columns: int) -> Rows:
        """The candidate's values for flat positions of the query; NaN where a row has no partner."""
        row, column = positions // columns, positions % columns
        row = row if self.rows is None else self.rows[row]
        column = column if self.columns is None else self.columns[column]
        found = np.full(positions.shape, np.nan, np.float32)
        told = (row >= 0) & (row < candidate.matrix[0]) & (column >= 0)
        found[told] = candidate.at(row[told] * candidate.matrix[1] + column[told])
        return found


def find_moved(query: WeightTensor, candidate: WeightTensor, known: list[Places]) -> Moved | None:
    """How rows, columns, or both were moved; None when neither explains the difference.

    `known` are moves of rows found in other tensors: the columns of the next layer move with them. A move
    that is found is added to it. Matrices of more than 16,384 columns are not looked at.
    """
    if query.matrix[1] != candidate.matrix[1] or not _in_bounds(query) or not _in_bounds(candidate):
        return None
    for columns in (None, *_column_moves(known, query.matrix[1])):
        rows = _match_rows(query, candidate, columns)
        if rows is not None:
            known.append(rows)
            return Moved(rows, columns)
    if query.matrix[0] != candidate.matrix[0] or query.matrix[0] > _MAX_SIDE:
        return None
    for rows in (None, *(move for move in known if len(move) == query.matrix[0])):
        columns = _match_columns(query, candidate, rows)
        if columns is not None:
            return Moved(rows, columns)
    return None


def _in_bounds(tensor: WeightTensor) -> bool:
    rows, columns = tensor.matrix
    return _MIN_DIMENSIONS <= columns <= _MAX_SIDE and _MIN_DIMENSIONS <= rows <= _MAX_ROWS


def _column_moves(known: list[Places], columns: int) -> list[Places]:
    """Moves of rows read as moves of columns; in a convolution each input channel has several columns."""
    found: list[Places] = []
    for move in known:
        if columns % len(move) == 0 and (move >= 0).all():
            width = columns // len(move)
            found.append((move[:, None] * width + np.arange(width)).ravel())
    return found


def _match_rows(query: WeightTensor, candidate: WeightTensor, columns: Places | None) -> Places | None:
    probes = _spread(query.matrix[0], _PROBES)
    # A few dimensions tell that nothing matches; what they find is confirmed in many.
    chosen, theirs, middle = probes, np.empty((0, 0), np.float32), np.empty(0, np.float32)
    for dimensions in (_FEW_DIMENSIONS, _DIMENSIONS):
        chosen = _spread(query.matrix[1], dimensions)
        theirs_at = chosen if columns is None else columns[chosen]
        theirs = _part(candidate, np.arange(candidate.matrix[0]), theirs_at)
        middle = theirs.mean(axis=0)
        theirs = _scaled(theirs, middle)
        if not _matched_enough(_scaled(_part(query, probes, chosen), middle), theirs):
            return None
    mine = _scaled(_part(query, np.arange(query.matrix[0]), chosen), middle)
    found = _partners(mine, theirs)
    return found if not np.array_equal(found, np.arange(len(found))) else None


def _match_columns(query: WeightTensor, candidate: WeightTensor, rows: Places | None) -> Places | None:
    every = np.arange(query.matrix[1])
    mine = theirs = np.empty((0, 0), np.float32)
    for dimensions in (_FEW_DIMENSIONS, _DIMENSIONS):
        chosen = _spread(query.matrix[0], dimensions)
        theirs = _part(candidate, chosen if rows is None else rows[chosen], every).T
        middle = theirs.mean(axis=0)
        theirs = _scaled(theirs, middle)
        mine = _scaled(_part(query, chosen, every).T, middle)
        if not _matched_enough(mine[_spread(len(mine), _PROBES)], theirs):
            return None
    found = _partners(mine, theirs)
    return found if not np.array_equal(found, every) or rows is not None else None


def _spread(size: int, count: int) -> Places:
    return np.unique(np.linspace(0, size - 1, min(size, count)).astype(np.int64))


def _part(tensor: WeightTensor, rows: Places, columns: Places) -> Rows:
    width = tensor.matrix[1]
    if len(columns) * 4 < width:
        found = tensor.at(rows[:, None] * width + columns)
    elif len(rows) == tensor.matrix[0]:
        found = tensor.values().reshape(tensor.matrix)[:, columns]
    else:
        found = tensor.rows(rows)[:, columns]
    return found.astype(np.float32, copy=False)


def _scaled(rows: Rows, middle: Rows) -> Rows:
    """Rows of length one, seen from the mean of all rows: what they all share tells none from another."""
    with np.errstate(invalid="ignore", over="ignore"):
        centred = np.nan_to_num(rows - middle, posinf=0, neginf=0)
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        scaled: Rows = np.nan_to_num(centred / np.maximum(length, 1e-30), posinf=0, neginf=0)
    return scaled


def _matched_enough(probes: Rows, theirs: Rows) -> bool:
    found = _partners(probes, theirs)
    told = found[found >= 0]
    return len(told) >= _ENOUGH * len(probes) and len(np.unique(told)) == len(told)


def _partners(mine: Rows, theirs: Rows) -> Places:
    """The row of `theirs` that each of `mine` is close to; -1 where none is, or where two are alike."""
    found = np.full(len(mine), -1, np.int64)
    step = max(1, _CHUNK * 64 // max(len(theirs), 1))
    for first in range(0, len(mine), step):
        cosines = mine[first : first + step] @ theirs.T
        best = cosines.argmax(axis=1)
        at = np.arange(len(cosines))
        value = cosines[at, best]
        cosines[at, best] = -1
        second = cosines.max(axis=1) if theirs.shape[0] > 1 else np.full(len(cosines), -1.0)
        # Clearly nearer than any other; among rows that are all alike, far nearer.
        clear = (value - second >= _MARGIN * value) | (1 - value <= _FAR_NEARER * (1 - second))
        told = (value >= _CLOSE) & clear
        found[first : first + step] = np.where(told, best, -1)
    return found
