"""The large contents that a repo holds: listing them, and taking them out for good."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.clock import iso
from allmende.errors import BadRequest, NotFound
from allmende.flows import forget_lineage_of_contents, note_scopes_changed
from allmende.http import (
    API_TYPES,
    acting,
    check_may_upload,
    reading,
    reading_unit,
    services_of,
    writing_unit,
)
from allmende.hub.addresses import changeable, readable_files
from allmende.hub.bodies import Body, parsed
from allmende.hub.pages import CursorInvalid, cursor_of, page_size, paged, position_at
from allmende.ids import RepoType, Sha256, XetHash, is_sha256, is_xet_hash
from allmende.registry import (
    Actor,
    HeldContent,
    Repo,
    RepoMoved,
    RepoNotFound,
    delete_contents,
    held_content,
    held_contents,
    list_held,
    readable_repo,
    record_copies,
)
from allmende.storage import Content, UnitOfWork, find_xet_file

__all__ = ["routes"]

_MAX_DELETIONS = 1000
"""As many as stock clients send at once."""
_MAX_COPIES = 1000


class _Deletions(Body):
    sha: list[str] = Field(max_length=_MAX_DELETIONS)
    rewriteHistory: bool = True  # noqa: N815


class _Batch(Body):
    deletions: _Deletions


class _Target(Body):
    type: str
    name: str


class _CopiedFile(Body):
    xetHash: str  # noqa: N815
    sha256: str = Field(max_length=64)
    filename: str = Field(max_length=4096)


class _Copies(Body):
    target: _Target
    files: list[_CopiedFile] = Field(max_length=_MAX_COPIES)


def routes() -> list[Route]:
    """Routes about the contents of a repo as a whole."""
    repo = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
    return [
        Route(f"{repo}/lfs-files", reading(listing)),
        Route(f"{repo}/lfs-files/batch", acting(batch), methods=["POST"]),
        Route(f"{repo}/lfs-files/duplicate", acting(copy_between_repos), methods=["POST"]),
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
            services = services_of(request)
            delete_contents(uow, services.queue, actor, repo, doomed, rewrite=asked.rewriteHistory)
            forget_lineage_of_contents(services, uow, repo, doomed)
            note_scopes_changed(services, uow)
    return JSONResponse({"deleted": doomed})


def copy_between_repos(request: Request, body: bytes) -> Response:
    """`POST …/lfs-files/duplicate`: make contents of this repo known to another one, without their bytes.

    The commit that follows links them there. Says of each file that this repo does not hold, or whose hashes
    do not belong together, why it failed. Raises RepoNotFound, RepoGated, and for the target SignInRequired,
    AccessDenied.
    """
    asked = parsed(_Copies, body)
    target_type = API_TYPES.get(f"{asked.target.type}s")
    if target_type is None:
        raise BadRequest(f"{asked.target.type[:40]!r} is not a type of repo.", code="type_unknown")
    with writing_unit(request) as (uow, actor):
        source = readable_files(request, uow, actor)
        target = _target(uow, actor, target_type, asked.target.name)
        held = held_contents(uow, source.id, [Sha256(file.sha256) for file in asked.files])
        refused = {
            file.sha256: why for file in asked.files if (why := _objection(uow, file, held)) is not None
        }
        names = {file.sha256: file.filename for file in asked.files if file.sha256 not in refused}
        record_copies(uow, actor, source, target, {Sha256(sha256): name for sha256, name in names.items()})
    return JSONResponse({"failed": [{"sha256": sha256, "error": why} for sha256, why in refused.items()]})


def _target(uow: UnitOfWork, actor: Actor, target_type: RepoType, name: str) -> Repo:
    try:
        target = readable_repo(uow, actor, target_type, name)
    except RepoMoved as moved:
        raise RepoNotFound from moved
    check_may_upload(actor, target)
    return target


def _objection(uow: UnitOfWork, file: "_CopiedFile", held: Mapping[Sha256, Content]) -> str | None:
    content = held.get(Sha256(file.sha256))
    known = find_xet_file(uow, XetHash(file.xetHash)) if is_xet_hash(file.xetHash) else None
    if content is None or known is None or known.sha256 != content.sha256:
        return "The repo holds no such file."
    return None if content.damaged is None else "The stored bytes of this file are damaged."


def _item(held: HeldContent) -> dict[str, Any]:
    return {
        "fileOid": held.sha256,
        "oid": held.sha256,
        "filename": held.filename,
        "size": held.size_bytes,
        "pushedAt": iso(held.pushed_at),
        "ref": held.ref,
    }
