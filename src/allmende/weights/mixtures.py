"""Whether a model is a mixture of others: linear, by layer, spherical, a splice, or one entry at a time.

A mixture leaves the query's values where its parents' say, but for the rounding of its own numbers. So the
mean square of what is left, in units of that rounding (`misfit`), is about 1 for a true mixture of the very
parents, and more for everything else: also for a parent of a mixture that is written as a mixture of its own
child and its other parent, whose rounding it then shows enlarged. That tells the direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats

__all__ = ["Mixture", "Stack", "find_mixture", "stack_of"]

Array = NDArray[np.float64]

_MAX_MODELS = 16
_MAX_PARENTS = 5
_FLOOR = 0.02
_RIDGE = 1e-13
_BETWEEN = 1e-5
_MOSTLY_MOVED = 0.3
_MEDIAN_OF_ROUNDING = 0.75
"""The median square of a rounding error in units of its variance: 12 * (1/4)^2 for an even spread."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The sampled values of the matrices that a query and its relatives all have, one behind the other.

    `query` and `noise` are of (values,), `relatives` of (models, values); tensor `t` has the values from
    `bounds[t]` to `bounds[t + 1]`. `weight` is what a square counts for: 1 / noise², bounded where the
    rounding is far finer than the changes.
    """

    names: tuple[str, ...]
    bounds: NDArray[np.int64]
    query: Array
    noise: Array
    relatives: Array
    elements: Array

    @property
    def weight(self) -> Array:
        """Weights of squares, of (values,)."""
        nearest = np.min(np.mean((self.relatives - self.query) ** 2, axis=1))
        return 1 / np.maximum(self.noise, max(_FLOOR * np.sqrt(nearest), 1e-30)) ** 2


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture that fits: which relatives with which weights, how, and how well.

    `misfit` is the typical square of what is left in units of the rounding; `gain` the square of the
    distance to the nearest single relative over what is left; `spread` how far the weights differ between
    tensors. A base of which only changes are mixed has no weight.
    """

    method: str
    members: tuple[int, ...]
    weights: tuple[float | None, ...]
    misfit: float
    gain: float
    spread: float = 0.0


def stack_of(
    query: Sequence[Floats], noise: Sequence[Floats], relatives: Sequence[Sequence[Floats]], names:
    Sequence[str], elements: Sequence[int],
) -> Stack:  # fmt: skip
    """A stack from the arrays of each tensor; values that one of them lacks are left out."""
    kept: list[NDArray[np.bool_]] = [
        np.isfinite(mine) & np.all([np.isfinite(theirs[place]) for theirs in relatives], axis=0)
        for place, mine in enumerate(query)
    ]
    lengths = [int(told.sum()) for told in kept]
    return Stack(
        tuple(names),
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        np.concatenate([mine[told] for mine, told in zip(query, kept, strict=True)]).astype(np.float64),
        np.concatenate([mine[told] for mine, told in zip(noise, kept, strict=True)]).astype(np.float64),
        np.stack(
            [
                np.concatenate([theirs[told] for theirs, told in zip(one, kept, strict=True)]).astype(
                    np.float64
                )
                for one in relatives
            ]
        ),
        np.asarray(elements, np.float64),
    )


def find_mixture(stack: Stack, places: Sequence[Sequence[int]], numbers: Sequence[int]) -> Mixture | None:
    """The simplest mixture of two or more relatives that explains the query, or None.

    Fewer parents before more, one set of weights before weights by tensor; among sets that fit equally well
    the one that extrapolates least, then the one whose members have the lowest `numbers`. Relatives that
    lie between the query and others are left out: they are mixtures of it, or lie between the same parents.
    `places` groups relatives that lie in one place, seen from the query: the first of each is tried, and in
    what is found each member is replaced by the one of its place that fits best.
    """
    if len(places) < 2 or stack.query.size == 0:
        return None
    fits = _Fits(stack, places, numbers)
    for size in range(2, min(_MAX_PARENTS, len(places)) + 1):
        found = fits.linear(size)
        if found is None and size == 2:
            found = fits.by_tensor()
        if found is not None:
            return found
    return None


