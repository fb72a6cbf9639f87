"""The rank of a change: how many directions a matrix moved in, above the rounding of its numbers.

An adapter that was merged adds a matrix of its rank; full training moves every direction. What rounding
adds to a matrix of (m, n) has singular values up to sigma * (sqrt(m) + sqrt(n)), sigma being the standard
deviation of the rounding. The rank is where the largest gap between neighbouring singular values lies, if
what is behind it is no more than that.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ChangeRank", "change_rank"]

Array = NDArray[np.float64]

_CLEAR_GAP = 30.0
_ABOVE = 1.15
_ALL_NOISE = (0.8, 1.25)
_ROUNDS = 40
_PACE_ROUNDS = 4
_WITHIN = 0.995
_MOVED_WITHIN = 0.97
_MIN_MOVED = 0.03


@dataclass(frozen=True, slots=True)
class ChangeRank:
    """The rank of a change, None where it is full or cannot be told; `gap` is the ratio behind it."""

    rank: int | None
    gap: float


def change_rank(change: Array, noise: Array) -> ChangeRank:
    """The rank of a change (rows, columns) that is known to `noise` (standard deviation, same shape)."""
    half = min(change.shape) // 2
    values = np.linalg.svd(change, compute_uv=False)
    sigma = float(np.sqrt(np.mean(noise**2)))
    edge = sigma * (np.sqrt(change.shape[0]) + np.sqrt(change.shape[1])) + 1e-12 * float(values[0])
    above = int(np.sum(values > _ABOVE * edge))
    rest = float(np.sum(values[above:] ** 2)) / max(
        sigma**2 * np.prod(np.subtract(change.shape, above)), 1e-300
    )
    if (
        0 < above <= half
        and _ALL_NOISE[0] <= rest <= _ALL_NOISE[1]
        and values[above - 1] >= _ABOVE * values[above]
    ):
        # What is left has just the power of the rounding, so all of the change lies before it.
        return ChangeRank(above, float(values[above - 1] / values[above]))
    if values[0] <= 1.3 * edge:
        return _of_intervals(change, noise)
    gaps = values[:half] / np.maximum(values[1 : half + 1], edge / 20)
    rank = int(np.argmax(gaps)) + 1
    if gaps.max() >= _CLEAR_GAP:
        # The product of the factors was rounded, too: what is behind such a gap may lie above the edge.
        return ChangeRank(rank, float(gaps.max()))
    if values[rank] <= 1.6 * edge:
        beyond = int(np.sum(values[:half] > 1.15 * edge))
        # Small directions may hide in front of the largest gap's foot; those above the edge are real.
        rank = max(rank, beyond)
        if sigma * np.sqrt(change.size) > 0.2 * float(np.linalg.norm(change)):
            refined = _of_intervals(change, noise)
            return refined if refined.rank is not None else ChangeRank(rank, float(gaps.max()))
        return ChangeRank(rank, float(gaps.max()))
    return ChangeRank(None, float(gaps.max()))


def _of_intervals(change: Array, noise: Array) -> ChangeRank:
    """The least rank of a matrix that would round to this change.

    Where a change is about as small as the rounding, rounding is no noise of its own: it swallows what is
    below half a unit. So the true change is sought within the interval of each entry: by projecting in turn
    on the matrices of a rank and on the intervals.
    """
    if float(np.mean(change != 0)) < _MIN_MOVED:
        return ChangeRank(None, 1.0)
    reach = noise * np.sqrt(3.0)  # half the distance of neighbouring numbers
    low, high = change - reach, change + reach
    # With half as many free numbers as entries that moved, a matrix meets them whatever made them.
    most = int(np.count_nonzero(change)) // (2 * sum(change.shape))
    rank = 1
    tried: list[int] = []
    while rank <= most:
        if _feasible(change, low, high, rank):
            break
        tried.append(rank)
        rank *= 2
    if rank > most:
        return ChangeRank(None, 1.0)
    lowest = tried[-1] + 1 if tried else 1
    while lowest < rank:
        middle = (lowest + rank) // 2
        if _feasible(change, low, high, middle):
            rank = middle
        else:
            lowest = middle + 1
    return ChangeRank(rank, float("inf"))


def _feasible(change: Array, low: Array, high: Array, rank: int) -> bool:
    inside = change
    moved = change != 0
    seen: list[float] = []
    for left in reversed(range(_ROUNDS)):
        found = _projected(inside, rank)
        margin = 0.02 * (high - low)
        told = (found >= low - margin) & (found <= high + margin)
        # Entries that did not move say little: zero would do for them. Those that moved must be met too.
        all_met, moved_met = float(np.mean(told)), float(np.mean(told[moved]))
        if all_met >= _WITHIN and moved_met >= _MOVED_WITHIN:
            return True
        seen.append(min(all_met / _WITHIN, moved_met / _MOVED_WITHIN))
        if _is_hopeless(seen, left):
            return False
        inside = np.clip(found, low, high)
    return False


def _projected(matrix: Array, rank: int) -> Array:
    """The nearest matrix of a rank, by the eigenvectors of the smaller square: quicker than by svd."""
    tall = matrix.shape[0] >= matrix.shape[1]
    square = matrix.T @ matrix if tall else matrix @ matrix.T
    chief = np.linalg.eigh(square)[1][:, -rank:]
    return (matrix @ chief) @ chief.T if tall else chief @ (chief.T @ matrix)


def _is_hopeless(seen: list[float], left: int) -> bool:
    """Whether what is met, whose share grows ever more slowly, would not suffice at its present pace."""
    if len(seen) <= _PACE_ROUNDS:
        return False
    pace = max(0.0, seen[-1] - seen[-1 - _PACE_ROUNDS]) / _PACE_ROUNDS
    return seen[-1] + pace * left < 1.0
