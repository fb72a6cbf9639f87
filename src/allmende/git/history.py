"""Reading history: commits with their derived rows, newest first, never a parent before its child."""

import heapq
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, bindparam, select

from allmende.git.store import ObjectNotFound
from allmende.git.tables import commit_meta, commit_parent, repo_object
from allmende.ids import GitOid, RepoId
from allmende.storage import UnitOfWork, batches

__all__ = ["CommitInfo", "ancestors", "commits_by_prefix", "history", "read_commit", "read_commits", "recent"]

# Made once: what every page asks costs more to put together than to answer.
_OIDS: BindParameter[str] = bindparam("oids", expanding=True)
_PARENTS = select(commit_parent).where(commit_parent.c.oid.in_(_OIDS)).order_by(commit_parent.c.position)
_COMMITS = select(commit_meta).where(commit_meta.c.oid.in_(_OIDS))

_CACHED_COMMITS = 5000
_CACHED_CHARS = 2000
"""Longest words of a commit that is kept in memory: with the bound above, about 20 MB."""


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """What a commit says."""

    oid: GitOid
    tree_oid: GitOid
    parents: tuple[GitOid, ...]
    author_name: str
    author_email: str
    at: datetime
    title: str
    message: str


def read_commit(uow: UnitOfWork, oid: GitOid) -> CommitInfo:
    """One commit; raises ObjectNotFound. The caller came to the id through a repo that it may read."""
    known = _cache.get(oid)
    if known is not None:
        return known
    found = read_commits(uow, [oid]).get(oid)
    if found is None:
        raise ObjectNotFound(f"There is no commit {oid}.")
    _cache.put(found)
    return found


def read_commits(uow: UnitOfWork, oids: Iterable[GitOid]) -> dict[GitOid, CommitInfo]:
    """Those of the commits that exist."""
    wanted = sorted(set(oids))
    parents: dict[str, list[GitOid]] = {}
    found: dict[GitOid, CommitInfo] = {}
    for batch in batches(wanted):
        for row in uow.execute(_PARENTS, {"oids": batch}):
            parents.setdefault(row.oid, []).append(GitOid(row.parent_oid))
        for row in uow.execute(_COMMITS, {"oids": batch}):
            found[GitOid(row.oid)] = CommitInfo(
                GitOid(row.oid),
                GitOid(row.tree_oid),
                tuple(parents.get(row.oid, ())),
                row.author_name,
                row.author_email,
                row.committed_at,
                row.title,
                row.message,
            )
    return found


def ancestors(uow: UnitOfWork, oids: Iterable[GitOid]) -> set[GitOid]:
    """The commits themselves and everything that they descend from."""
    seen: set[GitOid] = set()
    for start in set(oids):
        if start in seen:
            continue
        reached = select(commit_meta.c.oid).where(commit_meta.c.oid == start).cte("reached", recursive=True)
        reached = reached.union(
            select(commit_parent.c.parent_oid).join(reached, commit_parent.c.oid == reached.c.oid)
        )
        seen.update(GitOid(row.oid) for row in uow.all(select(reached.c.oid)))
    return seen


def history(uow: UnitOfWork, start: GitOid, *, skip: int = 0, limit: int | None = None) -> list[CommitInfo]:
    """The commits that `start` descends from, itself first: by time, never a parent before its children."""
    order = _ordered(uow, start)
    page: list[GitOid] = []
    for position, oid in enumerate(order):
        if limit is not None and position >= skip + limit:
            break
        if position >= skip:
            page.append(oid)
    found = read_commits(uow, page)
    return [found[oid] for oid in page]


def recent(uow: UnitOfWork, start: GitOid, limit: int) -> Iterator[CommitInfo]:
    """At most `limit` of the commits that `start` descends from, itself first, by time.

    Reads no more of the history than it yields, however long that is. Where the clocks of two commits
    disagree, a parent may come before another of its children.
    """
    first = read_commit(uow, start)
    seen = {start}
    ready = [(-first.at.timestamp(), 0, first)]
    for _ in range(limit):
        if not ready:
            return
        _when, _serial, commit = heapq.heappop(ready)
        yield commit
        for parent in commit.parents:
            if parent not in seen:
                seen.add(parent)
                found = read_commit(uow, parent)
                heapq.heappush(ready, (-found.at.timestamp(), len(seen), found))


def commits_by_prefix(uow: UnitOfWork, repo_id: RepoId, prefix: str) -> list[GitOid]:
    """At most two commits of the repo whose id begins so (two say that it is ambiguous)."""
    query = (
        select(commit_meta.c.oid)
        .join(repo_object, repo_object.c.oid == commit_meta.c.oid)
        .where(
            repo_object.c.repo_id == repo_id, commit_meta.c.oid >= prefix, commit_meta.c.oid < prefix + "g"
        )
        .limit(2)
    )
    return [GitOid(row.oid) for row in uow.all(query)]


def _ordered(uow: UnitOfWork, start: GitOid) -> Iterator[GitOid]:
    reached = ancestors(uow, [start])
    parents: dict[GitOid, list[GitOid]] = {oid: [] for oid in reached}
    waiting_children: dict[GitOid, int] = dict.fromkeys(reached, 0)
    times: dict[GitOid, datetime] = {}
    for batch in batches(sorted(reached)):
        for row in uow.all(select(commit_parent).where(commit_parent.c.oid.in_(batch))):
            parents[GitOid(row.oid)].append(GitOid(row.parent_oid))
            waiting_children[GitOid(row.parent_oid)] += 1
        query = select(commit_meta.c.oid, commit_meta.c.committed_at).where(commit_meta.c.oid.in_(batch))
        times.update({GitOid(row.oid): row.committed_at for row in uow.all(query)})
    ready = [(-times[start].timestamp(), 0, start)]
    serial = 0
    while ready:
        _when, _serial, oid = heapq.heappop(ready)
        yield oid
        for parent in parents[oid]:
            waiting_children[parent] -= 1
            if waiting_children[parent] == 0:
                serial += 1
                heapq.heappush(ready, (-times[parent].timestamp(), serial, parent))


class _CommitCache:
    """The commits that were read last, as no commit ever changes. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._commits: OrderedDict[GitOid, CommitInfo] = OrderedDict()

    def get(self, oid: GitOid) -> CommitInfo | None:
        with self._lock:
            found = self._commits.get(oid)
            if found is not None:
                self._commits.move_to_end(oid)
            return found

    def put(self, commit: CommitInfo) -> None:
        if len(commit.title) + len(commit.message) > _CACHED_CHARS:
            return
        with self._lock:
            self._commits[commit.oid] = commit
            if len(self._commits) > _CACHED_COMMITS:
                self._commits.popitem(last=False)


_cache = _CommitCache()