class _Fits:
    """The squares of all differences, summed by tensor once; every fit is then a matter of small matrices."""

    def __init__(self, stack: Stack, places: Sequence[Sequence[int]], numbers: Sequence[int]) -> None:
        self.stack = stack
        self.numbers = numbers
        self.mates = {place[0]: tuple(place) for place in places}
        weight = stack.weight
        self.order = self._nearest(weight)
        scaled = (stack.relatives[self.order] - stack.query) * np.sqrt(weight)
        self.by_tensor_grams = np.stack(
            [scaled[:, a:b] @ scaled[:, a:b].T for a, b in zip(stack.bounds, stack.bounds[1:], strict=False)]
        )
        self.gram = self.by_tensor_grams.sum(axis=0)
        self.single = float(np.min(np.diag(self.gram)))
        self.between = [member for member in range(len(self.order)) if self._lies_between(member)]

    def _nearest(self, weight: Array) -> NDArray[np.int64]:
        squares = {
            place: float(((self.stack.relatives[place] - self.stack.query) ** 2 * weight).sum())
            for place in self.mates
        }
        return np.array(sorted(squares, key=lambda place: squares[place])[:_MAX_MODELS])

    def linear(self, size: int) -> Mixture | None:
        """The best mixture of so many members with the same weights everywhere."""
        found: list[tuple[float, tuple[int, ...], Array]] = []
        for members in self._sets(size):
            weights, left = self._solve(members)
            if self._sound(members, weights):
                found.append((left, members, weights))
        if not found:
            return None
        least = min(left for left, _, _ in found)
        fitting = [fit for fit in found if fit[0] <= least * 1.2 + 1e-9 * self.single]
        _, members, weights = min(
            fitting, key=lambda fit: (round(float(np.abs(fit[2]).sum()), 2), self._last_seen(fit[1]))
        )
        return self._judged("linear", members, weights)

    def by_tensor(self) -> Mixture | None:
        """The best pair with weights of its own for each tensor: spherical, graded, or spliced mixtures."""
        best: tuple[float, tuple[int, int], Array] | None = None
        for members in self._sets(2):
            i, j = members
            ii, jj, ij = (self.by_tensor_grams[:, a, b] for a, b in ((i, i), (j, j), (i, j)))
            apart = ii + jj - 2 * ij
            with np.errstate(all="ignore"):
                share = np.where(apart > 1e-9 * (ii + jj), (ii - ij) / apart, 0.5)
            left = float(np.sum((1 - share) ** 2 * ii + share**2 * jj + 2 * share * (1 - share) * ij))
            told = apart > 1e-9 * (ii + jj)
            if (
                told.any()
                and share[told].min() > -0.1
                and share[told].max() < 1.1
                and (best is None or left < best[0])
            ):
                best = (left, (i, j), np.where(told, share, np.nan))
        if best is None:
            return None
        left, members, share = best
        size = self.stack.elements * np.isfinite(share)
        mean = float(np.nansum(share * size) / size.sum())
        spread = float(np.nanmax(share) - np.nanmin(share))
        repeated = np.repeat(np.nan_to_num(share, nan=0.5), np.diff(self.stack.bounds))
        a, b = (self.stack.relatives[self.order[member]] for member in members)
        rest = (1 - repeated) * a + repeated * b - self.stack.query
        method = "linear" if spread < 0.01 else "graded"
        chosen = tuple(int(self.order[member]) for member in members)
        return self._accepted(method, chosen, np.array([1 - mean, mean]), rest, left, spread)

    def _sets(self, size: int) -> list[tuple[int, ...]]:
        told = [member for member in range(len(self.order)) if member not in self.between]
        # Beyond three members only the nearest are tried in all ways.
        return list(combinations(told if size <= 3 else told[:10], size))

    def _solve(self, members: tuple[int, ...]) -> tuple[Array, float]:
        part = self.gram[np.ix_(members, members)]
        part = part + np.eye(len(members)) * _RIDGE * np.trace(part)
        try:
            solved = np.linalg.solve(part, np.ones(len(members)))
        except np.linalg.LinAlgError:
            return np.full(len(members), np.nan), np.inf
        weights = solved / solved.sum()
        return weights, float(weights @ self.gram[np.ix_(members, members)] @ weights)

    def _sound(self, members: tuple[int, ...], weights: Array) -> bool:
        # A member of next to no weight is none: the smaller set explains as much.
        return bool(np.isfinite(weights).all() and np.abs(weights).min() > 0.02 and np.abs(weights).max() < 4)

    def _last_seen(self, members: tuple[int, ...]) -> int:
        return max(self.numbers[int(self.order[member])] for member in members)

    def _lies_between(self, member: int) -> bool:
        """Whether a relative is, from the query, part of the way to another one, or between two others."""
        others = [other for other in range(len(self.order)) if other != member]
        squares = np.diag(self.gram)
        for size in (1, 2):
            for ends in combinations(others, size):
                part = self.gram[np.ix_(ends, ends)]
                toward = self.gram[list(ends), member]
                shares = np.linalg.lstsq(part, toward)[0]
                left = squares[member] - toward @ shares
                if left <= _BETWEEN * squares[member] and shares.min() > 0.02 and shares.sum() < 0.98:
                    return True
        return False

    def _judged(self, method: str, members: tuple[int, ...], weights: Array) -> Mixture | None:
        chosen = [int(self.order[member]) for member in members]
        best = self._left(chosen, weights)
        for place, member in enumerate(list(chosen)):
            for mate in self.mates[member][1:]:
                tried = [*chosen[:place], mate, *chosen[place + 1 :]]
                refitted = self._refitted(tried)
                left = self._left(tried, refitted)
                if left < best * 0.98:
                    chosen, weights, best = tried, refitted, left
        rest = weights @ self.stack.relatives[chosen] - self.stack.query
        return self._accepted(method, tuple(chosen), weights, rest, best, 0.0)

    def _refitted(self, chosen: list[int]) -> Array:
        scaled = (self.stack.relatives[chosen] - self.stack.query) * np.sqrt(self.stack.weight)
        gram = scaled @ scaled.T
        solved = np.linalg.lstsq(gram + np.eye(len(chosen)) * _RIDGE * np.trace(gram), np.ones(len(chosen)))[
            0
        ]
        weights: Array = solved / solved.sum()
        return weights

    def _left(self, chosen: list[int], weights: Array) -> float:
        rest = weights @ self.stack.relatives[chosen] - self.stack.query
        return float(np.sum(rest**2 * self.stack.weight))

    def _accepted(
        self, method: str, members: tuple[int, ...], weights: Array, rest: Array, left: float, spread: float
    ) -> Mixture | None:
        told = self.stack.noise > 0
        # The median: next to zero numbers lie so close that the parents' own rounding counts for more there.
        squares = (rest[told] / self.stack.noise[told]) ** 2
        misfit = float(np.median(squares)) / _MEDIAN_OF_ROUNDING if told.any() else 0.0
        gain = self.single / max(left, 1e-300)
        convex = weights.min() > -0.02
        # A small gain says something only where most values moved: else the median is that of the others.
        moved = float(np.mean(self.stack.query != self.stack.relatives[self.order[0]]))
        fits = gain >= 1.15 and misfit <= 1.15 and moved >= _MOSTLY_MOVED and method == "linear"
        fits |= gain >= 3 and misfit <= (4 if convex else 1.8)
        fits |= gain >= 100 and convex
        fits |= gain >= 1000 and misfit <= 8 and len(members) > 2
        if not fits:
            return None
        return Mixture(method, members, tuple(map(float, weights)), misfit, gain, spread)
