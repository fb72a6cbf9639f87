"""Pages of long answers: opaque cursors, and the `Link` header that names the next page (RFC 8288)."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse

from allmende.errors import BadRequest
from allmende.http import base_url

__all__ = ["CursorInvalid", "cursor_of", "page_size", "paged", "position_at"]

_MAX_CURSOR_CHARS = 8192
_MAX_NUMBER = 2**62
"""Larger numbers are not ours, and databases refuse them."""


class CursorInvalid(BadRequest):
    """A cursor that this hub did not make."""

    code = "cursor_invalid"

    def __init__(self) -> None:
        super().__init__("The cursor is not valid.", hint="Start again at the first page.")


def cursor_of(*position: int | str) -> str:
    """A place in a list, as a word for the client to give back."""
    text = json.dumps(position, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def position_at(request: Request, *kinds: type[int] | type[str]) -> tuple[Any, ...] | None:
    """The place that the request's `cursor` stands for, of these kinds; None on the first page.

    Raises CursorInvalid.
    """
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    if len(cursor) > _MAX_CURSOR_CHARS:
        raise CursorInvalid
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise CursorInvalid from error
    if not isinstance(position, list) or len(position) != len(kinds):
        raise CursorInvalid
    for value, kind in zip(position, kinds, strict=True):
        if type(value) is not kind or (isinstance(value, int) and abs(value) > _MAX_NUMBER):
            raise CursorInvalid
        if isinstance(value, str) and not value.isprintable():
            raise CursorInvalid
    return tuple(position)


def page_size(request: Request, most: int) -> int:
    """How many items a page has: what `limit` asks for, up to `most`. Raises BadRequest."""
    limit = request.query_params.get("limit")
    if limit is None:
        return most
    if not limit.isascii() or not limit.isdecimal() or int(limit[:12]) < 1:
        raise BadRequest('The parameter "limit" must be a number, at least 1.', code="parameter_invalid")
    return min(int(limit[:12]), most)


def paged(
    request: Request,
    items: list[dict[str, Any]],
    next_page: Mapping[str, str] | None,
    path: str | None = None,
) -> JSONResponse:
    """A page; `next_page` are the parameters in which the next one's address differs, None at the end.

    `path` is the address of the next page where it differs too (a branch's name became a commit's id, so
    that all pages show one state).
    """
    response = JSONResponse(items)
    if next_page is not None:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name not in next_page]
        raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        where = quote(raw.partition(b"?")[0], safe="/%:@+,;=~") if path is None else path
        address = f"{base_url(request)}{where}?{urlencode([*kept, *next_page.items()])}"
        response.headers["Link"] = f'<{address}>; rel="next"'
    return response
