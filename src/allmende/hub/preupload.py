"""Before an upload: whether each file goes into the commit or by LFS, and what is there already."""

import base64
import binascii

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest, TooLarge
from allmende.flows import UploadRules, present_oid
from allmende.http import acting, reading_unit, services_of
from allmende.hub.addresses import readable_files
from allmende.hub.bodies import Body, parsed, switch
from allmende.registry import Revision, check_may_submit, check_path, find_entry, resolve_revision
from allmende.settings import Settings
from allmende.storage import UnitOfWork

__all__ = ["routes"]

_MAX_FILES = 256
_MAX_SAMPLE_CHARS = 64 * 1024


class _File(Body):
    path: str
    size: int = Field(ge=0)
    sample: str = Field("", max_length=_MAX_SAMPLE_CHARS)


class _Preupload(Body):
    files: list[_File]
    git_ignore: str | None = Field(None, alias="gitIgnore")


def routes() -> list[Route]:
    """Routes of this module."""
    address = "/api/{types:repotypes}/{namespace:segment}/{name:segment}/preupload/{revision:revision}"
    return [Route(address, acting(preupload), methods=["POST"])]


def preupload(request: Request, body: bytes) -> Response:
    """`POST …/preupload/{revision}`: mode of each file, whether it is ignored, id of what is there."""
    asked = parsed(_Preupload, body)
    if len(asked.files) > _MAX_FILES:
        raise BadRequest(
            f"{len(asked.files)} files were asked about; at most {_MAX_FILES} in one call.",
            hint="Ask in several calls.",
            code="too_many_files",
        )
    settings = services_of(request).settings
    for file in asked.files:
        _check(file, settings)
    with reading_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        name = request.path_params["revision"]
        check_may_submit(uow, actor, repo, name, create_pr=switch(request, "create_pr"))
        revision = resolve_revision(uow, repo, name)
        rules = UploadRules(uow, repo, revision, settings.max_inline_bytes, asked.git_ignore)
        answers = [_answer(uow, revision, rules, file) for file in asked.files]
    return JSONResponse({"files": answers})


def _check(file: _File, settings: Settings) -> None:
    check_path(file.path)
    if file.size > settings.max_file_bytes:
        raise TooLarge(
            f"{file.path!r} has {file.size} bytes; this hub accepts {settings.max_file_bytes} at most."
        )


def _answer(uow: UnitOfWork, revision: Revision, rules: UploadRules, file: _File) -> dict[str, object]:
    return {
        "path": file.path,
        "uploadMode": "lfs" if rules.is_large(file.path, file.size, _sample(file)) else "regular",
        "shouldIgnore": rules.ignores(file.path),
        "oid": present_oid(find_entry(uow, revision.commit.tree_oid, file.path)),
    }


def _sample(file: _File) -> bytes:
    try:
        return base64.b64decode(file.sample, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"The sample of {file.path!r} is not base64.", code="sample_invalid") from error
