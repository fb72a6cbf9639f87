"""Reading revisions of a repo: names to commits, files, history; and branches and tags."""

import re
from dataclasses import dataclass

from allmende.errors import BadRequest
from allmende.git import (
    CommitInfo,
    FileEntry,
    Ref,
    RefMoved,
    ancestors,
    check_ref_name,
    commits_by_prefix,
    find_entry,
    history,
    list_refs,
    list_tree,
    move_ref,
    owns,
    read_commit,
    read_ref,
    tag_object,
    write_objects,
)
from allmende.ids import COMMIT_OID, GitOid
from allmende.registry.actors import Actor
from allmende.registry.errors import EntryNotFound, RefExists, RevisionNotFound
from allmende.registry.repos import MAIN, Repo, signature_of
from allmende.storage import UnitOfWork

__all__ = [
    "Revision",
    "branches_and_tags",
    "count_commits",
    "create_branch",
    "create_tag",
    "delete_branch",
    "delete_tag",
    "file_at",
    "folder_at",
    "list_files",
    "log",
    "resolve_revision",
]

_SHORT_OID = re.compile(r"[0-9a-f]{7,39}")


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of a repo, and the ref by which it was asked for, if it was."""

    commit: CommitInfo
    ref: str | None

    @property
    def oid(self) -> GitOid:
        """The commit's id."""
        return self.commit.oid


def resolve_revision(uow: UnitOfWork, repo: Repo, revision: str) -> Revision:
    """A branch, a tag, a full ref name, or a commit id (7 digits or more). Raises RevisionNotFound."""
    short = (f"refs/heads/{revision}", f"refs/tags/{revision}")
    for name in (revision,) if revision.startswith("refs/") else short:
        if (found := read_ref(uow, repo.id, name)) is not None:
            return Revision(read_commit(uow, found.commit_oid), name)
    if COMMIT_OID.fullmatch(revision):
        matches = [GitOid(revision)] if owns(uow, repo.id, GitOid(revision)) else []
    elif _SHORT_OID.fullmatch(revision):
        matches = commits_by_prefix(uow, repo.id, revision)
    else:
        matches = []
    if len(matches) != 1:
        raise RevisionNotFound(revision)
    found_commit = commits_by_prefix(uow, repo.id, matches[0])
    if not found_commit:  # the id of a blob or tree of this repo is no revision
        raise RevisionNotFound(revision)
    return Revision(read_commit(uow, found_commit[0]), None)


def file_at(uow: UnitOfWork, revision: Revision, path: str) -> FileEntry:
    """The file at `path`; raises EntryNotFound, also for a folder."""
    found = find_entry(uow, revision.commit.tree_oid, path)
    if found is None or found.is_directory:
        raise EntryNotFound(commit_oid=revision.oid)
    return found


def folder_at(uow: UnitOfWork, revision: Revision, path: str, *, recursive: bool) -> list[FileEntry]:
    """What lies in a folder (with `recursive`, below it), by full path.

    Raises EntryNotFound, also for a file.
    """
    folder = find_entry(uow, revision.commit.tree_oid, path)
    if folder is None or not folder.is_directory:
        raise EntryNotFound(f'{path} does not exist on "{revision.ref or revision.oid}"', revision.oid)
    listing = list_tree(uow, folder.oid, recursive=recursive)
    if not path:
        return list(listing)
    return [
        FileEntry(
            f"{path}/{item.path}", item.mode, item.oid, item.size_bytes, item.pointer, item.pointer_bytes
        )
        for item in listing
    ]


def list_files(uow: UnitOfWork, repo: Repo, commit_oid: GitOid) -> list[FileEntry]:
    """Every file of a revision of this repo, by path; raises RevisionNotFound."""
    if not owns(uow, repo.id, commit_oid):
        raise RevisionNotFound(commit_oid)
    tree = read_commit(uow, commit_oid).tree_oid
    return [entry for entry in list_tree(uow, tree, recursive=True) if not entry.is_directory]


