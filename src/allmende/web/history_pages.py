"""The history of a repo: lists of commits, and what each changed."""

from starlette.responses import Response
from starlette.routing import Route

from allmende.flows import entry_verdicts
from allmende.http import door_of
from allmende.registry import FileEntry, RepoGated, check_gate, log, read_commits
from allmende.storage import UnitOfWork
from allmende.web.changes import Change, DiffLine, changed_paths, text_diffs
from allmende.web.repo_views import View, repo_of, routes_of, view_of
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
    with visit.read() as uow:
        view = view_of(uow, repo_of(visit, uow), str(visit.request.path_params["revision"]))
        this = view.revision.commit
        parent = read_commits(uow, this.parents[:1]).get(this.parents[0]) if this.parents else None
        changes, more = changed_paths(uow, None if parent is None else parent.tree_oid, this.tree_oid)
        diffs = _diffs(visit, uow, view, changes)
    return visit.render(
        "commit.html", view=view, tab="history", commit=this, changes=changes, more=more, diffs=diffs
    )


def _diffs(visit: Visit, uow: UnitOfWork, view: View, changes: list[Change]) -> dict[str, list[DiffLine]]:
    """Lines of files are file contents: behind a gate they are for those who were let in.

    What the scan stops or holds back is left out, on either side.
    """
    try:
        check_gate(uow, visit.actor, view.repo)
    except RepoGated:
        return {}
    hidden: set[str] = set()
    door = door_of(visit.request, visit.actor, view.repo)
    for side in ("before", "after"):
        entries: list[FileEntry] = [
            entry for change in changes if (entry := getattr(change, side)) is not None
        ]
        verdicts = entry_verdicts(visit.services, uow, view.repo.id, entries)
        hidden.update(path for path, verdict in verdicts.items() if not door.shows(uow, verdict))
    return text_diffs(uow, view.repo, [change for change in changes if change.path not in hidden])
