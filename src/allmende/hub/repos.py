"""Making, renaming, changing and deleting repos, and asking what one may do with them."""

from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.clock import iso
from allmende.errors import BadRequest, NotOffered
from allmende.flows import change_repo, remove_repo, rename_repo
from allmende.formats import SPACE_SDKS
from allmende.http import acting, base_url, reading, reading_unit, services_of, writing_unit
from allmende.hub.addresses import PREFIX, changeable, readable_files, repo_url
from allmende.hub.bodies import Body, parsed, visibility
from allmende.hub.pages import cursor_of, page_size, paged, position_at
from allmende.ids import RepoType
from allmende.registry import (
    AccessDenied,
    Account,
    AccountNotFound,
    Actor,
    Gate,
    Repo,
    RepoMoved,
    RepoNotFound,
    RepoQuery,
    changeable_repo,
    create_repo,
    find_account,
    grant_access,
    list_repos,
    storage_of,
    visible_storage,
)
from allmende.storage import UnitOfWork

__all__ = ["routes"]

_TYPES: dict[str, RepoType] = {"model": "model", "dataset": "dataset", "space": "space"}


class _Named(Body):
    """How `create` and `delete` name a repo: `name` may be the full name too."""

    name: str
    organization: str | None = None
    type: str | None = None


class _New(_Named):
    visibility: str | None = None
    private: bool | None = None
    sdk: str | None = None
    template: str | None = None


class _Move(Body):
    fromRepo: str  # noqa: N815
    toRepo: str  # noqa: N815
    type: str | None = None


class _Settings(Body):
    gated: Literal["auto", "manual", False] | None = None
    visibility: str | None = None
    private: bool | None = None
    xetReads: bool | None = None  # noqa: N815


class _Grant(Body):
    user: str


def routes() -> list[Route]:
    """Routes that change repos as a whole, and those that tell what the caller may do."""
    repo = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
    return [
        Route("/api/repos/create", acting(create), methods=["POST"]),
        Route("/api/repos/delete", acting(delete), methods=["DELETE"]),
        Route("/api/repos/move", acting(move), methods=["POST"]),
        Route("/api/settings/repositories", reading(own_repositories)),
        Route(
            "/api/organizations/{organization:segment}/settings/repositories",
            reading(organization_repositories),
        ),
        Route(f"{repo}/settings", acting(settings), methods=["PUT"]),
        Route(f"{repo}/auth-check", reading(auth_check)),
        Route(f"{repo}/auth-check/write", reading(auth_check_write)),
        Route(f"{repo}/user-access-request/grant", acting(grant), methods=["POST"]),
    ]


def create(request: Request, body: bytes) -> Response:
    """`POST /api/repos/create`. Raises SignInRequired, AccessDenied, NameInvalid, RepoExists, NotOffered."""
    asked = parsed(_New, body)
    repo_type = _type(asked.type)
    private = visibility(asked.visibility, asked.private)
    details = _details(asked, repo_type)
    with writing_unit(request) as (uow, actor):
        namespace, name = _full_name(asked, actor.require_account())
        made = create_repo(
            uow,
            services_of(request).queue,
            actor,
            repo_type,
            namespace,
            name,
            private=private,
            details=details,
        )
    return JSONResponse(
        {
            "url": repo_url(request, made),
            "id": made.public_id,
            "name": made.full_name,
            "type": made.type,
            "private": made.private,
        }
    )


def delete(request: Request, body: bytes) -> Response:
    """`DELETE /api/repos/delete`. Raises RepoNotFound, SignInRequired, AccessDenied."""
    asked = parsed(_Named, body)
    repo_type = _type(asked.type)
    with writing_unit(request) as (uow, actor):
        namespace, name = _full_name(asked, actor.require_account())
        found = _named(uow, actor, repo_type, f"{namespace}/{name}")
        remove_repo(services_of(request), uow, actor, found)
    return JSONResponse({"deleted": found.full_name})


def move(request: Request, body: bytes) -> Response:
    """`POST /api/repos/move`. Raises RepoNotFound, SignInRequired, AccessDenied, NameInvalid, RepoExists."""
    asked = parsed(_Move, body)
    repo_type = _type(asked.type)
    for full_name in (asked.fromRepo, asked.toRepo):
        if full_name.count("/") != 1:
            raise BadRequest(f"{full_name[:200]!r} is not of the form namespace/name.", code="name_invalid")
    with writing_unit(request) as (uow, actor):
        found = _named(uow, actor, repo_type, asked.fromRepo)
        moved = rename_repo(services_of(request), uow, actor, found, asked.toRepo)
    return JSONResponse({"url": f"{base_url(request)}/{PREFIX[moved.type]}{moved.full_name}"})


