"""What a commit changes: paths by comparing trees, lines of small texts; bounded in number, size and time."""

import difflib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from allmende.errors import TooLarge
from allmende.ids import GitOid
from allmende.registry import FileEntry, Repo, list_tree, read_blob
from allmende.storage import UnitOfWork

__all__ = ["Change", "DiffLine", "changed_paths", "text_diffs"]

_MAX_CHANGES = 1000
_MAX_DEPTH = 128
_MAX_DIFFS = 20
_MAX_DIFF_BYTES = 64 * 1024
_MAX_DIFF_LINES = 1000
_MAX_SHOWN_LINES = 400
_BUDGET_S = 1.0
"""Comparing may take quadratic time; after this long no further file is compared."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path, before and after; exactly one side may be missing."""

    path: str
    before: FileEntry | None
    after: FileEntry | None

    @property
    def kind(self) -> Literal["added", "removed", "modified"]:
        """What happened to the path."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "modified"


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a unified diff, its mark apart."""

    kind: Literal["added", "removed", "same", "place"]
    text: str


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


def text_diffs(uow: UnitOfWork, repo: Repo, changes: list[Change]) -> dict[str, list[DiffLine]]:
    """The changed lines of those paths that are small texts on both sides."""
    found: dict[str, list[DiffLine]] = {}
    end = time.monotonic() + _BUDGET_S
    for change in changes:
        if len(found) == _MAX_DIFFS or time.monotonic() > end:
            break
        before, after = _text_lines(uow, repo, change.before), _text_lines(uow, repo, change.after)
        if before is not None and after is not None:
            found[change.path] = _diff(before, after)
    return found


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
        file_before = None if folder_before is not None else was
        file_after = None if folder_after is not None else now
        if file_before is not None or file_after is not None:
            yield Change(f"{prefix}{name}", file_before, file_after)


def _text_lines(uow: UnitOfWork, repo: Repo, entry: FileEntry | None) -> list[str] | None:
    """The lines of a small text; none for a file that is not there; None for what is not compared."""
    if entry is None:
        return []
    if entry.pointer is not None or entry.size_bytes > _MAX_DIFF_BYTES:
        return None
    data = read_blob(uow, repo.id, entry.oid)
    if b"\0" in data:
        return None
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None
    return lines if len(lines) <= _MAX_DIFF_LINES else None


def _diff(before: list[str], after: list[str]) -> list[DiffLine]:
    lines: list[DiffLine] = []
    for line in difflib.unified_diff(before, after, lineterm="", n=3):
        if line.startswith(("--- ", "+++ ")) and not lines:
            continue
        if len(lines) == _MAX_SHOWN_LINES:
            break
        lines.append(_line(line))
    return lines


def _line(line: str) -> DiffLine:
    if line.startswith("@@"):
        return DiffLine("place", line)
    if line.startswith("+"):
        return DiffLine("added", line[1:])
    return DiffLine("removed", line[1:]) if line.startswith("-") else DiffLine("same", line[1:])
