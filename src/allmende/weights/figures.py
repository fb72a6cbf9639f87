"""How far one run of values lies from another: sums that can be added up, and what follows from them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats

__all__ = ["NOTHING_COMPARED", "Figures", "figures_of"]

_LARGEST = 1e150
"""Larger values are counted with those that are not finite: their squares would not be finite either."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over pairs of values (a, b), in float64. Pairs of which one is not finite are in `elements`,
    `changed`, `zeroed` and `not_finite_*` alone.

    `zeroed` counts changed values that are zero in b; `largest` is the largest |b - a|. Two values that are
    not finite are equal when both are NaN, or the same infinity.
    """

    elements: int = 0
    changed: int = 0
    zeroed: int = 0
    not_finite_a: int = 0
    not_finite_b: int = 0
    squares_a: float = 0.0
    squares_b: float = 0.0
    products: float = 0.0
    squares_change: float = 0.0
    largest: float = 0.0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.elements + other.elements,
            self.changed + other.changed,
            self.zeroed + other.zeroed,
            self.not_finite_a + other.not_finite_a,
            self.not_finite_b + other.not_finite_b,
            self.squares_a + other.squares_a,
            self.squares_b + other.squares_b,
            self.products + other.products,
            self.squares_change + other.squares_change,
            max(self.largest, other.largest),
        )

    @property
    def relative(self) -> float | None:
        """‖b - a‖ / ‖a‖; None where a is zero and b is not."""
        if self.squares_change == 0:
            return 0.0
        return math.sqrt(self.squares_change / self.squares_a) if self.squares_a > 0 else None

    @property
    def share_changed(self) -> float:
        """The part of the values that differ, 0 to 1."""
        return self.changed / self.elements if self.elements else 0.0

    @property
    def cosine(self) -> float | None:
        """The cosine of the angle between a and b; None where one is zero."""
        if self.squares_change == 0 and self.squares_a > 0:
            return 1.0
        size = math.sqrt(self.squares_a) * math.sqrt(self.squares_b)
        return max(-1.0, min(1.0, self.products / size)) if size > 0 else None


NOTHING_COMPARED = Figures()
"""The sums over no values."""


def figures_of(a: Floats, b: Floats, differs: NDArray[np.bool_] | None = None) -> Figures:
    """The figures of two flat arrays of the same length. `differs` says which values differ, where the
    caller knows it better than float64 can (integers of 64 bits).
    """
    wide_a, wide_b = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
    if differs is None:
        differs = (wide_a != wide_b) & ~(np.isnan(wide_a) & np.isnan(wide_b))
    changed = int(np.count_nonzero(differs))
    zeroed = int(np.count_nonzero(differs & (wide_b == 0))) if changed else 0
    bad_a, bad_b = _not_usable(wide_a), _not_usable(wide_b)
    bad = bad_a | bad_b
    if bad.any():
        wide_a, wide_b = np.where(bad, 0, wide_a), np.where(bad, 0, wide_b)
    squares_a = float(np.dot(wide_a, wide_a))
    counts = (wide_a.size, changed, zeroed, int(np.count_nonzero(bad_a)), int(np.count_nonzero(bad_b)))
    if not changed:
        return Figures(*counts, squares_a, squares_a, squares_a)
    change = wide_b - wide_a
    return Figures(
        *counts,
        squares_a,
        float(np.dot(wide_b, wide_b)),
        float(np.dot(wide_a, wide_b)),
        float(np.dot(change, change)),
        float(np.max(np.abs(change))),
    )


def _not_usable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return ~(np.abs(values) < _LARGEST)
