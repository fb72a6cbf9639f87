"""The one place that maps errors to HTTP: status, the hub's headers, a body that every client can read."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from allmende import errors
from allmende.http.ranges import RangeNotSatisfiable
from allmende.registry import EntryNotFound, RepoExists, RepoGated

__all__ = ["ErrorPage", "error_response", "header_text", "refusal_response", "refused", "status_of"]

ErrorPage = Callable[[Request, int, errors.AllmendeError], Response]
"""Shows an error to a person. A route for people puts one into `request.state.error_page`; without one the
answer is JSON. Status and headers are the same either way."""

_STATUS: tuple[tuple[type[errors.AllmendeError], int], ...] = (
    (errors.TooLarge, 413),
    (errors.BadRequest, 400),
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Gone, 410),
    (errors.Stale, 412),
    (RangeNotSatisfiable, 416),
    (errors.TooManyRequests, 429),
    (errors.NotOffered, 501),
    (errors.Unavailable, 503),
    (errors.StorageFull, 507),
    # Well formed, and it does not hold: as the witness protocol of C2SP answers too.
    (errors.Untrusted, 422),
)

_logger = logging.getLogger(__name__)


def status_of(error: errors.AllmendeError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, RepoGated):
        return 403 if error.known else 401
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def error_response(
    request: Request, error: errors.AllmendeError, extra: Mapping[str, Any] | None = None
) -> Response:
    """An answer that says what went wrong, for people and for programs; on HEAD the headers say it alone.

    `extra` is what a protocol wants in the body beside it.
    """
    status = status_of(error)
    if status >= 500 and not isinstance(error, errors.NotOffered):
        path: str = request.scope["path"]
        _logger.warning("%s %s: %s", request.method, header_text(path), header_text(error.message))
    error_page: ErrorPage | None = getattr(request.state, "error_page", None)
    if error_page is None:
        response: Response = JSONResponse(_body(request, error, extra), status)
    else:
        response = error_page(request, status, error)
    response.headers["X-Error-Code"] = error.code
    response.headers["X-Error-Message"] = header_text(error.message)
    if isinstance(error, EntryNotFound) and error.commit_oid is not None:
        response.headers["X-Repo-Commit"] = error.commit_oid
    if isinstance(error, RangeNotSatisfiable):
        response.headers["Content-Range"] = f"bytes */{error.size_bytes}"
    if isinstance(error, errors.Unavailable):
        response.headers["Retry-After"] = "2"
    if isinstance(error, errors.TooManyRequests):
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if status == 401 and ".git/" in request.scope["path"]:
        # git and git-lfs ask for credentials only when they are told to.
        response.headers["WWW-Authenticate"] = 'Basic realm="Allmende"'
        response.headers["LFS-Authenticate"] = 'Basic realm="Allmende"'
    return response


def _body(request: Request, error: errors.AllmendeError, extra: Mapping[str, Any] | None) -> dict[str, Any]:
    words = error.message if error.hint is None else f"{error.message} {error.hint}"
    body: dict[str, Any] = {"error": error.message, "message": words, "code": error.code, "hint": error.hint}
    if error.hint is not None:
        # Stock clients print the header, `error` and each of `errors`, and what is equal only once.
        body["errors"] = [{"message": error.hint}]
    body.update(extra or {})
    if isinstance(error, RepoExists):
        body["url"] = f"{request.state.base_url}/{_PREFIX[error.repo_type]}{error.full_name}"
    return body


async def refused(request: Request, error: Exception) -> Response:
    """`refusal_response` as Starlette takes its exception handlers."""
    if not isinstance(error, HTTPException):
        raise error
    return refusal_response(request, error)


def refusal_response(request: Request, error: HTTPException) -> Response:
    """The same for what the router refuses: an unknown address, a method that has no place there."""
    if error.status_code == 405:
        code, words = "method_not_allowed", f"{request.method} is not possible at this address."
    elif error.status_code == 404:
        code, words = "address_unknown", "This hub has nothing at this address."
    else:
        code, words = "refused", error.detail
    response = JSONResponse(
        {"error": words, "message": words, "code": code, "hint": None},
        error.status_code,
        headers=dict(error.headers or {}),
    )
    response.headers["X-Error-Code"] = code
    response.headers["X-Error-Message"] = header_text(words)
    return response


_PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}


def header_text(text: str) -> str:
    """`text` as a header may carry it: printable ASCII on one line, bounded."""
    return "".join(
        character if " " <= character <= "~" else character.encode("unicode_escape").decode("ascii")
        for character in text
    )[:1000]
