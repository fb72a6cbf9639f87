"""What a search asks of every repo, as columns: one place a repo, in the order of their ids."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allmende.ids import AccountId, RepoType
from allmende.registry import Actor, private_namespaces
from allmende.search.facet_lines import FacetLines, Numbers
from allmende.search.tables import facet_value

__all__ = ["Numbers", "Places", "RepoColumns", "RepoRow"]

Places = NDArray[np.bool_]
"""One truth for each repo."""

_COLUMNS = 10
"""How many of the fields are columns that rows fill, in the order of `RepoRow`."""

_FEW = 16

_TYPES: tuple[RepoType, ...] = ("dataset", "model", "space")
"""In the order of their names, as lists have them where all else is equal."""

RepoRow = tuple[int, RepoType, AccountId, str, bool, int, int, int, int, str]
"""Id, type, namespace, name in lower case, private, created, updated (microseconds), downloads, parameters (0
where nothing is known of them), facets."""


def _numbers() -> Numbers:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class RepoColumns:
    """All repos that are not disabled; nothing in it changes, a change makes new ones."""

    ids: Numbers = field(default_factory=_numbers)
    types: Numbers = field(default_factory=_numbers)
    namespaces: Numbers = field(default_factory=_numbers)
    names: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, np.object_))
    private: Places = field(default_factory=lambda: np.empty(0, np.bool_))
    created: Numbers = field(default_factory=_numbers)
    updated: Numbers = field(default_factory=_numbers)
    downloads: Numbers = field(default_factory=_numbers)
    parameters: Numbers = field(default_factory=_numbers)
    lines: Numbers = field(default_factory=_numbers)
    facets: FacetLines = field(default_factory=FacetLines)
    text: str = ""
    """All names, each after a new line; `starts` says where each one's line begins."""
    starts: Numbers = field(default_factory=_numbers)

    def changed(self, gone: Sequence[int], rows: Sequence[RepoRow]) -> "RepoColumns":
        """These without some ids, and with `rows`, whose ids are among those or new."""
        facets = self.facets.with_lines(row[-1] for row in rows)
        new = [(*row[:-1], facets.places[row[-1]]) for row in rows]
        kept = ~np.isin(self.ids, np.array(gone, np.int64))
        columns: dict[str, Any] = {}
        for place, column in enumerate(fields(self)[:_COLUMNS]):
            old = getattr(self, column.name)
            told = [_TYPES.index(row[1]) if column.name == "types" else row[place] for row in new]
            columns[column.name] = np.concatenate([old[kept], np.array(told, old.dtype)])
        order = np.argsort(columns["ids"], kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        names = [f"\n{name}" for name in columns["names"].tolist()]
        starts = np.cumsum([0, *map(len, names)])[:-1]
        return RepoColumns(**columns, facets=facets, text="".join(names), starts=starts)

    def visible(self, actor: Actor) -> Places:
        """Which the actor may see: the rule of `registry.visible_repos`."""
        namespaces = private_namespaces(actor)
        if not namespaces:
            return ~self.private
        own = self.private & np.isin(self.namespaces, namespaces)
        if actor.token is not None and actor.token.role == "fine_grained":
            for place in np.flatnonzero(own).tolist():
                namespace = AccountId(int(self.namespaces[place]))
                own[place] = actor.may_see(namespace, _TYPES[self.types[place]], self.names[place])
        return ~self.private | own

    def of_type(self, repo_type: RepoType) -> Places:
        """Which are of a type."""
        return np.equal(self.types, _TYPES.index(repo_type))

    def with_ids(self, ids: Sequence[int] | Numbers) -> Places:
        """Which have one of these ids."""
        found = np.zeros(len(self.ids), np.bool_)
        if len(self.ids):
            asked = np.array(ids, np.int64)
            places = np.minimum(np.searchsorted(self.ids, asked), len(self.ids) - 1)
            found[places[self.ids[places] == asked]] = True
        return found

    def having(self, facet: str, value: str) -> Places:
        """Which have a value of a facet, in capitals or not."""
        return self.facets.having(facet, facet_value(facet, value))[self.lines]

    def with_word(self, word: str) -> Places:
        """Which have a word, in lower case, anywhere in their names."""
        return self._with_text(word)

    def of_author(self, author: str) -> Places:
        """Which lie in a namespace."""
        return self._with_text(f"\n{author.lower()}/")

    def _with_text(self, wanted: str) -> Places:
        # A search through one text is several times as fast as one through each name, unless most have it.
        if _FEW * self.text.count(wanted) > len(self.names):
            return np.array([wanted in f"\n{name}" for name in self.names.tolist()], np.bool_)
        hits: list[int] = []
        while (at := self.text.find(wanted, hits[-1] + 1 if hits else 0)) >= 0:
            hits.append(at)
        found = np.zeros(len(self.names), np.bool_)
        found[np.searchsorted(self.starts, np.array(hits, np.int64), "right") - 1] = True
        return found

    def ordered(self, places: Numbers, keys: Sequence[Numbers], start: int, stop: int) -> list[int]:
        """The ids from `start` to `stop` of these places by their keys, largest first, then by name and type.

        `keys` are columns of all repos. Names are compared only among equals around what is asked for.
        """
        ordered = places[np.lexsort([-key[places] for key in reversed(keys)])]
        stop = min(stop, len(ordered))
        if start >= stop:
            return []
        equal = np.ones(len(ordered) - 1, np.bool_)
        for key in keys:
            equal &= key[ordered[1:]] == key[ordered[:-1]]
        borders = np.flatnonzero(~equal) + 1
        first = int(borders[borders <= start].max(initial=0))
        last = int(borders[borders >= stop].min(initial=len(ordered)))
        window = sorted(
            ordered[first:last].tolist(),
            key=lambda place: (*(-int(key[place]) for key in keys), self.names[place], self.types[place]),
        )
        return [int(self.ids[place]) for place in window[start - first : stop - first]]
