"""Files of a revision: `resolve` gives the bytes, `raw` what stands in the git tree (LFS: the pointer)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import Gone
from allmende.flows import FileBlocked, FileHoldsSecret, FileQuarantined, Passed, offers_xet
from allmende.http import door_of, reading, reading_unit, services_of, warning_headers
from allmende.hub.addresses import readable_files, repo_routes
from allmende.hub.content_headers import TEXT, content_headers
from allmende.hub.content_response import answer_with_bytes, answer_with_content, caller_of, reads_beginning
from allmende.hub.xet_tokens import xet_headers
from allmende.registry import (
    Actor,
    FileEntry,
    Repo,
    RepoNotFound,
    Revision,
    file_at,
    held_content,
    read_blob,
    resolve_revision,
)
from allmende.storage import UnitOfWork, xet_hashes_of

__all__ = ["routes"]


def routes() -> list[Route]:
    """Routes of this module."""
    revision = "/{revision:revision}/{path:tail}"
    return [
        *repo_routes(f"/resolve{revision}", reading(resolve), ["GET"]),
        *repo_routes(f"/raw{revision}", reading(raw), ["GET"]),
        Route("/{name:segment}/resolve/{revision:revision}/{path:tail}", reading(resolve_without_namespace)),
    ]


class ContentRemoved(Gone):
    """The path is still in the revision, but its bytes were deleted from the repo."""

    code = "content_removed"

    def __init__(self, path: str) -> None:
        super().__init__(f"The bytes of {path!r} were removed from this repo.")


def resolve(request: Request) -> Response:
    """`GET /{repo}/resolve/{revision}/{path}`: the file's bytes, with what clients need to cache them."""
    services = services_of(request)
    with reading_unit(request) as (uow, actor):
        repo, revision, entry = _file(request, uow, actor)
        headers = _headers(request, revision, entry)
        passed = _checked(request, uow, actor, repo, revision, entry)
        headers.update(warning_headers(passed.warning))
        if entry.pointer is None:
            response = answer_with_bytes(
                request, entry.size_bytes, lambda: read_blob(uow, repo.id, entry.oid), headers
            )
        else:
            content = held_content(uow, repo.id, entry.pointer.oid)
            if content is None:
                raise ContentRemoved(entry.path)
            headers["X-Linked-Etag"] = headers["ETag"]
            headers["X-Linked-Size"] = str(content.size_bytes)
            if offers_xet(services, repo) and not passed.is_stopped:
                xet_hash = xet_hashes_of(uow, [content.sha256]).get(content.sha256)
                if xet_hash is not None:
                    headers.update(xet_headers(request, repo, revision.oid, xet_hash))
            response = answer_with_content(request, services, content, headers)
        if reads_beginning(request, response):
            services.downloads.count(repo.id, caller_of(request, actor), uow.now)
    return response


def raw(request: Request) -> Response:
    """`GET /{repo}/raw/{revision}/{path}`: the git blob as plain text."""
    with reading_unit(request) as (uow, actor):
        repo, revision, entry = _file(request, uow, actor)
        headers = _headers(request, revision, entry)
        if entry.pointer is None:
            headers.update(warning_headers(_check(request, uow, actor, repo, revision, entry).warning))
        headers.update({"ETag": f'"{entry.oid}"', "Content-Type": TEXT})
        size_bytes = entry.size_bytes if entry.pointer is None else entry.pointer_bytes
        return answer_with_bytes(request, size_bytes, lambda: read_blob(uow, repo.id, entry.oid), headers)


def resolve_without_namespace(_request: Request) -> Response:
    """Models of old had names without a namespace; this hub has none, and clients want to hear it so."""
    raise RepoNotFound


def _file(request: Request, uow: UnitOfWork, actor: Actor) -> tuple[Repo, Revision, FileEntry]:
    repo = readable_files(request, uow, actor)
    revision = resolve_revision(uow, repo, request.path_params["revision"])
    return repo, revision, file_at(uow, revision, request.path_params["path"])


def _checked(
    request: Request, uow: UnitOfWork, actor: Actor, repo: Repo, revision: Revision, entry: FileEntry
) -> Passed:
    """As `_check`, but what may not be given can still be asked after.

    Clients take a refused HEAD for a lost connection, and never hear the reason. Answered, they go on to
    ask for the bytes, and tell their user why they do not get them. Size and hash stand in every listing.
    """
    try:
        return _check(request, uow, actor, repo, revision, entry)
    except (FileBlocked, FileHoldsSecret, FileQuarantined) as refused:
        if request.method != "HEAD":
            raise
        return Passed(f"unsafe; {refused.message}", is_stopped=True)


def _check(
    request: Request, uow: UnitOfWork, actor: Actor, repo: Repo, revision: Revision, entry: FileEntry
) -> Passed:
    """Let the file pass, with what to warn of; see `flows.Door`."""
    key = entry.oid if entry.pointer is None else entry.pointer.oid
    return door_of(request, actor, repo).check_file(uow, revision.oid, entry.path, key)


def _headers(request: Request, revision: Revision, entry: FileEntry) -> dict[str, str]:
    etag = entry.oid if entry.pointer is None else entry.pointer.oid
    headers = content_headers(entry.path, etag, save=bool(request.query_params.get("download")))
    headers["X-Repo-Commit"] = revision.oid
    return headers
