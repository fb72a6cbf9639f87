"""Editing a tree: apply changes by path, load and write only the folders that they touch."""

from allmende.errors import BadRequest
from allmende.git.objects import DIRECTORY, FILE, GitObject, TreeEntry, tree_object
from allmende.git.store import read_trees
from allmende.ids import GitOid
from allmende.storage import UnitOfWork

__all__ = ["PathConflict", "PathMissing", "TreeEditor"]


class PathConflict(BadRequest):
    """A path would have to be a file and a folder at once."""

    code = "path_conflict"


class PathMissing(BadRequest):
    """A path that is to be removed does not exist."""

    code = "path_missing"


class _Folder:
    """A folder in memory; subfolders stay ids until somebody looks inside."""

    __slots__ = ("entries", "folders")

    def __init__(self, entries: list[TreeEntry]) -> None:
        self.entries = {entry.name: entry for entry in entries}
        self.folders: dict[str, _Folder] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no file is left in it: git keeps no empty folders."""
        names = self.entries.keys() | self.folders.keys()
        return all(name in self.folders and self.folders[name].is_empty for name in names)


class TreeEditor:
    """Changes to one tree; nothing is written to the database."""

    def __init__(self, uow: UnitOfWork, root: GitOid | None) -> None:
        self._uow = uow
        self._root = self._load(root) if root else _Folder([])

    def put(self, path: str, oid: GitOid, mode: int = FILE) -> None:
        """Put a file at `path`, in place of one that may be there. Raises PathConflict."""
        *folders, name = path.split("/")
        folder = self._root
        for depth, part in enumerate(folders):
            folder = self._enter(folder, part, "/".join(folders[: depth + 1]))
        below = self._look(folder, name)
        if below is not None and not below.is_empty:
            raise PathConflict(
                f"{path!r} is a folder.",
                hint="Delete the folder in the same commit, before the file.",
                places={"path": path},
            )
        folder.folders.pop(name, None)
        folder.entries[name] = TreeEntry(name, mode, oid)

    def remove(self, path: str, *, folder: bool = False) -> None:
        """Remove a file, or with `folder` everything below a folder. Raises PathMissing."""
        *folders, name = path.split("/")
        trail = [self._root]
        for part in folders:
            below = self._look(trail[-1], part)
            if below is None:
                raise PathMissing(f"A {'folder' if folder else 'file'} with the path {path!r} doesn't exist.")
            trail.append(below)
        parent = trail[-1]
        entry = parent.entries.get(name)
        is_folder = name in parent.folders or (entry is not None and entry.is_directory)
        if is_folder != folder or (entry is None and not is_folder):
            raise PathMissing(f"A {'folder' if folder else 'file'} with the path {path!r} doesn't exist.")
        parent.entries.pop(name, None)
        parent.folders.pop(name, None)

    def write(self) -> tuple[GitOid, list[GitObject]]:
        """The id of the edited tree, and the tree objects that are new with it."""
        objects: list[GitObject] = []
        root = self._write(self._root, objects)
        return root, objects

    def _write(self, folder: _Folder, objects: list[GitObject]) -> GitOid:
        entries = dict(folder.entries)
        for name, below in folder.folders.items():
            oid = self._write(below, objects)
            if below.entries:  # git keeps no empty folders; `_write` has just filled in the subfolders
                entries[name] = TreeEntry(name, DIRECTORY, oid)
            else:
                entries.pop(name, None)
        folder.entries = entries
        built = tree_object(entries.values())
        objects.append(built)
        return built.oid

    def _enter(self, folder: _Folder, name: str, path: str) -> _Folder:
        below = self._look(folder, name)
        if below is None:
            if name in folder.entries:
                raise PathConflict(
                    f"{path!r} is a file.",
                    hint="Delete the file in the same commit, before the folder.",
                    places={"path": path},
                )
            below = folder.folders[name] = _Folder([])
        return below

    def _look(self, folder: _Folder, name: str) -> _Folder | None:
        below = folder.folders.get(name)
        entry = folder.entries.get(name)
        if below is None and entry is not None and entry.is_directory:
            below = folder.folders[name] = self._load(entry.oid)
        return below

    def _load(self, oid: GitOid) -> _Folder:
        return _Folder(read_trees(self._uow, [oid])[oid])
