"""Who somebody is: the caller, users, organisations and their members; and the small talk of clients."""

from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.clock import iso
from allmende.errors import BadRequest, Unauthorized
from allmende.formats import validate
from allmende.http import acting, error_response, reading, reading_unit, services_of
from allmende.hub.bodies import Body, parsed
from allmende.hub.opaque_ids import opaque_account_id
from allmende.hub.pages import cursor_of, page_size, paged, position_at
from allmende.registry import (
    Account,
    AccountNotFound,
    Actor,
    Role,
    Token,
    count_by_type,
    find_account,
    members_of,
    memberships_of,
)
from allmende.storage import UnitOfWork

__all__ = ["routes"]

_MAX_CARD_CHARS = 4 * 1024 * 1024
_TOKEN_ROLES = {"read": "read", "write": "write", "admin": "admin", "fine_grained": "fineGrained"}
_PERMISSIONS = {"read": ["repo.content.read"], "write": ["repo.content.read", "repo.write"]}


class CardInvalid(BadRequest):
    """A card that clients must not push."""

    code = "card_invalid"


class _CardToCheck(Body):
    content: str
    repoType: Literal["model", "dataset", "space"] | None = None  # noqa: N815


def routes() -> list[Route]:
    """Routes about accounts, and those that clients call on their own account."""
    return [
        Route("/api/whoami-v2", reading(whoami)),
        Route("/api/validate-yaml", acting(validate_yaml, max_bytes=_MAX_CARD_CHARS), methods=["POST"]),
        Route("/api/telemetry/{topic:tail}", reading(telemetry), methods=["HEAD", "POST"]),
        Route("/api/users/{user:segment}/overview", reading(user_overview)),
        Route("/api/organizations/{organization:segment}/overview", reading(organization_overview)),
        Route("/api/organizations/{organization:segment}/members", reading(organization_members)),
    ]


def whoami(request: Request) -> Response:
    """`GET /api/whoami-v2`: the caller and the token. Raises SignInRequired, CredentialsInvalid."""
    with reading_unit(request) as (uow, actor):
        known = actor.require_account()
        if actor.token is None:
            raise Unauthorized("The account came without a token.")
        answer: dict[str, Any] = {
            "type": "user",
            "id": opaque_account_id(known),
            "name": known.name,
            "fullname": known.fullname,
            "orgs": [_membership(org, role) for org, role in memberships_of(uow, known.id)],
            "auth": {"type": "access_token", "accessToken": _token(actor.token)},
        }
        if known.email is not None:
            answer["email"] = known.email
    return JSONResponse(answer)


def validate_yaml(request: Request, body: bytes) -> Response:
    """`POST /api/validate-yaml`: what is wrong with a card; clients ask before each commit that has one.

    They look at the JSON before the status, and need no token. 400 when the card must not be pushed.
    """
    asked = parsed(_CardToCheck, body)
    report = validate(asked.content, asked.repoType or "model")
    lists = {
        "errors": [{"message": message} for message in report.errors],
        "warnings": [{"message": message} for message in report.warnings],
    }
    if report.errors:
        return error_response(request, CardInvalid("The card is not valid: " + report.errors[0]), lists)
    return JSONResponse(lists)


def telemetry(_request: Request) -> Response:
    """`/api/telemetry/…`: nothing is kept."""
    return Response(status_code=204)


def user_overview(request: Request) -> Response:
    """`GET /api/users/{user}/overview`. Raises AccountNotFound."""
    with reading_unit(request) as (uow, actor):
        user = _account(uow, request.path_params["user"], "user")
        answer = {
            **_person(user),
            **_counts(uow, actor, user),
            "orgs": [{"name": org.name, "fullname": org.fullname} for org, _ in memberships_of(uow, user.id)],
            "createdAt": iso(user.created_at),
        }
    return JSONResponse(answer)


def organization_overview(request: Request) -> Response:
    """`GET /api/organizations/{organization}/overview`. Raises AccountNotFound."""
    with reading_unit(request) as (uow, actor):
        org = _account(uow, request.path_params["organization"], "org")
        answer = {
            "_id": opaque_account_id(org),
            "type": "org",
            "name": org.name,
            "fullname": org.fullname,
            **_counts(uow, actor, org),
            "numUsers": len(members_of(uow, org.id)),
            "createdAt": iso(org.created_at),
        }
    return JSONResponse(answer)


def organization_members(request: Request) -> Response:
    """`GET /api/organizations/{organization}/members`, in pages. Raises AccountNotFound."""
    size = page_size(request, services_of(request).settings.list_page_size)
    (start,) = position_at(request, int) or (0,)
    with reading_unit(request) as (uow, _actor):
        org = _account(uow, request.path_params["organization"], "org")
        members = members_of(uow, org.id)
    start = max(start, 0)
    more = {"cursor": cursor_of(start + size)} if len(members) > start + size else None
    return paged(
        request, [{**_person(user), "role": role} for user, role in members[start : start + size]], more
    )


def _account(uow: UnitOfWork, name: str, kind: Literal["user", "org"]) -> Account:
    found = find_account(uow, name)
    if found is None or found.kind != kind:
        raise AccountNotFound(name)
    return found


def _person(user: Account) -> dict[str, Any]:
    return {
        "_id": opaque_account_id(user),
        "type": "user",
        "user": user.name,
        "fullname": user.fullname,
    }


def _membership(org: Account, role: Role) -> dict[str, Any]:
    return {
        "type": "org",
        "id": opaque_account_id(org),
        "name": org.name,
        "fullname": org.fullname,
        "roleInOrg": role,
    }


def _token(token: Token) -> dict[str, Any]:
    described: dict[str, Any] = {
        "displayName": token.name,
        "role": _TOKEN_ROLES[token.role],
        "createdAt": iso(token.created_at),
    }
    if token.role == "fine_grained":
        described["fineGrained"] = {
            "global": [],
            "scoped": [
                {"entity": _entity(scope.entity), "permissions": _PERMISSIONS[scope.allows]}
                for scope in token.scopes
            ],
        }
    return described


def _entity(entity: str) -> dict[str, str]:
    kind, slash, name = entity.partition("/")
    return {"type": kind, "name": name} if slash else {"type": "namespace", "name": kind}


def _counts(uow: UnitOfWork, actor: Actor, namespace: Account) -> dict[str, int]:
    """How many repos the caller may see there."""
    counts = count_by_type(uow, actor, namespace.id)
    return {
        "numModels": counts["model"],
        "numDatasets": counts["dataset"],
        "numSpaces": counts["space"],
    }
