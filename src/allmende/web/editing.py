"""Writing a small text file in the browser: a new one, another text of one, or its end.

It goes through `receive` like every change, on the head that the page was opened at: if the branch has moved
by then, nothing is written, and the text is kept in the form.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest
from allmende.flows import FilesPresent, change_files
from allmende.git import PathConflict
from allmende.ids import GitOid, is_git_oid
from allmende.registry import (
    AddFile,
    EntryNotFound,
    HeadMoved,
    Operation,
    PathInvalid,
    Remove,
    Submission,
    check_path,
    find_entry,
    prepare,
    read_blob,
)
from allmende.storage import UnitOfWork
from allmende.web.addresses import blob_path, edit_path, resolve_path, tree_path
from allmende.web.branches import path_of, surviving_folder, writable_branch
from allmende.web.markdown import Place, TextTooLong, render_markdown
from allmende.web.repo_views import View, forms_of, repo_of, routes_of
from allmende.web.visits import Visit

__all__ = ["edit", "routes", "write"]

_MAX_TEXT_BYTES = 512 * 1024
_MAX_FORM_BYTES = 3 * _MAX_TEXT_BYTES + 64 * 1024
"""Escaped in a form, each byte of a text may take three."""
_MAX_TITLE_CHARS = 200
_OTHERWISE = "Change it on your machine and use hf upload."
_MARKDOWN = (".md", ".markdown")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form holds."""

    path: str
    text: str
    title: str
    parent: GitOid
    is_new: bool


def routes() -> list[Route]:
    """The page and its form, for each type; `new` without a path, `edit` with one."""
    return [
        *routes_of("/edit/{revision:revision}/{path:tail}", edit),
        *forms_of("/edit/{revision:revision}/{path:tail}", write, _MAX_FORM_BYTES),
        *routes_of("/new/{revision:revision}", edit),
        *forms_of("/new/{revision:revision}", write, _MAX_FORM_BYTES),
    ]


def edit(visit: Visit) -> Response:
    """The form with the text of the head, or for a new file, at the path that the address proposes.

    Raises what changing raises, and NotFound where it is no text.
    """
    path = path_of(visit)
    with visit.read() as uow:
        view = writable_branch(visit, uow)
        text = _text_at(uow, view, path) if path else ""
    draft = Draft(path or visit.parameter("path"), text, "", view.revision.oid, is_new=not path)
    return _form(visit, view, draft)


def write(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Preview the text, write it, or remove the file."""
    with visit.read() as uow:
        view = writable_branch(visit, uow)
    draft = _draft(visit, fields)
    if fields.get("act") == "preview":
        return _form(visit, view, draft, preview=True)
    operation = _operation(fields.get("act"), draft)
    try:
        _receive(visit, view, draft, operation)
    except (FilesPresent, HeadMoved, PathConflict, PathInvalid) as error:
        # What was written so far must not be lost with the answer.
        return _form(visit, view, draft, problem=error, status=409)
    if isinstance(operation, Remove):
        folder = surviving_folder(visit, view, draft.path.rpartition("/")[0])
        return RedirectResponse(tree_path(view.repo, view.name, folder), 303)
    return RedirectResponse(blob_path(view.repo, view.name, draft.path), 303)


def _text_at(uow: UnitOfWork, view: View, path: str) -> str:
    entry = find_entry(uow, view.revision.commit.tree_oid, path)
    if entry is None or entry.is_directory:
        raise EntryNotFound(commit_oid=view.revision.oid)
    if entry.pointer is not None or entry.size_bytes > _MAX_TEXT_BYTES:
        raise BadRequest(
            "This file is too large to be edited here.", hint="Use hf upload.", code="file_large"
        )
    try:
        return read_blob(uow, view.repo.id, entry.oid).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("This file is no text.", hint=_OTHERWISE, code="file_binary") from error


def _draft(visit: Visit, fields: Mapping[str, str]) -> Draft:
    path = path_of(visit)
    parent = fields.get("parent", "")
    if not is_git_oid(parent):
        raise BadRequest("The form is not valid.", code="form_invalid")
    # A form sends every end of a line as two characters, whatever it was.
    text = fields.get("text", "").replace("\r\n", "\n")
    if text and not text.endswith("\n"):
        text += "\n"
    title = " ".join(fields.get("title", "").split())[:_MAX_TITLE_CHARS]
    return Draft(path or fields.get("path", "").strip(), text, title, GitOid(parent), is_new=not path)


def _operation(act: str | None, draft: Draft) -> Operation:
    if act == "remove" and not draft.is_new:
        return Remove(draft.path, folder=False)
    if act == "save":
        return AddFile(draft.path, draft.text.encode())
    raise BadRequest("Nothing is asked for.", code="form_invalid")


def _receive(visit: Visit, view: View, draft: Draft, operation: Operation) -> None:
    services = visit.services
    check_path(draft.path)
    word = "Delete" if isinstance(operation, Remove) else "Add" if draft.is_new else "Update"
    title = draft.title or f"{word} {draft.path}"
    submission = Submission(view.name, title, "", [operation], draft.parent, create_pr=False)
    prepared = prepare(submission, services.settings.max_inline_bytes)
    with services.database.write() as uow:
        repo = repo_of(visit, uow)
        fresh = (draft.path,) if draft.is_new else ()
        change_files(services, uow, visit.actor, repo, prepared, fresh=fresh)


def _form(
    visit: Visit,
    view: View,
    draft: Draft,
    *,
    preview: bool = False,
    problem: AllmendeError | None = None,
    status: int = 200,
) -> Response:
    is_markdown = draft.path.lower().endswith(_MARKDOWN)
    return visit.render(
        "edit.html",
        status,
        view=view,
        tab="files",
        draft=draft,
        action=edit_path(view.repo, view.name, "" if draft.is_new else draft.path),
        preview=_preview(view, draft) if preview and is_markdown else None,
        is_markdown=is_markdown or draft.is_new,
        problem=problem,
        scripts=("edit.js",),
    )


def _preview(view: View, draft: Draft) -> Markup:
    place = Place(
        blob_path(view.repo, view.name, ""),
        resolve_path(view.repo, view.name, ""),
        draft.path.rpartition("/")[0],
    )
    text = draft.text
    if text.startswith("---\n"):
        # What a card declares is no part of what it says.
        _, _, rest = text[4:].partition("\n---\n")
        text = rest or text
    try:
        return render_markdown(text, place)
    except TextTooLong as error:
        raise BadRequest("The text is too long for a preview.", code="text_long") from error
