"""Keeping the git rows in order: removing what no repo owns, and finding what is missing or damaged."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select

from allmende.git.history import ancestors, read_commits
from allmende.git.refs import list_refs
from allmende.git.store import read_trees
from allmende.git.tables import git_object, lfs_pointer, repo_object
from allmende.ids import GitOid, RepoId, Sha256
from allmende.storage import UnitOfWork, batches

__all__ = [
    "Reachable",
    "check_reachable",
    "count_unowned_objects",
    "damaged_objects",
    "delete_unowned_objects",
]


@dataclass(frozen=True, slots=True)
class Reachable:
    """What the refs of a repo lead to."""

    objects: int
    missing: tuple[GitOid, ...]
    """Objects that are named by a ref, a commit or a tree, and that the repo does not have."""
    pointers: frozenset[Sha256]
    """Contents that pointers among the objects stand for."""


def delete_unowned_objects(uow: UnitOfWork, limit: int) -> list[GitOid]:
    """Remove at most `limit` objects that no repo owns, and what was derived from them; returns their ids."""
    owned = exists().where(repo_object.c.oid == git_object.c.oid)
    rows = uow.all(select(git_object.c.oid).where(~owned).limit(limit))
    oids = [GitOid(row.oid) for row in rows]
    for batch in batches(oids):
        uow.execute(delete(git_object).where(git_object.c.oid.in_(batch)))
    return oids


def count_unowned_objects(uow: UnitOfWork) -> int:
    """How many objects no repo owns."""
    owned = exists().where(repo_object.c.oid == git_object.c.oid)
    return int(
        uow.connection.execute(select(func.count()).select_from(git_object).where(~owned)).scalar_one()
    )


def check_reachable(uow: UnitOfWork, repo_id: RepoId) -> Reachable:
    """Follow every ref of the repo through all commits and folders down to the files."""
    refs = list_refs(uow, repo_id)
    wanted: set[GitOid] = {ref.oid for ref in refs}
    commits = ancestors(uow, [ref.commit_oid for ref in refs]) | {ref.commit_oid for ref in refs}
    known = read_commits(uow, commits)
    wanted |= commits | {parent for commit in known.values() for parent in commit.parents}
    level = {commit.tree_oid for commit in known.values()}
    while level:
        wanted |= level
        entries = [entry for listing in read_trees(uow, level).values() for entry in listing]
        files = {entry.oid for entry in entries if not entry.is_directory}
        level = {entry.oid for entry in entries if entry.is_directory} - wanted
        wanted |= files
    owned = _owned_among(uow, repo_id, wanted)
    return Reachable(len(wanted), tuple(sorted(wanted - owned)), frozenset(_pointers_among(uow, wanted)))


def damaged_objects(uow: UnitOfWork, after: GitOid | None, limit: int) -> tuple[list[GitOid], GitOid | None]:
    """Those of the next `limit` objects whose bytes do not have their id; and where to go on, if anywhere."""
    query = select(git_object).order_by(git_object.c.oid).limit(limit)
    if after is not None:
        query = query.where(git_object.c.oid > after)
    rows = uow.all(query)
    damaged = []
    for row in rows:
        body = bytes(row.data)
        header = f"{row.kind} {len(body)}\0".encode()
        # SHA-1 is git's own name for an object, and no protection here.
        if hashlib.sha1(header + body, usedforsecurity=False).hexdigest() != row.oid:
            damaged.append(GitOid(row.oid))
    return damaged, GitOid(rows[-1].oid) if len(rows) == limit else None


def _owned_among(uow: UnitOfWork, repo_id: RepoId, oids: set[GitOid]) -> set[GitOid]:
    found: set[GitOid] = set()
    for batch in batches(sorted(oids)):
        query = (
            select(git_object.c.oid)
            .join(repo_object, repo_object.c.oid == git_object.c.oid)
            .where(repo_object.c.repo_id == repo_id, git_object.c.oid.in_(batch))
        )
        found.update(GitOid(row.oid) for row in uow.all(query))
    return found


def _pointers_among(uow: UnitOfWork, oids: set[GitOid]) -> set[Sha256]:
    found: set[Sha256] = set()
    for batch in batches(sorted(oids)):
        query = select(lfs_pointer.c.sha256).where(lfs_pointer.c.oid.in_(batch))
        found.update(Sha256(row.sha256) for row in uow.all(query))
    return found
