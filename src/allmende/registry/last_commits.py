"""Which commit last changed each entry of a folder, as file listings show it.

The folder is compared with itself along first parents, so a merge counts as the commit that brought what
it merged. The work is bounded: an entry that did not change within the bounds has no answer, and none is
made up. Commits never change, so what was found is kept in a small cache.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from allmende.git import (
    CommitInfo,
    Step,
    changed_names,
    first_parents,
    folders_named,
    read_commits,
    read_trees,
)
from allmende.ids import GitOid
from allmende.storage import UnitOfWork

__all__ = ["last_commits"]

_MAX_STEPS = 5_000
_MAX_COMPARED = 1_000_000
"""Bound on the tree entries that one call compares: about a second of work."""
_CHANGES_AT_ONCE = 20
_CACHED_ENTRIES = 100_000

_Found = Mapping[str, GitOid]
_Change = tuple[GitOid, GitOid, GitOid | None]
"""A commit, the folder after it, and the folder before it."""


def last_commits(uow: UnitOfWork, commit_oid: GitOid, paths: Iterable[str]) -> dict[str, CommitInfo]:
    """The commit that last changed each path; a path without an answer within the bounds is absent."""
    names: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        names.setdefault(folder, set()).add(name)
    search = _Search(uow, commit_oid)
    by_path: dict[str, GitOid] = {}
    for folder, wanted in names.items():
        found = search.answer(folder)
        prefix = f"{folder}/" if folder else ""
        by_path.update({prefix + name: found[name] for name in wanted if name in found})
    commits = read_commits(uow, by_path.values())
    return {path: commits[oid] for path, oid in by_path.items()}


class _Search:
    """The search in the folders of one commit, with one bound for all of them."""

    def __init__(self, uow: UnitOfWork, commit_oid: GitOid) -> None:
        self._uow = uow
        self._commit_oid = commit_oid
        self._trail: list[Step] = []
        self._left = _MAX_COMPARED

    def answer(self, folder: str) -> _Found:
        """For each name in the folder: the commit that made it what it is, as far as the bound allows."""
        found = _cache.get((self._commit_oid, folder))
        if found is not None:
            return found
        if self._left <= 0:
            return {}
        fresh = self._left == _MAX_COMPARED
        found, complete = self._look(folder)
        if complete or fresh:  # with all of the bound to itself it would find no more another time
            _cache.put((self._commit_oid, folder), found)
        return found

    def _look(self, folder: str) -> tuple[dict[str, GitOid], bool]:
        """What was found, and whether that is everything."""
        self._trail = self._trail or first_parents(self._uow, self._commit_oid, _MAX_STEPS)
        trees = _folder_trees(self._uow, self._trail, folder)
        self._left -= len(self._trail) * len(folder.split("/"))
        if not trees or trees[0] is None:
            return {}, True
        wanted = {entry.name for entry in read_trees(self._uow, [trees[0]])[trees[0]]}
        cost = max(len(wanted), 1)
        changes = _changes(self._trail, trees, whole=len(self._trail) <= _MAX_STEPS)
        found: dict[str, GitOid] = {}
        for batch in _grouped(islice(changes, max(self._left // cost, 1))):
            self._left -= cost * len(batch)
            pairs = [(tree, before) for _commit, tree, before in batch if before is not None]
            changed = iter(changed_names(self._uow, pairs))
            for commit, _tree, before in batch:
                names = set(wanted) if before is None else wanted & next(changed)
                found.update(dict.fromkeys(names, commit))
                wanted -= names
            if not wanted:
                break
        return found, not wanted


def _folder_trees(uow: UnitOfWork, trail: list[Step], folder: str) -> list[GitOid | None]:
    """What the folder was at each step; None where it was not."""
    trees: list[GitOid | None] = [step.tree_oid for step in trail]
    for part in folder.split("/") if folder else ():
        below = folders_named(uow, {oid for oid in trees if oid is not None}, part)
        trees = [None if oid is None else below.get(oid) for oid in trees]
    return trees


def _changes(trail: list[Step], trees: list[GitOid | None], *, whole: bool) -> Iterator[_Change]:
    """The steps at which the folder changed.

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


def _grouped(changes: Iterable[_Change]) -> Iterator[list[_Change]]:
    """The first change by itself, as it often answers everything; then several at once."""
    remaining = iter(changes)
    size = 1
    while batch := list(islice(remaining, size)):
        yield batch
        size = _CHANGES_AT_ONCE


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
