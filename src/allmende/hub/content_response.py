"""Sending the bytes of a file: whole or one range, from the database or a store, uncopied where we can.

Nothing is compressed and nothing redirected: clients compare lengths and resume by offset, and take the
metadata from the very answer that has the bytes.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import BinaryIO

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from allmende.errors import AllmendeError, NotFound
from allmende.flows import (
    BytesDamaged,
    ContentReader,
    Services,
    enqueue_unpacking,
    mark_damaged,
    open_content,
    plain_file,
)
from allmende.http import Part, is_unchanged, wanted_part
from allmende.registry import Actor
from allmende.storage import Content

__all__ = ["ContentDamaged", "answer_with_bytes", "answer_with_content", "caller_of", "reads_beginning"]

_CHUNK_BYTES = 1024 * 1024
_PART_BYTES = 2 * _CHUNK_BYTES
"""What is decoded together is shorter: so that it is passed on in one piece."""
_AHEAD_BYTES = 4 * _CHUNK_BYTES
"""From so many bytes on it is worth to have other threads decode what comes next."""


class ContentDamaged(AllmendeError):
    """The hub cannot give back what it was given; rather no bytes than wrong ones."""

    code = "content_damaged"

    def __init__(self, sha256: str, reason: str) -> None:
        super().__init__(
            f"The stored bytes of content {sha256} are damaged ({reason}) and are not served.",
            hint="Tell the operator of this hub; uploading the file again heals it.",
        )


def answer_with_bytes(
    request: Request, size_bytes: int, read: Callable[[], bytes], headers: Mapping[str, str]
) -> Response:
    """The bytes that `read` gives, or the part of them that is asked for; `headers` hold their ETag.

    HEAD needs their size alone. Raises RangeNotSatisfiable.
    """
    etag = headers["ETag"]
    if is_unchanged(request.headers, etag):
        return Response(status_code=304, headers=dict(headers))
    part = wanted_part(request.headers, size_bytes, etag)
    shown = part or Part(0, size_bytes, size_bytes)
    body = b"" if request.method == "HEAD" else read()[shown.start : shown.end]
    return Response(body, 200 if part is None else 206, headers=_with_length(headers, part, shown))


def answer_with_content(
    request: Request, services: Services, content: Content, headers: Mapping[str, str]
) -> Response:
    """The bytes of a content, or the part that is asked for; `headers` hold its ETag.

    What is packed is decoded and verified as it is sent, and its first bytes before anything is. Raises
    RangeNotSatisfiable, and ContentDamaged where the bytes are known or seen not to be right.
    """
    etag = headers["ETag"]
    if is_unchanged(request.headers, etag):
        return Response(status_code=304, headers=dict(headers))
    part = wanted_part(request.headers, content.size_bytes, etag)
    shown = part or Part(0, content.size_bytes, content.size_bytes)
    if content.damaged is not None:
        raise ContentDamaged(content.sha256, content.damaged)
    answer_headers = _with_length(headers, part, shown)
    status = 200 if part is None else 206
    if request.method == "HEAD" and content.is_packed:
        return Response(status_code=status, headers=answer_headers)
    is_long = request.method != "HEAD" and shown.length_bytes >= _AHEAD_BYTES
    file = _open(services, content, shown.end if is_long else None)
    if request.method == "HEAD":
        file.close()
        return Response(status_code=status, headers=answer_headers)
    if content.is_packed and shown.start == 0 and services.hot.note(content.sha256):
        with services.database.write() as uow:
            enqueue_unpacking(services, uow, content.sha256)
    place = plain_file(services, content) if shown.is_whole else None
    path = None if place is None else str(place.path.absolute())
    return _FileResponse(_Sending(services, content, file), path, shown, status, answer_headers)


def reads_beginning(request: Request, response: Response) -> bool:
    """Whether the response carries the first bytes of a file to somebody: what counts as a download."""
    if request.method != "GET" or response.status_code not in (200, 206):
        return False
    content_range = response.headers.get("content-range")
    return content_range is None or content_range.startswith("bytes 0-")


def caller_of(request: Request, actor: Actor) -> str:
    """Who downloads, for counting: an account, or else an address."""
    if actor.account is not None:
        return actor.account.name
    return request.client.host if request.client is not None else ""


def _open(services: Services, content: Content, until: int | None) -> BinaryIO:
    try:
        # Recipe and blocks have checks of their own, by which every byte is verified before it is sent; the
        # SHA-256 of the whole was compared when it was packed, and is again when the store is checked.
        file = open_content(services, content, until, verify=False)
    except NotFound as error:
        raise ContentDamaged(content.sha256, "they are missing from the store") from error
    stored_bytes = file.seek(0, 2)
    if stored_bytes != content.size_bytes:
        file.close()
        raise ContentDamaged(content.sha256, f"{stored_bytes} of {content.size_bytes} bytes are there")
    return file


class _Sending:
    """An open content that is being sent: what is found damaged on the way is marked as such."""

    def __init__(self, services: Services, content: Content, file: BinaryIO) -> None:
        self._services = services
        self._content = content
        self._file = file
        self._has_begun = False
        self.close = file.close

    def read_at(self, start: int, left_bytes: int) -> bytes:
        """Some bytes from `start` on, where so many are to come. Raises ContentDamaged.

        The first ones are a whole chunk, so that damage among them is found before there is an answer; then
        what is at hand is passed on as it is.
        """
        self._file.seek(start)
        file = self._file
        try:
            if self._has_begun and isinstance(file, ContentReader):
                chunk = file.read1(min(_PART_BYTES, left_bytes))
            else:
                chunk = file.read(min(_CHUNK_BYTES, left_bytes))
            self._has_begun = True
        except BytesDamaged as error:
            mark_damaged(self._services, self._content, error.message)
            raise ContentDamaged(self._content.sha256, error.message) from error
        if not chunk:
            raise EOFError("a stored content became shorter while it was sent")
        return chunk


def _with_length(headers: Mapping[str, str], part: Part | None, shown: Part) -> dict[str, str]:
    answer = {**headers, "Content-Length": str(shown.length_bytes)}
    if part is not None:
        answer["Content-Range"] = part.content_range
    return answer


class _FileResponse(Response):
    """Bytes of an open file; the server reads the file itself where it can and all of it is wanted."""

    def __init__(
        self, file: _Sending, path: str | None, part: Part, status_code: int, headers: Mapping[str, str]
    ) -> None:
        self._file = file
        self._path = path
        self._part = part
        super().__init__(status_code=status_code, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send status, headers and bytes; the file is closed however this ends."""
        start: Message = {
            "type": "http.response.start", "status": self.status_code, "headers": self.raw_headers
        }  # fmt: skip
        try:
            if self._path is not None and "http.response.pathsend" in scope.get("extensions", {}):
                await send(start)
                await send({"type": "http.response.pathsend", "path": self._path})
            else:
                await self._stream(start, receive, send)
        finally:
            self._file.close()

    async def _stream(self, start: Message, receive: Receive, send: Send) -> None:
        """Read in a thread, send on the loop, and stop when the client has gone.

        The first bytes are read before anything is sent: where they are damaged, there still is an answer.
        """
        at, left_bytes = self._part.start, self._part.length_bytes
        chunk = await run_sync(self._file.read_at, at, left_bytes) if left_bytes else b""
        await send(start)
        gone = asyncio.create_task(_disconnected(receive))
        try:
            while True:
                at, left_bytes = at + len(chunk), left_bytes - len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": bool(left_bytes)})
                if not left_bytes or gone.done():
                    return
                chunk = await run_sync(self._file.read_at, at, left_bytes)
        finally:
            gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
