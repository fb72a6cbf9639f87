"""Two models side by side at the same sampled values: which tensors are equal, rounded, cut, or changed.

A tensor of the query is compared with the tensor of the candidate that it was paired with. Nothing is judged
here; what is measured is put beside the rounding of the query's own numbers, which is the smallest
difference that means anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats, round_through, spacing
from allmende.weights.specimens import Specimen, is_matrix, sample_positions
from allmende.weights.tensors import Cell, WeightTensor

__all__ = [
    "PairedTensor",
    "QueryTensor",
    "cells_at",
    "compare",
    "compare_values",
    "in_cell",
    "is_degenerate",
    "narrowest",
    "query_tensors",
]

_PLAIN_FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"})
_NARROWER: Mapping[str, tuple[str, ...]] = {
    "F64": ("F8_E4M3", "F8_E5M2", "BF16", "F16", "F32"),
    "F32": ("F8_E4M3", "F8_E5M2", "BF16", "F16"),
    "F16": ("F8_E4M3", "F8_E5M2"),
    "BF16": ("F8_E4M3", "F8_E5M2"),
}
_MIN_VALUES = 16
_SMOOTH = 0.8


@dataclass(frozen=True, slots=True)
class QueryTensor:
    """A tensor of the query at its sampled positions.

    `precision` is the narrowest type of floats that holds all of its values (`quantized` for one whose
    values are levels); `noise` is the standard deviation of its rounding at each value.
    """

    tensor: WeightTensor
    values: Floats
    noise: Floats
    precision: str
    cell: tuple[Floats, Floats] | None
    matrix: bool
    degenerate: bool


@dataclass(frozen=True, slots=True)
class PairedTensor:
    """What the comparison of one tensor came to; shares are of the values that both have.

    `equal`: the same values; `rounded`: the query's are the candidate's after a cast to its precision, or
    lie in the same cell of a quantiser; `zeroed`: the query has a zero where the candidate has none;
    `kept`: equal or rounded among those that are not zeroed; `relative`: root mean square of the change over
    that of the candidate; `agreement`: share of equal signs about the medians, `runs` its spread.
    """

    name: str
    partner: str
    query: QueryTensor
    values: Floats
    equal: float
    rounded: float
    zeroed: float
    kept: float
    relative: float
    agreement: float
    certainty: float

    @property
    def same(self) -> bool:
        """Equal wherever it was looked at."""
        return self.equal == 1.0

    @property
    def follows(self) -> bool:
        """The query's values are the candidate's, but for their rounding."""
        return self.rounded >= 0.999


def query_tensors(query: Specimen) -> dict[str, QueryTensor]:
    """All tensors of the query at their sampled positions."""
    return {name: _query_tensor(query, name, tensor) for name, tensor in query.tensors.items()}


def _query_tensor(query: Specimen, name: str, tensor: WeightTensor) -> QueryTensor:
    values = query.sample(name, tensor, query.runs)
    cell = cells_at(tensor, sample_positions(tensor, query.runs))
    if cell is not None:
        width = np.where(np.isfinite(cell[0]) & np.isfinite(cell[1]), cell[0] + cell[1], 0)
        noise = np.where(width > 0, width, np.median(width[width > 0]) if (width > 0).any() else 0) / np.sqrt(
            12
        )
        precision = "quantized"
    elif tensor.dtype in _PLAIN_FLOATS:
        precision = narrowest(values, tensor.dtype)
        noise = spacing(values, precision) / np.sqrt(12)
    else:
        # A format with uneven levels: they lie about as far apart as the values that occur do.
        noise = np.full(values.shape, np.nanstd(values) / 16 if values.size else 0.0)
        precision = "quantized"
    return QueryTensor(
        tensor, values, noise, precision, cell, is_matrix(tensor), is_degenerate(tensor, values)
    )


def narrowest(values: Floats, dtype: str) -> str:
    """The narrowest type of floats that holds all of these values, which are of type `dtype`."""
    found = values[np.isfinite(values) & (values != 0)]
    if found.size < _MIN_VALUES:
        return dtype
    for narrower in _NARROWER.get(dtype, ()):
        if np.array_equal(round_through(found, narrower), found):
            return narrower
    return dtype


def is_degenerate(tensor: WeightTensor, values: Floats) -> bool:
    """Whether a tensor says nothing of where it comes from: constant, not finite, or a smooth table.

    Positions, filter banks and masks are computed by a formula, and unrelated models share them; neighbours
    in them are nearly equal, which trained weights are not.
    """
    finite = values[np.isfinite(values)]
    if finite.size < _MIN_VALUES or finite.size < values.size // 2:
        return True
    low, high = float(finite.min()), float(finite.max())
    if not np.isfinite(high - low) or high - low <= 0 or len(np.unique(finite[:4096])) <= 3:
        return True
    return is_matrix(tensor) and _smoothness(finite) > _SMOOTH


def _smoothness(values: Floats) -> float:
    scaled = values.astype(np.float64) - np.mean(values, dtype=np.float64)
    power = float(np.mean(scaled * scaled))
    if not power > 0:
        return 1.0
    return max(float(np.mean(scaled[lag:] * scaled[:-lag])) / power for lag in (1, 2))


def cells_at(tensor: WeightTensor, positions: NDArray[np.int64]) -> tuple[Floats, Floats] | None:
    """The rounding cells of a tensor at flat positions, as `rounding_cell` gives them; None for plain
    numbers.
    """
    if positions.size == 0:
        return None
    breaks = np.flatnonzero(np.diff(positions) != 1) + 1
    lower: list[Floats] = []
    upper: list[Floats] = []
    for run in np.split(positions, breaks):
        cell = tensor.source.rounding_cell(int(run[0]), len(run))
        if cell is None:
            return None
        lower.append(cell[0])
        upper.append(cell[1])
    return np.concatenate(lower), np.concatenate(upper)


def compare(
    mine: Mapping[str, QueryTensor], query: Specimen, candidate: Specimen, pairs: Mapping[str, str]
) -> dict[str, PairedTensor]:
    """The comparison of all paired tensors whose columns fit each other."""
    found: dict[str, PairedTensor] = {}
    for name, partner in pairs.items():
        ours, theirs = mine[name], candidate.tensors[partner]
        if not _fits(ours.tensor, theirs):
            continue
        values = candidate.sample(partner, ours.tensor, query.runs)
        paired = compare_values(name, partner, ours, values)
        if paired is not None:
            found[name] = paired
    return found


def _fits(ours: WeightTensor, theirs: WeightTensor) -> bool:
    if ours.shape == theirs.shape:
        return True
    if not is_matrix(ours):
        return min(ours.elements, theirs.elements) > 0 and len(ours.shape) == len(theirs.shape)
    return ours.matrix[1] == theirs.matrix[1]


def compare_values(name: str, partner: str, ours: QueryTensor, values: Floats) -> PairedTensor | None:
    """The comparison of one tensor with the candidate's values at the same positions; None without any."""
    both = np.isfinite(ours.values) & np.isfinite(values)
    if not both.any():
        return None
    if both.all():
        mine, theirs = ours.values, values
    else:
        mine, theirs = ours.values[both], values[both]
    equal = mine == theirs
    if equal.all():
        return PairedTensor(name, partner, ours, values, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, np.inf)
    rounded = equal | _rounds_to(ours, both, mine, theirs)
    zeroed = (mine == 0) & (theirs != 0) & ~equal
    rest = ~zeroed
    change = mine.astype(np.float64) - theirs
    size = float(np.sqrt(np.mean(theirs.astype(np.float64) ** 2)))
    agreement, certainty = _agreement(mine, theirs) if ours.matrix else (0.5, 0.0)
    return PairedTensor(
        name,
        partner,
        ours,
        values,
        float(equal.mean()),
        float(rounded.mean()),
        float(zeroed.mean()),
        float(rounded[rest].mean()) if rest.any() else 0.0,
        float(np.sqrt(np.mean(change * change))) / size if size > 0 else float(np.any(change != 0)),
        agreement,
        certainty,
    )


