"""Before an upload: whether each file goes into the commit or by LFS, and what is there already."""

import base64
import binascii
import codecs
from collections.abc import Callable
from functools import cache

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest, TooLarge
from allmende.formats import GitAttributes, GitIgnore, parse_gitattributes, parse_gitignore
from allmende.http import acting, reading_unit, services_of
from allmende.hub.addresses import readable_files
from allmende.hub.bodies import Body, parsed, switch
from allmende.registry import (
    FileEntry,
    Repo,
    Revision,
    check_may_submit,
    check_path,
    find_entry,
    read_blob,
    resolve_revision,
)
from allmende.settings import Settings
from allmende.storage import UnitOfWork

__all__ = ["routes"]

_MAX_FILES = 256
_MAX_SAMPLE_CHARS = 64 * 1024
_ATTRIBUTES = ".gitattributes"
_IGNORE = ".gitignore"


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
        rules = _Rules(uow, repo, revision, asked.git_ignore)
        answers = [_answer(uow, revision, rules, file, settings) for file in asked.files]
    return JSONResponse({"files": answers})


class _Rules:
    """The path rules of a revision, read when they are first needed.

    The files that hold the rules are not subject to them: rules beyond what is matched can be replaced.
    """

    def __init__(self, uow: UnitOfWork, repo: Repo, revision: Revision, git_ignore: str | None) -> None:
        def text_of(path: str) -> bytes:
            found = find_entry(uow, revision.commit.tree_oid, path)
            inline = found is not None and not found.is_directory and found.pointer is None
            return read_blob(uow, repo.id, found.oid) if found is not None and inline else b""

        def attributes() -> GitAttributes:
            return parse_gitattributes(text_of(_ATTRIBUTES))

        def ignore() -> GitIgnore:
            own = git_ignore if git_ignore is not None else text_of(_IGNORE).decode("utf-8", "replace")
            return parse_gitignore(own)

        self._attributes: Callable[[], GitAttributes] = cache(attributes)
        self._ignore: Callable[[], GitIgnore] = cache(ignore)

    def is_lfs(self, path: str) -> bool:
        return path not in {_ATTRIBUTES, _IGNORE} and self._attributes().is_lfs(path)

    def ignores(self, path: str) -> bool:
        return path not in {_ATTRIBUTES, _IGNORE} and self._ignore().ignores(path)


def _check(file: _File, settings: Settings) -> None:
    check_path(file.path)
    if file.size > settings.max_file_bytes:
        raise TooLarge(
            f"{file.path!r} has {file.size} bytes; this hub accepts {settings.max_file_bytes} at most."
        )


def _answer(
    uow: UnitOfWork, revision: Revision, rules: _Rules, file: _File, settings: Settings
) -> dict[str, object]:
    return {
        "path": file.path,
        "uploadMode": "lfs" if _is_large(file, rules, settings) else "regular",
        "shouldIgnore": rules.ignores(file.path),
        "oid": _present_oid(find_entry(uow, revision.commit.tree_oid, file.path)),
    }


def _is_large(file: _File, rules: _Rules, settings: Settings) -> bool:
    """Whether the bytes go by LFS. Clients send empty files inline whatever we say."""
    if file.size == 0:
        return False
    return (
        file.size > settings.max_inline_bytes
        or rules.is_lfs(file.path)
        or _is_binary(_sample(file), is_whole=len(file.sample) * 3 // 4 >= file.size)
    )


def _sample(file: _File) -> bytes:
    try:
        return base64.b64decode(file.sample, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"The sample of {file.path!r} is not base64.", code="sample_invalid") from error


def _is_binary(sample: bytes, *, is_whole: bool) -> bool:
    """Whether these first bytes are not those of a text; a sample may end inside a character."""
    if b"\0" in sample:
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(sample, final=is_whole)
    except UnicodeDecodeError:
        return True
    return False


def _present_oid(found: FileEntry | None) -> str | None:
    """What a client compares with its own file: SHA-256 of an LFS file, git's SHA-1 of any other."""
    if found is None or found.is_directory:
        return None
    return found.oid if found.pointer is None else found.pointer.oid
