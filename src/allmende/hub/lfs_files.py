"""The large contents that a repo holds: listing them, and taking them out for good."""

from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.clock import iso
from allmende.errors import BadRequest, NotFound, NotOffered
from allmende.http import acting, reading, reading_unit, services_of, writing_unit
from allmende.hub.addresses import changeable
from allmende.hub.bodies import Body, parsed
from allmende.hub.pages import CursorInvalid, cursor_of, page_size, paged, position_at
from allmende.ids import Sha256, is_sha256
from allmende.registry import HeldContent, delete_contents, held_content, list_held

__all__ = ["routes"]

_MAX_DELETIONS = 1000
"""As many as stock clients send at once."""


class _Deletions(Body):
    sha: list[str] = Field(max_length=_MAX_DELETIONS)
    rewriteHistory: bool = True  # noqa: N815


class _Batch(Body):
    deletions: _Deletions


def routes() -> list[Route]:
    """Routes about the contents of a repo as a whole."""
    repo = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
    return [
        Route(f"{repo}/lfs-files", reading(listing)),
        Route(f"{repo}/lfs-files/batch", acting(batch), methods=["POST"]),
        Route(f"{repo}/lfs-files/duplicate", reading(copy_between_repos), methods=["POST"]),
    ]


def listing(request: Request) -> Response:
    """`GET …/lfs-files`: all contents, of every revision, in pages. Raises RepoNotFound, AccessDenied."""
    size = page_size(request, services_of(request).settings.list_page_size)
    (after,) = position_at(request, str) or (None,)
    if after is not None and not is_sha256(after):
        raise CursorInvalid
    with reading_unit(request) as (uow, actor):
        repo = changeable(request, uow, actor)
        held = list_held(uow, repo.id, None if after is None else Sha256(after), size + 1)
    more = {"cursor": cursor_of(held[size - 1].sha256)} if len(held) > size else None
    return paged(request, [_item(content) for content in held[:size]], more)


def batch(request: Request, body: bytes) -> Response:
    """`POST …/lfs-files/batch`: delete contents, and with `rewriteHistory` their paths from all revisions.

    Raises RepoNotFound, AccessDenied, BadRequest for what is no SHA-256, NotFound when the repo holds none.
    """
    asked = parsed(_Batch, body).deletions
    wrong = [text for text in asked.sha if not is_sha256(text)]
    if wrong:
        raise BadRequest(f"{wrong[0][:80]!r} is not a SHA-256.", code="sha256_invalid")
    hashes = [Sha256(text) for text in dict.fromkeys(asked.sha)]
    with writing_unit(request) as (uow, actor):
        repo = changeable(request, uow, actor)
        doomed = [sha256 for sha256 in hashes if held_content(uow, repo.id, sha256) is not None]
        if hashes and not doomed:
            raise NotFound("The repo holds none of these files.", code="content_not_held")
        if doomed:
            queue = services_of(request).queue
            delete_contents(uow, queue, actor, repo, doomed, rewrite=asked.rewriteHistory)
    return JSONResponse({"deleted": doomed})


def copy_between_repos(_request: Request) -> Response:
    """`POST …/lfs-files/duplicate`: a matter of Xet storage. Raises NotOffered."""
    raise NotOffered(
        "This hub does not copy single files between repos without their bytes.",
        hint="Upload the file: bytes that are stored already take no more room.",
    )


def _item(held: HeldContent) -> dict[str, Any]:
    return {
        "fileOid": held.sha256,
        "oid": held.sha256,
        "filename": held.filename,
        "size": held.size_bytes,
        "pushedAt": iso(held.pushed_at),
        "ref": held.ref,
    }
