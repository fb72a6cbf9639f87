"""Mixtures made one entry at a time: TIES and DARE, which keep, drop and add single changes of weights.

Both start from a base and the differences of tuned models to it. DARE drops a random part of each
difference and enlarges the rest; TIES drops the small ones and, where the others disagree in sign, those of
the minority. What each entry of the result adds to the base is then one of a few combinations: nothing, one
scaled difference, the other, their sum, or their mean. The scales are found as the values that ratios heap
at. (TIES: Yadav et al., NeurIPS 2023. DARE: Yu et al., ICML 2024.)
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from allmende.weights.mixtures import Mixture, Stack

__all__ = ["find_entrywise"]

Array = NDArray[np.float64]

_MIN_KEPT_AT_BASE = 0.04
_MIN_TOLD = 400
_ENOUGH = 0.97
_NULL_GAP = 0.25
_MAX_TUNED = 6
_REACH = 2.5
_REACHES = (_REACH, 8.0)
"""Within how much of the rounding an entry is met: that of the result alone, or of all steps before it,
too.
"""
_NEEDED = 0.03
_HEAPED = 0.03


def find_entrywise(stack: Stack, numbers: Sequence[int]) -> Mixture | None:
    """A base and one or more tuned models that explain every entry; None where nothing does.

    The base is a relative that many entries equal but for rounding, while the others moved clearly; of
    several that serve as well the one with the lowest of `numbers`.
    """
    best: tuple[float, Mixture] | None = None
    for base in _bases(stack, numbers):
        for mixture, covered in _mixtures(stack, base):
            if best is None or covered > best[0] + 0.002:
                best = (covered, mixture)
    return best[1] if best is not None else None


def _bases(stack: Stack, numbers: Sequence[int]) -> list[int]:
    shares = [float(np.mean(np.abs(row - stack.query) <= 2 * stack.noise)) for row in stack.relatives]
    least = max(_MIN_KEPT_AT_BASE, 0.98 * max(shares))
    told = [place for place in range(len(shares)) if shares[place] >= least]
    return sorted(told, key=lambda place: (-round(shares[place], 3), numbers[place]))[:3]


def _mixtures(stack: Stack, base: int) -> list[tuple[Mixture, float]]:
    start = stack.relatives[base]
    moved = stack.query - start
    least = 0.02 * float(np.sum(moved**2))
    changes: dict[int, Array] = {}
    heaps: dict[int, tuple[float, float]] = {}
    for place, row in enumerate(stack.relatives):
        change = row - start
        if place != base and float(np.sum(change**2)) > least:
            heap = _heap(moved, change, stack.noise)
            if heap is not None:
                changes[place], heaps[place] = change, heap
    near = sorted(heaps, key=lambda place: -heaps[place][1])[:_MAX_TUNED]
    found: list[tuple[Mixture, float]] = []
    for size in (1, 2, 3):
        for members in combinations(near, size):
            scales = [heaps[member][0] for member in members]
            chosen = [changes[member] for member in members]
            fit = next(
                (fit for reach in _REACHES if (fit := _fit(reach * stack.noise, moved, chosen, scales))), None
            )
            if fit is not None:
                covered, method = fit
                weights = (None, *(scale / sum(scales) for scale in scales))
                gain = 1 / max(1e-6, 1 - covered)
                found.append((Mixture(method, (base, *members), weights, 1.0, gain), covered))
        if found:
            return found
    return found


def _fit(reach: Array, moved: Array, changes: list[Array], scales: list[float]) -> tuple[float, str] | None:
    """The share of entries that combinations of the scaled changes explain within reach, and whose they
    are.
    """
    clear = (np.abs(moved) > 3 * reach) & np.all([np.abs(change) > 3 * reach for change in changes], axis=0)
    for a, b in combinations(changes, 2):
        clear &= np.abs(a - b) > 6 * reach
    if int(clear.sum()) < _MIN_TOLD:
        return None
    moved, reach = moved[clear], reach[clear]
    single = [scale * change[clear] for scale, change in zip(scales, changes, strict=True)]
    found = _levels(single)
    covered, method = max((_covered(moved, levels, reach), name) for name, levels in found.items())
    null = _covered(moved, [1.37 * level for levels in found.values() for level in levels], reach)
    if covered < _ENOUGH or covered - null < _NULL_GAP or (len(single) == 1 and scales[0] < 1.02):
        return None
    for place in range(len(single) if len(single) > 1 else 0):
        rest = _levels([*single[:place], *single[place + 1 :]])
        if max(_covered(moved, levels, reach) for levels in rest.values()) > covered - _NEEDED:
            return None
    return covered, method


def _levels(single: list[Array]) -> dict[str, list[Array]]:
    """What an entry can have moved by: with DARE any sum of the scaled changes, with TIES any mean."""
    parts = [part for size in range(2, len(single) + 1) for part in combinations(single, size)]
    return {
        "dare": [*single, *(np.sum(part, axis=0) for part in parts)],
        "ties": [*single, *(np.mean(part, axis=0) for part in parts)],
    }


def _heap(moved: Array, change: Array, noise: Array) -> tuple[float, float] | None:
    """The ratio that many entries share, other than 0, and what share of those that can tell have it."""
    with np.errstate(all="ignore"):
        ratio = moved / change
        width = np.maximum(_REACH * noise / np.abs(change), 1e-6)
    told = (np.abs(ratio) > 0.05) & (np.abs(ratio) < 20) & (width < 0.02 * np.abs(ratio))
    if int(told.sum()) < _MIN_TOLD:
        return None
    ratio, width = ratio[told], width[told]
    order = np.argsort(ratio)
    ratio, width = ratio[order], width[order]
    span = max(1e-4, float(np.median(width / np.abs(ratio))))
    ends = np.searchsorted(ratio, ratio + 2 * span * np.abs(ratio))
    counts = ends - np.arange(len(ratio))
    at = int(np.argmax(counts))
    share = float(counts[at]) / len(ratio)
    # Ratios of unlike changes spread over a width of about one; so narrow a heap of them is no chance.
    if counts[at] < 50 or share < max(_HEAPED, 40 * span):
        return None
    return float(np.median(ratio[at : int(ends[at])])), share


def _covered(moved: Array, levels: list[Array], reach: Array) -> float:
    return float(np.mean(np.min([np.abs(moved - level) for level in levels], axis=0) <= reach))
