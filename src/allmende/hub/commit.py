"""The commit call: every way in which stock clients change the files of a repo ends here."""

from dataclasses import replace

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.errors import TooLarge
from allmende.failpoints import reach
from allmende.http import CommitLines, read_commit_lines, reading_unit, services_of, writing_unit
from allmende.hub.addresses import readable_files, repo_url
from allmende.hub.bodies import switch
from allmende.ids import GitOid
from allmende.registry import Received, Repo, check_may_submit, prepare, receive, resolve_revision
from allmende.storage import UnitOfWork

__all__ = ["routes"]

_UNCHECKED_BYTES = 256 * 1024
"""Smaller bodies are read before the caller's rights are looked at, which saves a transaction."""


def routes() -> list[Route]:
    """Routes of this module."""
    address = "/api/{types:repotypes}/{namespace:segment}/{name:segment}/commit/{revision:revision}"
    return [Route(address, commit, methods=["POST"])]


async def commit(request: Request) -> Response:
    """`POST …/commit/{revision}`: operations as JSON lines, applied in one commit or not at all.

    With `create_pr` they become a pull request. `hot_reload` is taken and has no effect here.
    """
    settings = services_of(request).settings
    declared = request.headers.get("content-length", "")
    declared_bytes = int(declared) if declared.isdecimal() and len(declared) < 20 else None
    if declared_bytes is not None and declared_bytes > settings.max_commit_bytes:
        raise TooLarge(
            f"The commit has {declared_bytes} bytes; at most {settings.max_commit_bytes} are accepted.",
            hint="Split it into several commits, or upload large files as LFS files.",
        )
    if declared_bytes is None or declared_bytes > _UNCHECKED_BYTES:
        await run_sync(_check_rights, request)
    lines, last = await read_commit_lines(request, settings)
    return await run_sync(_apply, request, lines, last)


def _check_rights(request: Request) -> None:
    """Whoever may not write here need not send it all, and must not fill our memory."""
    with reading_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        revision = request.path_params["revision"]
        check_may_submit(uow, actor, repo, revision, create_pr=switch(request, "create_pr"))


def _apply(request: Request, lines: CommitLines, last: bytearray) -> Response:
    services = services_of(request)
    lines.feed(last)
    submission = lines.finish(request.path_params["revision"], create_pr=switch(request, "create_pr"))
    prepared = prepare(submission, services.settings.max_inline_bytes)
    reach("commit.before_transaction")
    with writing_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        check_may_submit(uow, actor, repo, submission.revision, create_pr=submission.create_pr)
        parent = _parent(uow, repo, lines.parent)
        bound = replace(prepared, submission=replace(submission, parent=parent))
        received = receive(uow, services.queue, actor, repo, bound)
        reach("commit.before_database")
    reach("commit.before_answer")
    return JSONResponse(_answer(request, repo, received))


def _parent(uow: UnitOfWork, repo: Repo, claimed: str | None) -> GitOid | None:
    """The full id of the claimed parent; clients may shorten it. Raises RevisionNotFound."""
    if claimed is None:
        return None
    return GitOid(claimed) if len(claimed) == 40 else resolve_revision(uow, repo, claimed).oid


def _answer(request: Request, repo: Repo, received: Received) -> dict[str, object]:
    address = repo_url(request, repo)
    answer: dict[str, object] = {
        "success": True,
        "commitOid": received.commit_oid,
        "commitUrl": f"{address}/commit/{received.commit_oid}",
        "hookOutput": "",
    }
    if received.pull_request is not None:
        answer["pullRequestUrl"] = f"{address}/discussions/{received.pull_request}"
    return answer
