"""What a user keeps on this hub: their name, their password, the tokens of their tools, their browsers."""

from collections.abc import Mapping
from datetime import timedelta

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.ids import TokenId
from allmende.registry import (
    MAX_PASSWORD_CHARS,
    MIN_PASSWORD_CHARS,
    AccessDenied,
    Account,
    TokenRole,
    change_password,
    end_session,
    has_password,
    issue_token,
    list_tokens,
    revoke_token,
    update_account,
)
from allmende.web.visits import Visit, form, page

__all__ = ["account", "change", "routes"]

_ROLES: tuple[TokenRole, ...] = ("read", "write")
_DAYS = ("", "30", "90", "365")
_MAX_NAME_CHARS = 96
_MAX_FULLNAME_CHARS = 200


def routes() -> list[Route]:
    """The page and what its forms are sent to."""
    return [Route("/settings", page(account)), Route("/settings", form(change), methods=["POST"])]


def account(visit: Visit) -> Response:
    """The page. Raises SignInRequired."""
    return _shown(visit, visit.actor.require_account())


def change(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Do what one of the forms asks for. A new token is shown in the answer, and never again."""
    owner = visit.actor.require_account()
    match fields.get("act"):
        case "profile":
            return _profile(visit, owner, fields)
        case "password":
            return _password(visit, owner, fields)
        case "token":
            return _new_token(visit, owner, fields)
        case "revoke":
            with visit.services.database.write() as uow:
                _require_writing(visit)
                revoke_token(uow, owner, fields.get("name", ""))
        case "end":
            with visit.services.database.write() as uow:
                end_session(uow, owner, _session(fields))
        case _:
            raise BadRequest("Nothing is asked for.", code="form_invalid")
    return RedirectResponse("/settings", 303)


def _shown(visit: Visit, owner: Account, *, secret: str = "", said: str = "", status: int = 200) -> Response:
    with visit.read() as uow:
        tokens = list_tokens(uow, owner.id)
        sessions = list_tokens(uow, owner.id, sessions=True)
        with_password = has_password(uow, owner.id)
    current = visit.actor.token
    return visit.render(
        "account.html",
        status,
        owner=owner,
        tokens=tokens,
        sessions=sorted(sessions, key=lambda one: one.created_at, reverse=True),
        current=None if current is None else current.id,
        with_password=with_password,
        may_change=_may_write(visit),
        roles=_ROLES,
        days=_DAYS,
        least=MIN_PASSWORD_CHARS,
        most=MAX_PASSWORD_CHARS,
        secret=secret,
        said=said,
    )


def _profile(visit: Visit, owner: Account, fields: Mapping[str, str]) -> Response:
    _require_writing(visit)
    fullname = " ".join(fields.get("fullname", "").split())[:_MAX_FULLNAME_CHARS]
    with visit.services.database.write() as uow:
        update_account(uow, owner, {"fullname": fullname or owner.name})
    return RedirectResponse("/settings", 303)


def _password(visit: Visit, owner: Account, fields: Mapping[str, str]) -> Response:
    """Another password, after which this browser alone stays signed in."""
    _require_writing(visit)
    new = fields.get("new", "")
    if new != fields.get("again", ""):
        raise BadRequest("The two new passwords are not the same.", code="password_differs")
    current = visit.actor.token
    change_password(
        visit.services.database,
        owner,
        fields.get("old", ""),
        new,
        visit.came_from,
        None if current is None else current.id,
    )
    return RedirectResponse("/settings", 303)


def _new_token(visit: Visit, owner: Account, fields: Mapping[str, str]) -> Response:
    _require_writing(visit)
    name, days = fields.get("name", "").strip(), fields.get("days", "")
    role = next((known for known in _ROLES if known == fields.get("role")), None)
    if not 0 < len(name) <= _MAX_NAME_CHARS or role is None or days not in _DAYS:
        raise BadRequest("The form is not valid.", hint="A token needs a name.", code="form_invalid")
    database = visit.services.database
    with database.write() as uow:
        ends = uow.now + timedelta(days=int(days)) if days else None
        secret = issue_token(uow, owner, name, role, expires_at=ends)
    return _shown(visit, owner, secret=secret, said=name)


def _may_write(visit: Visit) -> bool:
    token = visit.actor.token
    return token is not None and token.role in ("write", "admin")


def _require_writing(visit: Visit) -> None:
    """A browser that was signed in with a token may do no more than that token."""
    if not _may_write(visit):
        raise AccessDenied(
            "You signed in with a token that may only read.",
            hint="Sign in with your password.",
            code="token_scope",
        )


def _session(fields: Mapping[str, str]) -> TokenId:
    text = fields.get("session", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise BadRequest("The form is not valid.", code="form_invalid")
    return TokenId(int(text))
