"""Uploading files in the browser: a page with a script for files of any size, and a form that does without.

The form sends everything in one request, so it is bounded; the files go through temporary files and are never
whole in memory. The script asks `upload_calls`, and sends large files in parts.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from anyio.to_thread import run_sync
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest, TooLarge
from allmende.flows import UploadRules, change_files, keep_uploaded
from allmende.http import body_chunks, status_of
from allmende.ids import AccountId, GitOid, Sha256, is_git_oid
from allmende.registry import (
    AddFile,
    HeadMoved,
    LinkContent,
    Operation,
    Submission,
    check_path,
    prepare,
)
from allmende.storage import UnitOfWork
from allmende.web.addresses import tree_path, upload_path
from allmende.web.branches import writable_files
from allmende.web.repo_views import View, endpoints_of, routes_of
from allmende.web.visits import Visit, arrive, expect_person, require_own_origin

__all__ = ["MAX_FORM_UPLOAD_BYTES", "routes", "send", "upload"]

MAX_FORM_UPLOAD_BYTES = 64 * 1024 * 1024
_MAX_FORM_FILES = 100
_MAX_FIELDS = 10
_MAX_FIELD_BYTES = 64 * 1024
_MAX_TITLE_CHARS = 200
_MAX_MESSAGE_CHARS = 20_000
_SAMPLE_BYTES = 512
_COPY_BYTES = 1024 * 1024
_WORDS = "upload.script."
_OF_PARTS = (
    "body_broken_off", "database_busy", "link_expired", "link_invalid", "part_mismatch", "part_missing",
    "sender_stalled", "size_mismatch", "upload_busy", "upload_unknown",
)  # fmt: skip
"""What the links of parts may answer the script, which are the clients' own and speak English."""
_Keep = Callable[[UnitOfWork, AccountId], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """What the form sent, without the files."""

    folder: str = ""
    title: str = ""
    message: str = ""
    replace: bool = False
    parent: str = ""


def routes() -> list[Route]:
    """The page and its form, for each type of repo."""
    tail = "/upload/{revision:revision}"
    return [*routes_of(tail, upload), *endpoints_of(tail, send, "POST")]


def upload(visit: Visit) -> Response:
    """The page, for the folder that the address names. Raises what changing raises."""
    with visit.read() as uow:
        view = writable_files(visit, uow)
    return _page(visit, view, Sent(folder=visit.parameter("folder").strip("/")))


async def send(request: Request) -> Response:
    """The form without the script: its files become one commit, or the form says why they do not."""
    expect_person(request)
    require_own_origin(request)
    # Whoever may not write here must not fill our disk.
    visit, view = await run_sync(_arrive, request)
    parser = MultiPartParser(
        request.headers,
        _bounded(request),
        max_files=_MAX_FORM_FILES,
        max_fields=_MAX_FIELDS,
        max_part_size=_MAX_FIELD_BYTES,
    )
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise BadRequest("A form with files is expected.", code="form_invalid")
    try:
        sent = await parser.parse()
    except MultiPartException as error:
        raise BadRequest(f"The form is not valid: {error.message}", code="form_invalid") from error
    except (KeyError, UnicodeDecodeError) as error:
        raise BadRequest("The form is not valid.", code="form_invalid") from error
    with ExitStack() as open_files:
        for _name, value in sent.multi_items():
            if isinstance(value, UploadFile):
                open_files.callback(value.file.close)
        return await run_sync(_receive, visit, view, sent)


def _arrive(request: Request) -> tuple[Visit, View]:
    visit = arrive(request)
    with visit.read() as uow:
        return visit, writable_files(visit, uow)


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    declared = request.headers.get("content-length", "")
    received_bytes = int(declared) if declared.isdecimal() and len(declared) < 20 else 0
    refused = TooLarge(
        f"Without scripts at most {MAX_FORM_UPLOAD_BYTES // 2**20} MiB are sent at a time.",
        hint="Send fewer files, allow scripts on this page, or use hf upload.",
        code="form_too_large",
        places={"most_bytes": MAX_FORM_UPLOAD_BYTES},
    )
    if received_bytes > MAX_FORM_UPLOAD_BYTES:
        raise refused
    received_bytes = 0
    async for chunk in body_chunks(request):
        received_bytes += len(chunk)
        if received_bytes > MAX_FORM_UPLOAD_BYTES:
            raise refused
        yield chunk


def _receive(visit: Visit, view: View, form: FormData) -> Response:
    sent = _sent(form)
    files = [value for _name, value in form.multi_items() if isinstance(value, UploadFile) and value.filename]
    try:
        _commit(visit, view, sent, files)
    except AllmendeError as error:
        return _page(visit, view, sent, problem=error, status=status_of(error))
    return RedirectResponse(tree_path(view.repo, view.name, sent.folder), 303)


def _sent(form: FormData) -> Sent:
    def text(name: str, most: int) -> str:
        value = form.get(name, "")
        return value[:most] if isinstance(value, str) else ""

    return Sent(
        folder=text("folder", 4096).strip().strip("/"),
        title=" ".join(text("title", 4096).split())[:_MAX_TITLE_CHARS],
        message=text("message", _MAX_MESSAGE_CHARS).replace("\r\n", "\n").strip(),
        replace=text("replace", 3) == "yes",
        parent=text("parent", 40),
    )


def _commit(visit: Visit, view: View, sent: Sent, files: Sequence[UploadFile]) -> None:
    services = visit.services
    if not files:
        raise BadRequest("No file was chosen.", code="nothing_chosen")
    if not is_git_oid(sent.parent):
        raise BadRequest("The form is not valid.", code="form_invalid")
    operations, keeps = _operations(visit, view, sent.folder, files)
    title = sent.title or _title(operations)
    parent = GitOid(sent.parent)
    submission = Submission(view.name, title, sent.message, operations, parent, create_pr=False)
    prepared = prepare(submission, services.settings.max_inline_bytes)
    fresh = () if sent.replace else [operation.path for operation in operations]
    with services.database.write() as uow:
        repo = writable_files(visit, uow).repo
        for keep in keeps:
            keep(uow, visit.actor.require_account().id)
        change_files(services, uow, visit.actor, repo, prepared, fresh=fresh)


def _operations(
    visit: Visit, view: View, folder: str, files: Sequence[UploadFile]
) -> tuple[list[Operation], list[_Keep]]:
    """What the files become; large ones are stored, and known once what comes with them is called."""
    operations: list[Operation] = []
    keeps: list[_Keep] = []
    services = visit.services
    placed = [(_path(folder, file), file, _size(file)) for file in files]
    if len({path for path, _file, _size_bytes in placed}) < len(placed):
        raise BadRequest("Two of the files have the same name.", code="path_twice")
    with visit.read() as uow:
        rules = UploadRules(uow, view.repo, view.revision, services.settings.max_inline_bytes)
        large = [rules.is_large(path, size_bytes, _sample(file)) for path, file, size_bytes in placed]
    for (path, file, size_bytes), is_large in zip(placed, large, strict=True):
        if not is_large:
            file.file.seek(0)
            operations.append(AddFile(path, file.file.read()))
            continue
        sha256 = _sha256(file)
        file.file.seek(0)
        keeps.append(keep_uploaded(services, file.file, sha256, size_bytes))
        operations.append(LinkContent(path, sha256, size_bytes))
    return operations, keeps


def _path(folder: str, file: UploadFile) -> str:
    """Where a file goes: some browsers send the folders of the visitor's machine along, which are dropped."""
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    return check_path(f"{folder}/{name}" if folder else name)


def _size(file: UploadFile) -> int:
    return file.file.seek(0, 2)


def _sample(file: UploadFile) -> bytes:
    file.file.seek(0)
    return file.file.read(_SAMPLE_BYTES)


def _sha256(file: UploadFile) -> Sha256:
    digest = hashlib.sha256()
    file.file.seek(0)
    while data := file.file.read(_COPY_BYTES):
        digest.update(data)
    return Sha256(digest.hexdigest())


def _title(operations: Sequence[Operation]) -> str:
    if len(operations) == 1:
        return f"Upload {operations[0].path}"[:_MAX_TITLE_CHARS]
    return f"Upload {len(operations)} files"


def _page(
    visit: Visit, view: View, sent: Sent, *, problem: AllmendeError | None = None, status: int = 200
) -> Response:
    messages = visit.t.messages
    words = {f"code.{code}": messages[f"problem.{code}"] for code in _OF_PARTS}
    words |= {key.removeprefix(_WORDS): text for key, text in messages.items() if key.startswith(_WORDS)}
    return visit.render(
        "upload.html",
        status,
        scripts=("upload.js",),
        view=view,
        tab="files",
        sent=sent,
        # The page of a form that was refused is about the head that is there now.
        parent=view.revision.oid,
        moved=isinstance(problem, HeadMoved),
        problem=problem,
        action=upload_path(view.repo, view.name),
        words=words,
        most_bytes=MAX_FORM_UPLOAD_BYTES,
    )
