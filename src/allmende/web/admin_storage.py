"""What the hub keeps, and what collecting its garbage would remove, for administrators."""

import shutil
from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import Route

from allmende.flows import GarbageReport, collect_garbage, packing_status
from allmende.storage import damaged_contents, stored_contents, uploaded_xorb_figures
from allmende.web.admin_frame import admin_route, shown
from allmende.web.visits import Visit

__all__ = ["count_garbage", "routes", "storage"]


def routes() -> list[Route]:
    """The page and what its form is sent to."""
    return [admin_route("/storage", storage, count_garbage)]


def storage(visit: Visit) -> Response:
    """The page."""
    return _storage(visit, None)


def count_garbage(visit: Visit, _fields: Mapping[str, str]) -> Response:
    """The page with what `allmende admin gc --dry-run` says now; removes nothing."""
    return _storage(visit, collect_garbage(visit.services, dry_run=True))


def _storage(visit: Visit, garbage: GarbageReport | None) -> Response:
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
        garbage=garbage,
    )
