"""Going through all values of two models, once sampling says that one follows the other."""

import numpy as np
from numpy.typing import NDArray

from allmende.weights.comparison import PairedTensor, in_cell
from allmende.weights.number_types import Floats, round_through
from allmende.weights.relatives import Relative
from allmende.weights.tensors import WeightTensor

__all__ = ["follows_everywhere"]

_PIECE = 1 << 20


def follows_everywhere(relative: Relative) -> bool:
    """Whether every value of the query is the candidate's, but for its rounding and (pruned) its zeros.

    Rows and columns beyond the common shape are left out. Memory: a million values at a time.
    """
    pruned = relative.pruned
    return all(
        _follows(pair, relative.specimen.tensors[pair.partner], pruned=pruned)
        for pair in relative.pairs.values()
    )


def _follows(pair: PairedTensor, candidate: WeightTensor, *, pruned: bool) -> bool:
    ours = pair.query.tensor
    count = min(ours.elements, candidate.elements)
    if ours.matrix[1] != candidate.matrix[1] and min(ours.matrix[0], candidate.matrix[0]) > 1:
        return False
    for first in range(0, count, _PIECE):
        size = min(_PIECE, count - first)
        mine, theirs = ours.values(first, size), candidate.values(first, size)
        told = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))
        if pruned:
            told |= mine == 0
        if not told.all() and pair.query.precision == "quantized":
            told |= _in_cells(ours, first, size, mine, theirs)
        elif not told.all():
            told |= round_through(theirs, pair.query.precision) == mine
            told |= round_through(theirs, ours.dtype) == mine
        if not told.all():
            return False
    return True


def _in_cells(ours: WeightTensor, first: int, size: int, mine: Floats, theirs: Floats) -> NDArray[np.bool_]:
    cell = ours.source.rounding_cell(first, size)
    if cell is None:
        return np.zeros(mine.shape, np.bool_)
    return in_cell(cell, mine, theirs)
