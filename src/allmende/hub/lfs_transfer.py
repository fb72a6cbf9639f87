"""The bytes of LFS contents, by signed links: upload in one piece or in parts, and download.

Order matters: the bytes are durable under their name before a row tells of them, and the row is durable
before the client hears of success. Whoever uploads must send every byte, also of what the hub has already.
"""

from collections.abc import Callable

import anyio
from anyio.to_thread import run_sync
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest, NotFound, TooLarge
from allmende.failpoints import reach
from allmende.flows import Door, enqueue_chunking
from allmende.http import (
    Link,
    acting,
    link_of,
    reading,
    receive_body,
    repo_to_read,
    repo_to_upload,
    services_of,
)
from allmende.hub.bodies import Body, parsed
from allmende.hub.content_headers import content_headers
from allmende.hub.content_response import answer_with_content, caller_of, reads_beginning
from allmende.registry import held_content
from allmende.storage import (
    ContentWriter,
    HashMismatch,
    SizeMismatch,
    add_content,
    check_parts,
    end_upload,
    find_upload,
    possessed,
    record_part,
    take_possession,
)

__all__ = ["record_upload", "routes", "stored"]

_MAX_NUMBER_DIGITS = 9


class _Part(Body):
    number: int = Field(alias="partNumber", ge=1)
    etag: str = Field(max_length=200)


class _Completion(Body):
    oid: str
    parts: list[_Part]


def routes() -> list[Route]:
    """Routes of this module."""
    return [
        Route("/lfs/objects/{oid:segment}", put_content, methods=["PUT"]),
        Route("/lfs/objects/{oid:segment}", reading(get_content), methods=["GET"]),
        Route("/lfs/uploads/{upload:segment}/parts/{number:segment}", put_part, methods=["PUT"]),
        Route("/lfs/uploads/{upload:segment}", acting(complete), methods=["POST"]),
    ]


async def put_content(request: Request) -> Response:
    """`PUT` of a whole content to a signed link; the answer means that it is durable and the caller's."""

    def begin() -> tuple[Link, ContentWriter]:
        services = services_of(request)
        link = link_of(request, "lfs-upload")
        with services.database.read() as uow:
            repo_to_upload(uow, link)
        return link, services.contents.open_write(link.sha256, link.size_bytes)

    def finish(link: Link, writer: ContentWriter) -> Response:
        location = writer.finish()
        record_upload(request, link, location)
        return stored(link.sha256)

    link, writer = await run_sync(begin)
    return await _receive(request, writer, link.size_bytes, lambda: finish(link, writer))


async def put_part(request: Request) -> Response:
    """`PUT` of one part to a signed link; its ETag names it when the upload is completed."""

    def begin() -> tuple[Link, ContentWriter, int]:
        services = services_of(request)
        link = link_of(request, "lfs-multipart")
        with services.database.read() as uow:
            repo_to_upload(uow, link)
            opened = find_upload(uow, str(link.upload_id))
        number = _part_number(request)
        part_bytes = opened.part_size(number)
        offset = (number - 1) * opened.part_bytes
        return link, services.contents.write_part(opened.id, offset), part_bytes

    def finish(link: Link, writer: ContentWriter, part_bytes: int) -> Response:
        writer.finish()
        with services_of(request).database.write() as uow:
            opened = find_upload(uow, str(link.upload_id))
            etag = record_part(uow, opened.id, _part_number(request), part_bytes)
        return stored(etag)

    link, writer, part_bytes = await run_sync(begin)
    return await _receive(request, writer, part_bytes, lambda: finish(link, writer, part_bytes))


def complete(request: Request, body: bytes) -> Response:
    """`POST {oid, parts}` to the signed link of an upload in parts: check the whole, keep it.

    Repeating it after success succeeds. An upload whose bytes turn out wrong is forgotten: it starts anew.
    """
    services = services_of(request)
    link = link_of(request, "lfs-multipart")
    upload_id = str(link.upload_id)
    asked = parsed(_Completion, body)
    if asked.oid != link.sha256:
        raise BadRequest("The upload is of another content.", code="oid_mismatch")
    claimed = {part.number: part.etag.strip('"') for part in asked.parts}
    with services.database.read() as uow:
        _repo, account, _actor = repo_to_upload(uow, link)
        try:
            check_parts(uow, find_upload(uow, upload_id), claimed)
        except NotFound:
            if link.sha256 not in possessed(uow, account.id, [link.sha256]):
                raise
            return _completed(link)
    try:
        location = services.contents.finish_parts(upload_id, link.sha256, link.size_bytes)
    except (HashMismatch, SizeMismatch, TooLarge):
        with services.database.write() as uow:
            end_upload(uow, upload_id)
        services.contents.discard_parts(upload_id)
        raise
    record_upload(request, link, location)
    services.contents.discard_parts(upload_id)
    return _completed(link)


def get_content(request: Request) -> Response:
    """`GET` of a content by a signed link, with ranges, as `resolve` gives it."""
    services = services_of(request)
    link = link_of(request, "lfs-download")
    with services.database.read() as uow:
        repo, actor = repo_to_read(uow, link)
        content = held_content(uow, repo.id, link.sha256)
        if content is None:
            raise NotFound("The repo does not hold this content any more.", code="content_removed")
        Door(services, actor, repo, unsafe=link.unsafe).check_content(uow, link.sha256)
        headers = content_headers(link.sha256, link.sha256, save=True)
        response = answer_with_content(request, services, content, headers)
        if reads_beginning(request, response):
            services.downloads.count(repo.id, caller_of(request, actor), uow.now)
    return response


async def _receive(
    request: Request, writer: ContentWriter, size_bytes: int, finish: Callable[[], Response]
) -> Response:
    """The body into the writer, then `finish`; whatever goes wrong, nothing of it stays behind."""
    try:
        await receive_body(request, writer, size_bytes)
        return await run_sync(finish)
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(writer.discard)


def record_upload(request: Request, link: Link, location: str) -> None:
    """Let the database know of durable bytes, and whose they are; the right is asked for once more."""
    reach("upload.before_database")
    with services_of(request).database.write() as uow:
        _repo, account, _actor = repo_to_upload(uow, link)
        add_content(uow, link.sha256, link.size_bytes, location)
        take_possession(uow, account.id, link.sha256)
        enqueue_chunking(uow, services_of(request).queue, link.sha256)
        if link.upload_id is not None:
            end_upload(uow, link.upload_id)
    reach("upload.before_answer")


def _part_number(request: Request) -> int:
    """Which part the address means; whether the upload has it is for `Upload.part_size` to say."""
    text: str = request.path_params["number"]
    if not text.isascii() or not text.isdecimal() or len(text) > _MAX_NUMBER_DIGITS:
        raise BadRequest("Parts of an upload are numbered from 1.", code="part_unknown")
    return int(text)


def stored(etag: str) -> Response:
    """What an upload is answered with, once it is durable."""
    return Response(status_code=200, headers={"ETag": f'"{etag}"'})


def _completed(link: Link) -> Response:
    return JSONResponse({"oid": link.sha256, "size": link.size_bytes})
