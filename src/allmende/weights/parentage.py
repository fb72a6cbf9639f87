"""Which relative a model was trained from.

First what is equal bit for bit: training leaves what it does not reach as it was. Then a change of low
rank, which only the very base shows. Then the nearest, with the angles between all relatives to tell
parents, siblings and descendants apart, as far as they can be told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allmende.formats import JsonValue
from allmende.weights.changes import Change, change_between
from allmende.weights.comparison import narrowest
from allmende.weights.family import NEAR_PLACE, Family
from allmende.weights.number_types import round_through
from allmende.weights.relations import Edge
from allmende.weights.relatives import Relative

__all__ = ["Training", "best_training", "missing_start", "toward_the_root"]

_FARTHER = 3.0
_CLEARLY_MORE = 0.01
_MOSTLY_EQUAL = 0.2
_MAX_RANKED = 3
_NEARLY = 1.05
_FOLLOWS = 0.999
_PROBED = 3


@dataclass(frozen=True, slots=True)
class Training:
    """A parent, what was trained, and whether equal values or a low rank say that it is this very one."""

    parent: Relative
    change: Change
    exact: bool


def toward_the_root(
    family: Family, possible: Sequence[Relative]
) -> tuple[Sequence[Relative], Sequence[Relative]]:
    """Relatives among which the parent is, and those that come from the query, as far as the angles tell.

    Where the query is the root there are none of the former; where no root can be told, all are.
    """
    tree = family.tree
    root = tree.root(family.starts())
    if root == tree.query:
        return [], possible
    if root is None:
        return possible, []
    groups = tree.branches(tree.query)
    if not any(root in group for group in groups):
        return possible, []
    away = {family.relatives[row].name for group in groups if root not in group for row in group}
    return [one for one in possible if one.name not in away], [one for one in possible if one.name in away]


def best_training(family: Family | None, possible: Sequence[Relative], seen: Mapping[str, int]) -> Training:
    """The likeliest parent of one or more relatives, and the training that lies between."""
    parent = _nearest(family, _most_equal(possible, seen), seen)
    parent, change = _best_change(parent, possible)
    return Training(parent, change, change.rank is not None or parent.equal_share > _CLEARLY_MORE)


def missing_start(family: Family, training: Training) -> Edge | None:
    """The edge `sibling` without parents, where all relatives share a start that is not among them."""
    if training.exact or training.parent not in family.relatives:
        return None
    nearest = family.relatives.index(training.parent)
    if not family.tree.common_start_missing(nearest):
        return None
    cosines: dict[str, JsonValue] = {
        relative.name: round(family.tree.cosine(nearest, family.tree.query, row), 3)
        for row, relative in enumerate(family.relatives)
        if row != nearest
    }
    evidence: dict[str, JsonValue] = {
        "siblings": [relative.name for relative in family.relatives],
        "cosines_seen_from_the_nearest": cosines,
    }
    return Edge((), ("sibling",), "likely", "branches", evidence)


def _nearest(family: Family | None, possible: Sequence[Relative], seen: Mapping[str, int]) -> Relative:
    """The nearest relative; of several that lie in one place, seen from the query, the one that most lines of
    descent start from, then the one seen first.

    A model trained for a moment lies on the way of all that start where it did: that it is nearer by a hair
    says nothing. A cast is told from its original by distance, since rounding has no direction.
    """
    nearest = min(possible, key=lambda relative: relative.distance)
    if family is None or nearest not in family.relatives:
        return nearest
    tree, at = family.tree, family.relatives.index(nearest)
    bound = NEAR_PLACE**2 * tree.squares[at, tree.query]
    together = [
        row
        for row, relative in enumerate(family.relatives)
        if relative in possible and tree.squares[at, row] <= bound and not _is_cast(nearest, relative)
    ]
    lines = [*family.starts(), tree.query]
    order = {
        row: (
            -len(tree.branches(row, lines)),
            seen.get(family.relatives[row].name, 0),
            family.relatives[row].number,
        )
        for row in {at, *together}
    }
    return family.relatives[min(order, key=lambda row: order[row])]


def _is_cast(one: Relative, other: Relative) -> bool:
    """Whether one of two relatives holds the other's numbers, rounded to a narrower type."""
    return one is not other and (_rounds_to(one, other) or _rounds_to(other, one))


def _rounds_to(wide: Relative, narrow: Relative) -> bool:
    """Whether all values looked at are those of the wider relative, rounded; some of them really are."""
    rounded = False
    for pair in narrow.matrices[:_PROBED]:
        if pair.name not in wide.pairs:
            return False
        both = np.isfinite(pair.values) & np.isfinite(wide.pairs[pair.name].values)
        original, values = wide.pairs[pair.name].values[both], pair.values[both]
        precision = narrowest(values, narrow.specimen.tensors[pair.partner].dtype)
        if not values.size or np.mean(round_through(original, precision) == values) < _FOLLOWS:
            return False
        rounded |= not np.array_equal(original, values)
    return rounded


def _most_equal(possible: Sequence[Relative], seen: Mapping[str, int]) -> Sequence[Relative]:
    """The relatives that clearly more of the query's values are equal to than to any trained apart; or all.

    Training leaves what it does not reach (frozen parts, rows of unused tokens) bit for bit as it was. Of
    several that have as much in common those from which the fewest tensors changed.
    """
    nearest = min(possible, key=lambda relative: relative.distance)
    bound = _FARTHER**2 * nearest.distance + 1e-12
    within = [relative for relative in possible if relative.distance <= bound]
    most = max(relative.equal_share for relative in within)
    least = min(relative.equal_share for relative in within)
    if most < max(nearest.equal_share, least) + _CLEARLY_MORE and most < _MOSTLY_EQUAL:
        return possible
    equal = [relative for relative in within if relative.equal_share >= most - _CLEARLY_MORE / 2]
    fewest = min(len(relative.changed()) for relative in equal)
    fewest_changed = [relative for relative in equal if len(relative.changed()) == fewest]
    near = min(relative.distance_of_kin for relative in fewest_changed)
    if near == 0:
        # All but what was made anew is the same in several: nothing but the order tells them apart.
        same = [relative for relative in fewest_changed if relative.distance_of_kin == 0]
        return [min(same, key=lambda relative: (seen.get(relative.name, 0), relative.number))]
    return [relative for relative in fewest_changed if relative.distance_of_kin <= near * _NEARLY] or equal


def _best_change(parent: Relative, possible: Sequence[Relative]) -> tuple[Relative, Change]:
    """The training from the parent; but a relative that differs by a low rank alone goes before it."""
    near = sorted(possible, key=lambda relative: relative.distance)[:_MAX_RANKED]
    equal = sorted(possible, key=lambda relative: -relative.equal_share)[:_MAX_RANKED]
    found = change_between(parent, parent.changed())
    best = (parent, found)
    for relative in {id(one): one for one in (*near, *equal)}.values():
        if relative is parent:
            continue
        change = change_between(relative, relative.changed())
        if change.total_rank is not None and (
            best[1].total_rank is None or change.total_rank < best[1].total_rank
        ):
            best = (relative, change)
    return best
