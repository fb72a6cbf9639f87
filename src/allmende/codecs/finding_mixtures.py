"""Finding which stored tensors were mixed, and with which weights: least squares on the sample.

All is reckoned in differences from one of the candidates. Relatives hardly differ, so their values themselves
would hide the weights in rounding; differences do not.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice, product

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.samples import Sample, Sampled

__all__ = ["Mixture", "find_mixtures", "nice_weights"]

_MOST_MIXED = 4
_FEWEST_VALUES = 32
_ERRORS = 4.0
_DENOMINATORS = (2, 3, 4, 5, 6, 7, 8, 10, 16, 20, 100, 1000, 10000, 100000)
_TOO_MANY = 5.0
_MOST_WEIGHTS = 32
_BIAS = 0.01
"""How far off least squares may be in 16 bits or fewer, where rounding hides the smaller part."""
_NOISE_FACTOR = 8.0
"""How far beyond the noise of rounding what is left of a mixture may be, to be called just this mixture."""
_WORTH_TRYING = 0.5
"""A mixture that does not fit is tried if it leaves at most this of the best single one's variance."""
_SAME, _SURELY = 1e-13, 0.5
"""Where all candidates are mixed those that differ by no more are taken as one; what is left may be this
factor too much."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Candidates and their weights as they fit best; `error` is how far off the weights may well be.

    `exact` says that nothing but rounding is left of the child.
    """

    chosen: tuple[Sampled, ...]
    weights: tuple[float, ...]
    error: float
    exact: bool


def find_mixtures(sample: Sample) -> Iterator[Mixture]:
    """The smallest mixtures that leave only rounding; without one, the best pair if it is worth it."""
    values = sample.child_numbers()
    if values is None or len(sample.floats) < 2 or len(values) < _FEWEST_VALUES:
        return
    problem = _Problem.of(values.astype(np.float64), sample)
    if problem is None:
        return
    best: Mixture | None = None
    least = _WORTH_TRYING * problem.least_alone()
    if problem.least_together() > max(least, problem.noise_of_exact):
        return  # what all of them leave together, no few of them can do without
    for size in range(2, min(_MOST_MIXED, len(problem.candidates)) + 1):
        found = []
        for members in combinations(range(len(problem.candidates)), size):
            mixture, left = problem.solved(members)
            if mixture is None:
                continue
            if mixture.exact:
                found.append((left, mixture))
            elif size == 2 and left < least:
                best, least = mixture, left
        if found:
            yield from (mixture for _, mixture in sorted(found, key=lambda one: one[0])[:2])
            return
    if best is not None:
        yield best


