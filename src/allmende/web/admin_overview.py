"""How the hub is, for its administrators: whether it can work, what waits or fails, what the log does."""

from starlette.responses import Response
from starlette.routing import Route

from allmende import __version__
from allmende.facts import last_scan_run
from allmende.flows import READY, log_status, packing_status, readiness
from allmende.log import list_evidence, list_peers
from allmende.storage import damaged_contents, outbox_events, stored_contents
from allmende.web.admin_frame import admin_route, shown
from allmende.web.visits import Visit

__all__ = ["overview", "routes"]

_SCANNING = ("examine", "rescan")
"""The kinds of jobs in which files are scanned."""


def routes() -> list[Route]:
    """The page."""
    return [admin_route("", overview)]


def overview(visit: Visit) -> Response:
    """The page."""
    services = visit.services
    counts = services.queue.counts()
    by_state = {
        state: sum(count for (_, at), count in counts.items() if at == state)
        for state in ("waiting", "running", "failed")
    }
    with visit.read() as uow:
        contents, size_bytes = stored_contents(uow)
        figures = {
            "contents": contents,
            "size_bytes": size_bytes,
            "damaged": damaged_contents(uow),
            "acts": outbox_events(uow),
        }
        run = last_scan_run(uow)
        witnesses = list_peers(uow, "witness")
        evidence = list_evidence(uow)
    return shown(
        visit,
        "admin_overview.html",
        "",
        version=__version__,
        checks=readiness(services),
        ready=READY,
        jobs=by_state,
        scans=sum(count for (kind, at), count in counts.items() if kind in _SCANNING and at == "waiting"),
        workers=services.settings.workers,
        figures=figures,
        packing=packing_status(services),
        run=run,
        log=log_status(services),
        witnesses=witnesses,
        silent=[one for one in witnesses if one.failed],
        evidence=evidence,
    )