def settings(request: Request, body: bytes) -> Response:
    """`PUT /api/{types}/{id}/settings`: gate, visibility, Xet reads. Raises BadRequest when it names none."""
    asked = parsed(_Settings, body)
    private = visibility(asked.visibility, asked.private)
    gate: Gate | None = "" if asked.gated is False else asked.gated
    if private is None and gate is None and asked.xetReads is None:
        raise BadRequest(
            "None of these settings exists here.",
            hint='This hub knows "gated", "visibility", "private" and "xetReads".',
        )
    with writing_unit(request) as (uow, actor):
        found = change_repo(
            services_of(request),
            uow,
            actor,
            changeable(request, uow, actor),
            private=private,
            gated=gate,
            xet_reads=asked.xetReads,
        )
    return JSONResponse(
        {"private": found.private, "gated": found.gated or False, "xetReads": found.xet_reads}
    )


def auth_check(request: Request) -> Response:
    """`GET /api/{types}/{id}/auth-check`: 200 if the caller may read the repo's files."""
    with reading_unit(request) as (uow, actor):
        readable_files(request, uow, actor)
    return JSONResponse({"allowed": True})


def auth_check_write(request: Request) -> Response:
    """`GET /api/{types}/{id}/auth-check/write`: 200 if the caller may change the repo."""
    with reading_unit(request) as (uow, actor):
        changeable(request, uow, actor)
    return JSONResponse({"allowed": True})


def grant(request: Request, body: bytes) -> Response:
    """`POST …/user-access-request/grant`. Raises AccountNotFound, BadRequest, AccessDenied."""
    asked = parsed(_Grant, body)
    with writing_unit(request) as (uow, actor):
        found = changeable(request, uow, actor)
        user = find_account(uow, asked.user)
        if user is None or user.kind != "user":
            raise AccountNotFound(asked.user[:100])
        grant_access(uow, actor, found, user)
    return JSONResponse({"user": user.name, "status": "accepted"})


def own_repositories(request: Request) -> Response:
    """`GET /api/settings/repositories`: the caller's repos and their storage, in pages."""
    with reading_unit(request) as (uow, actor):
        return _with_storage(request, uow, actor, actor.require_account())


def organization_repositories(request: Request) -> Response:
    """The same of an organisation, for its members. Raises AccountNotFound, AccessDenied."""
    name = request.path_params["organization"]
    with reading_unit(request) as (uow, actor):
        actor.require_account()
        org = find_account(uow, name)
        if org is None or org.kind != "org":
            raise AccountNotFound(name)
        if actor.role_in(org.id) is None:
            raise AccessDenied(f"You are not a member of {org.name}.")
        return _with_storage(request, uow, actor, org)


def _with_storage(request: Request, uow: UnitOfWork, actor: Actor, namespace: Account) -> Response:
    page = list_repos(
        uow,
        actor,
        RepoQuery(
            None,
            author=namespace.name,
            order="updated",
            limit=page_size(request, services_of(request).settings.list_page_size),
            after=position_at(request, int, int, str),
        ),
    )
    used = storage_of(uow, [repo.id for repo in page.repos])
    total = visible_storage(uow, actor, namespace.id)
    items = [_storage_item(repo, used[repo.id], total) for repo in page.repos]
    return paged(request, items, None if page.next is None else {"cursor": cursor_of(*page.next)})


def _storage_item(repo: Repo, used_bytes: int, total_bytes: int) -> dict[str, Any]:
    return {
        "id": repo.full_name,
        "type": repo.type,
        "updatedAt": iso(repo.updated_at),
        "visibility": "private" if repo.private else "public",
        "storage": used_bytes,
        "storagePercent": round(100 * used_bytes / total_bytes, 2) if total_bytes else 0,
    }


def _type(word: str | None) -> RepoType:
    if word is None:
        return "model"
    if word in _TYPES:
        return _TYPES[word]
    if word in {"kernel", "bucket"}:
        raise NotOffered(f"This hub has no {word}s.", hint="It has models, datasets and spaces.")
    raise BadRequest(f"{word[:40]!r} is not a type of repo.", hint='Use "model", "dataset" or "space".')


def _full_name(asked: _Named, caller: Account) -> tuple[str, str]:
    """Namespace and name: as given, or the caller's own namespace."""
    namespace, slash, name = asked.name.rpartition("/")
    if not slash:
        return asked.organization or caller.name, name
    if asked.organization not in {None, namespace}:
        raise BadRequest('"name" and "organization" contradict each other.', code="name_invalid")
    return namespace, name


def _named(uow: UnitOfWork, actor: Actor, repo_type: RepoType, full_name: str) -> Repo:
    """A repo that a body names: by its present name alone, as there is no address to redirect to."""
    try:
        return changeable_repo(uow, actor, repo_type, full_name)
    except RepoMoved as moved:
        raise RepoNotFound from moved


def _details(asked: _New, repo_type: RepoType) -> dict[str, Any]:
    if repo_type != "space":
        return {}
    if asked.template is not None:
        raise NotOffered("This hub has no templates for spaces.", hint="Create the space without one.")
    if asked.sdk not in SPACE_SDKS:
        raise BadRequest(f'"sdk" must be one of {", ".join(SPACE_SDKS)}.', code="sdk_invalid")
    return {"sdk": asked.sdk}
