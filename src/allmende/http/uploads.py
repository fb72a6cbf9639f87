"""Request bodies on their way into the content store: bounded memory, a deadline between bytes, no stall.

Bytes are gathered into batches and handed to a worker thread that hashes and writes them, while the event
loop gathers the next: hashing 1 GiB never stops another connection.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request

from allmende.http.calls import StalledSender, services_of
from allmende.storage import SizeMismatch

__all__ = ["body_chunks", "receive_body"]

_BATCH_BYTES = 4 * 1024 * 1024


class Sink(Protocol):
    """Where a body goes."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take in the next bytes."""


async def receive_body(request: Request, writer: Sink, size_bytes: int) -> None:
    """Write the body into `writer`; the caller finishes or discards it.

    Raises SizeMismatch (at once when the declared length is wrong), StalledSender, ClientDisconnect,
    StorageFull. When it returns or raises, no thread touches the writer any more.
    """
    declared = request.headers.get("content-length")
    if declared is not None and declared != str(size_bytes):
        raise SizeMismatch(f"The request declares {declared[:20]} bytes, announced were {size_bytes}.")
    received_bytes = filled_bytes = 0
    # Two buffers in turn: while one is in the thread the other is filled, and no memory is asked for anew.
    batch, other = (memoryview(bytearray(min(size_bytes, _BATCH_BYTES))) for _ in range(2))
    pipeline = _Pipeline(writer)
    try:
        async for chunk in body_chunks(request):
            received_bytes += len(chunk)
            if received_bytes > size_bytes:
                raise SizeMismatch(f"More bytes arrived than the {size_bytes} announced.")
            rest = memoryview(chunk)
            while rest:
                taken = min(len(rest), len(batch) - filled_bytes)
                batch[filled_bytes : filled_bytes + taken] = rest[:taken]
                filled_bytes, rest = filled_bytes + taken, rest[taken:]
                if filled_bytes == len(batch):
                    await pipeline.put(batch)
                    batch, other, filled_bytes = other, batch, 0
        await pipeline.put(batch[:filled_bytes])
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

    def __init__(self, writer: Sink) -> None:
        self._writer = writer
        self._pending: asyncio.Task[None] | None = None

    async def put(self, batch: memoryview) -> None:
        """Hand a batch over; it may be filled again once the next one was put."""
        await self.drain()
        if batch:
            self._pending = asyncio.create_task(run_sync(self._writer.write, batch))

    async def drain(self) -> None:
        """Wait for the batch in the thread, and raise what went wrong with it."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await asyncio.shield(pending)
