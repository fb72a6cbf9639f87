"""The relatives of one query that are built like it, side by side: their values, their places, their tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from allmende.weights.descent import Tree, tree_of
from allmende.weights.mixtures import Stack, stack_of
from allmende.weights.relatives import Relative

__all__ = ["NEAR_PLACE", "Family", "family_of"]

NEAR_PLACE = 0.15
"""Relatives nearer to each other than this share of their distance to the query lie in one place."""

_COVERED = 0.8
_MAX_RELATIVES = 24
_FINE_BITS = 15
_SAME = 0.05
_ROUNDING = 2.5


@dataclass
class Family:
    """Relatives with their sampled values in the rows of a stack, and the tree that their distances make."""

    relatives: Sequence[Relative]
    stack: Stack

    @cached_property
    def tree(self) -> Tree:
        """The query is the last place of it; each tensor counts by its own scale."""
        weight = np.empty(self.stack.query.shape)
        for first, last in zip(self.stack.bounds, self.stack.bounds[1:], strict=False):
            part = self.stack.query[first:last]
            weight[first:last] = 1 / max(float(np.mean(part**2)), 1e-30) if part.size else 0
        return tree_of(self.stack.query, self.stack.relatives, weight)

    @property
    def numbers(self) -> list[int]:
        """The places of the relatives in the list of candidates."""
        return [relative.number for relative in self.relatives]

    def places(self) -> list[list[int]]:
        """The rows in groups that lie in one place: casts, copies, one trained for a moment. The first of a
        group has the widest numbers.
        """
        order = sorted(
            range(len(self.relatives)),
            key=lambda row: (-self.relatives[row].width, self.relatives[row].number),
        )
        return self.tree.places(order, _SAME)

    def starts(self) -> list[int]:
        """A row for each place that lines of descent may start from: the first listed of those that lie
        there.
        """
        order = sorted(range(len(self.relatives)), key=lambda row: self.relatives[row].number)
        groups = self.tree.places(order, NEAR_PLACE)
        return [group[0] for group in groups if not self.tree.on_the_way(group[0])]

    def holds_the_query(self) -> bool:
        """Whether some relative's matrices are the query's within rounding: then there is nothing to mix."""
        told = self.stack.noise > 0
        rest = (self.stack.relatives[:, told] - self.stack.query[told]) / self.stack.noise[told]
        return bool(told.any() and np.min(np.mean(rest**2 > _ROUNDING**2, axis=1)) < 0.002)


def family_of(relatives: Sequence[Relative]) -> Family | None:
    """The relatives that have most of the query's matrices, the nearest first; None without any.

    Coarse and pruned forms are left out where there are others: they say nothing that those do not say
    better.
    """
    most = max((len(relative.matrices) for relative in relatives), default=0)
    fit = [relative for relative in relatives if len(relative.matrices) >= _COVERED * most]
    fine = [relative for relative in fit if relative.width >= _FINE_BITS and not relative.sparse]
    alike = sorted(fine or fit, key=lambda relative: relative.distance)[:_MAX_RELATIVES]
    tables = [{pair.name: pair for pair in relative.matrices} for relative in alike]
    names = [name for name in tables[0] if all(name in table for table in tables)] if tables else []
    if not names:
        return None
    query = [tables[0][name].query.values for name in names]
    if alike[0].pruned:
        query = [np.where(values == 0, np.nan, values) for values in query]
    noise = [tables[0][name].query.noise for name in names]
    rows = [[table[name].values for name in names] for table in tables]
    elements = [tables[0][name].query.tensor.elements for name in names]
    return Family(alike, stack_of(query, noise, rows, names, elements))
