"""Keeping the index: one entry a repo, replaced as a whole when its head of `main` was examined."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import delete, select, text

from allmende.ids import RepoId
from allmende.registry import all_repos
from allmende.search.tables import facet_line, facet_mark, search_entry, search_vector, search_words
from allmende.storage import UnitOfWork

__all__ = ["SearchEntry", "forget_repo", "put_entry", "repos_without_entry", "tidy"]

_MAX_CARD_CHARS = 20_000
_MAX_TAGS_CHARS = 4_000
_MADE_BY = "index"
_VERSION = "3"
"""Of what makes entries; those of before are made anew. 2: classes of licences. 3: parameters."""


@dataclass(frozen=True, slots=True)
class SearchEntry:
    """What is looked through: the words of a repo, and its facets, each with one or several values."""

    tags: Iterable[str]
    card: str
    facets: Mapping[str, Iterable[str]] = field(default_factory=dict)
    parameters: int | None = None


def put_entry(uow: UnitOfWork, repo_id: RepoId, entry: SearchEntry) -> None:
    """Replace what is known of a repo. Words beyond the first 20,000 characters of a card are left out.

    What its text means is forgotten, until that is made anew.
    """
    forget_repo(uow, repo_id)
    uow.execute(
        search_words.insert().values(
            rowid=repo_id, tags=" ".join(entry.tags)[:_MAX_TAGS_CHARS], card=entry.card[:_MAX_CARD_CHARS]
        )
    )
    facets = facet_line({**entry.facets, _MADE_BY: [_VERSION]})
    row = {"repo_id": repo_id, "facets": facets, "parameters": entry.parameters}
    uow.execute(search_entry.insert().values(row))


def forget_repo(uow: UnitOfWork, repo_id: RepoId) -> None:
    """Nothing of a repo is found any more, but for its name as long as it is there."""
    uow.execute(delete(search_words).where(search_words.c.rowid == repo_id))
    for table in (search_entry, search_vector):
        uow.execute(delete(table).where(table.c.repo_id == repo_id))


def repos_without_entry(uow: UnitOfWork, limit: int) -> list[RepoId]:
    """Repos that are not in the index, or that an earlier version of this program entered."""
    repos = all_repos()
    current = search_entry.c.facets.contains(facet_mark(_MADE_BY, _VERSION))
    known = select(search_entry.c.repo_id).where(search_entry.c.repo_id == repos.c.id, current)
    query = select(repos.c.id).where(~known.exists()).order_by(repos.c.id).limit(limit)
    return [RepoId(row.id) for row in uow.all(query)]


def tidy(uow: UnitOfWork) -> None:
    """Write the full-text table anew without what was forgotten: until then its words lie there unused."""
    uow.execute(text("INSERT INTO search_words (search_words) VALUES ('optimize')"))
