"""Verdicts of the scan that somebody lifted for a repo: who, when, why, and whether it still holds.

An override names the rules that were known when it was made. What a later scan finds beyond them counts. One
by an auditor of the hub takes a rule away; one by the repo's own people takes away what it does to the file,
and what stopped the file still warns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from allmende.errors import NotFound
from allmende.ids import AccountId, RepoId
from allmende.registry.tables import scan_override
from allmende.storage import UnitOfWork

__all__ = [
    "Lifted",
    "OverrideUnknown",
    "ScanOverride",
    "add_override",
    "find_override",
    "lifted_rules",
    "list_overrides",
    "recent_overrides",
    "revoke_override",
]

_LIFTED = select(scan_override.c.content_key, scan_override.c.rules, scan_override.c.by_auditor).where(
    scan_override.c.repo_id == bindparam("repo_id"), scan_override.c.revoked_at.is_(None)
)

_MAX_LISTED = 1000


class OverrideUnknown(NotFound):
    """The repo has no override of this number that still holds."""

    code = "override_unknown"


@dataclass(frozen=True, slots=True)
class ScanOverride:
    """One decision. It holds as long as `revoked_at` is None."""

    id: int
    repo_id: RepoId
    content_key: str
    path: str
    rules: tuple[str, ...]
    reason: str
    by_auditor: bool
    actor_name: str
    at: datetime
    revoked_at: datetime | None
    revoked_by: str | None


@dataclass(frozen=True, slots=True)
class Lifted:
    """The rules that are lifted for some bytes in a repo: by auditors, and by the repo's own people."""

    by_auditors: frozenset[str] = frozenset()
    by_owners: frozenset[str] = frozenset()


def add_override(
    uow: UnitOfWork,
    repo_id: RepoId,
    content_key: str,
    path: str,
    rules: Iterable[str],
    reason: str,
    *,
    by_auditor: bool,
    actor_id: AccountId | None,
    actor_name: str,
) -> int:
    """Put a decision on record, with its event; returns its number. Whoever calls has asked who may."""
    lifted = sorted(set(rules))
    values = {
        "content_key": content_key,
        "path": path,
        "rules": lifted,
        "reason": reason,
        "by_auditor": by_auditor,
    }
    inserted = uow.execute(
        scan_override.insert().values(
            repo_id=repo_id, actor_id=actor_id, actor_name=actor_name, at=uow.now, **values
        )
    ).inserted_primary_key
    if inserted is None:
        raise RuntimeError("the database gave an override no id")
    number = int(inserted[0])
    uow.emit(
        "scan.overridden",
        {"override": number, "by": actor_name, **values},
        repo_id=repo_id,
        actor_id=actor_id,
    )
    return number


def revoke_override(
    uow: UnitOfWork, found: ScanOverride, *, actor_id: AccountId | None, actor_name: str
) -> None:
    """The decision does not hold any more. Raises OverrideUnknown when it did not before."""
    changed = uow.execute(
        update(scan_override)
        .where(scan_override.c.id == found.id, scan_override.c.revoked_at.is_(None))
        .values(revoked_at=uow.now, revoked_by=actor_name)
    )
    if changed.rowcount != 1:
        raise _unknown(found.id)
    uow.emit(
        "scan.override_revoked",
        {"override": found.id, "by": actor_name},
        repo_id=found.repo_id,
        actor_id=actor_id,
    )


def find_override(uow: UnitOfWork, repo_id: RepoId, number: int) -> ScanOverride:
    """A decision about a repo that still holds. Raises OverrideUnknown."""
    query = select(scan_override).where(
        scan_override.c.id == number,
        scan_override.c.repo_id == repo_id,
        scan_override.c.revoked_at.is_(None),
    )
    row = uow.one_or_none(query)
    if row is None:
        raise _unknown(number)
    return _override(row)


def list_overrides(
    uow: UnitOfWork, repo_id: RepoId, content_keys: Iterable[str] | None = None
) -> list[ScanOverride]:
    """All decisions about a repo (with `content_keys`, about these bytes), the newest first; bounded."""
    query = select(scan_override).where(scan_override.c.repo_id == repo_id)
    if content_keys is not None:
        query = query.where(scan_override.c.content_key.in_(sorted(set(content_keys))))
    rows = uow.all(query.order_by(scan_override.c.id.desc()).limit(_MAX_LISTED))
    return [_override(row) for row in rows]


def recent_overrides(uow: UnitOfWork, limit: int, *, below: int | None = None) -> list[ScanOverride]:
    """The newest decisions about whatever repo, or the newest before decision `below`; for auditors."""
    query = select(scan_override).order_by(scan_override.c.id.desc()).limit(limit)
    if below is not None:
        query = query.where(scan_override.c.id < below)
    return [_override(row) for row in uow.all(query)]


def lifted_rules(uow: UnitOfWork, repo_id: RepoId) -> Mapping[str, Lifted]:
    """The rules that are lifted in a repo, by the name of the bytes."""
    found: dict[str, Lifted] = {}
    for row in uow.execute(_LIFTED, {"repo_id": repo_id}):
        known = found.get(row.content_key, Lifted())
        rules = frozenset(row.rules)
        found[row.content_key] = (
            replace(known, by_auditors=known.by_auditors | rules)
            if row.by_auditor
            else replace(known, by_owners=known.by_owners | rules)
        )
    return found


def _unknown(number: int) -> OverrideUnknown:
    return OverrideUnknown(
        f"This repo has no override {number} that still holds.", hint="The list of overrides names them."
    )


def _override(row: Row[Any]) -> ScanOverride:
    return ScanOverride(
        id=row.id,
        repo_id=RepoId(row.repo_id),
        content_key=row.content_key,
        path=row.path,
        rules=tuple(row.rules),
        reason=row.reason,
        by_auditor=row.by_auditor,
        actor_name=row.actor_name,
        at=row.at,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
    )