def log(uow: UnitOfWork, revision: Revision, *, skip: int, limit: int) -> list[CommitInfo]:
    """A page of history, newest first."""
    return history(uow, revision.oid, skip=skip, limit=limit)


def count_commits(uow: UnitOfWork, revision: Revision) -> int:
    """How many commits the history of a revision has, itself included."""
    return len(ancestors(uow, [revision.oid]))


def create_branch(uow: UnitOfWork, actor: Actor, repo: Repo, branch: str, start: str | None) -> GitOid:
    """A new branch at `start` (default: main).

    Raises AccessDenied, RefExists, RevisionNotFound, BadRequest.
    """
    known = actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    name = branch if branch.startswith("refs/heads/") else f"refs/heads/{branch}"
    _check_short_name(name.removeprefix("refs/heads/"), name)
    commit = resolve_revision(uow, repo, start or MAIN).oid
    _create(uow, repo, name, commit, commit)
    uow.emit("ref.created", {"ref": name, "after": commit}, repo_id=repo.id, actor_id=known.id)
    return commit


def delete_branch(uow: UnitOfWork, actor: Actor, repo: Repo, branch: str) -> None:
    """Remove a branch; its commits stay readable by id.

    Raises AccessDenied, RevisionNotFound, BadRequest for main.
    """
    known = actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    name = branch if branch.startswith("refs/heads/") else f"refs/heads/{branch}"
    if name == MAIN:
        raise BadRequest(f"Cannot delete {MAIN}", code="main_protected")
    _delete(uow, repo, name, branch)
    uow.emit("ref.deleted", {"ref": name}, repo_id=repo.id, actor_id=known.id)


def create_tag(
    uow: UnitOfWork, actor: Actor, repo: Repo, tag: str, revision: str, message: str | None
) -> GitOid:
    """A tag at a revision, annotated if it has a message.

    Raises AccessDenied, RefExists, RevisionNotFound, BadRequest.
    """
    known = actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    name = f"refs/tags/{tag}"
    _check_short_name(tag, name)
    commit = resolve_revision(uow, repo, revision).oid
    oid = commit
    if message:
        annotated = tag_object(commit, tag, signature_of(known, uow.now), message)
        write_objects(uow, repo.id, [annotated])
        oid = annotated.oid
    _create(uow, repo, name, oid, commit)
    uow.emit("ref.created", {"ref": name, "after": commit}, repo_id=repo.id, actor_id=known.id)
    return commit


def delete_tag(uow: UnitOfWork, actor: Actor, repo: Repo, tag: str) -> None:
    """Remove a tag. Raises AccessDenied, RevisionNotFound."""
    known = actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    _delete(uow, repo, f"refs/tags/{tag}", tag)
    uow.emit("ref.deleted", {"ref": f"refs/tags/{tag}"}, repo_id=repo.id, actor_id=known.id)


def branches_and_tags(uow: UnitOfWork, repo: Repo) -> list[Ref]:
    """Every ref of the repo, pull requests included."""
    return list_refs(uow, repo.id)


def _check_short_name(short: str, full: str) -> None:
    check_ref_name(full)
    if COMMIT_OID.fullmatch(short) or short.startswith(("refs/", "-")) or short == "HEAD":
        raise BadRequest(f"{short!r} could be mistaken for something else.", hint="Choose another name.")


def _create(uow: UnitOfWork, repo: Repo, name: str, oid: GitOid, commit: GitOid) -> None:
    try:
        move_ref(uow, repo.id, name, expected=None, new=oid, commit_oid=commit)
    except RefMoved as error:
        raise RefExists(name) from error


def _delete(uow: UnitOfWork, repo: Repo, name: str, asked: str) -> None:
    found = read_ref(uow, repo.id, name)
    if found is None:
        raise RevisionNotFound(asked)
    move_ref(uow, repo.id, name, expected=found.oid, new=None)
