"""What the script of the upload page asks: how files are kept, which parts stand, and one commit at the end.

The bytes of large files go in parts to the same signed links that clients send them to; here a link is
given out, to whoever is signed in and may write. The commit has the form of the clients' commit call.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest, TooLarge
from allmende.flows import UploadRules, change_files, is_present, open_parts, present_oid
from allmende.http import CommitLines, base_url, link_for, read_commit_lines, services_of, signed_address
from allmende.ids import GitOid, Sha256, is_git_oid, is_sha256
from allmende.registry import check_path, find_entry, prepare
from allmende.storage import UnitOfWork
from allmende.web.addresses import tree_path
from allmende.web.branches import writable_files
from allmende.web.repo_views import View, endpoints_of
from allmende.web.visits import Visit, arrive, expect_script, require_own_origin, script_call

__all__ = ["begin", "check", "commit", "routes"]

_MAX_FILES = 256
_MAX_SAMPLE_CHARS = 4096
_MAX_SIZE = 2**63 - 1


def routes() -> list[Route]:
    """The calls, for each type of repo."""
    calls = {"check": script_call(check), "begin": script_call(begin, 4096), "commit": commit}
    tail = "/upload/{revision:revision}/"
    return [route for word, call in calls.items() for route in endpoints_of(f"{tail}{word}", call, "POST")]


def check(visit: Visit, asked: Mapping[str, object]) -> Response:
    """`{files: [{path, size, sample}]}`: the head, and for each file how it is kept and what it replaces.

    What is wrong with one file is said of that file.
    """
    files = asked.get("files")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise BadRequest('"files" must be a list of objects.', code="body_invalid")
    if len(files) > _MAX_FILES:
        raise BadRequest(f"At most {_MAX_FILES} files are asked about in one call.", code="too_many_files")
    with visit.read() as uow:
        view = writable_files(visit, uow)
        rules = UploadRules(uow, view.repo, view.revision, visit.services.settings.max_inline_bytes)
        told = [_told(visit, uow, view, rules, file) for file in files]
    return JSONResponse({"head": view.revision.oid, "files": told})


def begin(visit: Visit, asked: Mapping[str, object]) -> Response:
    """`{sha256, size}`: nothing to send, or where the parts go and which of them have arrived."""
    sha256, size_bytes = asked.get("sha256"), asked.get("size")
    if not isinstance(sha256, str) or not is_sha256(sha256):
        raise BadRequest('"sha256" must be 64 lowercase hexadecimal digits.', code="body_invalid")
    if type(size_bytes) is not int or not 0 < size_bytes <= _MAX_SIZE:
        raise BadRequest('"size" must be a number of bytes.', code="body_invalid")
    services = visit.services
    with visit.read() as uow:
        repo = writable_files(visit, uow).repo
        if is_present(services, uow, visit.actor, repo, Sha256(sha256), size_bytes):
            return JSONResponse({"present": True})
    with services.database.write() as uow:
        repo = writable_files(visit, uow).repo
        opened = open_parts(services, uow, visit.actor.require_account(), repo, Sha256(sha256), size_bytes)
    upload = opened.upload
    link = link_for(visit.actor, repo, upload.sha256, size_bytes, upload.id)
    address = signed_address(visit.request, "lfs-multipart", f"/lfs/uploads/{upload.id}", link)
    return JSONResponse(
        {
            "present": False,
            # A path alone: the page may have been opened under another name of the hub.
            "address": address.removeprefix(base_url(visit.request)),
            "part_bytes": upload.part_bytes,
            "parts": upload.parts,
            "arrived": {str(number): etag for number, etag in sorted(opened.arrived.items())},
        }
    )


async def commit(request: Request) -> Response:
    """The lines of the clients' commit call; the header must name the head that the page was opened at."""
    expect_script(request)
    require_own_origin(request)
    settings = services_of(request).settings
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > settings.max_commit_bytes:
        raise TooLarge(
            f"The commit has {declared} bytes; at most {settings.max_commit_bytes} are accepted.",
            hint="Upload fewer small files at a time.",
            code="commit_too_large",
            places={"most_bytes": settings.max_commit_bytes},
        )
    # Whoever may not write here must not fill our memory.
    visit = await run_sync(_arrive, request)
    lines, last = await read_commit_lines(request, settings)
    return await run_sync(_apply, visit, lines, last)


def _arrive(request: Request) -> Visit:
    visit = arrive(request)
    with visit.read() as uow:
        writable_files(visit, uow)
    return visit


def _apply(visit: Visit, lines: CommitLines, last: bytearray) -> Response:
    services = visit.services
    lines.feed(last)
    submission = lines.finish(str(visit.request.path_params["revision"]), create_pr=False)
    if lines.parent is None or not is_git_oid(lines.parent):
        raise BadRequest("The commit must name the head that it was made for.", code="parent_missing")
    if not submission.operations:
        raise BadRequest("Nothing was chosen.", code="nothing_chosen")
    prepared = prepare(replace(submission, parent=GitOid(lines.parent)), services.settings.max_inline_bytes)
    with services.database.write() as uow:
        view = writable_files(visit, uow)
        received = change_files(services, uow, visit.actor, view.repo, prepared)
    return JSONResponse({"commit": received.commit_oid, "address": tree_path(view.repo, view.name)})


def _told(
    visit: Visit, uow: UnitOfWork, view: View, rules: UploadRules, file: Mapping[str, object]
) -> dict[str, object]:
    path, size_bytes, sample = file.get("path"), file.get("size"), file.get("sample", "")
    if not isinstance(path, str) or type(size_bytes) is not int or not 0 <= size_bytes <= _MAX_SIZE:
        raise BadRequest("A file has a path and a size.", code="body_invalid")
    begins = _decoded(sample)
    try:
        check_path(path)
        found = find_entry(uow, view.revision.commit.tree_oid, path)
        most = visit.services.settings.max_file_bytes
        if size_bytes > most:
            raise TooLarge(
                f"{path} has {size_bytes} bytes; this hub accepts {most} at most.",
                code="file_too_large",
                places={"most_bytes": most},
            )
        if found is not None and found.is_directory:
            raise BadRequest(f"{path} is a folder in the repo.", code="path_conflict", places={"path": path})
    except AllmendeError as error:
        return {"error": {"code": error.code, "message": visit.t.problem(error) or error.message}}
    return {
        "large": rules.is_large(path, size_bytes, begins),
        "ignored": rules.ignores(path),
        "replaces": found is not None,
        "oid": present_oid(found),
    }


def _decoded(sample: object) -> bytes:
    if not isinstance(sample, str) or len(sample) > _MAX_SAMPLE_CHARS:
        raise BadRequest("A sample is a short text in base64.", code="sample_invalid")
    try:
        return base64.b64decode(sample, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("A sample is not base64.", code="sample_invalid") from error
