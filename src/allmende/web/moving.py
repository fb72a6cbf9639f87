"""Moving, renaming and deleting a file or folder in the browser, in one commit with its words."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest
from allmende.flows import FilesPresent, change_files, move_operations
from allmende.git import PathConflict
from allmende.ids import GitOid, is_git_oid
from allmende.registry import (
    EntryNotFound,
    FileEntry,
    HeadMoved,
    Operation,
    PathInvalid,
    Remove,
    Submission,
    find_entry,
    prepare,
)
from allmende.storage import UnitOfWork
from allmende.web.addresses import blob_path, tree_path
from allmende.web.branches import path_of, surviving_folder, writable_files
from allmende.web.repo_views import View, forms_of, routes_of
from allmende.web.visits import Visit

__all__ = ["act", "manage", "routes"]

_MAX_TITLE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form holds."""

    path: str
    target: str
    title: str
    parent: GitOid


def routes() -> list[Route]:
    """The page and its form, for each type."""
    tail = "/move/{revision:revision}/{path:tail}"
    return [*routes_of(tail, manage), *forms_of(tail, act)]


def manage(visit: Visit) -> Response:
    """The forms for a file or folder. Raises what changing raises, and EntryNotFound."""
    with visit.read() as uow:
        view, entry = _entry(visit, uow)
    return _page(visit, view, entry, Wish(entry.path, entry.path, "", view.revision.oid))


def act(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Move or delete, on the head that the page was opened at."""
    services = visit.services
    with visit.read() as uow:
        view, entry = _entry(visit, uow)
        wish = _wish(entry, fields)
        try:
            operations = _operations(visit, uow, view, entry, wish, fields.get("act", ""))
        except (FilesPresent, PathInvalid) as error:
            return _page(visit, view, entry, wish, problem=error)
    word = "Delete" if fields.get("act") == "remove" else "Move"
    words = f"{word} {entry.path}" if word == "Delete" else f"{word} {entry.path} to {wish.target}"
    title = wish.title or words[:_MAX_TITLE_CHARS]
    try:
        submission = Submission(view.name, title, "", operations, wish.parent, create_pr=False)
        prepared = prepare(submission, services.settings.max_inline_bytes)
        with services.database.write() as uow:
            repo = writable_files(visit, uow).repo
            change_files(services, uow, visit.actor, repo, prepared)
    except (HeadMoved, PathConflict, PathInvalid) as error:
        return _page(visit, view, entry, wish, problem=error)
    if word == "Delete":
        return RedirectResponse(tree_path(view.repo, view.name, _left(visit, view, entry)), 303)
    moved_to = tree_path if entry.is_directory else blob_path
    return RedirectResponse(moved_to(view.repo, view.name, wish.target), 303)


def _entry(visit: Visit, uow: UnitOfWork) -> tuple[View, FileEntry]:
    view = writable_files(visit, uow)
    path = path_of(visit)
    entry = find_entry(uow, view.revision.commit.tree_oid, path) if path else None
    if entry is None:
        raise EntryNotFound(commit_oid=view.revision.oid)
    return view, entry


def _left(visit: Visit, view: View, entry: FileEntry) -> str:
    return surviving_folder(visit, view, entry.path.rpartition("/")[0])


def _wish(entry: FileEntry, fields: Mapping[str, str]) -> Wish:
    parent = fields.get("parent", "")
    if not is_git_oid(parent):
        raise BadRequest("The form is not valid.", code="form_invalid")
    title = " ".join(fields.get("title", "").split())[:_MAX_TITLE_CHARS]
    return Wish(entry.path, fields.get("target", "").strip().strip("/"), title, GitOid(parent))


def _operations(
    visit: Visit, uow: UnitOfWork, view: View, entry: FileEntry, wish: Wish, asked: str
) -> list[Operation]:
    if asked == "remove":
        return [Remove(entry.path, folder=entry.is_directory)]
    if asked == "move":
        return move_operations(visit.services, uow, view.repo, view.revision, entry.path, wish.target)
    raise BadRequest("Nothing is asked for.", code="form_invalid")


def _page(
    visit: Visit, view: View, entry: FileEntry, wish: Wish, *, problem: AllmendeError | None = None
) -> Response:
    return visit.render(
        "upload_move.html",
        200 if problem is None else 409,
        view=view,
        tab="files",
        entry=entry,
        wish=wish,
        problem=problem,
        moved=isinstance(problem, HeadMoved),
    )
