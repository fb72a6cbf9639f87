"""Which values a quantiser rounds to a level: how far the edges of a level's cell lie from it."""

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats
from allmende.weights.tensors import Cell

__all__ = ["even_cell", "listed_cell"]


def even_cell(codes: Floats, step: Floats, lowest: int, highest: int, slack: Floats | float = 0.0) -> Cell:
    """The cells of levels `codes * step + offset`; the edges lie half a step away, and `slack` further out.

    `step` (broadcast against `codes`) may be negative, as the scale of Q4_0 is: the lowest code is then the
    highest level.
    """
    half = np.where(step == 0, 0, np.abs(step) / 2 + slack) + np.zeros_like(codes)
    at_bottom = np.where(step > 0, codes <= lowest, codes >= highest) & (step != 0)
    at_top = np.where(step > 0, codes >= highest, codes <= lowest) & (step != 0)
    return np.where(at_bottom, np.inf, half), np.where(at_top, np.inf, half)


def listed_cell(units: Floats, levels: NDArray[np.float64], scale: Floats | float) -> Cell:
    """The cells of `units * scale` (broadcast), where each unit is the nearest of `levels`, in any order.

    Units that are not finite have cells of zero, and so has all that a scale of zero makes.
    """
    order = np.unique(levels[np.isfinite(levels)])
    sound = np.isfinite(units) if order.size else np.zeros(units.shape, bool)
    middles = np.full(len(order) + 1, np.inf)
    middles[0] = -np.inf
    middles[1:-1] = (order[1:] + order[:-1]) / 2
    shown = np.where(sound, units, order[0] if order.size else 0).astype(np.float64)
    place = np.minimum(np.searchsorted(order, shown), max(len(order) - 1, 0))
    size = np.abs(scale)
    lower, upper = shown - middles[place], middles[np.minimum(place + 1, len(order))] - shown
    with np.errstate(invalid="ignore"):
        below, above = (np.where(sound & (size != 0), edge * size, 0) for edge in (lower, upper))
    falling = np.less(scale, 0)
    return np.where(falling, above, below), np.where(falling, below, above)
