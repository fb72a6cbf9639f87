"""Style sheet, scripts and pictures of the hub, under addresses that name content; browsers keep them."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from allmende.errors import NotFound

__all__ = ["asset_path", "favicon", "robots", "static_file"]

_FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_YEAR_S = 365 * 24 * 3600

_ROBOTS = """User-agent: *
Disallow: /api/
Disallow: /login
Disallow: /*/resolve/
Disallow: /*/commit/
"""


@dataclass(frozen=True, slots=True)
class _Asset:
    data: bytes
    media_type: str
    digest: str


def asset_path(name: str) -> str:
    """The address of a file in `static/`; raises KeyError for a name that is not there."""
    asset = _assets()[name]
    stem, _, suffix = name.rpartition(".")
    return f"/static/{stem}.{asset.digest}.{suffix}"


async def static_file(request: Request) -> Response:
    """One of the files, if the address names what it holds now; raises NotFound."""
    stem, _, rest = str(request.path_params["file"]).partition(".")
    digest, _, suffix = rest.rpartition(".")
    asset = _assets().get(f"{stem}.{suffix}")
    if asset is None or asset.digest != digest:
        raise NotFound("There is no such file.")
    return _answer(request, asset, f"public, max-age={_YEAR_S}, immutable")


async def favicon(request: Request) -> Response:
    """The hub's sign, for browsers that ask for it without having read a page."""
    return _answer(request, _assets()["favicon.svg"], "public, max-age=86400")


async def robots(_request: Request) -> Response:
    """What crawlers should leave alone."""
    return PlainTextResponse(_ROBOTS, headers={"Cache-Control": "public, max-age=86400"})


def _answer(request: Request, asset: _Asset, keep: str) -> Response:
    etag = f'"{asset.digest}"'
    headers = {"Cache-Control": keep, "ETag": etag}
    if asset.media_type.startswith("text/javascript"):
        # Of a worker's script these words hold for the worker: in a sandbox browsers would not start it.
        headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in known:
        return Response(status_code=304, headers=headers)
    return Response(asset.data, media_type=asset.media_type, headers=headers)


@cache
def _assets() -> dict[str, _Asset]:
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _MEDIA_TYPES:
            data = path.read_bytes()
            found[path.name] = _Asset(data, _MEDIA_TYPES[path.suffix], hashlib.sha256(data).hexdigest()[:12])
    return found
