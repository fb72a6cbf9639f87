"""Looking through the whole store as jobs, for pages that show what was found: a check, a count of garbage.

Both change nothing. They read the database and the folders as `admin fsck` and `admin gc --dry-run` do, and
begin again from the start when their process ends in the middle.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from allmende.flows.findings import Finding
from allmende.flows.garbage import collect_garbage
from allmende.flows.integrity import fsck
from allmende.flows.services import Services
from allmende.jobs import Job, JobContext, JobReport, keep_report, last_report

__all__ = [
    "CHECK_JOB",
    "COUNT_JOB",
    "StorageReport",
    "check_storage",
    "count_garbage",
    "start_report",
    "storage_report",
]

Kind: TypeAlias = Literal["check_storage", "count_garbage"]
CHECK_JOB: Kind = "check_storage"
COUNT_JOB: Kind = "count_garbage"
_MAX_FINDINGS = 100
"""So many are kept, and how many there were in all."""


@dataclass(frozen=True, slots=True)
class StorageReport:
    """What the last job of a kind found, and the one that waits or runs now."""

    last: JobReport | None
    now: Job | None


def check_storage(services: Services, context: JobContext) -> None:
    """The job: check that everything is there, without reading every byte."""
    began_at = services.database.clock()
    report = fsck(services, deep=False, context=context)
    found = {
        "contents": report.contents,
        "content_bytes": report.content_bytes,
        "repos": report.repos,
        "objects": report.objects,
        "problems": _kept(report.problems),
        "problems_in_all": len(report.problems),
        "notes": dict(Counter(note.kind for note in report.notes)),
    }
    with services.database.write() as uow:
        keep_report(uow, CHECK_JOB, began_at, found)


def count_garbage(services: Services, context: JobContext) -> None:
    """The job: count what a collection would remove now."""
    began_at = services.database.clock()
    found = asdict(collect_garbage(services, dry_run=True, context=context))
    with services.database.write() as uow:
        keep_report(uow, COUNT_JOB, began_at, found)


def start_report(services: Services, kind: Kind) -> None:
    """Have it done; one that waits already is enough."""
    with services.database.write() as uow:
        services.queue.enqueue(uow, kind, {}, key=kind)


def storage_report(services: Services, kind: Kind) -> StorageReport:
    """What is known of one kind."""
    with services.database.read() as uow:
        last = last_report(uow, kind)
    return StorageReport(last, services.queue.unfinished(kind))


def _kept(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings[:_MAX_FINDINGS]]