class _Problem:
    """The sample in differences from the first candidate, and what rounding alone would leave."""

    def __init__(
        self, child: Doubles, parents: Doubles, candidates: tuple[Sampled, ...], noise: float, bias: float
    ) -> None:
        self.candidates = candidates
        self._child, self._parents, self._noise, self._bias = child, parents, noise, bias
        self.noise_of_exact = _NOISE_FACTOR * noise
        """The largest variance that is left of a mixture that is just this one."""

    @classmethod
    def of(cls, child: Doubles, sample: Sample) -> "_Problem | None":
        """None if too few values are finite."""
        distinct = _distinct(sample.floats)
        parents = np.stack([one.numbers.astype(np.float64) for one in distinct])
        known = np.isfinite(child) & np.isfinite(parents).all(axis=0)
        if int(known.sum()) < _FEWEST_VALUES or len(distinct) < 2:
            return None
        child, parents = child[known][:8192], parents[:, known][:, :8192]
        noise = max(_rounding(child, sample.child.dtype), *(_rounding(one, "F32") for one in parents))
        bias = 0.0 if sample.child.dtype in {"F32", "F64"} else _BIAS
        return cls(child, parents, distinct, noise, bias)

    def least_alone(self) -> float:
        """The variance that the best single candidate leaves."""
        return float(((self._child - self._parents) ** 2).mean(axis=1).min())

    def least_together(self) -> float:
        """About the variance that the best mixture of all candidates leaves, never much more than that."""
        start = self._parents[0]
        columns = np.stack([*(self._parents[1:] - start), start])
        scale = np.sqrt((columns**2).mean(axis=1))
        scaled, rest = columns / np.where(scale > 0, scale, 1)[:, None], self._child - start
        inverse = np.linalg.pinv(scaled @ scaled.T / len(rest), rcond=_SAME, hermitian=True)
        found = np.zeros(len(columns))
        for _ in range(2):
            found += inverse @ (scaled @ (rest - found @ scaled) / len(rest))
        return _SURELY * float(((rest - found @ scaled) ** 2).mean())

    def solved(self, members: tuple[int, ...]) -> tuple[Mixture | None, float]:
        """The mixture of these that fits best, and the variance that it leaves. None without a solution."""
        first, *others = members
        start = self._parents[first]
        columns = np.stack([*(self._parents[other] - start for other in others), start])
        scale = np.sqrt((columns**2).mean(axis=1))
        if not scale.all():
            return None, np.inf
        scaled, rest = columns / scale[:, None], self._child - start
        gram = scaled @ scaled.T / len(rest)
        if np.linalg.cond(gram) > 1e10:
            return None, np.inf
        # A second pass takes up what the first lost to rounding.
        found = np.zeros(len(columns))
        for _ in range(2):
            found += np.linalg.solve(gram, scaled @ (rest - found @ scaled) / len(rest))
        left = float(((rest - found @ scaled) ** 2).mean())
        spread = np.sqrt(max(left, self._noise) * np.linalg.inv(gram).diagonal() / len(rest)) / scale
        shares = found / scale
        weights = (1 + float(shares[-1]) - float(shares[:-1].sum()), *map(float, shares[:-1]))
        exact = left <= self.noise_of_exact and all(abs(weight) > 1e-4 for weight in weights)
        chosen = tuple(self.candidates[member] for member in members)
        return Mixture(chosen, weights, max(self._bias, float(spread.max())), exact), left


def _distinct(candidates: tuple[Sampled, ...]) -> tuple[Sampled, ...]:
    kept: list[Sampled] = []
    for one in candidates:
        if not any(np.array_equal(one.numbers, other.numbers) for other in kept):
            kept.append(one)
    return tuple(kept)


def _rounding(values: Doubles, dtype: str) -> float:
    """The variance of rounding at these values: that of an even spread over one step."""
    bits = {"F64": 52, "F32": 23, "F16": 10, "BF16": 7}.get(dtype, 3)
    exponent = np.frexp(values)[1] - 1
    return float((np.ldexp(1.0, exponent - bits) ** 2).mean() / 12)


def nice_weights(mixture: Mixture) -> Iterator[tuple[float, ...]]:
    """Round weights that lie within the error of those found, the simplest first.

    Where the sample tells the weights badly, as with few values of 16 bits, many are possible.
    """
    tolerance = max(_ERRORS * mixture.error, 1e-7)
    found: dict[tuple[float, ...], None] = {}
    for denominator in _DENOMINATORS:
        if found and tolerance * denominator > _TOO_MANY:
            break
        found |= dict.fromkeys(_multiples(mixture.weights, denominator, tolerance))
    yield from islice(found, _MOST_WEIGHTS)


def _multiples(weights: tuple[float, ...], denominator: int, tolerance: float) -> Iterator[tuple[float, ...]]:
    choices = []
    for weight in weights:
        first, last = (
            math.ceil((weight - tolerance) * denominator),
            math.floor((weight + tolerance) * denominator),
        )
        numerators = sorted(range(first, last + 1), key=lambda one: abs(one / denominator - weight))
        choices.append([one / denominator for one in numerators[:_MOST_WEIGHTS] if one])
    together = islice(product(*choices), _MOST_WEIGHTS**2)
    whole = sum(weights)
    # Whoever writes weights that add up to one writes all of them so.
    yield from (found for found in together if abs(whole - 1) > tolerance or abs(sum(found) - 1) < 1e-9)
