"""What the hub keeps, whether all of it is there, and what a collection of garbage would remove."""

import shutil
from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.flows import CHECK_JOB, COUNT_JOB, packing_status, start_report, storage_report
from allmende.storage import damaged_contents, stored_contents, uploaded_xorb_figures
from allmende.web.admin_frame import admin_route, done, note, shown
from allmende.web.visits import Visit

__all__ = ["begin", "routes", "storage"]

_JOBS = {"check": CHECK_JOB, "count": COUNT_JOB}


def routes() -> list[Route]:
    """The page and what its forms are sent to."""
    return [admin_route("/storage", storage, begin)]


def storage(visit: Visit) -> Response:
    """The page, with what was found when everything was looked through last."""
    services = visit.services
    with visit.read() as uow:
        contents, size_bytes = stored_contents(uow)
        damaged = damaged_contents(uow)
        xorbs, xorb_bytes = uploaded_xorb_figures(uow)
    return shown(
        visit,
        "admin_storage.html",
        "storage",
        contents=contents,
        size_bytes=size_bytes,
        damaged=damaged,
        xorbs=xorbs,
        xorb_bytes=xorb_bytes,
        packing=packing_status(services),
        disk=shutil.disk_usage(services.settings.contents_dir),
        settings=services.settings,
        check=storage_report(services, CHECK_JOB),
        garbage=storage_report(services, COUNT_JOB),
    )


def begin(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Have the store looked through by a job. Raises BadRequest."""
    act = fields.get("act", "")
    if act not in _JOBS:
        raise BadRequest("Nothing is asked for.", code="form_invalid")
    start_report(visit.services, _JOBS[act])
    with visit.services.database.write() as uow:
        note(visit, uow, f"storage.{act}")
    return done("/storage", f"storage_{act}")
