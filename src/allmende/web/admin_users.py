"""The users of the hub, for its administrators: what `allmende admin user` does, and their tokens by name."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest, Conflict
from allmende.flows import erase_person
from allmende.registry import (
    MAX_PASSWORD_CHARS,
    MIN_PASSWORD_CHARS,
    Account,
    AccountNotFound,
    create_account,
    end_other_sessions,
    find_account,
    has_password,
    list_tokens,
    lock_account,
    memberships_of,
    repos_in,
    revoke_token,
    search_accounts,
    set_password,
    unlock_account,
    update_account,
)
from allmende.storage import UnitOfWork
from allmende.web.admin_frame import admin_route, administrator, done, note, require_password, shown
from allmende.web.visits import Visit

__all__ = ["change_user", "list_users", "make_user", "routes", "user"]

_ON_PAGE = 50
_MAX_SEARCH_CHARS = 96
_MAX_FULLNAME_CHARS = 200
_MAX_EMAIL_CHARS = 254
_GRAVE = ("admin", "plain", "password", "lock", "unlock")
"""What asks for the password of the administrator."""


def routes() -> list[Route]:
    """The list, a user, and what their forms are sent to."""
    return [
        admin_route("/users", list_users, make_user),
        admin_route("/users/{user:segment}", user, change_user),
    ]


def list_users(visit: Visit) -> Response:
    """A page of the users by name, of all or of those whose names have what is searched for."""
    number = visit.page_number()
    search = visit.parameter("search")[:_MAX_SEARCH_CHARS]
    with visit.read() as uow:
        found = search_accounts(uow, "user", search, _ON_PAGE + 1, number * _ON_PAGE)
        with_password = {one.id for one in found[:_ON_PAGE] if has_password(uow, one.id)}
    return shown(
        visit,
        "admin_users.html",
        "users",
        users=found[:_ON_PAGE],
        with_password=with_password,
        search=search,
        page_number=number,
        has_more=len(found) > _ON_PAGE,
        most_fullname=_MAX_FULLNAME_CHARS,
    )


def make_user(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Make a user. Raises NameInvalid, AccountExists."""
    name = fields.get("name", "").strip()
    with visit.services.database.write() as uow:
        made = create_account(
            uow,
            name,
            "user",
            fullname=_line(fields, "fullname", _MAX_FULLNAME_CHARS),
            email=_line(fields, "email", _MAX_EMAIL_CHARS),
        )
        note(visit, uow, "user.created", about=made.id)
    return done(f"/users/{made.name}", "user_made")


def user(visit: Visit) -> Response:
    """One user: what they may do, how they sign in, their tokens without secrets. Raises AccountNotFound."""
    with visit.read() as uow:
        owner = _user(visit, uow)
        tokens = list_tokens(uow, owner.id)
        sessions = list_tokens(uow, owner.id, sessions=True)
        memberships = memberships_of(uow, owner.id)
        repos = len(repos_in(uow, owner))
        with_password = has_password(uow, owner.id)
    return shown(
        visit,
        "admin_user.html",
        "users",
        owner=owner,
        is_self=owner.id == administrator(visit).id,
        tokens=tokens,
        sessions=len(sessions),
        memberships=memberships,
        repos=repos,
        with_password=with_password,
        least=MIN_PASSWORD_CHARS,
        most=MAX_PASSWORD_CHARS,
    )


def change_user(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Do what one of the forms asks for.

    Raises AccountNotFound, Conflict for what an administrator may not do to themselves, and what
    `require_password` raises where the act needs it.
    """
    act = fields.get("act", "")
    with visit.read() as uow:
        owner = _user(visit, uow)
    if act == "erase":
        return _erase(visit, owner, fields)
    if act in _GRAVE:
        require_password(visit, fields)
    with visit.services.database.write() as uow:
        _do(visit, uow, owner, act, fields)
    return done(f"/users/{owner.name}", f"user_{act}")


def _do(visit: Visit, uow: UnitOfWork, owner: Account, act: str, fields: Mapping[str, str]) -> None:
    match act:
        case "password":
            new = fields.get("new", "")
            if new != fields.get("again", ""):
                raise BadRequest("The two new passwords are not the same.", code="password_differs")
            set_password(uow, owner, new)
        case "admin":
            update_account(uow, owner, {"is_admin": True})
        case "plain":
            _require_other(visit, owner)
            update_account(uow, owner, {"is_admin": False})
        case "lock":
            _require_other(visit, owner)
            lock_account(uow, owner)
        case "unlock":
            unlock_account(uow, owner)
        case "revoke":
            revoke_token(uow, owner, fields.get("name", ""))
        case "browsers":
            end_other_sessions(uow, owner, None)
        case _:
            raise BadRequest("Nothing is asked for.", code="form_invalid")
    note(visit, uow, f"user.{act}", about=owner.id)


def _erase(visit: Visit, owner: Account, fields: Mapping[str, str]) -> Response:
    """Forget a person for good, when their name was typed."""
    _require_other(visit, owner)
    if fields.get("name", "").strip() != owner.name:
        raise BadRequest(
            "The name that was typed is not the user's.",
            hint=f"Type {owner.name} to erase them.",
            code="name_not_repeated",
            places={"name": owner.name},
        )
    require_password(visit, fields)
    erase_person(visit.services, owner)
    with visit.services.database.write() as uow:
        note(visit, uow, "user.erase", about=owner.id)
    return done("/users", "user_erase")


def _require_other(visit: Visit, owner: Account) -> None:
    if owner.id == administrator(visit).id:
        raise Conflict(
            "You cannot do this to yourself.",
            hint="Another administrator can, or the command line.",
            code="is_oneself",
        )


def _user(visit: Visit, uow: UnitOfWork) -> Account:
    name = str(visit.request.path_params["user"])
    found = find_account(uow, name)
    if found is None or found.kind != "user":
        raise AccountNotFound(name)
    return found


def _line(fields: Mapping[str, str], name: str, most: int) -> str | None:
    text = " ".join(fields.get(name, "").split())
    if len(text) > most or not all(character.isprintable() for character in text):
        raise BadRequest("The form is not valid.", code="form_invalid")
    return text or None
