"""The LFS batch call (git-lfs API v1): for each content, whether its bytes are wanted and where they go.

A content counts as present only for those who have uploaded it or may read a repo that holds it. To all
others it is wanted in full, whether the hub has it or not: the answer tells nobody what others keep here.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.clock import iso
from allmende.errors import AllmendeError, BadRequest, Conflict, NotFound, NotOffered, TooLarge
from allmende.flows import DELTA_TRANSFER
from allmende.http import (
    acting,
    base_url,
    check_may_upload,
    door_of,
    link_for,
    reading_unit,
    services_of,
    signed_address,
    status_of,
    writing_unit,
)
from allmende.hub.addresses import readable_files, repo_address, repo_routes
from allmende.hub.bodies import Body, parsed
from allmende.ids import Sha256, is_sha256
from allmende.registry import Actor, Repo, held_content, usable
from allmende.settings import Settings
from allmende.storage import Content, UnitOfWork, begin_upload

__all__ = ["LFS_JSON", "routes"]

LFS_JSON = "application/vnd.git-lfs+json"

_MAX_OBJECTS = 256
_MAX_PARTS = 1000
_MIB = 1024 * 1024


class _Object(Body):
    oid: str = Field(max_length=256)
    size: int


class _Batch(Body):
    operation: str
    objects: list[_Object]
    transfers: tuple[str, ...] = ("basic",)
    hash_algo: str = "sha256"


class HashNotKnown(Conflict):
    """The client names its contents by a hash that is not SHA-256."""

    code = "hash_algo_unknown"


def routes() -> list[Route]:
    """Routes of this module."""
    return [
        *repo_routes("/info/lfs/objects/batch", acting(batch), ["POST"]),
        *repo_routes("/info/lfs/objects/verify", acting(verify), ["POST"]),
        *repo_routes("/info/lfs/locks", acting(locks), ["GET", "POST"]),
        *repo_routes("/info/lfs/locks/{rest:tail}", acting(locks), ["POST"]),
    ]


def batch(request: Request, body: bytes) -> Response:
    """`POST /{repo}.git/info/lfs/objects/batch`: an action, an error or nothing to do, for each content."""
    asked = parsed(_Batch, body)
    if asked.hash_algo != "sha256":
        raise HashNotKnown("Contents are named by SHA-256 here.", hint='Use "hash_algo": "sha256".')
    if len(asked.objects) > _MAX_OBJECTS:
        raise TooLarge(
            f"{len(asked.objects)} objects were asked about; at most {_MAX_OBJECTS} in one call.",
            hint="Ask in several calls.",
            code="too_many_objects",
        )
    if asked.operation == "upload":
        return _upload_batch(request, asked)
    if asked.operation == "download":
        return _download_batch(request, asked)
    raise BadRequest('"operation" must be "upload" or "download".', code="operation_unknown")


def verify(request: Request, body: bytes) -> Response:
    """`POST /{repo}.git/info/lfs/objects/verify`: whether the caller's upload has arrived."""
    asked = parsed(_Object, body)
    with reading_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        check_may_upload(actor, repo)
        found = usable(uow, actor, repo, [Sha256(asked.oid)]).get(Sha256(asked.oid))
    if found is None or found.size_bytes != asked.size:
        raise NotFound("This content has not arrived.", hint="Upload it again.", code="content_not_uploaded")
    return _lfs_json({"oid": asked.oid, "size": asked.size})


def locks(_request: Request, _body: bytes) -> Response:
    """File locks of git-lfs; clients go on without them when they are refused like this."""
    raise NotOffered("This hub does not lock files.", code="locks_not_offered")


def _upload_batch(request: Request, asked: _Batch) -> Response:
    settings = services_of(request).settings
    with reading_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        check_may_upload(actor, repo)
        known = usable(uow, actor, repo, _hashes(asked))
    errors = {item: _refusal(item, known, settings) for item in asked.objects}
    wanted = [item for item, error in errors.items() if error is None and not _present(item, known)]
    as_deltas = DELTA_TRANSFER in asked.transfers
    multipart = "multipart" in asked.transfers and not as_deltas
    threshold = settings.multipart_threshold_bytes if multipart else None
    large = [item for item in wanted if threshold is not None and item.size > threshold]
    uploads = _begin(request, large)
    uploads.update(
        (item, _upload(request, actor, repo, item, as_delta=as_deltas))
        for item in wanted
        if item not in uploads
    )
    answers = []
    for item in asked.objects:
        answer: dict[str, Any] = {"oid": item.oid, "size": item.size}
        if (error := errors[item]) is not None:
            answer["error"] = error
        elif item in uploads:
            answer["authenticated"] = True
            answer["actions"] = {"upload": uploads[item], "verify": _verify(request, repo)}
        answers.append(answer)
    transfer = DELTA_TRANSFER if as_deltas else "multipart" if large else "basic"
    return _lfs_json({"transfer": transfer, "objects": answers})


