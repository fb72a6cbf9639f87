"""`allmende admin user`, `org` and `member`: who there is, and who belongs to which organisation."""

import sys
from getpass import getpass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, say, say_json, say_table
from allmende.clock import iso
from allmende.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from allmende.registry import Account
    from allmende.storage import UnitOfWork

__all__ = [
    "create_org",
    "create_user",
    "list_orgs",
    "list_users",
    "lock_user",
    "remove_membership",
    "set_membership",
    "set_user_password",
    "unlock_user",
]

_Role = Literal["read", "write", "admin"]


def create_user(
    name: Annotated[str, Parameter(help="The user's name.")],
    /,
    *,
    fullname: Annotated[str | None, Parameter(help="The name for people.")] = None,
    email: Annotated[str | None, Parameter(help="The e-mail address.")] = None,
    admin: Annotated[bool, Parameter(help="The user administers the hub.")] = False,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Make a user; `admin token create` gives them a token."""
    from allmende.registry import create_account

    with opened(place, create=True) as services, services.database.write() as uow:
        created = create_account(uow, name, "user", fullname=fullname, email=email, is_admin=admin)
    if as_json:
        say_json("allmende.admin-user/1", _user(created))
    else:
        say(f"created user {created.name}")


def set_user_password(
    name: Annotated[str, Parameter(help="The user's name.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Set a user's password, for browsers: asked for at a terminal, else read from standard input."""
    from allmende.registry import AccountNotFound, find_account, set_password

    text = _asked_password() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    with opened(place) as services, services.database.write() as uow:
        owner = find_account(uow, name)
        if owner is None:
            raise AccountNotFound(name)
        set_password(uow, owner, text)
    if as_json:
        say_json("allmende.admin-user/1", _user(owner))
    else:
        say(f"set the password of {owner.name}; their browsers are signed out")


def _asked_password() -> str:
    first = getpass("Password: ")
    if getpass("Again: ") != first:
        raise BadRequest("The two are not the same.", code="password_differs")
    return first


def lock_user(
    name: Annotated[str, Parameter(help="The user's name.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Let nobody act as a user, by password or token, until `unlock`; what is theirs stays."""
    from allmende.registry import lock_account

    changed = _changed(place, name, lock_account)
    if as_json:
        say_json("allmende.admin-user/1", changed)
    else:
        say(f"locked {changed['name']}; their browsers are signed out")


def unlock_user(
    name: Annotated[str, Parameter(help="The user's name.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Let a user act again, with the tokens they had."""
    from allmende.registry import unlock_account

    changed = _changed(place, name, unlock_account)
    if as_json:
        say_json("allmende.admin-user/1", changed)
    else:
        say(f"unlocked {changed['name']}")


def list_users(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """List the users."""
    from allmende.registry import list_accounts

    with opened(place) as services, services.database.read() as uow:
        users = [account for account in list_accounts(uow) if account.kind == "user"]
    if as_json:
        say_json("allmende.admin-users/1", {"users": [_user(user) for user in users]})
        return
    rows = [
        (user.name, user.fullname, "yes" if user.is_admin else "", "yes" if user.locked_at else "")
        for user in users
    ]
    say_table(("NAME", "FULL NAME", "ADMINISTERS", "LOCKED"), rows)


def create_org(
    name: Annotated[str, Parameter(help="The organisation's name.")],
    /,
    *,
    fullname: Annotated[str | None, Parameter(help="The name for people.")] = None,
    default_visibility: Annotated[
        Literal["public", "private"], Parameter(help="What new repos are, unless they say.")
    ] = "public",
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Make an organisation; `admin member set` gives it members."""
    from allmende.registry import create_account

    with opened(place, create=True) as services, services.database.write() as uow:
        created = create_account(uow, name, "org", fullname=fullname, default_visibility=default_visibility)
    if as_json:
        say_json("allmende.admin-org/1", _org(created, {}))
    else:
        say(f"created organisation {created.name}")


def list_orgs(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """List the organisations with their members."""
    from allmende.registry import list_accounts, members_of

    with opened(place) as services, services.database.read() as uow:
        orgs = [
            (account, {user.name: role for user, role in members_of(uow, account.id)})
            for account in list_accounts(uow)
            if account.kind == "org"
        ]
    if as_json:
        say_json("allmende.admin-orgs/1", {"orgs": [_org(org, dict(members)) for org, members in orgs]})
        return
    rows = [
        (org.name, org.fullname, org.default_visibility, ", ".join(f"{u} ({r})" for u, r in members.items()))
        for org, members in orgs
    ]
    say_table(("NAME", "FULL NAME", "NEW REPOS", "MEMBERS"), rows)


def set_membership(
    org: Annotated[str, Parameter(help="The organisation.")],
    user: Annotated[str, Parameter(help="The user.")],
    role: Annotated[_Role, Parameter(help="What the user may do in it.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Make a user a member of an organisation, or change the role."""
    from allmende.registry import set_member

    with opened(place) as services, services.database.write() as uow:
        organisation, member = _required(uow, org, "org"), _required(uow, user, "user")
        set_member(uow, organisation, member, role)
    if as_json:
        say_json("allmende.admin-member/1", {"org": organisation.name, "user": member.name, "role": role})
    else:
        say(f"{member.name} has the role {role} in {organisation.name}")


def remove_membership(
    org: Annotated[str, Parameter(help="The organisation.")],
    user: Annotated[str, Parameter(help="The user.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """End a membership; harmless when there is none."""
    from allmende.registry import remove_member

    with opened(place) as services, services.database.write() as uow:
        organisation, member = _required(uow, org, "org"), _required(uow, user, "user")
        remove_member(uow, organisation, member)
    if as_json:
        say_json("allmende.admin-member/1", {"org": organisation.name, "user": member.name, "role": None})
    else:
        say(f"{member.name} is no member of {organisation.name}")


def _required(uow: "UnitOfWork", name: str, kind: Literal["user", "org"]) -> "Account":
    from allmende.registry import AccountNotFound, find_account

    found = find_account(uow, name)
    if found is None or found.kind != kind:
        raise AccountNotFound(name)
    return found


def _changed(
    place: HubPlace | None, name: str, change: "Callable[[UnitOfWork, Account], None]"
) -> dict[str, Any]:
    """Do something to a user, and tell how they stand then. Raises AccountNotFound."""
    with opened(place) as services, services.database.write() as uow:
        change(uow, _required(uow, name, "user"))
        return _user(_required(uow, name, "user"))


def _user(account: "Account") -> dict[str, Any]:
    return {
        "name": account.name,
        "fullname": account.fullname,
        "email": account.email,
        "admin": account.is_admin,
        "created_at": iso(account.created_at),
        "locked_at": None if account.locked_at is None else iso(account.locked_at),
    }


def _org(account: "Account", members: dict[str, str]) -> dict[str, Any]:
    return {
        "name": account.name,
        "fullname": account.fullname,
        "default_visibility": account.default_visibility,
        "members": members,
        "created_at": iso(account.created_at),
    }
