"""The columns of all repos in memory, brought up to the database before each question.

The database numbers the changes (its own triggers write `search_change`), so that every process of a hub
sees what any other did, and reads anew only the repos that changed since.
"""

from collections.abc import Sequence
from threading import Lock

from sqlalchemy import Integer, Select, func, select, type_coerce

from allmende.registry import all_repos, measured_base_names
from allmende.search.columns import RepoColumns, RepoRow
from allmende.search.tables import BASE, facet_line, search_change, search_entry
from allmende.storage import UnitOfWork

__all__ = ["LoadedRepos", "changed_since", "last_change"]

_LAST_CHANGE = select(func.coalesce(func.max(search_change.c.number), 0))
_EVERY_LINE = 2
"""Lines of facets that no repo has any more are dropped when there are so many times more than repos."""
_FEW_LINES = 10_000


class LoadedRepos:
    """Shared by all threads of a process. Takes some 120 bytes a repo."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._number = -1
        self._columns = RepoColumns()

    def at(self, uow: UnitOfWork) -> RepoColumns:
        """The columns as this unit of work sees the database, or newer ones that another one read."""
        number = last_change(uow)
        if uow.writes:
            # What is not committed yet may never be: it is for this unit alone.
            return RepoColumns().changed([], _rows(uow, -1))
        with self._lock:
            if self._number < number:
                self._columns = self._next(uow)
                self._number = number
            return self._columns

    def _next(self, uow: UnitOfWork) -> RepoColumns:
        known = self._columns
        if len(known.facets.places) > max(_FEW_LINES, _EVERY_LINE * len(known.ids)):
            return RepoColumns().changed([], _rows(uow, -1))
        gone = uow.all(changed_since(self._number))
        return known.changed([row.repo_id for row in gone], _rows(uow, self._number))


def last_change(uow: UnitOfWork) -> int:
    """The largest number of a change, as this unit of work sees the database."""
    return int(uow.execute(_LAST_CHANGE).scalar_one())


def changed_since(number: int) -> Select[tuple[int]]:
    """The ids of repos that changed after that number, also of those that are gone."""
    return select(search_change.c.repo_id).where(search_change.c.number > number)


def _rows(uow: UnitOfWork, number: int) -> Sequence[RepoRow]:
    """The repos that changed after that number and are not disabled; all of them where it is negative."""
    listed, bases = all_repos().c, measured_base_names().c
    query = (
        select(
            listed.id,
            listed.type,
            listed.namespace_id,
            listed.full_name_key,
            listed.private,
            type_coerce(listed.created_at, Integer).label("created"),
            type_coerce(listed.updated_at, Integer).label("updated"),
            listed.downloads,
            func.coalesce(search_entry.c.parameters, 0).label("parameters"),
            func.coalesce(search_entry.c.facets, "").label("facets"),
        )
        .outerjoin(search_entry, search_entry.c.repo_id == listed.id)
        .where(listed.disabled.is_(False))
    )
    measured = select(bases.repo_id, bases.base)
    if number >= 0:
        query = query.where(listed.id.in_(changed_since(number)))
        measured = measured.where(bases.repo_id.in_(changed_since(number)))
    names: dict[int, list[str]] = {}
    for row in uow.all(measured):
        names.setdefault(row.repo_id, []).append(row.base)
    lines = {repo_id: facet_line({BASE: known}) for repo_id, known in names.items()}
    return [
        (
            row.id,
            row.type,
            row.namespace_id,
            row.full_name_key,
            row.private,
            row.created,
            row.updated,
            row.downloads,
            row.parameters,
            row.facets + lines.get(row.id, ""),
        )
        for row in uow.all(query)
    ]
