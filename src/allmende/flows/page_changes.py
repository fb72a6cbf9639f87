"""Changes that people make on the pages of a repo: what may replace what, and how a file or folder moves.

They go through `receive` like all others. What a page adds is that nobody means to write over a file without
saying so: paths that are said to be new must be free.
"""

from collections.abc import Collection, Iterator

from allmende.errors import Conflict, TooLarge
from allmende.flows.services import Services
from allmende.registry import (
    Actor,
    AddFile,
    EntryNotFound,
    FileEntry,
    LinkContent,
    Operation,
    PathInvalid,
    Prepared,
    Received,
    Remove,
    Repo,
    Revision,
    check_path,
    find_entry,
    folder_at,
    read_blob,
    receive,
    resolve_revision,
)
from allmende.storage import UnitOfWork

__all__ = ["FilesPresent", "change_files", "move_operations"]


class FilesPresent(Conflict):
    """Something lies at a path that was to be new."""

    code = "files_present"


def change_files(
    services: Services,
    uow: UnitOfWork,
    actor: Actor,
    repo: Repo,
    prepared: Prepared,
    *,
    fresh: Collection[str] = (),
) -> Received:
    """`receive`, if nothing lies at the paths in `fresh` yet. Raises FilesPresent, and what that raises."""
    if fresh:
        tree = resolve_revision(uow, repo, prepared.submission.revision).commit.tree_oid
        for path in fresh:
            found = find_entry(uow, tree, path)
            if found is not None:
                kind = "folder" if found.is_directory else "file"
                raise FilesPresent(
                    f"There is a {kind} {path} already.",
                    hint="Choose another name, or replace it expressly.",
                    places={"path": path},
                )
    return receive(uow, services.queue, actor, repo, prepared)


def move_operations(
    services: Services, uow: UnitOfWork, repo: Repo, revision: Revision, source: str, target: str
) -> list[Operation]:
    """What moves a file, or a folder with all that is in it, to `target`; contents are not copied.

    Raises EntryNotFound, PathInvalid (also for a folder into itself), FilesPresent, and TooLarge when it is
    more than one commit takes.
    """
    tree = revision.commit.tree_oid
    found = find_entry(uow, tree, source)
    if found is None:
        raise EntryNotFound(commit_oid=revision.oid)
    if target == source or target.startswith(f"{source}/"):
        raise PathInvalid(f"{source!r} cannot be moved to {target!r}.", hint="Choose another name.")
    check_path(target)
    if find_entry(uow, tree, target) is not None:
        raise FilesPresent(
            f"There is {target} already.", hint="Choose another name.", places={"path": target}
        )
    moved = [found]
    if found.is_directory:
        moved = [
            entry for entry in folder_at(uow, revision, source, recursive=True) if not entry.is_directory
        ]
    _check_bounds(services, moved)
    placed = list(_placed(uow, repo, moved, source, target))
    return [Remove(source, folder=found.is_directory), *placed]


def _check_bounds(services: Services, moved: Collection[FileEntry]) -> None:
    settings = services.settings
    inline_bytes = sum(entry.size_bytes for entry in moved if entry.pointer is None)
    if len(moved) >= settings.max_commit_operations or inline_bytes > settings.max_commit_bytes:
        raise TooLarge(
            f"{len(moved)} files are more than one commit moves.",
            hint="Move them in several steps, or by git.",
            code="too_many_moved",
        )


def _placed(
    uow: UnitOfWork, repo: Repo, moved: Collection[FileEntry], source: str, target: str
) -> Iterator[Operation]:
    for entry in moved:
        path = target + entry.path[len(source) :]
        if entry.pointer is None:
            yield AddFile(path, read_blob(uow, repo.id, entry.oid))
        else:
            yield LinkContent(path, entry.pointer.oid, entry.pointer.size_bytes)
