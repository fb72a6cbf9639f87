"""Every page, in the order in which addresses are tried; programs' routes must stand before all of them."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from allmende.errors import NotFound
from allmende.web import (
    account_pages,
    admin_audit,
    admin_jobs,
    admin_keys,
    admin_overview,
    admin_policy,
    admin_storage,
    admin_users,
    application_pages,
    assets,
    commons_pages,
    comparing,
    deleting,
    diff_pages,
    document_pages,
    editing,
    file_pages,
    finding,
    heat_pages,
    history_pages,
    join,
    licence_pages,
    lineage_pages,
    log_pages,
    moving,
    new_repo,
    organisation_pages,
    record_pages,
    repo_page,
    repo_settings,
    revision_log_pages,
    scan_pages,
    sign_in,
    signature_pages,
    upload_calls,
    upload_pages,
)
from allmende.web.visits import Visit, page

__all__ = ["routes"]


def routes() -> list[BaseRoute]:
    """The routes; convertors must be registered before."""
    return [
        Route("/robots.txt", assets.robots),
        Route("/favicon.ico", assets.favicon),
        Route("/static/{file:segment}", assets.static_file),
        *sign_in.routes(),
        *join.routes(),
        *account_pages.routes(),
        *new_repo.routes(),
        *organisation_pages.routes(),
        *admin_overview.routes(),
        *admin_users.routes(),
        *admin_policy.routes(),
        *admin_jobs.routes(),
        *admin_storage.routes(),
        *admin_audit.routes(),
        *admin_keys.routes(),
        *application_pages.routes(),
        *finding.routes(),
        *comparing.routes(),
        *log_pages.routes(),
        *commons_pages.routes(),
        *file_pages.routes(),
        *editing.routes(),
        *upload_pages.routes(),
        *upload_calls.routes(),
        *moving.routes(),
        *deleting.routes(),
        *history_pages.routes(),
        *diff_pages.routes(),
        *scan_pages.routes(),
        *record_pages.routes(),
        *licence_pages.routes(),
        *signature_pages.routes(),
        *revision_log_pages.routes(),
        *repo_settings.routes(),
        *repo_page.routes(),
        *lineage_pages.routes(),
        *heat_pages.routes(),
        *document_pages.routes(),
        finding.namespace_route(),
        _Elsewhere(),
    ]


class _Elsewhere(BaseRoute):
    """An address without a page, opened by a person: they get a page that says so. Programs never match."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Only for reading, only for clients that read pages, and not below the addresses of programs."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return Match.NONE, {}
        accepted = Request(scope).headers.get("accept", "")
        if scope["path"].startswith("/api/") or "text/html" not in accepted:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": _nothing_here, "path_params": {}}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; the error becomes a page as every other."""
        response = await page(_nothing_here)(Request(scope, receive))
        await response(scope, receive, send)


def _nothing_here(visit: Visit) -> Response:
    path, mark, query = visit.address().partition("?")
    if path.endswith("/"):
        # A path alone: what the client says the host is called goes into no address of ours.
        return RedirectResponse(f"{path.rstrip('/') or '/'}{mark}{query}", 307)
    raise NotFound("This hub has nothing at this address.", code="address_unknown")
