"""`GET /api/{types}/{id}`: what a repo is, at the head of `main` or at any revision."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.http import reading, reading_unit, services_of
from allmende.hub.addresses import readable, repo_type
from allmende.hub.bodies import switch
from allmende.hub.repo_fields import (
    INFO_FIELDS,
    check_expand,
    describe_head,
    describe_revision,
    describe_scan,
)
from allmende.registry import MAIN, RepoNotFound, resolve_revision

__all__ = ["expand_of", "routes"]


def routes() -> list[Route]:
    """Routes that describe one repo."""
    repo = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
    return [
        Route("/api/{types:repotypes}/{name:segment}", reading(bare_name)),
        Route(repo, reading(info)),
        Route(f"{repo}/revision/{{revision:revision}}", reading(info)),
    ]


def info(request: Request) -> Response:
    """The repo's fields, or those that `expand` names. Raises RepoNotFound, RevisionNotFound, BadRequest.

    A gated repo is described to everybody who may know of it: the gate is before its files.
    """
    expand = check_expand(repo_type(request), expand_of(request))
    blobs = switch(request, "blobs")
    security = switch(request, "securityStatus")
    with reading_unit(request) as (uow, actor):
        repo = readable(request, uow, actor)
        revision = resolve_revision(uow, repo, request.path_params.get("revision", MAIN))
        fields = expand or INFO_FIELDS[repo.type]
        describe = describe_head if revision.ref == MAIN else describe_revision
        answer = describe(uow, actor, repo, revision, fields, blobs=blobs)
        if security or "securityRepoStatus" in expand:
            answer["securityRepoStatus"] = describe_scan(services_of(request), uow, repo, revision)
    return JSONResponse(answer)


def expand_of(request: Request) -> list[str]:
    """The fields that the request asks for, in any of the ways in which clients write a list."""
    values = request.query_params.getlist("expand") + request.query_params.getlist("expand[]")
    return [field for value in values for field in value.split(",") if field]


def bare_name(_request: Request) -> Response:
    """A repo without a namespace: there are none here. Raises RepoNotFound."""
    raise RepoNotFound
