"""Request bodies on their way into the content store: bounded memory, a deadline between bytes, no stall.

Bytes are gathered into batches and handed to a worker thread that hashes and writes them, while the event
loop gathers the next: hashing 1 GiB never stops another connection.
"""

import asyncio
from collections.abc import AsyncIterator

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request

from allmende.http.calls import StalledSender, services_of
from allmende.storage import ContentWriter, SizeMismatch

__all__ = ["body_chunks", "receive_body"]

_BATCH_BYTES = 4 * 1024 * 1024


async def receive_body(request: Request, writer: ContentWriter, size_bytes: int) -> None:
    """Write the body into `writer`; the caller finishes or discards it.

    Raises SizeMismatch (at once when the declared length is wrong), StalledSender, ClientDisconnect,
    StorageFull. When it returns or raises, no thread touches the writer any more.
    """
    declared = request.headers.get("content-length")
    if declared is not None and declared != str(size_bytes):
        raise SizeMismatch(f"The request declares {declared[:20]} bytes, announced were {size_bytes}.")
    received_bytes = 0
    batch = bytearray()
    pipeline = _Pipeline(writer)
    try:
        async for chunk in body_chunks(request):
            received_bytes += len(chunk)
            if received_bytes > size_bytes:
                raise SizeMismatch(f"More bytes arrived than the {size_bytes} announced.")
            batch += chunk
            if len(batch) >= _BATCH_BYTES:
                await pipeline.put(batch)
                batch = bytearray()
        await pipeline.put(batch)
    finally:
        await pipeline.drain()
    if received_bytes != size_bytes:
        raise SizeMismatch(
            f"{received_bytes} bytes arrived, announced were {size_bytes}.", hint="Upload the file again."
        )


async def body_chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises StalledSender when nothing comes for too long, ClientDisconnect."""
    timeout_s = services_of(request).settings.body_timeout_s
    stream = request.stream()
    while True:
        try:
            with anyio.fail_after(timeout_s):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise StalledSender from error
        if chunk is None:
            return
        yield chunk


class _Pipeline:
    """At most one batch at a time in the worker thread, in order."""

    def __init__(self, writer: ContentWriter) -> None:
        self._writer = writer
        self._pending: asyncio.Task[None] | None = None

    async def put(self, batch: bytearray) -> None:
        await self.drain()
        if batch:
            self._pending = asyncio.create_task(run_sync(self._writer.write, batch))

    async def drain(self) -> None:
        """Wait for the batch in the thread, and raise what went wrong with it."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await asyncio.shield(pending)
