"""Finding repos by what their texts mean: those near a vector that words did not find.

The score of a repo rests on its own text and on what was typed alone, so that it tells nothing of others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import delete, func, select

from allmende.ids import RepoId
from allmende.registry import Actor, Repo, all_repos, repos_by_id
from allmende.search.finding import Found, SearchQuery, others_allowed
from allmende.search.loaded import LoadedRepos
from allmende.search.tables import search_change, search_vector, search_words
from allmende.search.vectors import LoadedVectors, whole_numbers
from allmende.storage import UnitOfWork

__all__ = ["RepoText", "nearest_repos", "put_vectors", "texts_without_vector"]

_LEAST = 0.15
"""Of a text and a question for it one pair in ten lies below it, of others nine in ten."""
_STEPS = 10_000
"""Scores are told apart by so many steps; what is nearer to each other is ordered as lists are."""


@dataclass(frozen=True, slots=True)
class RepoText:
    """What a vector is made from. `change` is the number of the repo's last change when it was read."""

    repo_id: RepoId
    change: int
    name: str
    """Without its namespace, in lower case."""
    tags: str
    card: str


def nearest_repos(
    uow: UnitOfWork,
    loaded: LoadedRepos,
    vectors: LoadedVectors,
    viewer: Actor,
    query: SearchQuery,
    by_words: Found,
    model: str,
    vector: bytes,
    most: int,
) -> list[Repo]:
    """The repos nearest in meaning to what was typed, less what the words found.

    They are of what the viewer may see and the facets allow. `vector` is that of the query's text, by the
    model of that id.
    """
    columns = loaded.at(uow)
    known = vectors.at(uow, model)
    if len(vector) != known.vectors.shape[1]:
        return []
    # Both are in the order of their ids, and one may be newer than the other.
    at = np.searchsorted(columns.ids, known.ids)
    at[at == len(columns.ids)] = 0
    allowed = others_allowed(uow, columns, viewer, query, by_words)
    places = np.flatnonzero(allowed[at] & (columns.ids[at] == known.ids)) if len(allowed) else at[:0]
    cosines = known.cosines(places, whole_numbers(vector))
    near = cosines >= _LEAST
    at = at[places[near]]
    scores = np.zeros(len(columns.ids), np.int64)
    scores[at] = np.rint(cosines[near] * _STEPS).astype(np.int64)
    keys = [scores, columns.downloads, columns.updated]
    found = [RepoId(one) for one in columns.ordered(at, keys, 0, most)]
    repos = repos_by_id(uow, found)
    return [repos[one] for one in found if one in repos]


def texts_without_vector(uow: UnitOfWork, model: str, after: RepoId, limit: int) -> list[RepoText]:
    """Texts in the index of which this model made no vector yet, in the order of ids after that one."""
    repos = all_repos()
    made = select(search_vector.c.repo_id).where(
        search_vector.c.repo_id == repos.c.id, search_vector.c.model == model
    )
    query = (
        select(
            repos.c.id,
            repos.c.full_name_key,
            search_words.c.tags,
            search_words.c.card,
            func.coalesce(search_change.c.number, 0).label("change"),
        )
        .join(search_words, search_words.c.rowid == repos.c.id)
        .outerjoin(search_change, search_change.c.repo_id == repos.c.id)
        .where(repos.c.id > after, ~made.exists())
        .order_by(repos.c.id)
        .limit(limit)
    )
    return [
        RepoText(RepoId(row.id), row.change, row.full_name_key.partition("/")[2], row.tags, row.card)
        for row in uow.all(query)
    ]


def put_vectors(uow: UnitOfWork, model: str, made: Mapping[RepoId, tuple[int, bytes]]) -> None:
    """Record vectors, each with the number of the change that it was made at.

    One of a repo that changed since is left out: it may be of a text that is not there any more.
    """
    numbers = select(search_change.c.repo_id, search_change.c.number).where(
        search_change.c.repo_id.in_(sorted(made))
    )
    now = {RepoId(row.repo_id): int(row.number) for row in uow.all(numbers)}
    rows = [
        {"repo_id": repo_id, "model": model, "vector": vector}
        for repo_id, (change, vector) in made.items()
        if now.get(repo_id, 0) == change
    ]
    if rows:
        uow.execute(
            delete(search_vector).where(search_vector.c.repo_id.in_([row["repo_id"] for row in rows]))
        )
        uow.execute(search_vector.insert(), rows)
