"""The way back along first parents, and what lay at one path on it: what "last changed by" is found with."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import literal, select

from allmende.git.tables import commit_meta, commit_parent, tree_entry
from allmende.ids import GitOid
from allmende.storage import UnitOfWork, batches

__all__ = ["Step", "entries_named", "first_parents"]


@dataclass(frozen=True, slots=True)
class Step:
    """A commit on the way, and its root tree."""

    commit_oid: GitOid
    tree_oid: GitOid


def first_parents(uow: UnitOfWork, start: GitOid, limit: int) -> list[Step]:
    """`start` and at most `limit` commits before it, each the first parent of the one before."""
    trail = (
        select(commit_meta.c.oid, literal(0).label("depth"))
        .where(commit_meta.c.oid == start)
        .cte("trail", recursive=True)
    )
    trail = trail.union_all(
        select(commit_parent.c.parent_oid, trail.c.depth + 1)
        .join(trail, commit_parent.c.oid == trail.c.oid)
        .where(commit_parent.c.position == 0, trail.c.depth < limit)
    )
    query = (
        select(trail.c.oid, commit_meta.c.tree_oid)
        .join(commit_meta, commit_meta.c.oid == trail.c.oid)
        .order_by(trail.c.depth)
    )
    return [Step(GitOid(row.oid), GitOid(row.tree_oid)) for row in uow.all(query)]


def entries_named(uow: UnitOfWork, tree_oids: Iterable[GitOid], name: str) -> dict[GitOid, GitOid]:
    """What several trees call `name`, by tree; trees without that entry are absent."""
    found: dict[GitOid, GitOid] = {}
    for batch in batches(sorted(set(tree_oids))):
        query = select(tree_entry.c.tree_oid, tree_entry.c.child_oid).where(
            tree_entry.c.tree_oid.in_(batch), tree_entry.c.name == name
        )
        found.update({GitOid(row.tree_oid): GitOid(row.child_oid) for row in uow.all(query)})
    return found
