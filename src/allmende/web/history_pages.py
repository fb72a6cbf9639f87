"""The history of a repo: lists of commits, and what each changed."""

from starlette.responses import Response
from starlette.routing import Route

from allmende.registry import log, read_commits
from allmende.web.changes import changed_paths, with_renames
from allmende.web.diff_files import compared, gathered
from allmende.web.diff_pages import ON_PAGE, in_columns
from allmende.web.repo_views import repo_of, routes_of, view_of
from allmende.web.visits import Visit

__all__ = ["commit", "commits", "routes"]

_ON_PAGE = 50


def routes() -> list[Route]:
    """Both pages, for each type."""
    return [
        *routes_of("/commits/{revision:revision}", commits),
        *routes_of("/commit/{revision:segment}", commit),
    ]


def commits(visit: Visit) -> Response:
    """The commits that lead to a revision, newest first."""
    page_number = visit.page_number()
    with visit.read() as uow:
        view = view_of(uow, repo_of(visit, uow), str(visit.request.path_params["revision"]))
        found = log(uow, view.revision, skip=page_number * _ON_PAGE, limit=_ON_PAGE + 1)
    return visit.render(
        "commits.html",
        view=view,
        tab="history",
        commits=found[:_ON_PAGE],
        page_number=page_number,
        more=len(found) > _ON_PAGE,
    )


def commit(visit: Visit) -> Response:
    """One commit against its first parent."""
    columns = in_columns(visit)
    page_number = visit.page_number()
    with visit.read() as uow:
        view = view_of(uow, repo_of(visit, uow), str(visit.request.path_params["revision"]))
        this = view.revision.commit
        parent = read_commits(uow, this.parents[:1]).get(this.parents[0]) if this.parents else None
        changes, more = changed_paths(uow, None if parent is None else parent.tree_oid, this.tree_oid)
        changes = with_renames(changes)
        part = changes[page_number * ON_PAGE : (page_number + 1) * ON_PAGE]
        found = gathered(visit, uow, view, part)
    return visit.render(
        "commit.html",
        view=view,
        tab="history",
        commit=this,
        count=len(changes),
        more=more,
        found=compared(visit, found, in_columns=columns),
        in_columns=columns,
        page_number=page_number,
        last_page=max(0, (len(changes) - 1) // ON_PAGE),
    )
