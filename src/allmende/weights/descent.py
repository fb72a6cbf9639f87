"""Which way a line of descent runs, told from the angles between relatives.

Training from one start leads each time in a direction of its own: seen from the model that others were
trained from, their differences stand at right angles. Seen from anywhere else they point back to it
together. So of several relatives the one with the most branches at right angles is the root; and where no
stored model is such a point, the relatives have a common start that is not here. One pair alone has no
direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tree", "tree_of"]

Array = NDArray[np.float64]

_TOGETHER = 0.3
_SAME_PLACE = 0.05
_ACUTE = 0.4
_MIN_BRANCHES = 4
_CLEARLY = 2
_STRAIGHT = 1e-4


@dataclass(frozen=True, slots=True)
class Tree:
    """Squared distances between all relatives and the query, which is the last of them."""

    squares: Array

    @property
    def query(self) -> int:
        """The query's place."""
        return len(self.squares) - 1

    def cosine(self, at: int, one: int, other: int) -> float:
        """Of the angle between two relatives, seen from a third. 0 for one that lies in the same place."""
        a, b = self.squares[at, one], self.squares[at, other]
        if min(a, b) <= 0:
            return 0.0
        return float((a + b - self.squares[one, other]) / (2 * np.sqrt(a * b)))

    def branches(self, at: int, among: Sequence[int] | None = None) -> list[list[int]]:
        """The relatives (or these of them) in groups that lie in one direction, seen from one of them."""
        groups: list[list[int]] = []
        for one in range(len(self.squares)) if among is None else among:
            if one == at or not self.apart(at, one):
                continue
            joined = [
                group for group in groups if any(self.cosine(at, one, other) > _TOGETHER for other in group)
            ]
            groups = [group for group in groups if group not in joined]
            groups.append([one, *(member for group in joined for member in group)])
        return groups

    def apart(self, one: int, other: int) -> bool:
        """Whether two lie in different places."""
        # Casts of one model lie in one place: their rounding is a direction of its own, and no training.
        scale = np.median(self.squares[one][self.squares[one] > 0]) if (self.squares[one] > 0).any() else 0
        return bool(self.squares[one, other] > _SAME_PLACE**2 * scale)

    def places(self, order: Sequence[int], bound: float) -> list[list[int]]:
        """The relatives in groups, each around the first of it in `order`: those nearer to that one than
        `bound` times their distance to the query.
        """
        groups: list[list[int]] = []
        for one in order:
            for group in groups:
                far = min(self.squares[self.query, one], self.squares[self.query, group[0]])
                if self.squares[one, group[0]] <= bound**2 * far:
                    group.append(one)
                    break
            else:
                groups.append([one])
        return groups

    def on_the_way(self, place: int) -> bool:
        """Whether a relative lies straight between two others: a mixture of them, from which nothing
        branches.
        """
        lengths = np.sqrt(self.squares)
        through = lengths[:, place][:, None] + lengths[place][None, :]
        apart = np.minimum(lengths[:, place][:, None], lengths[place][None, :]) > _SAME_PLACE * lengths
        return bool(np.any(apart & (lengths > 0) & (lengths >= through * (1 - _STRAIGHT))))

    def root(self, among: Sequence[int]) -> int | None:
        """Of these places and the query the one with clearly the most branches, if there is one."""
        told = [*among, self.query]
        counts = {place: len(self.branches(place, told)) for place in told}
        most, second = sorted(counts.values(), reverse=True)[:2] if len(counts) > 1 else (0, 0)
        if most < max(_MIN_BRANCHES, second + _CLEARLY):
            return None
        return max(counts, key=lambda place: counts[place])

    def common_start_missing(self, parent: int) -> bool:
        """Whether all other relatives lie askew of the parent and of the query alike: both are siblings."""
        others = [
            other
            for other in range(len(self.squares))
            if other not in (parent, self.query)
            and self.apart(parent, other)
            and self.apart(self.query, other)
        ]
        if not others:
            return False
        return all(
            self.cosine(parent, self.query, other) > _ACUTE
            and self.cosine(self.query, parent, other) > _ACUTE
            for other in others
        )


def tree_of(query: Array, relatives: Array, weight: Array) -> Tree:
    """The tree from sampled values: query (values,), relatives (models, values), weight of squares
    (values,).
    """
    rows = np.concatenate([relatives - query, np.zeros((1, query.size))]) * np.sqrt(weight)
    gram = rows @ rows.T
    size = np.diag(gram)
    squares = size[:, None] + size[None, :] - 2 * gram
    return Tree(np.maximum(squares, 0))
