"""The way back along first parents, and what lay at one path on it: what "last changed by" is found with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dulwich.objects import parse_tree
from sqlalchemy import literal, select

from allmende.git.objects import DIRECTORY
from allmende.git.store import ObjectNotFound
from allmende.git.tables import commit_meta, commit_parent, git_object, tree_entry
from allmende.ids import GitOid
from allmende.storage import UnitOfWork, batches

__all__ = ["Step", "changed_names", "first_parents", "folders_named"]

_OID_BYTES = 20


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


def folders_named(uow: UnitOfWork, tree_oids: Iterable[GitOid], name: str) -> dict[GitOid, GitOid]:
    """The folder that several trees call `name`, by tree; trees without such a folder are absent."""
    found: dict[GitOid, GitOid] = {}
    for batch in batches(sorted(set(tree_oids))):
        query = select(tree_entry.c.tree_oid, tree_entry.c.child_oid).where(
            tree_entry.c.tree_oid.in_(batch), tree_entry.c.name == name, tree_entry.c.mode == DIRECTORY
        )
        found.update({GitOid(row.tree_oid): GitOid(row.child_oid) for row in uow.all(query)})
    return found


def changed_names(uow: UnitOfWork, pairs: Sequence[tuple[GitOid, GitOid]]) -> list[set[str]]:
    """For each pair of trees: the names in the first whose entry is new or another one than in the second.

    The bytes of the objects are compared: that is several times faster than joining their rows.
    """
    entries: dict[GitOid, frozenset[tuple[bytes, int, bytes]]] = {}
    for batch in batches(sorted({oid for pair in pairs for oid in pair})):
        query = select(git_object.c.oid, git_object.c.data).where(
            git_object.c.oid.in_(batch), git_object.c.kind == "tree"
        )
        for row in uow.execute(query):
            entries[GitOid(row.oid)] = frozenset(parse_tree(bytes(row.data), _OID_BYTES))
    missing = next((oid for pair in pairs for oid in pair if oid not in entries), None)
    if missing is not None:
        raise ObjectNotFound(f"There is no tree {missing}.")
    return [{name.decode() for name, _mode, _oid in entries[tree] - entries[older]} for tree, older in pairs]
