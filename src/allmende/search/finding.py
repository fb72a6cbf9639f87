"""Looking for repos: every word must be found and every facet hold; what the name says comes first.

The order tells nothing of repos that the visitor may not see: it is by where the words were found, then by
downloads and time, and never by how rare a word is on the hub.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from sqlalchemy import bindparam, func, literal_column, select

from allmende.ids import RepoId, RepoType
from allmende.registry import Actor, Repo, measured_base_names, repos_by_id, tagged_with, visible_repos
from allmende.search.columns import Numbers, Places, RepoColumns
from allmende.search.loaded import LoadedRepos
from allmende.search.tables import search_words
from allmende.search.words import expression, words_of
from allmende.storage import UnitOfWork

__all__ = [
    "FACETS",
    "MAX_PAGES",
    "FacetCount",
    "Found",
    "SearchOrder",
    "SearchQuery",
    "base_links",
    "find_repos",
    "others_allowed",
]

SearchOrder = Literal["relevance", "updated", "created", "downloads"]

FACETS = ("task", "library", "open", "licence_class", "licence", "language", "base", "status", "size")
"""By what one may narrow a search. The lineage measures the base; the others come with the examination."""

MAX_PAGES = 100
_MAX_VALUES = 12
_IDS_WITH_WORDS = select(func.json_group_array(search_words.c.rowid)).where(
    literal_column("search_words").op("MATCH")(bindparam("asked"))
)
"""One JSON text: a row each would cost three times as much."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is looked for. `page` counts from 0, up to `MAX_PAGES`; facets are those of `FACETS`."""

    text: str = ""
    type: RepoType | None = None
    author: str | None = None
    tag: str | None = None
    facets: Mapping[str, str] = field(default_factory=dict)
    order: SearchOrder = "relevance"
    page: int = 0
    size: int = 30


@dataclass(frozen=True, slots=True)
class FacetCount:
    """How many of the found repos have a value."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    """A page of repos, how many there are in all, and how they spread over each facet.

    A facet that is chosen counts as if it were not, so that one sees what else there is to choose. `ids` are
    those of all that was found.
    """

    repos: list[Repo]
    total: int
    facets: Mapping[str, Sequence[FacetCount]]
    has_more: bool
    ids: Numbers


def find_repos(uow: UnitOfWork, loaded: LoadedRepos, viewer: Actor, query: SearchQuery) -> Found:
    """The repos that the viewer may see and that have every word and every facet of the query."""
    columns = loaded.at(uow)
    words = [_Word(uow, columns, word) for word in words_of(query.text)]
    matched = _matching(uow, columns, viewer, query)
    for word in words:
        matched &= word.anywhere
    chosen = {facet: columns.having(facet, value) for facet, value in query.facets.items()}
    found = _all_of(matched, chosen.values())
    keys = _keys(columns, query.order, words, found)
    start = query.page * query.size
    ids = [RepoId(one) for one in columns.ordered(np.flatnonzero(found), keys, start, start + query.size)]
    repos = repos_by_id(uow, ids)
    counts = _counted(columns, found, FACETS)
    for facet in chosen:
        others = [places for name, places in chosen.items() if name != facet]
        counts |= _counted(columns, _all_of(matched, others), [facet])
    every = columns.ids[found]
    has_more = start + query.size < len(every) and query.page + 1 < MAX_PAGES
    # Since the columns were read a repo may have gone.
    return Found([repos[one] for one in ids if one in repos], len(every), counts, has_more, every)


def others_allowed(
    uow: UnitOfWork, columns: RepoColumns, viewer: Actor, query: SearchQuery, found: Found
) -> Places:
    """What the viewer may see and every facet allows, less what the words of the query found."""
    chosen = [columns.having(facet, value) for facet, value in query.facets.items()]
    return _all_of(_matching(uow, columns, viewer, query), chosen) & ~columns.with_ids(found.ids)


def base_links(uow: UnitOfWork, viewer: Actor, limit: int) -> list[tuple[RepoId, str]]:
    """Repos that the viewer may see with the bases that were measured of them, by full names; bounded."""
    listed = visible_repos(viewer)
    bases = measured_base_names()
    query = (
        select(bases.c.repo_id, bases.c.base)
        .join(listed, listed.c.id == bases.c.repo_id)
        .order_by(bases.c.repo_id, bases.c.base)
        .limit(limit)
    )
    return [(RepoId(row.repo_id), str(row.base)) for row in uow.all(query)]


class _Word:
    """A word of the query, and where it is found."""

    def __init__(self, uow: UnitOfWork, columns: RepoColumns, word: str) -> None:
        self._uow, self._columns, self._word = uow, columns, word
        self.in_name = columns.with_word(word)
        self.anywhere = self.in_name | self._in_words("")

    def in_name_or_tags(self) -> Places:
        return self.in_name | self._in_words("tags : ")

    def _in_words(self, column: str) -> Places:
        """Whether the tags or the card have the word, or one of these columns alone."""
        phrase = expression(self._word)
        if phrase is None:
            return self._columns.with_ids([])
        ids = self._uow.execute(_IDS_WITH_WORDS, {"asked": f"{column}{phrase}"}).scalar_one()
        return self._columns.with_ids(json.loads(ids))


def _matching(uow: UnitOfWork, columns: RepoColumns, viewer: Actor, query: SearchQuery) -> Places:
    """All that the viewer may see of a type, a namespace and a tag."""
    found = columns.visible(viewer)
    if query.type is not None:
        found &= columns.of_type(query.type)
    if query.author is not None:
        found &= columns.of_author(query.author)
    if query.tag is not None:
        found &= columns.with_ids([row.id for row in uow.all(tagged_with(query.tag))])
    return found


def _all_of(places: Places, conditions: Iterable[Places]) -> Places:
    for condition in conditions:
        places = places & condition
    return places


def _keys(columns: RepoColumns, order: SearchOrder, words: Sequence[_Word], found: Places) -> list[Numbers]:
    """By what the found ones are ordered, the largest first."""
    if order == "relevance" and words:
        named = _all_of(found, (word.in_name for word in words))
        tagged = named
        if not np.array_equal(named, found):
            tagged = _all_of(found, (word.in_name_or_tags() for word in words))
        return [named.astype(np.int64) + tagged, columns.downloads, columns.updated]
    if order == "downloads":
        return [columns.downloads, columns.updated]
    return [columns.created if order == "created" else columns.updated]


def _counted(columns: RepoColumns, found: Places, facets: Iterable[str]) -> dict[str, list[FacetCount]]:
    """The most frequent values of some facets among the found ones."""
    counts: dict[str, list[FacetCount]] = {facet: [] for facet in facets}
    for facet, value, count in columns.facets.count(columns.lines[found]):
        if facet in counts:
            counts[facet].append(FacetCount(value, count))
    return {facet: _most(known) for facet, known in counts.items()}


def _most(counts: Sequence[FacetCount]) -> list[FacetCount]:
    return sorted(counts, key=lambda one: (-one.count, one.value))[:_MAX_VALUES]
