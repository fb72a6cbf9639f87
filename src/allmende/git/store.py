"""Git objects in SQL: written once, read only through a repo that owns them, with their derived rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dulwich.objects import Commit
from sqlalchemy import bindparam, delete, literal, select

from allmende.errors import NotFound
from allmende.formats import Pointer, find_pointer
from allmende.git.objects import GitObject, TreeEntry, parse_tree
from allmende.git.tables import (
    commit_meta,
    commit_parent,
    git_object,
    lfs_pointer,
    ref,
    repo_object,
    tree_entry,
)
from allmende.ids import GitOid, RepoId
from allmende.storage import UnitOfWork, batches

__all__ = [
    "ObjectNotFound",
    "disown",
    "forget_repo",
    "owned_objects",
    "owns",
    "read_blob",
    "read_trees",
    "share_objects",
    "write_objects",
]

_POINTER_LIMIT = 1024
_TREES = (
    select(tree_entry)
    .where(tree_entry.c.tree_oid.in_(bindparam("oids", expanding=True)))
    .order_by(tree_entry.c.name)
)
_BLOB = (
    select(git_object.c.data)
    .join(repo_object, repo_object.c.oid == git_object.c.oid)
    .where(
        repo_object.c.repo_id == bindparam("repo_id"),
        git_object.c.oid == bindparam("oid"),
        git_object.c.kind == "blob",
    )
)
"""Pointers are smaller than this by their specification; larger blobs are not looked at."""


class ObjectNotFound(NotFound):
    """The repo has no such git object."""

    code = "object_not_found"


def write_objects(uow: UnitOfWork, repo_id: RepoId, objects: Iterable[GitObject]) -> None:
    """Store objects and give the repo the right to read them; known objects stay as they are."""
    distinct = list({item.oid: item for item in objects}.values())
    uow.insert_new(
        git_object,
        [
            {"oid": item.oid, "kind": item.kind, "size_bytes": len(item.data), "data": item.data}
            for item in distinct
        ],
    )
    uow.insert_new(repo_object, [{"repo_id": repo_id, "oid": item.oid} for item in distinct])
    derived = _Derived()
    for item in distinct:
        derived.add(item)
    uow.insert_new(tree_entry, derived.entries)
    uow.insert_new(commit_meta, derived.commits)
    uow.insert_new(commit_parent, derived.parents)
    uow.insert_new(lfs_pointer, derived.pointers)


def read_blob(uow: UnitOfWork, repo_id: RepoId, oid: GitOid) -> bytes:
    """The bytes of a blob that the repo owns; raises ObjectNotFound."""
    row = uow.execute(_BLOB, {"repo_id": repo_id, "oid": oid}).one_or_none()
    if row is None:
        raise ObjectNotFound("The repo has no such object.")
    return bytes(row.data)


def read_trees(uow: UnitOfWork, oids: Iterable[GitOid]) -> dict[GitOid, list[TreeEntry]]:
    """The entries of several trees, in name order.

    The caller reached these ids through a repo it may read.
    """
    found: dict[GitOid, list[TreeEntry]] = {oid: [] for oid in oids}
    for batch in batches(sorted(found)):
        for row in uow.execute(_TREES, {"oids": batch}):
            found[GitOid(row.tree_oid)].append(TreeEntry(row.name, row.mode, GitOid(row.child_oid)))
    return found


def owns(uow: UnitOfWork, repo_id: RepoId, oid: GitOid) -> bool:
    """Whether the repo owns this object."""
    query = select(repo_object.c.oid).where(repo_object.c.repo_id == repo_id, repo_object.c.oid == oid)
    return uow.one_or_none(query) is not None


def owned_objects(uow: UnitOfWork, repo_id: RepoId) -> list[GitOid]:
    """Every object that the repo owns."""
    return [
        GitOid(row.oid) for row in uow.all(select(repo_object.c.oid).where(repo_object.c.repo_id == repo_id))
    ]


@dataclass
class _Derived:
    """The rows that follow from objects."""

    entries: list[dict[str, Any]]
    commits: list[dict[str, Any]]
    parents: list[dict[str, Any]]
    pointers: list[dict[str, Any]]

    def __init__(self) -> None:
        self.entries, self.commits, self.parents, self.pointers = [], [], [], []

    def add(self, item: GitObject) -> None:
        if item.kind == "tree":
            self.entries.extend(_tree_rows(item.oid, parse_tree(item.data)))
        elif item.kind == "commit":
            self._add_commit(item)
        elif item.kind == "blob" and len(item.data) <= _POINTER_LIMIT:
            pointer = find_pointer(item.data)
            if pointer is not None:
                self.pointers.append(_pointer_row(item.oid, pointer))

    def _add_commit(self, item: GitObject) -> None:
        commit = Commit.from_string(item.data)
        author, _, email = commit.author.decode("utf-8", "replace").partition(" <")
        title, _, rest = commit.message.decode("utf-8", "replace").partition("\n")
        self.commits.append(
            {
                "oid": item.oid,
                "tree_oid": commit.tree.decode(),
                "author_name": author,
                "author_email": email.rstrip(">"),
                "committed_at": datetime.fromtimestamp(commit.commit_time, UTC),
                "title": title,
                "message": rest.lstrip("\n"),
            }
        )
        self.parents.extend(
            {"oid": item.oid, "position": position, "parent_oid": parent.decode()}
            for position, parent in enumerate(commit.parents)
        )


def _tree_rows(tree_oid: GitOid, entries: Sequence[TreeEntry]) -> list[dict[str, Any]]:
    return [
        {"tree_oid": tree_oid, "name": entry.name, "mode": entry.mode, "child_oid": entry.oid}
        for entry in entries
    ]


def _pointer_row(oid: GitOid, pointer: Pointer) -> dict[str, Any]:
    return {"oid": oid, "sha256": pointer.oid, "size_bytes": pointer.size_bytes}


def forget_repo(uow: UnitOfWork, repo_id: RepoId) -> None:
    """Take every object and ref from a repo that is being deleted.

    Unowned objects go with garbage collection.
    """
    uow.execute(delete(ref).where(ref.c.repo_id == repo_id))
    uow.execute(delete(repo_object).where(repo_object.c.repo_id == repo_id))


def disown(uow: UnitOfWork, repo_id: RepoId, oids: Iterable[GitOid]) -> None:
    """Take objects from a repo: nobody can read them through it any more."""
    for batch in batches(sorted(set(oids))):
        uow.execute(delete(repo_object).where(repo_object.c.repo_id == repo_id, repo_object.c.oid.in_(batch)))


def share_objects(uow: UnitOfWork, source: RepoId, target: RepoId) -> None:
    """Let `target` read every object that `source` owns; no object is copied."""
    owned = select(repo_object.c.oid).where(repo_object.c.repo_id == target)
    missing = select(literal(target), repo_object.c.oid).where(
        repo_object.c.repo_id == source, repo_object.c.oid.not_in(owned)
    )
    uow.execute(repo_object.insert().from_select(["repo_id", "oid"], missing))
