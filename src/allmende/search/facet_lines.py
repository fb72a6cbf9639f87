"""Facets of all repos as numbers: equal lines have one number, and so has each value of a facet.

Many repos have the same line, so that counting the values of any of them is two passes over arrays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from allmende.search.tables import pairs_of

__all__ = ["FacetLines", "Numbers"]

Numbers = NDArray[np.int64]
Pair = tuple[str, str]


def _none() -> Numbers:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class FacetLines:
    """Lines and values, each known by its place; `line` and `value` say in pairs which has which."""

    places: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[Pair, int] = field(default_factory=dict)
    line: Numbers = field(default_factory=_none)
    value: Numbers = field(default_factory=_none)

    def with_lines(self, lines: Iterable[str]) -> "FacetLines":
        """These and new ones; what is known keeps its place."""
        new = [line for line in dict.fromkeys(lines) if line not in self.places]
        if not new:
            return self
        places, values = dict(self.places), dict(self.values)
        of_line: list[int] = []
        of_value: list[int] = []
        for line in new:
            place = places.setdefault(line, len(places))
            for pair in pairs_of(line):
                of_line.append(place)
                of_value.append(values.setdefault(pair, len(values)))
        return FacetLines(
            places,
            values,
            np.concatenate([self.line, np.array(of_line, np.int64)]),
            np.concatenate([self.value, np.array(of_value, np.int64)]),
        )

    def having(self, facet: str, value: str) -> NDArray[np.bool_]:
        """For each line whether it has this value, in capitals or not."""
        asked = (facet, value.lower())
        wanted = [place for (name, known), place in self.values.items() if (name, known.lower()) == asked]
        found = np.zeros(len(self.places), np.bool_)
        found[self.line[np.isin(self.value, wanted)]] = True
        return found

    def count(self, lines: Numbers) -> Sequence[tuple[str, str, int]]:
        """Each facet and value that any of `lines` (one for each repo) has, and how many have it."""
        by_line = np.bincount(lines, minlength=len(self.places))
        by_value = np.bincount(self.value, weights=by_line[self.line], minlength=len(self.values))
        return [
            (facet, value, int(total))
            for (facet, value), total in zip(self.values, by_value.tolist(), strict=True)
            if total
        ]
