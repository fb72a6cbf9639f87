"""From an async request to a sync answer: one hop into a thread, one unit of work, the caller known.

Route handlers are plain functions. `reading` and `acting` wrap them: the body, if any, is read on the
event loop under its limit and deadline; then everything else happens in one worker thread.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from allmende.errors import BadRequest, TooLarge, Unavailable
from allmende.flows import Services
from allmende.http.sessions import session_actor
from allmende.registry import ANONYMOUS, Actor, CredentialsInvalid, authenticate, needs_touch, touch_token
from allmende.storage import UnitOfWork

__all__ = [
    "Endpoint",
    "StalledSender",
    "acting",
    "actor_of",
    "base_url",
    "json_object",
    "read_body",
    "reading",
    "reading_unit",
    "services_of",
    "writing_unit",
]

Endpoint = Callable[[Request], Awaitable[Response]]

_MAX_LENGTH_DIGITS = 19
"""Longer numbers are more bytes than there are, and Python refuses to read the longest."""


def services_of(request: Request) -> Services:
    """The hub's services."""
    services: Services = request.state.services
    return services


def base_url(request: Request) -> str:
    """The hub's address as the client knows it."""
    address: str = request.state.base_url
    return address


def reading(handler: Callable[[Request], Response]) -> Endpoint:
    """An endpoint that needs no body; `handler` runs in a thread."""

    async def endpoint(request: Request) -> Response:
        return await run_sync(handler, request)

    endpoint.__name__ = handler.__name__
    endpoint.__doc__ = handler.__doc__
    return endpoint


def acting(handler: Callable[[Request, bytes], Response], *, max_bytes: int | None = None) -> Endpoint:
    """An endpoint with a body that is read whole, up to `max_bytes` (default: the setting for JSON)."""

    async def endpoint(request: Request) -> Response:
        limit = services_of(request).settings.max_json_bytes if max_bytes is None else max_bytes
        body = await read_body(request, limit)
        return await run_sync(handler, request, body)

    endpoint.__name__ = handler.__name__
    endpoint.__doc__ = handler.__doc__
    return endpoint


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body; raises TooLarge, and Unavailable when the sender stalls."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > _MAX_LENGTH_DIGITS or int(declared) > max_bytes):
        raise TooLarge(f"The request has more than the {max_bytes} bytes that are accepted here.")
    body = bytearray()
    timeout_s = services_of(request).settings.body_timeout_s
    chunks = request.stream()
    while True:
        try:
            with anyio.fail_after(timeout_s):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise StalledSender from error
        if chunk is None:
            return bytes(body)
        body += chunk
        if len(body) > max_bytes:
            raise TooLarge(f"The request has more than the {max_bytes} bytes that are accepted here.")


class StalledSender(Unavailable):
    """The client stopped sending in the middle of a body."""

    code = "sender_stalled"

    def __init__(self) -> None:
        super().__init__("No byte of the request arrived for too long; it was given up.", hint="Try again.")


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds (an empty body is an empty object); raises BadRequest."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON.", code="json_invalid") from error
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.", code="json_invalid")
    return value


@contextmanager
def reading_unit(request: Request) -> Iterator[tuple[UnitOfWork, Actor]]:
    """A reading unit of work and the caller; raises CredentialsInvalid."""
    services = services_of(request)
    with services.database.read_in_turn() as uow:
        actor = actor_of(request, uow)
        yield uow, actor
    if actor.token is not None and needs_touch(actor.token, services.database.clock()):
        with services.database.write() as uow:
            touch_token(uow, actor.token)


@contextmanager
def writing_unit(request: Request) -> Iterator[tuple[UnitOfWork, Actor]]:
    """A writing unit of work and the caller; raises CredentialsInvalid."""
    with services_of(request).database.write() as uow:
        yield uow, actor_of(request, uow)


def actor_of(request: Request, uow: UnitOfWork) -> Actor:
    """Who asks: a bearer token, or a token as the password of basic authentication; nobody without either.

    A browser that is signed in may read with its session, so that the links of a page work; never change.
    Raises CredentialsInvalid, also for two headers: a proxy before the hub may have checked the other.
    """
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        raise CredentialsInvalid
    header = headers[0] if headers else ""
    if not header:
        if request.method in ("GET", "HEAD"):
            return session_actor(request, services_of(request).signer, uow)
        return ANONYMOUS
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        secret = value.strip()
    elif scheme.lower() == "basic":
        secret = _password(value)
    else:
        raise CredentialsInvalid
    if not secret:
        raise CredentialsInvalid
    return authenticate(uow, secret)


def _password(value: str) -> str:
    try:
        text = base64.b64decode(value.strip(), validate=True).decode("utf-8")
    except ValueError as error:  # no base64, no ASCII, no UTF-8
        raise CredentialsInvalid from error
    user, separator, password = text.partition(":")
    return password if separator and password else user