def _hashes(asked: _Batch) -> list[Sha256]:
    return [Sha256(item.oid) for item in asked.objects if is_sha256(item.oid)]


def _refusal(item: _Object, known: Mapping[Sha256, Content], settings: Settings) -> dict[str, object] | None:
    """What is wrong with an object, as the batch call says it; None when nothing is."""
    if not is_sha256(item.oid):
        return {"code": 422, "message": "The oid is not a SHA-256 in lowercase hexadecimal digits."}
    if item.size < 0:
        return {"code": 422, "message": "The size is negative."}
    if item.size > settings.max_file_bytes:
        return {"code": 413, "message": f"This hub accepts files of at most {settings.max_file_bytes} bytes."}
    found = known.get(Sha256(item.oid))
    if found is not None and found.size_bytes != item.size:
        return {"code": 422, "message": f"The content of this SHA-256 has {found.size_bytes} bytes."}
    return None


def _present(item: _Object, known: Mapping[Sha256, Content]) -> bool:
    """Whether nothing needs to be sent; a damaged content is welcome again."""
    found = known.get(Sha256(item.oid))
    return found is not None and found.damaged is None


def _upload(
    request: Request, actor: Actor, repo: Repo, item: _Object, *, as_delta: bool
) -> dict[str, object]:
    link = link_for(actor, repo, Sha256(item.oid), item.size)
    if as_delta:
        href = signed_address(request, "lfs-delta", f"/lfs/deltas/{item.oid}", link)
    else:
        href = signed_address(request, "lfs-upload", f"/lfs/objects/{item.oid}", link)
    return {"href": href, **_validity(request, services_of(request).settings.upload_ttl_s)}


def _begin(request: Request, large: Sequence[_Object]) -> dict[_Object, dict[str, object]]:
    """Uploads in parts, opened or taken up again; the parts' addresses are named by their numbers."""
    if not large:
        return {}
    settings = services_of(request).settings
    actions: dict[_Object, dict[str, object]] = {}
    with writing_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        account = check_may_upload(actor, repo)
        for item in large:
            opened = begin_upload(
                uow,
                account.id,
                repo.id,
                Sha256(item.oid),
                item.size,
                _part_bytes(item.size, settings),
                settings.upload_ttl_s,
            )
            link = link_for(actor, repo, opened.sha256, item.size, opened.id)
            address = signed_address(request, "lfs-multipart", f"/lfs/uploads/{opened.id}", link)
            path, _, query = address.partition("?")
            header = {str(n): f"{path}/parts/{n}?{query}" for n in range(1, opened.parts + 1)}
            actions[item] = {
                "href": address,
                "header": {"chunk_size": str(opened.part_bytes), **header},
                **_validity(request, settings.upload_ttl_s),
            }
    return actions


def _part_bytes(size_bytes: int, settings: Settings) -> int:
    """The part size of the settings, or larger where the parts would be too many to name in one answer."""
    least = -(-size_bytes // _MAX_PARTS)
    return max(settings.multipart_part_bytes, -(-least // _MIB) * _MIB)


def _verify(request: Request, repo: Repo) -> dict[str, object]:
    return {"href": f"{base_url(request)}/{repo_address(repo)}.git/info/lfs/objects/verify"}


def _download_batch(request: Request, asked: _Batch) -> Response:
    with reading_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        answers = [_download(request, uow, actor, repo, item) for item in asked.objects]
    return _lfs_json({"transfer": "basic", "objects": answers})


def _download(
    request: Request, uow: UnitOfWork, actor: Actor, repo: Repo, item: _Object
) -> dict[str, object]:
    answer: dict[str, object] = {"oid": item.oid, "size": item.size}
    found = held_content(uow, repo.id, Sha256(item.oid)) if is_sha256(item.oid) else None
    if found is None or found.size_bytes != item.size:
        return {**answer, "error": {"code": 404, "message": "The repo holds no such content of that size."}}
    door = door_of(request, actor, repo)
    try:
        door.check_content(uow, found.sha256)
    except AllmendeError as refusal:
        return {**answer, "error": {"code": status_of(refusal), "message": refusal.message}}
    link = link_for(actor, repo, found.sha256, found.size_bytes, unsafe=door.unsafe)
    href = signed_address(request, "lfs-download", f"/lfs/objects/{found.sha256}", link)
    validity = _validity(request, services_of(request).settings.download_ttl_s)
    return {**answer, "authenticated": True, "actions": {"download": {"href": href, **validity}}}


def _validity(request: Request, ttl_s: int) -> dict[str, object]:
    expires = services_of(request).database.clock() + timedelta(seconds=ttl_s)
    return {"expires_in": ttl_s, "expires_at": iso(expires)}


def _lfs_json(value: Mapping[str, object]) -> Response:
    return JSONResponse(value, media_type=LFS_JSON)
