"""What every request passes: an id, a limit to what may go wrong, security headers, one line of log."""

import logging
import re
import secrets
import time
from urllib.parse import quote, unquote

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from allmende.errors import AllmendeError, BadRequest
from allmende.flows import Services
from allmende.http.errors import error_response, header_text, refusal_response
from allmende.registry import RepoMoved

__all__ = ["Edge", "base_url_of"]

_logger = logging.getLogger("allmende.access")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_REQUEST_ID = re.compile(r"[A-Za-z0-9=;:._-]{1,128}")
_PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}


class Edge:
    """The outermost ASGI layer: the one `except Exception` of requests, which logs and answers 500."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; exceptions that reach this point become answers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request = Request(scope, receive)
        request_id = _request_id(request)
        answer = _Answer(send, request_id)
        try:
            request.state.request_id = request_id
            request.state.services = self._services
            request.state.base_url = base_url_of(request, self._services.settings.public_url)
            with self._services.traffic.request():
                await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            path = header_text(scope["path"])
            _logger.info("%s %s %s: the body broke off", request_id, request.method, path)
            if not answer.started:
                # Whoever went away does not read it; whoever sent a body against the rules of HTTP does.
                await error_response(request, BodyBrokenOff())(scope, receive, answer.send)
            return
        except Exception as error:
            if answer.started:  # nothing can be said any more; closing the connection tells the client
                _logger.exception("%s failed while it was being answered", request_id)
                raise
            response = _response_to(request, error, request_id)
            await response(scope, receive, answer.send)
        _logger.info(
            "%s %s %s %s %.1f ms",
            request_id,
            request.method,
            header_text(scope["path"]),
            answer.status,
            (time.perf_counter() - started) * 1000,
        )


class _Answer:
    """Adds the headers that every answer has, and remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault(
                "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"
            )
            headers.setdefault("Referrer-Policy", "same-origin")
        await self._send(message)


def base_url_of(request: Request, public_url: str | None) -> str:
    """The hub's address, without a slash at its end: the configured one, else the one the client used."""
    if public_url is not None:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise BadRequest("The Host header is missing or not valid.", code="host_invalid")
    return f"{request.scope['scheme']}://{host}"


def _request_id(request: Request) -> str:
    """The client's own id for the request where it sends one, so that both sides log the same."""
    given = request.headers.get("x-request-id") or request.headers.get("x-amzn-trace-id") or ""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


class BodyBrokenOff(BadRequest):
    """The request ended before its body did, or the body's framing is not HTTP's (RFC 9112, section 7)."""

    code = "body_broken_off"

    def __init__(self) -> None:
        super().__init__("The body of the request broke off.", hint="Send the request again, to its end.")


class InternalFailure(AllmendeError):
    """Something broke in the hub itself. Says nothing of what it was: the log does."""

    code = "internal"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"The hub failed at this; its operator finds more under request id {request_id}.")


def _response_to(request: Request, error: Exception, request_id: str) -> Response:
    if isinstance(error, AllmendeError):
        return error_response(request, error)
    if isinstance(error, RepoMoved):
        return _moved(request, error)
    if isinstance(error, HTTPException):
        response = refusal_response(request, error)
    else:
        path = header_text(request.scope["path"])
        _logger.error("%s %s %s failed", request_id, request.method, path, exc_info=error)
        response = error_response(request, InternalFailure(request_id))
    return response


def _moved(request: Request, moved: RepoMoved) -> Response:
    """307 with a path alone: clients of the 1.x series follow only relative redirects."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    parts = quote(raw.partition(b"?")[0], safe="/%:@+,;=~").split("/")
    index = _name_index([unquote(part) for part in parts])
    tail = parts[index + 1].removesuffix(".git")
    suffix = parts[index + 1][len(tail) :]
    namespace, _, name = moved.full_name.partition("/")
    parts[index : index + 2] = [namespace, name + suffix]
    query = request.scope["query_string"].decode("ascii", "replace")
    location = "/".join(parts) + (f"?{query}" if query else "")
    response = RedirectResponse(location, 307)
    response.headers["X-Repo-Moved-To"] = f"{_PREFIX[moved.repo_type]}{moved.full_name}"
    return response


def _name_index(parts: list[str]) -> int:
    """Where the namespace stands in a split address: after `/api/{types}` or a type's prefix, or first."""
    if parts[1] == "api":
        return 5 if parts[2:4] == ["allmende", "v1"] else 3
    return 2 if parts[1] in ("datasets", "spaces") else 1
