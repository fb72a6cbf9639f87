"""Refs, moved by compare-and-set alone: nobody overwrites what they have not seen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dulwich.refs import check_ref_format
from sqlalchemy import Row, bindparam, delete, or_, select, update

from allmende.errors import BadRequest, Conflict
from allmende.git.tables import ref
from allmende.ids import GitOid, RepoId
from allmende.storage import UnitOfWork, batches

__all__ = ["Ref", "RefMoved", "check_ref_name", "heads", "list_refs", "move_ref", "read_ref"]

_MAX_REF_CHARS = 255

# Made once: what every page asks costs more to put together than to answer.
_BY_NAME = select(ref).where(ref.c.repo_id == bindparam("repo_id"), ref.c.name == bindparam("name"))
_ALL = select(ref).where(ref.c.repo_id == bindparam("repo_id")).order_by(ref.c.name)
_HEADS = select(ref.c.repo_id, ref.c.commit_oid).where(
    ref.c.name == bindparam("name"), ref.c.repo_id.in_(bindparam("repo_ids", expanding=True))
)


class RefMoved(Conflict):
    """Somebody else moved the ref first."""

    code = "ref_moved"


@dataclass(frozen=True, slots=True)
class Ref:
    """A full name such as `refs/heads/main`; `commit_oid` is what an annotated tag comes down to."""

    name: str
    oid: GitOid
    commit_oid: GitOid
    updated_at: datetime


def check_ref_name(name: str) -> None:
    """Raises BadRequest unless git accepts the full name."""
    if len(name) > _MAX_REF_CHARS or not check_ref_format(name.encode()):  # type: ignore[arg-type]
        raise BadRequest(f"{name!r} is not a valid name for a branch or tag.", code="ref_name_invalid")


def read_ref(uow: UnitOfWork, repo_id: RepoId, name: str) -> Ref | None:
    """The ref, or None."""
    row = uow.execute(_BY_NAME, {"repo_id": repo_id, "name": name}).one_or_none()
    return None if row is None else _ref(row)


def heads(uow: UnitOfWork, repo_ids: Iterable[RepoId], name: str) -> dict[RepoId, GitOid]:
    """The commits to which one ref name leads in several repos; repos without it are absent."""
    found: dict[RepoId, GitOid] = {}
    for batch in batches(sorted(set(repo_ids))):
        rows = uow.execute(_HEADS, {"name": name, "repo_ids": batch})
        found.update({RepoId(row.repo_id): GitOid(row.commit_oid) for row in rows})
    return found


def list_refs(uow: UnitOfWork, repo_id: RepoId) -> list[Ref]:
    """All refs of a repo, by name."""
    return [_ref(row) for row in uow.execute(_ALL, {"repo_id": repo_id})]


def move_ref(
    uow: UnitOfWork,
    repo_id: RepoId,
    name: str,
    *,
    expected: GitOid | None,
    new: GitOid | None,
    commit_oid: GitOid | None = None,
) -> None:
    """Set the ref to `new` if it still is `expected`; None means absent, on both sides. Raises RefMoved.

    A new name that git could not keep beside the others raises BadRequest. `commit_oid` is given for
    annotated tags, whose own id is not a commit's.
    """
    at = (ref.c.repo_id == repo_id) & (ref.c.name == name)
    if expected is None and new is not None:
        if read_ref(uow, repo_id, name) is not None:
            raise RefMoved(f"Reference {name} already exists")
        check_ref_name(name)
        _check_room(uow, repo_id, name)
        values = {"oid": new, "commit_oid": commit_oid or new, "version": 1, "updated_at": uow.now}
        uow.execute(ref.insert().values(repo_id=repo_id, name=name, **values))
        return
    if new is None:
        changed = uow.execute(delete(ref).where(at, ref.c.oid == expected))
    else:
        changed = uow.execute(
            update(ref)
            .where(at, ref.c.oid == expected)
            .values(oid=new, commit_oid=commit_oid or new, version=ref.c.version + 1, updated_at=uow.now)
        )
    if changed.rowcount != 1:
        raise RefMoved(
            f"Reference {name} was changed by somebody else", hint="Look at its new state, then try again."
        )


def _check_room(uow: UnitOfWork, repo_id: RepoId, name: str) -> None:
    """Git keeps refs as files, so `x` and `x/y` cannot both be: a clone of such a repo would fail."""
    parts = name.split("/")
    above = ["/".join(parts[:length]) for length in range(3, len(parts))]
    below = ref.c.name.startswith(f"{name}/", autoescape=True)
    query = select(ref.c.name).where(ref.c.repo_id == repo_id, or_(ref.c.name.in_(above), below)).limit(1)
    taken = uow.one_or_none(query)
    if taken is not None:
        raise BadRequest(
            f"{name!r} cannot be made while {taken.name!r} exists.",
            hint="Choose a name that does not begin with the other one.",
            code="ref_name_invalid",
        )


def _ref(row: Row[Any]) -> Ref:
    return Ref(row.name, GitOid(row.oid), GitOid(row.commit_oid), row.updated_at)
