"""Finding how a mixture was written: in which order, width and rounding its sum was reckoned.

The weights alone leave the last bit open. Each way in which programs write a merge is tried on the sample:
sums of weighted values, means, steps from one value towards another, a base and scaled differences; in
float32, in float64, or rounded to the models' own 16 bits after every operation.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations, product

import numpy as np

from allmende.codecs.drafts import Draft
from allmende.codecs.finding_arcs import find_arcs
from allmende.codecs.finding_mixtures import Mixture, find_mixtures, nice_weights
from allmende.codecs.outputs import Words
from allmende.codecs.rounding import Numbers, rounded_to
from allmende.codecs.samples import Sample, Sampled
from allmende.codecs.steps import Arithmetic, Load, Number, Round, Step, Width

__all__ = ["find_merges"]

_ADD, _SUB, _MUL, _DIV = Arithmetic("add"), Arithmetic("sub"), Arithmetic("mul"), Arithmetic("div")
_MOST_WEIGHTS = 2
_Steps = tuple[Step, ...]


def find_merges(sample: Sample) -> Iterator[Draft]:
    """Drafts of the mixtures found, in all ways of writing them."""
    for mixture in find_mixtures(sample):
        for weights in _likely(sample, mixture) if mixture.exact else ():
            yield from _ways(sample, mixture.chosen, weights)
        if mixture.exact:
            yield from find_arcs(sample, mixture)
            yield from _nearest_singles(sample, mixture)
        yield _fitted(sample, mixture)


def _likely(sample: Sample, mixture: Mixture) -> list[tuple[float, ...]]:
    """The round weights whose plain sum comes nearest to the child."""
    part = sample.part()
    parts = {one.number: one for one in part.candidates}
    chosen = [parts[one.number] for one in mixture.chosen]
    fits: dict[tuple[float, ...], float] = {}
    for weights in nice_weights(mixture):
        steps = _sum(_Way("F64", None), range(len(chosen)), weights, chosen)
        fit = part.fit(chosen, steps, Words(sample.child.dtype))
        if fit is not None:
            fits[weights] = fit.bits
    return sorted(fits, key=lambda weights: fits[weights])[:_MOST_WEIGHTS]


def _fitted(sample: Sample, mixture: Mixture) -> Draft:
    steps = _sum(_Way("F64", None), range(len(mixture.chosen)), mixture.weights, mixture.chosen)
    return Draft(mixture.chosen, steps, Words(sample.child.dtype))


def _nearest_singles(sample: Sample, mixture: Mixture) -> Iterator[Draft]:
    """Weights that are not round, as the nearest float32 and its neighbours."""
    if len(mixture.weights) != 2:
        return
    singles = [np.float32(weight) for weight in mixture.weights]
    around = [
        (single, np.nextafter(single, np.float32(-9)), np.nextafter(single, np.float32(9)))
        for single in singles
    ]
    for weights in product(*around):
        steps = _sum(_Way("F32", None), (0, 1), tuple(map(float, weights)), mixture.chosen)
        yield Draft(mixture.chosen, steps, Words(sample.child.dtype))


class _Way:
    """In which width is reckoned, and to which type every outcome is rounded, if to any, and the weights."""

    def __init__(self, width: Width, rounded: str | None, *, rounds_weights: bool = False) -> None:
        self.width, self._rounded, self._rounds_weights = width, rounded, rounds_weights

    def load(self, number: int, chosen: Sequence[Sampled]) -> _Steps:
        wide = chosen[number].source.words == "F64"
        return (Load(number), Round(self.width)) if wide != (self.width == "F64") else (Load(number),)

    def number(self, value: float) -> _Steps:
        if self.width == "F64":
            return (Number(value, "F64"),)
        single: Numbers = np.full(1, value, np.float32)
        if self._rounded is not None and self._rounds_weights:
            single = rounded_to(single, self._rounded)
        return (Number(float(single[0])),)

    def done(self, *steps: Step) -> _Steps:
        return steps if self._rounded is None else (*steps, Round(self._rounded))


def _ways(sample: Sample, chosen: Sequence[Sampled], weights: tuple[float, ...]) -> Iterator[Draft]:
    output = Words(sample.child.dtype)
    words = {one.source.words for one in chosen}
    ways = [_Way("F32", None), _Way("F64", None)]
    if len(words) == 1 and words & {"BF16", "F16"}:
        own = words.pop()
        ways = [_Way("F32", own), _Way("F32", own, rounds_weights=True), *ways]
    # Plain sums come first in all ways: on a sample, other forms of 16 bits may look just like them.
    orders = list(_orders(len(chosen)))
    yield from (Draft(chosen, _sum(way, order, weights, chosen), output) for way in ways for order in orders)
    for way in ways:
        for order in orders:
            for steps in _forms(way, order, weights, chosen):
                yield Draft(chosen, steps, output)
    for other in _complements(weights):
        yield from (Draft(chosen, _sum(ways[-1], order, other, chosen), output) for order in orders)


def _complements(weights: tuple[float, ...]) -> Iterator[tuple[float, ...]]:
    """The same weights, one of them written as what the others leave of 1: often another float."""
    if abs(sum(weights) - 1) < 1e-9:
        for number in range(len(weights)):
            rest = 1 - sum(weights[:number] + weights[number + 1 :])
            if rest != weights[number]:
                yield (*weights[:number], rest, *weights[number + 1 :])


def _orders(count: int) -> Iterator[tuple[int, ...]]:
    if count <= 3:
        yield from permutations(range(count))
    else:
        yield tuple(range(count))
        yield tuple(reversed(range(count)))


def _forms(
    way: _Way, order: tuple[int, ...], weights: tuple[float, ...], chosen: Sequence[Sampled]
) -> Iterator[_Steps]:
    yield from _late_sum(way, order, weights, chosen)
    if len(set(weights)) == 1:
        yield from _means(way, order, weights[0] * len(weights), chosen)
    if abs(sum(weights) - 1) < 1e-9:
        yield _from_base(way, order, weights, chosen)
        yield from _together(way, order, weights, chosen)
    if len(order) == 2:
        yield from _fused(way, order, weights, chosen)


def _sum(way: _Way, order: Sequence[int], weights: tuple[float, ...], chosen: Sequence[Sampled]) -> _Steps:
    steps: list[Step] = []
    for place, number in enumerate(order):
        steps += (*way.load(number, chosen), *way.number(weights[number]), *way.done(_MUL))
        steps += way.done(_ADD) if place else ()
    return tuple(steps)


def _late_sum(
    way: _Way, order: Sequence[int], weights: tuple[float, ...], chosen: Sequence[Sampled]
) -> Iterator[_Steps]:
    """Products rounded, their sum rounded only at its end, as a reduction over a stack is reckoned."""
    if len(way.done(_MUL)) == 1:
        return
    steps: list[Step] = []
    for place, number in enumerate(order):
        steps += (*way.load(number, chosen), *way.number(weights[number]), *way.done(_MUL))
        steps += (_ADD,) if place else ()
    yield tuple(steps)


def _means(way: _Way, order: Sequence[int], whole: float, chosen: Sequence[Sampled]) -> Iterator[_Steps]:
    steps: list[Step] = []
    for place, number in enumerate(order):
        steps += (*way.load(number, chosen), *(way.done(_ADD) if place else ()))
    yield (*steps, *way.number(len(order) / whole), *way.done(_DIV))
    yield (*steps, *way.number(whole / len(order)), *way.done(_MUL))


def _from_base(
    way: _Way, order: Sequence[int], weights: tuple[float, ...], chosen: Sequence[Sampled]
) -> _Steps:
    """A base, and each weighted difference added to it in turn."""
    base, *others = order
    steps = list(way.load(base, chosen))
    for number in others:
        steps += (*_difference(way, number, base, chosen), *way.number(weights[number]))
        steps += (*way.done(_MUL), *way.done(_ADD))
    return tuple(steps)


def _together(
    way: _Way, order: Sequence[int], weights: tuple[float, ...], chosen: Sequence[Sampled]
) -> Iterator[_Steps]:
    """A base, and the sum of the weighted differences added to it."""
    base, *others = order
    for late in (False, True):
        steps: list[Step] = []
        for place, number in enumerate(others):
            steps += (*_difference(way, number, base, chosen), *way.number(weights[number]), *way.done(_MUL))
            steps += ((_ADD,) if late else way.done(_ADD)) if place else ()
        steps += way.done() if late else ()
        yield (*steps, *way.load(base, chosen), *way.done(_ADD))
        if len(others) < 2 or len(way.done(_ADD)) == 1:
            return


def _difference(way: _Way, number: int, base: int, chosen: Sequence[Sampled]) -> _Steps:
    return (*way.load(number, chosen), *way.load(base, chosen), *way.done(_SUB))


def _fused(
    way: _Way, order: Sequence[int], weights: tuple[float, ...], chosen: Sequence[Sampled]
) -> Iterator[_Steps]:
    """Product and sum without a rounding between: from the first towards the second, and a sum of two."""
    if way.width == "F64":
        return
    first, second = order
    wide, narrow = Round("F64"), Round("F32")
    share = Number(float(np.float32(weights[second])), "F64")
    between = _difference(way, second, first, chosen)
    yield (*between, wide, share, _MUL, *way.load(first, chosen), wide, _ADD, narrow, *way.done())
    own = way.number(weights[first])
    yield (
        *(*way.load(second, chosen), wide, share, _MUL),
        *(*way.load(first, chosen), *own, *way.done(_MUL), wide, _ADD, narrow),
    )
