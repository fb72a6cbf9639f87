"""Scans of everything: how far they are, and which files they gave another status. The last few are kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, delete, func, select, update

from allmende.facts.tables import scan_change, scan_run
from allmende.ids import RepoId
from allmende.storage import UnitOfWork

__all__ = [
    "Cause",
    "ScanChange",
    "ScanRun",
    "advance_scan_run",
    "begin_scan_run",
    "find_scan_run",
    "finish_scan_run",
    "forget_scan_changes",
    "last_scan_run",
    "scan_changes",
]

_RUNS_KEPT = 5
_CHANGES_KEPT = 10_000

Cause = Literal["start", "asked"]


@dataclass(frozen=True, slots=True)
class ScanRun:
    """A scan of everything."""

    id: int
    rule_set: str
    policy: str
    cause: Cause
    started_at: datetime
    finished_at: datetime | None
    last_repo_id: RepoId
    repos: int
    files: int
    changed: int


@dataclass(frozen=True, slots=True)
class ScanChange:
    """A file of a repo that has another status than before. `rules` are those that only one verdict has."""

    repo_id: RepoId
    path: str
    before: str
    after: str
    rules: tuple[str, ...]


def begin_scan_run(uow: UnitOfWork, rule_set: str, policy: str, cause: Cause) -> int:
    """A new run; of the older ones the last few stay. Returns its id."""
    inserted = uow.execute(
        scan_run.insert().values(
            rule_set=rule_set,
            policy=policy,
            cause=cause,
            started_at=uow.now,
            last_repo_id=0,
            repos=0,
            files=0,
            changed=0,
        )
    ).inserted_primary_key
    if inserted is None:
        raise RuntimeError("the database gave a run no id")
    uow.execute(delete(scan_run).where(scan_run.c.id <= int(inserted[0]) - _RUNS_KEPT))
    return int(inserted[0])


def find_scan_run(uow: UnitOfWork, run_id: int) -> ScanRun | None:
    """The run, while it is kept."""
    row = uow.one_or_none(select(scan_run).where(scan_run.c.id == run_id))
    return None if row is None else _run(row)


def last_scan_run(uow: UnitOfWork) -> ScanRun | None:
    """The run that began last."""
    row = uow.one_or_none(select(scan_run).order_by(scan_run.c.id.desc()).limit(1))
    return None if row is None else _run(row)


def advance_scan_run(
    uow: UnitOfWork, run_id: int, repo_id: RepoId, files: int, changes: Iterable[ScanChange]
) -> None:
    """One repo more is done. Changes are counted all and listed up to a bound."""
    found = list(changes)
    listed = uow.connection.execute(
        select(func.count()).select_from(scan_change).where(scan_change.c.run_id == run_id)
    ).scalar_one()
    room = max(0, _CHANGES_KEPT - int(listed))
    rows = [
        {
            "run_id": run_id,
            "repo_id": change.repo_id,
            "path": change.path,
            "before": change.before,
            "after": change.after,
            "rules": list(change.rules),
        }
        for change in found[:room]
    ]
    if rows:
        uow.execute(scan_change.insert(), rows)
    uow.execute(
        update(scan_run)
        .where(scan_run.c.id == run_id)
        .values(
            last_repo_id=repo_id,
            repos=scan_run.c.repos + 1,
            files=scan_run.c.files + files,
            changed=scan_run.c.changed + len(found),
        )
    )


def finish_scan_run(uow: UnitOfWork, run_id: int) -> None:
    """Everything was looked at."""
    uow.execute(
        update(scan_run)
        .where(scan_run.c.id == run_id, scan_run.c.finished_at.is_(None))
        .values(finished_at=uow.now)
    )


def scan_changes(uow: UnitOfWork, run_id: int) -> list[ScanChange]:
    """The changes of a run that are listed, in the order of the repos."""
    query = select(scan_change).where(scan_change.c.run_id == run_id).order_by(scan_change.c.id)
    return [
        ScanChange(RepoId(row.repo_id), row.path, row.before, row.after, tuple(row.rules))
        for row in uow.all(query)
    ]


def forget_scan_changes(uow: UnitOfWork, repo_id: RepoId) -> None:
    """The repo is gone, and its paths go from the reports too."""
    uow.execute(delete(scan_change).where(scan_change.c.repo_id == repo_id))


def _run(row: Row[Any]) -> ScanRun:
    return ScanRun(
        id=row.id,
        rule_set=row.rule_set,
        policy=row.policy,
        cause=row.cause,
        started_at=row.started_at,
        finished_at=row.finished_at,
        last_repo_id=RepoId(row.last_repo_id),
        repos=row.repos,
        files=row.files,
        changed=row.changed,
    )
