"""Finding interpolation along the arc between two tensors: its weights follow from a share and an angle.

With the weights `sin((1-t)a)/sin(a)` and `sin(ta)/sin(a)` both are known from the weights' sum and ratio. The
share is a round number; the angle is the tensors' own, and a sample tells it only so well.
"""

import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.drafts import Draft, Open
from allmende.codecs.finding_mixtures import Mixture
from allmende.codecs.outputs import Words
from allmende.codecs.samples import Sample, Sampled
from allmende.codecs.steps import Arithmetic, Load, Number, Round, Step

__all__ = ["find_arcs", "share_of_arc", "wide_arc"]

_ADD, _MUL, _DIV = Arithmetic("add"), Arithmetic("mul"), Arithmetic("div")
_COSINES_ASIDE = 12
_MOST_ARCS, _MOST_QUOTIENTS = 48, 5

Singles: TypeAlias = NDArray[np.float32]
_SMALLEST_COSINE = -0.999
_EQUAL_IF_WIDE = 0.9
"""What was reckoned in float32 never meets what is reckoned in float64 in so many words."""


def find_arcs(sample: Sample, mixture: Mixture) -> Iterator[Draft]:
    """Drafts of a mixture of two as an interpolation along their arc, if it can be one."""
    if len(mixture.weights) != 2:
        return
    found = _share_and_cosine(*mixture.weights)
    if found is None:
        return
    cosine, output, pair = found[1], Words(sample.child.dtype), mixture.chosen
    shares = dict.fromkeys(round(found[0], digits) for digits in (1, 2, 3, 4, 6))
    for share in (one for one in shares if 0 < one < 1):
        yield Draft(pair, wide_arc(share, cosine, _are_wide(pair)), output, Open.ANGLE)
    if any(_are_wide(pair)) or sample.child.dtype != "F32":
        # In 16 bits the last bit of a coefficient is hardly ever seen.
        return
    share = _nice(found[0], mixture.error)
    known = sample.fit(pair, wide_arc(share, cosine), output)
    if known is not None and known.equal > _EQUAL_IF_WIDE:
        return
    for turned in (False, True):
        weights = mixture.weights[::-1] if turned else mixture.weights
        for steps in _single_arcs(1 - share if turned else share, cosine, weights):
            yield Draft(pair[::-1] if turned else pair, steps, output)


def share_of_arc(steps: Sequence[Step]) -> float:
    """The share that `wide_arc` was given for these steps."""
    left, right, divisor = (step.value for step in steps if isinstance(step, Number))
    found = _share_and_cosine(left / divisor, right / divisor)
    assert found is not None, "the numbers are those of an arc"
    return round(found[0], 6)


def wide_arc(share: float, cosine: float, wide: Sequence[bool] = (False, False)) -> tuple[Step, ...]:
    """So far along the arc from the first of two sources to the second, in float64."""
    angle = math.acos(cosine)
    first, second = ((Load(number),) if wide[number] else (Load(number), Round("F64")) for number in (0, 1))
    return (
        *(*first, Number(math.sin((1 - share) * angle), "F64"), _MUL),
        *(*second, Number(math.sin(share * angle), "F64"), _MUL, _ADD),
        *(Number(math.sin(angle), "F64"), _DIV),
    )


def _are_wide(pair: Sequence[Sampled]) -> tuple[bool, ...]:
    return tuple(one.source.words == "F64" for one in pair)


def _single_arcs(share: float, cosine: float, weights: tuple[float, ...]) -> Iterator[tuple[Step, ...]]:
    """The same in float32, all of whose coefficients are: divided at the end, or before.

    Their sines are those of another library, of a cosine that was summed in float32, so the last bits of all
    are open. What gives other weights than those found is not tried.
    """
    cosines = _around(np.float32(cosine), _COSINES_ASIDE)
    angles = np.arccos(cosines[np.abs(cosines) < 1])
    if not len(angles):
        return
    parts = np.float32(1 - share) * angles, np.float32(share) * angles, angles
    for first, second, divisor in _divided_late(parts, weights):
        yield (*_weighted(first, second), Number(float(divisor)), _DIV)
    chosen = [
        _quotients(np.sin(part), angles, weight)
        for part, weight in zip((angles - parts[1], parts[1]), weights, strict=True)
    ]
    yield from (_weighted(first, second) for first in chosen[0] for second in chosen[1])


def _divided_late(parts: Sequence[Singles], weights: tuple[float, ...]) -> Singles:
    """The sines of parts of an angle with their neighbours, those first that give the weights best."""
    first, second, whole = (_with_neighbours(np.sin(part)) for part in parts)
    together = np.broadcast_arrays(first[:, :, None, None], second[:, None, :, None], whole[:, None, None, :])
    rows = np.unique(np.stack([one.ravel() for one in together], axis=1), axis=0)
    wide = rows.astype(np.float64)
    apart = np.abs(wide[:, :2] / wide[:, 2:] - weights).max(axis=1)
    found: Singles = rows[np.argsort(apart, kind="stable")][:_MOST_ARCS]
    return found


def _quotients(sines: Singles, angles: Singles, weight: float) -> Singles:
    around = np.divide(_with_neighbours(sines), np.sin(angles)[:, None], dtype=np.float32)
    values = np.unique(_with_neighbours(around))
    found: Singles = values[np.argsort(np.abs(values - weight), kind="stable")][:_MOST_QUOTIENTS]
    return found


def _around(value: np.float32, count: int) -> Singles:
    steps = np.arange(-count, count + 1, dtype=np.int32)
    found: Singles = (np.full(len(steps), value, np.float32).view(np.int32) + steps).view(np.float32)
    return found


def _with_neighbours(values: Singles) -> Singles:
    return np.stack(
        [np.nextafter(values, np.float32(0)), values, np.nextafter(values, np.float32(2))], axis=-1
    )


def _weighted(first: np.float32, second: np.float32) -> tuple[Step, ...]:
    return (Load(0), Number(float(first)), _MUL, Load(1), Number(float(second)), _MUL, _ADD)


def _share_and_cosine(first: float, second: float) -> tuple[float, float] | None:
    if first <= 0 or second <= 0 or first + second <= 1:
        return None
    cosine = (1 - first**2 - second**2) / (2 * first * second)
    if not _SMALLEST_COSINE < cosine < 1:
        return None
    angle = math.acos(cosine)
    return math.atan2(second * math.sin(angle), first + second * cosine) / angle, cosine


def _nice(share: float, error: float) -> float:
    for digits in (1, 2, 3, 4):
        if abs(share - round(share, digits)) <= max(8 * error, 1e-6):
            return round(share, digits)
    return round(share, 6)
