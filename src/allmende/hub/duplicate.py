"""`POST /api/{types}/{id}/duplicate`: a repo with the files of another, without copying bytes."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.http import acting, services_of, writing_unit
from allmende.hub.addresses import readable_files, repo_url
from allmende.hub.bodies import Body, parsed, visibility
from allmende.registry import duplicate_repo

__all__ = ["routes"]


class _Duplicate(Body):
    repository: str
    visibility: str | None = None
    private: bool | None = None


def routes() -> list[Route]:
    """The one route."""
    address = "/api/{types:repotypes}/{namespace:segment}/{name:segment}/duplicate"
    return [Route(address, acting(duplicate), methods=["POST"])]


def duplicate(request: Request, body: bytes) -> Response:
    """Raises RepoNotFound, RepoGated, SignInRequired, AccessDenied, NameInvalid, RepoExists."""
    asked = parsed(_Duplicate, body)
    private = visibility(asked.visibility, asked.private)
    namespace, slash, name = asked.repository.rpartition("/")
    with writing_unit(request) as (uow, actor):
        source = readable_files(request, uow, actor)
        caller = actor.require_account()
        queue = services_of(request).queue
        copy = duplicate_repo(
            uow, queue, actor, source, namespace if slash else caller.name, name, private=private
        )
    return JSONResponse({"url": repo_url(request, copy), "filesCopyPending": False})
