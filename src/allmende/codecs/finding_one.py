"""Finding what was made of one stored tensor: a copy, a cast, a scaled or a pruned one."""

from collections.abc import Iterator
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.drafts import Draft, Open
from allmende.codecs.outputs import Words
from allmende.codecs.rounding import Numbers, rounded_to
from allmende.codecs.samples import Sample
from allmende.codecs.steps import Arithmetic, Load, Mask, Number, Prune, Round, Step

__all__ = ["find_casts", "find_copies", "find_pruned", "find_scaled"]

_FEWEST_ZEROS = 0.02
_FIRST = 256
"""So many values mostly tell what all would, in a fraction of the time."""
_SPREAD = 2.0
"""One factor is looked for where the middle half of the ratios is no wider than this, see _spread."""
_THINNED, _THINNED_SPREAD = 2048, 8.0
"""So many ratios tell in a fraction of the time where there is none."""
_NARROW = MappingProxyType({"BF16": 7, "F16": 10, "F8_E4M3": 3, "F8_E5M2": 2})
"""Narrow types, and how many bits of the mantissa they have."""


def find_copies(sample: Sample) -> Iterator[Draft]:
    """Each candidate of the child's own type as it is."""
    for one in sample.candidates:
        if one.source.words == sample.child.words:
            yield Draft([one], (Load(0),), Words(one.source.words))


def find_casts(sample: Sample) -> Iterator[Draft]:
    """Each candidate cast to the child's type, also by way of a narrower one in which its values fit."""
    values = sample.child_numbers()
    if values is None:
        return
    for one in sample.floats:
        for chain in through(values, one.source.words, sample.child.dtype):
            if not chain and one.source.words == sample.child.dtype:
                continue  # that is a copy
            yield Draft([one], (Load(0), *chain), Words(sample.child.dtype))


def through(values: Numbers, from_words: str, to_words: str) -> Iterator[tuple[Step, ...]]:
    """The ways of a cast between two types: straight, and by narrower types in which all of `values` fit."""
    yield ()
    least = _least_mantissa_bits(values[:_FIRST])
    for narrow, mantissa_bits in _NARROW.items():
        if narrow in {from_words, to_words} or mantissa_bits < least:
            continue
        if _fit_in(values[:_FIRST], narrow) and _fit_in(values, narrow):
            yield (Round(narrow),)


def _least_mantissa_bits(values: Numbers) -> int:
    """In types with fewer bits after the point these values do not all fit; told without a cast."""
    single = rounded_to(values, "F32")
    used = int(np.bitwise_or.reduce(single[np.isfinite(single)].view(np.uint32), initial=0))
    return 23 - ((used | 1 << 23) & -(used | 1 << 23)).bit_length() + 1


def _fit_in(values: Numbers, narrow: str) -> bool:
    return _same(rounded_to(values, narrow), rounded_to(values, "F32"))


def _same(left: Numbers, right: Numbers) -> bool:
    return bool(np.array_equal(left, right, equal_nan=True))


def find_scaled(sample: Sample) -> Iterator[Draft]:
    """Each candidate times one factor, as weight decay leaves what was not trained, or a rescaling."""
    values = sample.child_numbers()
    if values is None:
        return
    thin = slice(None, None, max(1, values.size // _THINNED))
    for one in sample.floats:
        if _spread(_ratios(one.numbers[thin], values[thin])) > _THINNED_SPREAD:
            continue
        factor = _factor(_ratios(one.numbers, values))
        if factor is None:
            continue
        for number in _near(factor, one.numbers):
            yield Draft([one], (Load(0), number, Arithmetic("mul")), Words(sample.child.dtype))
        if one.numbers.dtype == np.float32:
            exact = (Load(0), Round("F64"), Number(factor, "F64"), Arithmetic("mul"))
            yield Draft([one], exact, Words(sample.child.dtype))


def _ratios(parent: Numbers, child: Numbers) -> NDArray[np.float64]:
    """How many times the parent's values the child's are, where that can be told."""
    with np.errstate(all="ignore"):
        ratio = child.astype(np.float64) / parent.astype(np.float64)
    return np.asarray(ratio[np.isfinite(ratio) & (ratio != 0)])


def _spread(ratio: NDArray[np.float64]) -> float:
    """How wide the middle half of ratios is, in parts of how far their middle is from 1."""
    if ratio.size < 16:
        return 0.0
    below, middle, above = _quarters(ratio)
    return float("inf") if middle == 1.0 else (above - below) / abs(middle - 1)


def _quarters(ratio: NDArray[np.float64]) -> tuple[float, float, float]:
    """Below which a quarter, half, and three quarters of ratios lie."""
    places = [ratio.size * quarter // 4 for quarter in (1, 2, 3)]
    below, middle, above = np.partition(ratio, places)[places].tolist()
    return below, middle, above


def _factor(ratio: NDArray[np.float64]) -> float | None:
    """The factor in the middle, if the child's values are about so many times the parent's."""
    if ratio.size < 16 or _spread(ratio) > _SPREAD:
        return None
    below, _, above = _quarters(ratio)
    # The mean of the middle half has far less noise of rounding than a single ratio.
    found = float(ratio[(ratio >= below) & (ratio <= above)].mean())
    return found if np.isfinite(found) and found != 1.0 else None


def _near(factor: float, numbers: Numbers) -> Iterator[Number]:
    if numbers.dtype == np.float64:
        yield Number(factor, "F64")
        return
    single = np.float32(factor)
    for other in (np.nextafter(single, np.float32(0)), single, np.nextafter(single, np.float32(np.inf))):
        if np.isfinite(other):
            yield Number(float(other))


def find_pruned(sample: Sample) -> Iterator[Draft]:
    """Each candidate with its smallest values zeroed, or with zeros where only a mask can tell."""
    values = sample.child_numbers()
    if values is None or float(np.mean(values == 0)) < _FEWEST_ZEROS:
        return
    output = Words(sample.child.dtype)
    for one in sample.floats:
        cut = (values == 0) & (one.numbers != 0)
        if float(cut.mean()) < _FEWEST_ZEROS:
            continue
        size = np.abs(one.numbers)
        largest_cut, smallest_kept = float(size[cut].max()), float(size[values != 0].min(initial=np.inf))
        if largest_cut <= smallest_kept:
            yield Draft([one], (Load(0), Prune(largest_cut)), output, Open.LIMIT)
        else:
            yield Draft([one], (Load(0), Mask()), output, Open.MASK)
