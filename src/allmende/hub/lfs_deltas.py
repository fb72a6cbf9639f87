"""Contents that are sent as what is new in them: `PUT` of a delta to a signed link of its own.

The batch call gives such a link to clients that name the transfer `allmende-delta-1`. What is stored, and who
may use it afterwards, is the same as if every byte had come: the content is rebuilt here, verified, durable
before a row tells of it, and plain.
"""

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest, TooLarge
from allmende.flows import ReceivedDelta, rebuild_pushed
from allmende.http import Link, link_of, receive_body, repo_to_upload, services_of
from allmende.hub.lfs_transfer import record_upload, stored

__all__ = ["DELTA_TYPE", "routes"]

DELTA_TYPE = "application/vnd.allmende.delta"
_LEAST_CAP_BYTES = 64 * 1024
_MAX_DIGITS = 18
_AT_A_TIME = anyio.CapacityLimiter(2)
"""Rebuilding is work, and takes memory; others wait for their turn."""


class LengthUnknown(BadRequest):
    """A delta's length is said before its first byte."""

    code = "length_required"


def routes() -> list[Route]:
    """Routes of this module."""
    return [Route("/lfs/deltas/{oid:segment}", put_delta, methods=["PUT"])]


async def put_delta(request: Request) -> Response:
    """`PUT` of a delta to a signed link; the answer means that the content is durable and the caller's.

    Raises DeltaRefused and BaseNotHere, after which nothing is kept, TooLarge for what is not smaller than
    the content, and what an upload of the plain bytes raises.
    """

    def begin() -> tuple[Link, int, ReceivedDelta]:
        services = services_of(request)
        link = link_of(request, "lfs-delta")
        length = _length(request, link)
        with services.database.read() as uow:
            repo_to_upload(uow, link)
        return link, length, ReceivedDelta(services)

    link, length, received = await run_sync(begin)
    try:
        await receive_body(request, received, length)
        return await run_sync(_rebuilt, request, link, received, limiter=_AT_A_TIME)
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(received.discard)


def _length(request: Request, link: Link) -> int:
    said = request.headers.get("content-type", "").partition(";")[0].strip()
    if said != DELTA_TYPE:
        raise BadRequest(f"This link takes bodies of the type {DELTA_TYPE}.", code="not_a_delta")
    declared = request.headers.get("content-length", "")
    if not declared.isascii() or not declared.isdecimal() or len(declared) > _MAX_DIGITS:
        raise LengthUnknown("The length of a delta is said in its Content-Length.")
    most = max(link.size_bytes, _LEAST_CAP_BYTES)
    if int(declared) > most:
        raise TooLarge(
            f"A delta of {declared} bytes is larger than its content.", hint="Send the file as it is."
        )
    return int(declared)


def _rebuilt(request: Request, link: Link, received: ReceivedDelta) -> Response:
    services = services_of(request)
    with services.database.read() as uow:
        repo, _account, actor = repo_to_upload(uow, link)
    writer = services.contents.open_write(link.sha256, link.size_bytes)
    try:
        location = rebuild_pushed(services, actor, repo, received, link.size_bytes, writer)
        record_upload(request, link, location)
    finally:
        writer.discard()
    return stored(link.sha256)
