"""Pull requests as clients need them to upload a folder as one: opening it, and reading what it is.

With Xet a client opens the pull request first and then commits to its ref, in several commits. Discussing it,
merging it and lists of them are not offered yet.
"""

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.clock import iso
from allmende.errors import NotFound, NotOffered
from allmende.http import acting, reading, reading_unit, writing_unit
from allmende.hub.addresses import readable, readable_files
from allmende.hub.bodies import Body, parsed
from allmende.registry import PullRequest, Repo, find_pull_request, start_pull_request

__all__ = ["routes"]

_MAX_NUMBER_DIGITS = 9
_MAX_DESCRIPTION_CHARS = 65_536


class _Opening(Body):
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200)]
    description: str = Field(default="", max_length=_MAX_DESCRIPTION_CHARS)
    pullRequest: bool = False  # noqa: N815


def routes() -> list[Route]:
    """Routes of this module; the rest of discussions is for what is not offered."""
    repo = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
    return [
        Route(f"{repo}/discussions", acting(open_one), methods=["POST"]),
        Route(f"{repo}/discussions/{{number:segment}}", reading(details)),
    ]


def open_one(request: Request, body: bytes) -> Response:
    """`POST …/discussions` with `pullRequest`: a draft against `main`; its ref is there at once.

    Raises NotOffered for discussions, RepoNotFound, RepoGated, SignInRequired, AccessDenied.
    """
    asked = parsed(_Opening, body)
    if not asked.pullRequest:
        raise NotOffered("This hub has no discussions yet.", hint="It has pull requests.")
    with writing_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        number = start_pull_request(uow, actor, repo, asked.title, asked.description.strip())
    return JSONResponse({"num": number, "pullRequest": True})


def details(request: Request) -> Response:
    """`GET …/discussions/{number}`: a pull request. Raises RepoNotFound, NotFound."""
    text = request.path_params["number"]
    with reading_unit(request) as (uow, actor):
        repo = readable(request, uow, actor)
        found = None
        if text.isascii() and text.isdecimal() and len(text) <= _MAX_NUMBER_DIGITS:
            found = find_pull_request(uow, repo.id, int(text))
    if found is None:
        raise NotFound("There is no pull request of this number.", code="pull_request_unknown")
    return JSONResponse(_described(repo, found))


def _described(repo: Repo, found: PullRequest) -> dict[str, Any]:
    """What clients read. Whether it could be merged without conflict is not known, and said to be unknown."""
    author = {"name": found.author or "deleted"}
    comment = {
        "id": f"{found.number:024x}",
        "type": "comment",
        "createdAt": iso(found.created_at),
        "author": author,
        "data": {"edited": False, "hidden": False, "latest": {"raw": found.description}},
    }
    return {
        "num": found.number,
        "title": found.title,
        "status": "draft",
        "author": author,
        "createdAt": iso(found.created_at),
        "isPullRequest": True,
        "repo": {"name": repo.full_name, "type": repo.type},
        "changes": {"base": found.target},
        "filesWithConflicts": None,
        "events": [comment],
    }