def _rounds_to(ours: QueryTensor, both: NDArray[np.bool_], mine: Floats, theirs: Floats) -> NDArray[np.bool_]:
    if ours.cell is not None:
        return in_cell((ours.cell[0][both], ours.cell[1][both]), mine, theirs)
    found = np.zeros(mine.shape, np.bool_)
    for precision in dict.fromkeys((ours.precision, ours.tensor.dtype)):
        if precision in _PLAIN_FLOATS:
            found |= round_through(theirs, precision) == mine
    return found


def in_cell(cell: Cell, levels: Floats, values: Floats) -> NDArray[np.bool_]:
    """Whether values round to these levels, given their cells; a thousandth is left for arithmetic."""
    below, above = cell
    change = values.astype(np.float64) - levels
    slack = 1e-3 * np.where(np.isfinite(below), below, above) + 1e-7 * np.abs(levels)
    told: NDArray[np.bool_] = (change >= -below - slack) & (change <= above + slack)
    return told


def _agreement(mine: Floats, theirs: Floats) -> tuple[float, float]:
    """The share of equal signs about the means, zeros left out; and how many standard errors above chance.

    Values of one run may hang together, so the error is taken from the spread between runs of 64.
    """
    told = (mine != 0) & (theirs != 0)
    count = int(np.count_nonzero(told))
    if count < _MIN_VALUES:
        return 0.5, 0.0
    alike = ((mine > mine.mean()) == (theirs > theirs.mean()))[told]
    share = float(np.count_nonzero(alike)) / count
    size = min(64, count // 2)
    runs = alike[: count // size * size].reshape(-1, size).mean(axis=1)
    spread = max(float(runs.std()), 0.5 / np.sqrt(size))
    return share, (share - 0.5) / (spread / np.sqrt(len(runs)))
