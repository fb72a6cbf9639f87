"""`allmende admin jobs`: the work that waits, runs, is done or has failed."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json, say_table
from allmende.clock import iso
from allmende.errors import BadRequest
from allmende.ids import JobId

if TYPE_CHECKING:
    from allmende.jobs import Job

__all__ = ["cancel", "list_of_jobs", "retry"]

_ERROR_CHARACTERS = 100


def list_of_jobs(
    *,
    state: Annotated[
        Literal["waiting", "running", "done", "failed"] | None, Parameter(help="Only jobs in this state.")
    ] = None,
    limit: Annotated[int, Parameter(help="At most so many, the newest first.")] = 100,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    if limit < 1:
        raise BadRequest("--limit is at least 1.")
    with opened(place) as services:
        counts = services.queue.counts()
        jobs = services.queue.list_jobs(state, limit)
    if as_json:
        listed = [{"kind": kind, "state": at, "jobs": count} for (kind, at), count in sorted(counts.items())]
        say_json("allmende.admin-jobs/1", {"counts": listed, "jobs": [_job(job) for job in jobs]})
        return
    rows = [
        (str(job.id), job.kind, job.state, str(job.attempts), iso(job.created_at), _remark(job))
        for job in jobs
    ]
    say_table(("ID", "KIND", "STATE", "ATTEMPTS", "CREATED", "REMARK"), rows)


def retry(
    job: Annotated[int | None, Parameter(help="The number of a failed job.")] = None,
    /,
    *,
    every: Annotated[bool, Parameter(name="--all", help="All jobs that failed.")] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Let a failed job run again, or all of them."""
    if (job is None) != every:
        raise BadRequest(
            "Name one job, or say --all.", hint="`allmende admin jobs --state failed` lists them."
        )
    with opened(place) as services:
        if job is None:
            count = services.queue.retry_all()
        else:
            services.queue.retry(JobId(job))
            count = 1
    if as_json:
        say_json("allmende.admin-jobs-retried/1", {"jobs": count})
    else:
        say(f"{count} jobs will run again")


def cancel(
    job: Annotated[int, Parameter(help="The number of a job that waits or has failed.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Take a job that waits or has failed out of the queue: what it would have done is not done."""
    with opened(place) as services:
        services.queue.cancel(JobId(job))
    if as_json:
        say_json("allmende.admin-job-cancelled/1", {"job": job})
    else:
        say(f"job {job} is out of the queue")


def _remark(job: "Job") -> str:
    if job.error is not None:
        return job.error[:_ERROR_CHARACTERS]
    return job.progress_note or ""


def _job(job: "Job") -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "payload": dict(job.payload),
        "attempts": job.attempts,
        "progress": job.progress,
        "progress_note": job.progress_note,
        "error": job.error,
        "created_at": iso(job.created_at),
        "finished_at": None if job.finished_at is None else iso(job.finished_at),
    }
