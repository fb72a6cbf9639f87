"""Reading trees by path: one entry, or everything below a folder, level by level.

A tree never changes, so what was listed once is kept in a small cache keyed by its id. Whoever calls
these functions reached the tree id through a commit of a repo that the caller may read.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, select

from allmende.errors import TooLarge
from allmende.formats import Pointer
from allmende.git.objects import DIRECTORY, TreeEntry
from allmende.git.store import read_trees
from allmende.git.tables import git_object, lfs_pointer, tree_entry
from allmende.ids import GitOid, Sha256
from allmende.storage import UnitOfWork, batches

__all__ = ["FileEntry", "find_entry", "list_tree"]

_SIZES = (
    select(
        git_object.c.oid,
        git_object.c.size_bytes,
        lfs_pointer.c.sha256,
        lfs_pointer.c.size_bytes.label("real_bytes"),
    )
    .outerjoin(lfs_pointer, lfs_pointer.c.oid == git_object.c.oid)
    .where(git_object.c.oid.in_(bindparam("oids", expanding=True)))
)

_MAX_DEPTH = 128
_MAX_ENTRIES = 1_000_000
_CACHED_ENTRIES = 200_000
_FEW_ENTRIES = 1000
"""In a listing of so many at most, looking through it is quicker than asking the database."""
"""Bound on the cache, in entries over all cached listings: about 60 MB."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A path in a revision: a file, or a folder (then `is_directory`)."""

    path: str
    mode: int
    oid: GitOid
    size_bytes: int
    """Real size: of the content behind a pointer; 0 for folders."""
    pointer: Pointer | None
    pointer_bytes: int
    """Size of the pointer's own blob, where there is one."""

    @property
    def is_directory(self) -> bool:
        """Whether the path is a folder."""
        return self.mode == DIRECTORY


def find_entry(uow: UnitOfWork, tree_oid: GitOid, path: str) -> FileEntry | None:
    """What lies at `path` below the tree, or None; the empty path is the folder itself."""
    if not path:
        return FileEntry("", DIRECTORY, tree_oid, 0, None, 0)
    *folders, name = path.split("/")
    for folder in folders:
        found = _child(uow, tree_oid, folder)
        if found is None or not found.is_directory:
            return None
        tree_oid = found.oid
    listing = _cache.get((tree_oid, False))
    if listing is not None and len(listing) <= _FEW_ENTRIES:
        entry = next((entry for entry in listing if entry.path == name), None)
        return None if entry is None else replace(entry, path=path)
    found = _child(uow, tree_oid, name)
    return None if found is None else _describe(uow, [(path, found)])[0]


def list_tree(uow: UnitOfWork, tree_oid: GitOid, *, recursive: bool) -> tuple[FileEntry, ...]:
    """Everything in the tree (with `recursive`, below it too), sorted by path; paths are relative to it."""
    cached = _cache.get((tree_oid, recursive))
    if cached is not None:
        return cached
    paths = (
        _walk(uow, tree_oid)
        if recursive
        else [(entry.name, entry) for entry in read_trees(uow, [tree_oid])[tree_oid]]
    )
    listing = tuple(sorted(_describe(uow, paths), key=lambda entry: entry.path))
    _cache.put((tree_oid, recursive), listing)
    return listing


def _child(uow: UnitOfWork, tree_oid: GitOid, name: str) -> TreeEntry | None:
    row = uow.one_or_none(
        select(tree_entry).where(tree_entry.c.tree_oid == tree_oid, tree_entry.c.name == name)
    )
    return None if row is None else TreeEntry(row.name, row.mode, GitOid(row.child_oid))


def _walk(uow: UnitOfWork, root: GitOid) -> list[tuple[str, TreeEntry]]:
    paths: list[tuple[str, TreeEntry]] = []
    level = [("", root)]
    for _depth in range(_MAX_DEPTH):
        trees = read_trees(uow, {oid for _prefix, oid in level})
        found = [(prefix + entry.name, entry) for prefix, oid in level for entry in trees[oid]]
        paths.extend(found)
        if len(paths) > _MAX_ENTRIES:
            raise TooLarge(
                f"This revision has more than {_MAX_ENTRIES} paths.", hint="List its folders one by one."
            )
        level = [(f"{path}/", entry.oid) for path, entry in found if entry.is_directory]
        if not level:
            return paths
    raise TooLarge(f"This revision has folders deeper than {_MAX_DEPTH} levels.")


def _describe(uow: UnitOfWork, paths: list[tuple[str, TreeEntry]]) -> list[FileEntry]:
    blobs = sorted({entry.oid for _path, entry in paths if not entry.is_directory})
    sizes: dict[str, tuple[int, Pointer | None]] = {}
    for batch in batches(blobs):
        for row in uow.execute(_SIZES, {"oids": batch}):
            pointer = None if row.sha256 is None else Pointer(Sha256(row.sha256), row.real_bytes)
            sizes[row.oid] = (row.size_bytes, pointer)
    entries = []
    for path, entry in paths:
        own_bytes, pointer = sizes.get(entry.oid, (0, None))
        real = own_bytes if pointer is None else pointer.size_bytes
        entries.append(FileEntry(path, entry.mode, entry.oid, real, pointer, own_bytes if pointer else 0))
    return entries


class _ListingCache:
    """Least recently used listings, bounded by the sum of their lengths."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listings: OrderedDict[tuple[GitOid, bool], tuple[FileEntry, ...]] = OrderedDict()
        self._entries = 0

    def get(self, key: tuple[GitOid, bool]) -> tuple[FileEntry, ...] | None:
        with self._lock:
            if key not in self._listings:
                return None
            self._listings.move_to_end(key)
            return self._listings[key]

    def put(self, key: tuple[GitOid, bool], listing: tuple[FileEntry, ...]) -> None:
        with self._lock:
            if key in self._listings or len(listing) > _CACHED_ENTRIES:
                return
            self._listings[key] = listing
            self._entries += len(listing)
            while self._entries > _CACHED_ENTRIES:
                _key, dropped = self._listings.popitem(last=False)
                self._entries -= len(dropped)


_cache = _ListingCache()
