"""What changed between two trees, path by path; bounded in number and depth."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from allmende.errors import TooLarge
from allmende.ids import GitOid
from allmende.registry import FileEntry, list_tree
from allmende.storage import UnitOfWork

__all__ = ["Change", "changed_paths", "with_renames"]

_MAX_CHANGES = 10_000
_MAX_DEPTH = 128


@dataclass(frozen=True, slots=True)
class Change:
    """One file, before and after, by full paths; exactly one side may be missing."""

    before: FileEntry | None
    after: FileEntry | None

    @property
    def path(self) -> str:
        """Where the file lies; of one that is gone, where it lay."""
        entry = self.after or self.before
        return "" if entry is None else entry.path

    @property
    def moved_from(self) -> str:
        """Where the same bytes lay before; empty unless the file was renamed."""
        if self.before is None or self.after is None or self.before.path == self.after.path:
            return ""
        return self.before.path

    @property
    def kind(self) -> Literal["added", "removed", "modified", "renamed"]:
        """What happened to the file."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "renamed" if self.moved_from else "modified"


def changed_paths(uow: UnitOfWork, before: GitOid | None, after: GitOid) -> tuple[list[Change], bool]:
    """The files that differ between two trees, by path, and whether there are more than are listed.

    Folders that are the same in both are not looked into. Raises TooLarge for folders that lie too deep.
    """
    found: list[Change] = []
    for change in _differences(uow, before, after, ""):
        if len(found) == _MAX_CHANGES:
            return found, True
        found.append(change)
    return found, False


def with_renames(changes: Sequence[Change]) -> list[Change]:
    """The same, where a file that is gone and one that is new have the same bytes told as one renamed."""
    gone: defaultdict[GitOid, list[FileEntry]] = defaultdict(list)
    for change in reversed(changes):
        if change.kind == "removed" and change.before is not None:
            gone[change.before.oid].append(change.before)
    found: list[Change] = []
    moved: set[str] = set()
    for change in changes:
        after = change.after
        if change.kind == "added" and after is not None and gone[after.oid]:
            before = gone[after.oid].pop()
            moved.add(before.path)
            found.append(Change(before, after))
        else:
            found.append(change)
    return [change for change in found if change.kind != "removed" or change.path not in moved]


def _differences(
    uow: UnitOfWork, before: GitOid | None, after: GitOid | None, prefix: str
) -> Iterator[Change]:
    if prefix.count("/") > _MAX_DEPTH:
        raise TooLarge(f"The commit changes folders deeper than {_MAX_DEPTH} levels.")
    old = {} if before is None else {entry.path: entry for entry in list_tree(uow, before, recursive=False)}
    new = {} if after is None else {entry.path: entry for entry in list_tree(uow, after, recursive=False)}
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was is not None and now is not None and (was.oid, was.mode) == (now.oid, now.mode):
            continue
        folder_before = was.oid if was is not None and was.is_directory else None
        folder_after = now.oid if now is not None and now.is_directory else None
        if folder_before is not None or folder_after is not None:
            yield from _differences(uow, folder_before, folder_after, f"{prefix}{name}/")
        file_before = None if folder_before is not None else _below(prefix, was)
        file_after = None if folder_after is not None else _below(prefix, now)
        if file_before is not None or file_after is not None:
            yield Change(file_before, file_after)


def _below(prefix: str, entry: FileEntry | None) -> FileEntry | None:
    """An entry of a folder under its full path: by that it is known whether it may be shown."""
    return None if entry is None else replace(entry, path=f"{prefix}{entry.path}")
