"""Two revisions of a repo side by side: which files were added, removed, changed and renamed, and how."""

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.web.addresses import changes_path, with_query
from allmende.web.changes import changed_paths, with_renames
from allmende.web.diff_files import compared, gathered
from allmende.web.repo_views import repo_of, routes_of, view_of
from allmende.web.visits import Visit

__all__ = ["ON_PAGE", "choose", "compare_revisions", "in_columns", "routes"]

ON_PAGE = 50
"""How many files a page shows."""

_BRANCH = "main"
_BETWEEN = "..."
_MAX_NAME_CHARS = 250


def routes() -> list[Route]:
    """Both pages, for each type."""
    return [
        *routes_of("/compare", choose),
        *routes_of("/compare/{between:segment}", compare_revisions),
    ]


def choose(visit: Visit) -> Response:
    """What the form of two revisions asks for, at its own address; without them the form."""
    before, after = visit.parameter("from").strip(), visit.parameter("to").strip()
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        if before and after:
            address = changes_path(repo, before[:_MAX_NAME_CHARS], after[:_MAX_NAME_CHARS])
            return RedirectResponse(with_query(address, {"view": visit.parameter("view")[:10]}), 303)
        view = view_of(uow, repo, _BRANCH)
    return visit.render("diff.html", view=view, tab="history", before=before, after=after, found=None)


def compare_revisions(visit: Visit) -> Response:
    """What changed from the first revision to the second.

    Raises BadRequest for an address that does not name two, RevisionNotFound, TooLarge.
    """
    before, mark, after = str(visit.request.path_params["between"]).partition(_BETWEEN)
    if not mark or not before or not after:
        raise BadRequest(
            "The address does not name two revisions.",
            hint="Write the first and the second with three dots between them: main...v1",
            code="revisions_invalid",
        )
    columns = in_columns(visit)
    page_number = visit.page_number()
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        old = view_of(uow, repo, before)
        view = view_of(uow, repo, after)
        changes, more = changed_paths(uow, old.revision.commit.tree_oid, view.revision.commit.tree_oid)
        changes = with_renames(changes)
        part = changes[page_number * ON_PAGE : (page_number + 1) * ON_PAGE]
        found = gathered(visit, uow, view, part)
    counts = {
        kind: sum(change.kind == kind for change in changes)
        for kind in ("added", "removed", "modified", "renamed")
    }
    return visit.render(
        "diff.html",
        view=view,
        old=old,
        tab="history",
        before=before,
        after=after,
        count=len(changes),
        counts=counts,
        more=more,
        found=compared(visit, found, in_columns=columns),
        in_columns=columns,
        page_number=page_number,
        last_page=max(0, (len(changes) - 1) // ON_PAGE),
    )


def in_columns(visit: Visit) -> bool:
    """Whether texts are to be shown in two columns."""
    return visit.parameter("view") == "columns"
