"""Looking for repos: every word must be found and every facet hold; what the name says comes first.

The order tells nothing of repos that the visitor may not see: it is by where the words were found, then by
downloads and time, and never by how rare a word is on the hub.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, literal, literal_column, or_, select

from allmende.ids import RepoId, RepoType
from allmende.registry import Actor, Repo, measured_base_names, repos_by_id, tagged_with, visible_repos
from allmende.search.tables import count_facets, facet_mark, search_entry, search_words
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
]

SearchOrder = Literal["relevance", "updated", "created", "downloads"]

FACETS = ("task", "library", "open", "licence_class", "licence", "language", "base", "status", "size")
"""By what one may narrow a search. The lineage measures the base; the others come with the examination."""

_BASE = "base"
MAX_PAGES = 100
_MAX_VALUES = 12


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

    A facet that is chosen counts as if it were not, so that one sees what else there is to choose.
    """

    repos: list[Repo]
    total: int
    facets: Mapping[str, Sequence[FacetCount]]
    has_more: bool


def find_repos(uow: UnitOfWork, viewer: Actor, query: SearchQuery) -> Found:
    """The repos that the viewer may see and that have every word and every facet of the query."""
    listed = visible_repos(viewer)
    words = words_of(query.text)
    conditions = _conditions(listed, query, words)
    chosen = {facet: _has(listed, facet, value) for facet, value in query.facets.items()}
    total, matched = _matching(uow, listed, and_(*conditions, *chosen.values()))
    # Where nothing costly is asked, an index leads to the first ones without a look at all the others.
    shown = listed.c.id.in_(matched) if words or chosen else and_(*conditions)
    rows = uow.all(
        select(listed.c.id)
        .where(shown)
        .order_by(*_order(listed, query.order, words))
        .limit(query.size)
        .offset(query.page * query.size)
    )
    ids = [RepoId(row.id) for row in rows]
    repos = repos_by_id(uow, ids)
    counts = _counted(uow, matched, FACETS)
    for facet in chosen:
        others = [condition for name, condition in chosen.items() if name != facet]
        _, widened = _matching(uow, listed, and_(*conditions, *others))
        counts |= _counted(uow, widened, [facet])
    has_more = (query.page + 1) * query.size < total and query.page + 1 < MAX_PAGES
    return Found([repos[one] for one in ids if one in repos], total, counts, has_more)


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


def _conditions(listed: Subquery, query: SearchQuery, words: Sequence[str]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [literal(1) == literal(1)]
    if query.type is not None:
        found.append(listed.c.type == query.type)
    if query.author is not None:
        found.append(listed.c.full_name_key.startswith(query.author.lower() + "/", autoescape=True))
    if query.tag is not None:
        found.append(listed.c.id.in_(tagged_with(query.tag)))
    return found + [or_(_in_name(listed, word), _in_words(listed, word)) for word in words]


def _in_name(listed: Subquery, word: str) -> ColumnElement[bool]:
    return listed.c.full_name_key.contains(word, autoescape=True)


def _in_words(listed: Subquery, word: str, column: str = "") -> ColumnElement[bool]:
    """Whether the tags or the card have a word, or only one of these columns."""
    phrase = expression(word)
    if phrase is None:
        return literal(1) == literal(0)
    asked = f"{column} : {phrase}" if column else phrase
    matches = literal_column("search_words").op("MATCH")(asked)
    return listed.c.id.in_(select(search_words.c.rowid).where(matches))


def _order(listed: Subquery, order: SearchOrder, words: Sequence[str]) -> list[ColumnElement[Any]]:
    newest = [listed.c.updated_at.desc(), listed.c.full_name_key, listed.c.type]
    if order == "relevance" and words:
        named = and_(*(_in_name(listed, word) for word in words))
        tagged = and_(*(or_(_in_name(listed, word), _in_words(listed, word, "tags")) for word in words))
        return [case((named, 0), (tagged, 1), else_=2), listed.c.downloads.desc(), *newest]
    if order == "downloads":
        return [listed.c.downloads.desc(), *newest]
    if order == "created":
        return [listed.c.created_at.desc(), listed.c.full_name_key, listed.c.type]
    return newest


def _has(listed: Subquery, facet: str, value: str) -> ColumnElement[bool]:
    """Whether a repo has a value of a facet."""
    if facet == _BASE:
        bases = measured_base_names()
        return listed.c.id.in_(select(bases.c.repo_id).where(bases.c.base == value))
    has = search_entry.c.facets.contains(facet_mark(facet, value), autoescape=True)
    return listed.c.id.in_(select(search_entry.c.repo_id).where(has))


def _matching(
    uow: UnitOfWork, listed: Subquery, condition: ColumnElement[bool]
) -> tuple[int, Select[tuple[int]]]:
    """How many repos meet a condition, and which.

    Their ids are kept as one JSON text: so the full-text table is asked once, not by everything that counts.
    """
    ids = select(func.count().label("total"), func.json_group_array(listed.c.id).label("ids"))
    row = uow.execute(ids.select_from(listed).where(condition)).one()
    each = func.json_each(row.ids).table_valued("value")
    return int(row.total), select(each.c.value)


def _counted(uow: UnitOfWork, ids: Select[tuple[int]], facets: Iterable[str]) -> dict[str, list[FacetCount]]:
    """The most frequent values of some facets among these repos."""
    counts: dict[str, Counter[str]] = {facet: Counter() for facet in facets}
    entry = search_entry.c
    lines = select(func.group_concat(entry.facets, "").label("all")).where(entry.repo_id.in_(ids))
    for facet, value, count in count_facets(uow.execute(lines).one().all or ""):
        if facet in counts:
            counts[facet][value] = count
    if _BASE in counts:
        bases = measured_base_names().c
        total = func.count().label("total")
        by_base = select(bases.base, total).where(bases.repo_id.in_(ids)).group_by(bases.base)
        counts[_BASE].update({row.base: row.total for row in uow.all(by_base)})
    return {facet: _most(counter) for facet, counter in counts.items()}


def _most(counter: Counter[str]) -> list[FacetCount]:
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [FacetCount(value, count) for value, count in ordered[:_MAX_VALUES]]
