"""The work that waits, runs, is done or has failed, for administrators: `admin jobs` and `admin pack`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.flows import enqueue_all_packing, packing_status, set_packing_paused
from allmende.ids import JobId
from allmende.jobs import Job, JobState
from allmende.web.admin_frame import admin_route, done, note, number_of, shown, whole_number
from allmende.web.visits import Visit

__all__ = ["change_jobs", "jobs", "routes"]

_ON_PAGE = 50
_STATES: tuple[JobState, ...] = get_args(JobState)
_SHORT_CHARS = 120
_MOST_CHARS, _KEPT_CHARS = 24, 12


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the list shows it: what it is about in a few words, and the last line of its error."""

    job: Job
    about: str
    error: str


def routes() -> list[Route]:
    """The page and what its forms are sent to."""
    return [admin_route("/jobs", jobs, change_jobs)]


def jobs(visit: Visit) -> Response:
    """A page of jobs, the newest first, in one state or in any; and how many there are."""
    state = next((known for known in _STATES if known == visit.parameter("state")), None)
    if state is None and visit.parameter("state"):
        raise BadRequest("Jobs have no such state.", code="state_unknown")
    text = visit.parameter("below")
    queue = visit.services.queue
    found = queue.list_jobs(state, _ON_PAGE + 1, JobId(whole_number(text)) if text else None)
    counts = queue.counts()
    kinds = sorted({kind for kind, _ in counts})
    return shown(
        visit,
        "admin_jobs.html",
        "jobs",
        rows=[_row(job) for job in found[:_ON_PAGE]],
        state=state,
        states=_STATES,
        counts=[(kind, [counts.get((kind, at), 0) for at in _STATES]) for kind in kinds],
        failed=sum(count for (_, at), count in counts.items() if at == "failed"),
        packing=packing_status(visit.services),
        workers=visit.services.settings.workers,
        newest=visit.address(below="", done="") if text else None,
        older=visit.address(below=str(found[_ON_PAGE - 1].id), done="") if len(found) > _ON_PAGE else None,
    )


def change_jobs(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Do what one of the forms asks for. Raises JobUnknown, BadRequest."""
    services = visit.services
    act = fields.get("act", "")
    details: dict[str, int] = {}
    match act:
        case "retry":
            details["job"] = number_of(fields, "job")
            services.queue.retry(JobId(details["job"]))
        case "cancel":
            details["job"] = number_of(fields, "job")
            services.queue.cancel(JobId(details["job"]))
        case "retry_all":
            details["jobs"] = services.queue.retry_all()
        case "pause" | "resume":
            set_packing_paused(services, paused=act == "pause")
        case "pack":
            details["contents"] = enqueue_all_packing(services)
        case _:
            raise BadRequest("Nothing is asked for.", code="form_invalid")
    with services.database.write() as uow:
        note(visit, uow, f"jobs.{act}", details)
    return done("/jobs", f"jobs_{act}")


def _row(job: Job) -> JobRow:
    said = (job.error or "").strip()
    return JobRow(
        job,
        ", ".join(f"{name} {_short(str(value))}" for name, value in sorted(job.payload.items())),
        said.splitlines()[-1][:_SHORT_CHARS] if said else "",
    )


def _short(text: str) -> str:
    """Hashes and the like by their beginnings."""
    return text if len(text) <= _MOST_CHARS else f"{text[:_KEPT_CHARS]}…"
