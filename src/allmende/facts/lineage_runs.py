"""Measurements of everything, made anew with a new tool: which version went through, and how far it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from allmende.facts.lineage_tables import lineage_run
from allmende.ids import RepoId
from allmende.storage import UnitOfWork

__all__ = [
    "LineageRun",
    "advance_lineage_run",
    "begin_lineage_run",
    "find_lineage_run",
    "finish_lineage_run",
    "last_lineage_run",
]

_RUNS_KEPT = 5


@dataclass(frozen=True, slots=True)
class LineageRun:
    """A measurement of everything."""

    id: int
    tool_version: str
    started_at: datetime
    finished_at: datetime | None
    last_repo_id: RepoId


def begin_lineage_run(uow: UnitOfWork, tool_version: str) -> int:
    """A new run; of the older ones the last few stay. Returns its id."""
    inserted = uow.execute(
        lineage_run.insert().values(tool_version=tool_version, started_at=uow.now, last_repo_id=0)
    ).inserted_primary_key
    if inserted is None:
        raise RuntimeError("the database gave a run no id")
    uow.execute(delete(lineage_run).where(lineage_run.c.id <= int(inserted[0]) - _RUNS_KEPT))
    return int(inserted[0])


def find_lineage_run(uow: UnitOfWork, run_id: int) -> LineageRun | None:
    """The run, while it is kept."""
    row = uow.one_or_none(select(lineage_run).where(lineage_run.c.id == run_id))
    return None if row is None else _run(row)


def last_lineage_run(uow: UnitOfWork) -> LineageRun | None:
    """The run that began last."""
    row = uow.one_or_none(select(lineage_run).order_by(lineage_run.c.id.desc()).limit(1))
    return None if row is None else _run(row)


def advance_lineage_run(uow: UnitOfWork, run_id: int, repo_id: RepoId) -> None:
    """One repo more is done."""
    uow.execute(update(lineage_run).where(lineage_run.c.id == run_id).values(last_repo_id=repo_id))


def finish_lineage_run(uow: UnitOfWork, run_id: int) -> None:
    """Everything was looked at."""
    uow.execute(update(lineage_run).where(lineage_run.c.id == run_id).values(finished_at=uow.now))


def _run(row: Row[Any]) -> LineageRun:
    return LineageRun(
        int(row.id), row.tool_version, row.started_at, row.finished_at, RepoId(row.last_repo_id)
    )
