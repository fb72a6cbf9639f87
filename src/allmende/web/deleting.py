"""Deleting several files and folders in the browser: chosen in a folder's list, asked once, one commit.

A choice that was sent is shown again with what it means before anything is deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest
from allmende.flows import change_files
from allmende.git import PathConflict
from allmende.http import status_of
from allmende.ids import GitOid, is_git_oid
from allmende.registry import (
    EntryNotFound,
    FileEntry,
    HeadMoved,
    PathInvalid,
    Remove,
    Submission,
    find_entry,
    prepare,
)
from allmende.storage import UnitOfWork
from allmende.web.addresses import delete_path, tree_path
from allmende.web.branches import path_of, surviving_folder, writable_files
from allmende.web.repo_views import View, forms_of, repo_of, routes_of
from allmende.web.visits import Visit

__all__ = ["CHOICE", "act", "routes"]

CHOICE = "choose "
"""What stands before the name of an entry in the name of its box."""

_MAX_CHOSEN = 1000
_MAX_FORM_BYTES = 1024 * 1024
"""A name of 255 bytes takes three times as many in a form."""
_MAX_TITLE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form holds."""

    folder: str
    entries: tuple[FileEntry, ...]
    title: str
    parent: GitOid


def routes() -> list[Route]:
    """What the list of a folder is sent to, for each type; opened by itself it leads back to the list."""
    tails = ("/delete/{revision:revision}", "/delete/{revision:revision}/{path:tail}")
    return [
        *(route for tail in tails for route in routes_of(tail, back)),
        *(route for tail in tails for route in forms_of(tail, act, _MAX_FORM_BYTES, _MAX_CHOSEN + 8)),
    ]


def back(visit: Visit) -> Response:
    """The list of the folder: what was chosen is in no address."""
    with visit.read() as uow:
        repo = repo_of(visit, uow)
    return RedirectResponse(tree_path(repo, str(visit.request.path_params["revision"]), path_of(visit)), 303)


def act(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Ask whether these shall go, or delete them, on the head that the list was of.

    Raises what changing raises, BadRequest where nothing is chosen, EntryNotFound for what is not there.
    """
    services = visit.services
    with visit.read() as uow:
        view = writable_files(visit, uow)
        choice = _choice(visit, uow, view, fields)
    if fields.get("act") != "remove":
        return _page(visit, view, choice)
    operations = [Remove(entry.path, folder=entry.is_directory) for entry in choice.entries]
    title = choice.title or _words(choice)
    try:
        submission = Submission(view.name, title, "", operations, choice.parent, create_pr=False)
        prepared = prepare(submission, services.settings.max_inline_bytes)
        with services.database.write() as uow:
            repo = writable_files(visit, uow).repo
            change_files(services, uow, visit.actor, repo, prepared)
    except (EntryNotFound, HeadMoved, PathConflict, PathInvalid) as error:
        return _page(visit, view, choice, problem=error)
    return RedirectResponse(
        tree_path(view.repo, view.name, surviving_folder(visit, view, choice.folder)), 303
    )


def _choice(visit: Visit, uow: UnitOfWork, view: View, fields: Mapping[str, str]) -> Choice:
    folder = path_of(visit)
    names = [key.removeprefix(CHOICE) for key in fields if key.startswith(CHOICE)]
    parent = fields.get("parent", "")
    if not is_git_oid(parent):
        raise BadRequest("The form is not valid.", code="form_invalid")
    if not names:
        raise BadRequest(
            "Nothing is chosen.", hint="Go back and tick what shall be deleted.", code="nothing_chosen"
        )
    if len(names) > _MAX_CHOSEN:
        raise BadRequest(
            f"At most {_MAX_CHOSEN} are deleted at a time.",
            code="too_many_chosen",
            places={"most": _MAX_CHOSEN},
        )
    entries = []
    for name in sorted(names):
        path = f"{folder}/{name}" if folder else name
        entry = None if "/" in name or not name else find_entry(uow, view.revision.commit.tree_oid, path)
        if entry is None:
            raise EntryNotFound(commit_oid=view.revision.oid)
        entries.append(entry)
    title = " ".join(fields.get("title", "").split())[:_MAX_TITLE_CHARS]
    return Choice(folder, tuple(entries), title, GitOid(parent))


def _words(choice: Choice) -> str:
    if len(choice.entries) == 1:
        return f"Delete {choice.entries[0].path}"[:_MAX_TITLE_CHARS]
    words = f"Delete {len(choice.entries)} entries"
    return f"{words} of {choice.folder}"[:_MAX_TITLE_CHARS] if choice.folder else words


def _page(visit: Visit, view: View, choice: Choice, *, problem: AllmendeError | None = None) -> Response:
    return visit.render(
        "delete.html",
        200 if problem is None else status_of(problem),
        view=view,
        tab="files",
        choice=choice,
        action=delete_path(view.repo, view.name, choice.folder),
        box=CHOICE,
        problem=problem,
    )
