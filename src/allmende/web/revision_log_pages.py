"""The page of a revision's entries in the log: what was logged, and how to check that oneself."""

from starlette.responses import Response
from starlette.routing import Route

from allmende.flows import shown_entries
from allmende.http import base_url
from allmende.registry import log_subjects
from allmende.web.addresses import program_path
from allmende.web.log_pages import entry_row
from allmende.web.repo_views import repo_of, routes_of, view_of
from allmende.web.visits import Visit

__all__ = ["revision_log", "routes"]

_MAX_ROWS = 200


def routes() -> list[Route]:
    """The page, for each type."""
    return routes_of("/log/{revision:revision}", revision_log)


def revision_log(visit: Visit) -> Response:
    """The entries about a revision, for whoever may read the repo."""
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        view = view_of(uow, repo, str(visit.request.path_params["revision"]))
        entries = shown_entries(uow, repo.id, view.revision.oid)
        subject = log_subjects(uow, [repo.id])[repo.id]
    signed = visit.services.log.signed()
    size = 0 if signed is None else signed.size
    is_proven = any(one.kind == "publish" and one.number < size for one in entries)
    return visit.render(
        "revision_log.html",
        view=view,
        tab="log",
        rows=[entry_row(one, repo, visit.t, with_act=True) for one in entries[-_MAX_ROWS:]],
        left_out=max(0, len(entries) - _MAX_ROWS),
        signed_size=size,
        subject=subject.subject,
        hidden=subject.hidden,
        proof=program_path(repo, "proof", view.name) if is_proven else None,
        address=base_url(visit.request),
    )
