"""Uploads to the Xet store: xorbs, shards, and the question what is stored already.

Whoever uploads a xorb is always told that it is new: any other answer would tell what others have here. Xorbs
are durable before the answer, as clients never ask for them again.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest, NotFound, TooLarge, Unavailable
from allmende.failpoints import reach
from allmende.flows import (
    Ask,
    Services,
    ShardProgress,
    Uploader,
    let_go_of_named,
    receive_shard,
    shard_for_chunk,
)
from allmende.http import read_body, reading, receive_body, services_of
from allmende.hub.xet_tokens import XetToken, ask_uploader, xet_token_of
from allmende.ids import AccountId, XetHash, is_xet_hash
from allmende.storage import ReceivedXorb, UnitOfWork, XorbKey, add_uploaded_xorb
from allmende.xorbs import MAX_SERIALIZED_BYTES, MAX_SHARD_BYTES, Shard, read_shard

__all__ = ["STORE", "routes"]

STORE = "/xet/{epoch:segment}/{scope:segment}"

_PREFIXES = frozenset({"default", "default-merkledb"})
_MAX_LENGTH_DIGITS = 12
_SHARDS_AT_ONCE = 4
"""Rebuilding files keeps a disk and a core busy each; more at once would only make others wait."""
_FRAME_EVERY_S = 1.0
_NDJSON = "application/x-ndjson"

_logger = logging.getLogger(__name__)
_at_work: "set[asyncio.Task[None]]" = set()
"""Work goes on when its client has gone, and the repeat finds what it has done."""


class LengthMissing(BadRequest):
    """An upload does not say how long it is."""

    code = "length_missing"


def routes() -> list[Route]:
    """Routes of this module."""
    return [
        Route(f"{STORE}/v1/chunks/{{prefix:segment}}/{{hash:segment}}", reading(known_chunk)),
        Route(f"{STORE}/v1/xorbs/{{prefix:segment}}/{{hash:segment}}", put_xorb, methods=["POST"]),
        Route(f"{STORE}/v1/shards", put_shard, methods=["POST"]),
        Route(f"{STORE}/v2/shards", put_shard_with_progress, methods=["POST"]),
    ]


def known_chunk(request: Request) -> Response:
    """`GET /v1/chunks/{prefix}/{hash}`: a shard that lists the chunk among others, or 404."""
    token, chunk = xet_token_of(request), _hash_in(request)
    services = services_of(request)
    shard = shard_for_chunk(services, partial(_asked, token), chunk)
    if shard is None:
        raise NotFound("This chunk is not known.", code="chunk_unknown")
    return Response(shard, media_type="application/octet-stream")


async def put_xorb(request: Request) -> Response:
    """`POST /v1/xorbs/{prefix}/{hash}`: a serialized xorb, verified and durable before the answer."""
    services = services_of(request)

    def begin() -> tuple[XorbKey, ReceivedXorb]:
        token, xorb = xet_token_of(request), _hash_in(request)
        with services.database.read() as uow:
            account = ask_uploader(uow, token).account
        return XorbKey(account.id, xorb), services.xorbs.receive(xorb)

    def finish(key: XorbKey, received: ReceivedXorb) -> Response:
        location, size_bytes, chunks = received.finish()
        reach("upload.before_database")
        try:
            with services.database.write() as uow:
                ask_uploader(uow, xet_token_of(request))
                before = add_uploaded_xorb(uow, key, size_bytes, chunks, location)
        except AllmendeError:
            services.xorbs.delete(location)
            raise
        if before is not None:
            services.xorbs.delete(before)
        reach("upload.before_answer")
        return JSONResponse({"was_inserted": True})

    length_bytes = _declared_length(request, MAX_SERIALIZED_BYTES)
    key, received = await run_sync(begin)
    try:
        await receive_body(request, received, length_bytes)
        return await run_sync(finish, key, received)
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(received.discard)


async def put_shard(request: Request) -> Response:
    """`POST /v1/shards`: rebuild and record the files of a shard; the answer means that they are there."""
    upload = await _begin_shard(request)
    await run_sync(
        receive_shard, upload.services, upload.ask, upload.shard, upload.progress, limiter=_limiter(request)
    )
    return JSONResponse({"result": 1}, background=upload.afterwards)


async def put_shard_with_progress(request: Request) -> Response:
    """`POST /v2/shards`: the same, with a line of JSON each second that says how far the work is.

    What is wrong with the shard as such is an ordinary error; what turns out later is the last line.
    """
    upload = await _begin_shard(request)
    return StreamingResponse(_frames(request, upload), media_type=_NDJSON, background=upload.afterwards)


@dataclass(frozen=True, slots=True)
class _ShardUpload:
    """A shard that was read, and for whom."""

    services: Services
    ask: Ask
    account_id: AccountId
    shard: Shard
    progress: ShardProgress

    @property
    def afterwards(self) -> BackgroundTask:
        """What is done when the client has its answer."""
        return BackgroundTask(let_go_of_named, self.services, self.account_id, self.shard)


async def _begin_shard(request: Request) -> _ShardUpload:
    services = services_of(request)

    def check() -> tuple[XetToken, AccountId]:
        token = xet_token_of(request)
        with services.database.read() as uow:
            return token, ask_uploader(uow, token).account.id

    token, account_id = await run_sync(check)
    shard = await run_sync(read_shard, await read_body(request, MAX_SHARD_BYTES))
    progress = ShardProgress(sum(file.size_bytes for file in shard.files))
    return _ShardUpload(services, partial(_asked, token), account_id, shard, progress)


async def _frames(request: Request, upload: _ShardUpload) -> AsyncIterator[bytes]:
    """Lines until the work is done. When the client goes away the work goes on without it."""
    progress = upload.progress
    work = asyncio.create_task(
        run_sync(
            receive_shard, upload.services, upload.ask, upload.shard, progress, limiter=_limiter(request)
        )
    )
    _at_work.add(work)
    work.add_done_callback(partial(_finished, request.state.request_id))
    while not work.done():
        yield _frame(progress)
        await asyncio.wait({work}, timeout=_FRAME_EVERY_S)
    error = work.exception()
    if error is None:
        yield _line({"type": "result"})
    elif isinstance(error, AllmendeError):
        words = error.message if error.hint is None else f"{error.message} {error.hint}"
        yield _line({"type": "error", "message": words, "retryable": isinstance(error, Unavailable)})
    else:
        yield _line(
            {
                "type": "error",
                "message": f"The hub failed at this; its log says more under {request.state.request_id}.",
                "retryable": False,
            }
        )


def _finished(request_id: str, work: "asyncio.Task[None]") -> None:
    """What went wrong is logged here, as the client may have gone."""
    _at_work.discard(work)
    error = None if work.cancelled() else work.exception()
    if isinstance(error, AllmendeError):
        _logger.info("%s: the shard was refused: %s", request_id, error.message)
    elif error is not None:
        _logger.error("%s: receiving a shard failed", request_id, exc_info=error)


def _frame(progress: ShardProgress) -> bytes:
    if progress.recording:
        return _line({"type": "committing", "stage": "syncing"})
    return _line({"type": "validating", "verified": progress.verified_bytes, "total": progress.total_bytes})


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _asked(token: XetToken, uow: UnitOfWork) -> Uploader:
    return ask_uploader(uow, token)


def _hash_in(request: Request) -> XetHash:
    """The hash in the address; raises NotFound, as for everything that is not there."""
    text = request.path_params["hash"]
    if request.path_params["prefix"] not in _PREFIXES or not is_xet_hash(text):
        raise NotFound("There is nothing at this address.", code="address_unknown")
    return XetHash(text)


def _declared_length(request: Request, most_bytes: int) -> int:
    text = request.headers.get("content-length", "")
    if not text.isascii() or not text.isdecimal():
        raise LengthMissing("The upload does not say how long it is.", hint="Send Content-Length.")
    if len(text) > _MAX_LENGTH_DIGITS or int(text) > most_bytes:
        raise TooLarge(f"The upload has more than the {most_bytes} bytes that are accepted here.")
    return int(text)


def _limiter(request: Request) -> CapacityLimiter:
    """How many shards are worked on at once in this process."""
    state = request.app.state
    if not hasattr(state, "shard_limiter"):
        state.shard_limiter = CapacityLimiter(_SHARDS_AT_ONCE)
    limiter: CapacityLimiter = state.shard_limiter
    return limiter
