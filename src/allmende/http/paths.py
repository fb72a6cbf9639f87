"""Addresses whose segments may hold an encoded slash: `tree/refs%2Fpr%2F1` is one segment and not three.

Servers hand over the decoded path, in which that difference is gone. `SegmentPaths` routes on the raw
path instead: each segment is decoded by itself, and a slash inside a segment travels as NUL, which no
client may send. The convertors below turn it back.
"""

from urllib.parse import unquote_to_bytes

from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from allmende.ids import RepoType

__all__ = ["API_TYPES", "SegmentPaths", "register_convertors"]

API_TYPES: dict[str, RepoType] = {"models": "model", "datasets": "dataset", "spaces": "space"}
"""The type of a repo by what API addresses call it."""

_SLASH = "\0"
_MAX_PATH_BYTES = 16_384


class SegmentPaths:
    """Rewrites `scope["path"]` from the raw path; refuses what is not UTF-8 or holds NUL."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: bytes = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
        try:
            segments = [_decode(segment) for segment in raw.split(b"/")]
            if len(raw) > _MAX_PATH_BYTES:
                raise ValueError("too long")
        except ValueError:
            response = JSONResponse({"error": "The address is not valid.", "code": "path_invalid"}, 400)
            response.headers["X-Error-Code"] = "path_invalid"
            response.headers["X-Error-Message"] = "The address is not valid."
            await response(scope, receive, send)
            return
        await self._app({**scope, "path": "/".join(segments)}, receive, send)


def _decode(segment: bytes) -> str:
    text = unquote_to_bytes(segment).decode("utf-8")
    if _SLASH in text:
        raise ValueError("NUL in a path")
    return text.replace("/", _SLASH)


class _Segment(Convertor[str]):
    """One segment; an encoded slash in it is a slash again."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace(_SLASH, "/")

    def to_string(self, value: str) -> str:
        return value


class _Revision(_Segment):
    """A revision: one segment, or the three segments of a full ref name that a client did not encode."""

    regex = r"(?:refs/(?:heads|tags|pr|convert)/[^/]+|[^/]+)"


class _Tail(_Segment):
    """The rest of the address, slashes, line ends and all; may be empty."""

    regex = r"[\s\S]*"


class _RepoTypes(_Segment):
    """`models`, `datasets` or `spaces`, as API addresses have it."""

    regex = "(?:models|datasets|spaces)"


class _TypePrefix(_Segment):
    """What stands before the names of repos that are no models, in addresses outside the API."""

    regex = "(?:datasets|spaces)"


def register_convertors() -> None:
    """Make `{x:segment}` and the other convertors of this module known to Starlette."""
    register_url_convertor("segment", _Segment())
    register_url_convertor("revision", _Revision())
    register_url_convertor("tail", _Tail())
    register_url_convertor("repotypes", _RepoTypes())
    register_url_convertor("typeprefix", _TypePrefix())
