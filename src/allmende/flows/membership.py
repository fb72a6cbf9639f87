"""Who belongs to an organisation, as its own administrators decide it; the operator's commands ask nobody."""

from allmende.errors import Conflict
from allmende.registry import (
    AccessDenied,
    Account,
    AccountNotFound,
    Actor,
    Role,
    Visibility,
    find_account,
    members_of,
    remove_member,
    set_member,
    update_account,
)
from allmende.storage import UnitOfWork

__all__ = ["change_member", "change_organisation", "may_manage_members"]


def may_manage_members(actor: Actor, org: Account) -> bool:
    """Whether the actor says who belongs to the organisation: an `admin` member, with a token that writes."""
    writes = actor.token is not None and actor.token.role in ("write", "admin")
    return org.kind == "org" and writes and actor.role_in(org.id) == "admin"


def change_member(uow: UnitOfWork, actor: Actor, org: Account, name: str, role: Role | None) -> None:
    """Make a user a member, change what they may, or (without a role) end that.

    Raises SignInRequired, AccessDenied, AccountNotFound for who is no user, Conflict where nobody would be
    left to manage members.
    """
    actor.require_account()
    if not may_manage_members(actor, org):
        raise AccessDenied(
            f"You may not say who belongs to {org.name}.", hint="Ask one of its members with the role admin."
        )
    user = find_account(uow, name)
    if user is None or user.kind != "user":
        raise AccountNotFound(name)
    others = [one for one, held in members_of(uow, org.id) if held == "admin" and one.id != user.id]
    if role != "admin" and not others:
        raise Conflict(
            f"{org.name} needs somebody who manages its members.",
            hint="Give somebody else the role admin first.",
            code="last_admin",
        )
    if role is None:
        remove_member(uow, org, user)
    else:
        set_member(uow, org, user, role)


def change_organisation(
    uow: UnitOfWork, actor: Actor, org: Account, fullname: str | None, visibility: Visibility
) -> None:
    """What an organisation is called, and who sees its new repos. Raises SignInRequired, AccessDenied."""
    actor.require_account()
    if not may_manage_members(actor, org):
        raise AccessDenied(
            f"You may not change {org.name}.", hint="Ask one of its members with the role admin."
        )
    update_account(uow, org, {"fullname": fullname or org.name, "default_visibility": visibility})
