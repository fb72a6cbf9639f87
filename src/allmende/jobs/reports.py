"""What a job found when it last ran to its end: kept for people who ask later, one report for each kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from allmende.jobs.tables import job_report
from allmende.storage import UnitOfWork

__all__ = ["JobReport", "keep_report", "last_report"]


@dataclass(frozen=True, slots=True)
class JobReport:
    """What was found, from when to when."""

    found: Mapping[str, Any]
    began_at: datetime
    ended_at: datetime


def keep_report(uow: UnitOfWork, kind: str, began_at: datetime, found: Mapping[str, Any]) -> None:
    """Keep what a job of this kind found, in place of what the one before did; `found` is JSON."""
    row = {"kind": kind, "found": dict(found), "began_at": began_at, "ended_at": uow.now}
    uow.upsert(job_report, row)


def last_report(uow: UnitOfWork, kind: str) -> JobReport | None:
    """The last one; None before any job of the kind has ended."""
    row = uow.one_or_none(select(job_report).where(job_report.c.kind == kind))
    return None if row is None else JobReport(row.found, row.began_at, row.ended_at)
