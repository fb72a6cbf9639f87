"""Which commit last changed each entry of a folder, as file listings show it.

The folder is compared with itself along first parents, so a merge counts as the commit that brought what
it merged. The work is bounded: an entry that did not change within the bounds has no answer, and none is
made up. Commits never change, so what was found is kept in a small cache.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

from allmende.git import CommitInfo, Step, entries_named, first_parents, read_commits, read_trees
from allmende.ids import GitOid
from allmende.storage import UnitOfWork

__all__ = ["last_commits"]

_MAX_STEPS = 5_000
_MAX_ENTRIES = 400_000
"""Bound on the tree entries that one folder's search reads."""
_STEPS_AT_ONCE = 50
_MAX_FOLDERS = 200
"""Bound on the folders that one call searches."""
_CACHED_ENTRIES = 100_000

_Found = Mapping[str, GitOid]


def last_commits(uow: UnitOfWork, commit_oid: GitOid, paths: Iterable[str]) -> dict[str, CommitInfo]:
    """The commit that last changed each path; a path without an answer within the bounds is absent."""
    names: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        names.setdefault(folder, set()).add(name)
    trail: list[Step] = []
    by_path: dict[str, GitOid] = {}
    for folder in list(names)[:_MAX_FOLDERS]:
        found = _cache.get((commit_oid, folder))
        if found is None:
            trail = trail or first_parents(uow, commit_oid, _MAX_STEPS)
            found = _search(uow, trail, folder)
            _cache.put((commit_oid, folder), found)
        prefix = f"{folder}/" if folder else ""
        by_path.update({prefix + name: found[name] for name in names[folder] if name in found})
    commits = read_commits(uow, by_path.values())
    return {path: commits[oid] for path, oid in by_path.items()}


def _search(uow: UnitOfWork, trail: list[Step], folder: str) -> dict[str, GitOid]:
    """For each name in the folder at the start of the trail: the commit that made it what it is."""
    changes = _changes(trail, _folder_trees(uow, trail, folder), whole=len(trail) <= _MAX_STEPS)
    found: dict[str, GitOid] = {}
    wanted: dict[str, GitOid] | None = None
    read_entries = 0
    for batch in _grouped(changes):
        trees = read_trees(uow, {oid for _commit, tree, before in batch for oid in (tree, before) if oid})
        read_entries += sum(len(entries) for entries in trees.values())
        by_name = {oid: {entry.name: entry.oid for entry in entries} for oid, entries in trees.items()}
        for commit, tree, before in batch:
            if wanted is None:
                wanted = dict(by_name[tree])
            older = by_name[before] if before else {}
            for name in [name for name, oid in wanted.items() if older.get(name) != oid]:
                found[name] = commit
                del wanted[name]
        if not wanted or read_entries > _MAX_ENTRIES:
            break
    return found


def _folder_trees(uow: UnitOfWork, trail: list[Step], folder: str) -> list[GitOid | None]:
    """What the folder was at each step; None where it was not."""
    trees: list[GitOid | None] = [step.tree_oid for step in trail]
    for part in folder.split("/") if folder else ():
        below = entries_named(uow, {oid for oid in trees if oid is not None}, part)
        trees = [None if oid is None else below.get(oid) for oid in trees]
    return trees


def _changes(
    trail: list[Step], trees: list[GitOid | None], *, whole: bool
) -> Iterator[tuple[GitOid, GitOid, GitOid | None]]:
    """The steps at which the folder changed: commit, the folder after it, the folder before it.

    A name that is wanted cannot have been made before a step at which the folder was not there. The end of
    the trail counts as a change only if it is the beginning of history.
    """
    for index, (step, tree) in enumerate(zip(trail, trees, strict=True)):
        if tree is None:
            return
        last = index + 1 == len(trail)
        if last and not whole:
            return
        before = None if last else trees[index + 1]
        if before != tree:
            yield step.commit_oid, tree, before


def _grouped(
    changes: Iterator[tuple[GitOid, GitOid, GitOid | None]],
) -> Iterator[list[tuple[GitOid, GitOid, GitOid | None]]]:
    """The first change by itself, as it often answers everything; then many at once."""
    batch: list[tuple[GitOid, GitOid, GitOid | None]] = []
    size = 1
    for change in changes:
        batch.append(change)
        if len(batch) == size:
            yield batch
            batch, size = [], _STEPS_AT_ONCE
    if batch:
        yield batch


class _Cache:
    """Least recently used answers, bounded by the sum of their entries. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[GitOid, str], _Found] = OrderedDict()
        self._entries = 0

    def get(self, key: tuple[GitOid, str]) -> _Found | None:
        with self._lock:
            if key not in self._answers:
                return None
            self._answers.move_to_end(key)
            return self._answers[key]

    def put(self, key: tuple[GitOid, str], found: _Found) -> None:
        with self._lock:
            if key in self._answers:
                return
            self._answers[key] = found
            self._entries += len(found) + 1
            while self._entries > _CACHED_ENTRIES:
                _key, dropped = self._answers.popitem(last=False)
                self._entries -= len(dropped) + 1


_cache = _Cache()
