"""Branches, tags and history of a repo."""

import html
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.clock import iso
from allmende.errors import BadRequest, NotOffered
from allmende.http import acting, reading, reading_unit, services_of, writing_unit
from allmende.hub.addresses import changeable, readable
from allmende.hub.bodies import Body, parsed, switch
from allmende.hub.pages import page_size, paged
from allmende.registry import (
    CommitInfo,
    Ref,
    Repo,
    Revision,
    branches_and_tags,
    count_commits,
    create_branch,
    create_tag,
    delete_branch,
    delete_tag,
    log,
    resolve_revision,
    squash,
)

__all__ = ["routes"]

_MAX_PAGE = 1_000_000
_KINDS = {
    "refs/heads/": "branches",
    "refs/convert/": "converts",
    "refs/tags/": "tags",
    "refs/pr/": "pullRequests",
}


class _NewBranch(Body):
    startingPoint: str | None = None  # noqa: N815
    emptyBranch: bool = False  # noqa: N815
    overwrite: bool = False


class _NewTag(Body):
    tag: str
    message: str | None = None


class _Squash(Body):
    message: str | None = None


def routes() -> list[Route]:
    """Routes that show and move refs, and show history."""
    repo = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
    return [
        Route(f"{repo}/refs", reading(refs)),
        Route(f"{repo}/commits/{{revision:revision}}", reading(commits)),
        Route(f"{repo}/branch/{{branch:tail}}", acting(make_branch), methods=["POST"]),
        Route(f"{repo}/branch/{{branch:tail}}", reading(remove_branch), methods=["DELETE"]),
        Route(f"{repo}/tag/{{revision:tail}}", acting(make_tag), methods=["POST"]),
        Route(f"{repo}/tag/{{tag:tail}}", reading(remove_tag), methods=["DELETE"]),
        Route(f"{repo}/super-squash/{{branch:tail}}", acting(super_squash), methods=["POST"]),
    ]


def refs(request: Request) -> Response:
    """`GET …/refs`: branches and tags; pull requests where they are asked for. Raises RepoNotFound."""
    with_pull_requests = switch(request, "include_prs") or switch(request, "include_pull_requests")
    with reading_unit(request) as (uow, actor):
        found = branches_and_tags(uow, readable(request, uow, actor))
    answer: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": []}
    if with_pull_requests:
        answer["pullRequests"] = []
    for ref in found:
        for prefix, kind in _KINDS.items():
            if ref.name.startswith(prefix) and kind in answer:
                answer[kind].append(_ref(ref, prefix))
    return JSONResponse(answer)


def commits(request: Request) -> Response:
    """`GET …/commits/{revision}`, newest first, in pages. Raises RepoNotFound, RevisionNotFound."""
    size = page_size(request, services_of(request).settings.list_page_size)
    page = _page(request)
    expand = request.query_params.getlist("expand[]") + request.query_params.getlist("expand")
    with reading_unit(request) as (uow, actor):
        repo = readable(request, uow, actor)
        revision = resolve_revision(uow, repo, request.path_params["revision"])
        found = log(uow, revision, skip=page * size, limit=size)
        total = count_commits(uow, revision)
    items = [_commit(commit, formatted="formatted" in expand) for commit in found]
    more = {"p": str(page + 1)} if total > (page + 1) * size else None
    response = paged(request, items, more, _address(repo, revision))
    response.headers["X-Total-Count"] = str(total)
    return response


def make_branch(request: Request, body: bytes) -> Response:
    """`POST …/branch/{branch}`. Raises RefExists, RevisionNotFound, BadRequest, AccessDenied."""
    asked = parsed(_NewBranch, body)
    if asked.emptyBranch or asked.overwrite:
        raise NotOffered(
            "This hub makes branches from a revision, and does not overwrite them.",
            hint='Give "startingPoint"; delete the old branch first.',
        )
    branch = request.path_params["branch"]
    with writing_unit(request) as (uow, actor):
        repo = changeable(request, uow, actor)
        oid = create_branch(uow, actor, repo, branch, asked.startingPoint)
    return JSONResponse({"ref": f"refs/heads/{branch.removeprefix('refs/heads/')}", "targetCommit": oid})


def remove_branch(request: Request) -> Response:
    """`DELETE …/branch/{branch}`. Raises RevisionNotFound, BadRequest for `main`, AccessDenied."""
    with writing_unit(request) as (uow, actor):
        repo = changeable(request, uow, actor)
        delete_branch(uow, actor, repo, request.path_params["branch"])
    return JSONResponse({"deleted": request.path_params["branch"]})


def make_tag(request: Request, body: bytes) -> Response:
    """`POST …/tag/{revision}`. Raises RefExists, RevisionNotFound, BadRequest, AccessDenied."""
    asked = parsed(_NewTag, body)
    with writing_unit(request) as (uow, actor):
        repo = changeable(request, uow, actor)
        oid = create_tag(uow, actor, repo, asked.tag, request.path_params["revision"], asked.message)
    return JSONResponse({"ref": f"refs/tags/{asked.tag}", "targetCommit": oid})


def remove_tag(request: Request) -> Response:
    """`DELETE …/tag/{tag}`. Raises RevisionNotFound, AccessDenied."""
    with writing_unit(request) as (uow, actor):
        repo = changeable(request, uow, actor)
        delete_tag(uow, actor, repo, request.path_params["tag"])
    return JSONResponse({"deleted": request.path_params["tag"]})


def super_squash(request: Request, body: bytes) -> Response:
    """`POST …/super-squash/{branch}`: one commit is left. Raises RevisionNotFound, AccessDenied."""
    asked = parsed(_Squash, body)
    with writing_unit(request) as (uow, actor):
        repo = changeable(request, uow, actor)
        oid = squash(
            uow, services_of(request).queue, actor, repo, request.path_params["branch"], asked.message
        )
    return JSONResponse({"commitOid": oid})


def _ref(ref: Ref, prefix: str) -> dict[str, str]:
    return {"name": ref.name.removeprefix(prefix), "ref": ref.name, "targetCommit": ref.commit_oid}


def _commit(commit: CommitInfo, *, formatted: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": commit.oid,
        "title": commit.title,
        "message": commit.message,
        "date": iso(commit.at),
        "authors": [{"user": commit.author_name}],
        "parents": list(commit.parents),
    }
    if formatted:
        item["formatted"] = {"title": html.escape(commit.title), "message": html.escape(commit.message)}
    return item


def _page(request: Request) -> int:
    text = request.query_params.get("p", "0")
    if not text.isascii() or not text.isdecimal() or len(text) > 12 or int(text) > _MAX_PAGE:
        raise BadRequest('The parameter "p" must be the number of a page.', code="parameter_invalid")
    return int(text)


def _address(repo: Repo, revision: Revision) -> str:
    return f"/api/{repo.type}s/{repo.full_name}/commits/{revision.oid}"
