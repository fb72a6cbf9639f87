"""Models of the same task and library as one, the nearest in size first: alike without a look inside."""

import numpy as np

from allmende.ids import RepoId
from allmende.registry import Actor, Repo, repos_by_id
from allmende.search.columns import Numbers, RepoColumns
from allmende.search.loaded import LoadedRepos
from allmende.storage import UnitOfWork

__all__ = ["similar_repos"]

_FARTHEST = 2**62
_STEPS_OF_TWO = 64
"""Sizes are told apart by sixty-fourths of a doubling."""


def similar_repos(
    uow: UnitOfWork, loaded: LoadedRepos, viewer: Actor, repo: Repo, most: int
) -> list[tuple[Repo, int | None]]:
    """Repos of the same type, task and library that the viewer may see, each with its parameters.

    The nearest in the number of parameters first, by ratio, then those that are downloaded most, then those
    that changed last. None where the repo names no task: a library alone makes nobody alike.
    """
    if repo.pipeline_tag is None:
        return []
    columns = loaded.at(uow)
    found = columns.visible(viewer) & columns.of_type(repo.type) & ~columns.with_ids([repo.id])
    for facet, value in (("task", repo.pipeline_tag), ("library", repo.library_name)):
        if value is not None:
            found &= columns.having(facet, value)
    keys = [-_distances(columns, repo.id), columns.downloads, columns.updated]
    ids = columns.ordered(np.flatnonzero(found), keys, 0, most)
    repos = repos_by_id(uow, [RepoId(one) for one in ids])
    sizes = columns.parameters[columns.with_ids(ids)].tolist()
    known = dict(zip(sorted(ids), sizes, strict=True))
    return [(repos[RepoId(one)], known[one] or None) for one in ids if RepoId(one) in repos]


def _distances(columns: RepoColumns, repo_id: RepoId) -> Numbers:
    """How far each repo's size is from that of one; of what is unknown the farthest."""
    sizes = np.log2(np.maximum(columns.parameters, 1)) * _STEPS_OF_TWO
    own = sizes[columns.with_ids([repo_id]) & (columns.parameters > 0)]
    if not len(own):
        return np.zeros(len(sizes), np.int64)
    distances = np.abs(sizes - own[0]).astype(np.int64)
    return np.where(columns.parameters > 0, distances, _FARTHEST)
