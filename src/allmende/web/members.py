"""Who belongs to an organisation: what its pages show of it, and the form that changes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from allmende.errors import BadRequest
from allmende.flows import change_member, may_manage_members
from allmende.registry import Account, Role, members_of
from allmende.storage import UnitOfWork
from allmende.web.visits import Visit

__all__ = ["Members", "change_membership", "members_shown"]

_ROLES: tuple[Role, ...] = ("read", "write", "admin")


@dataclass(frozen=True, slots=True)
class Members:
    """Those of an organisation; `manages` says whether the visitor may change it."""

    org: Account
    listed: tuple[tuple[Account, Role], ...]
    manages: bool
    roles: tuple[Role, ...] = _ROLES


def members_shown(visit: Visit, uow: UnitOfWork, org: Account) -> Members:
    """The members of an organisation as this visitor sees them."""
    return Members(org, tuple(members_of(uow, org.id)), may_manage_members(visit.actor, org))


def change_membership(visit: Visit, uow: UnitOfWork, org: Account, fields: Mapping[str, str]) -> None:
    """Make somebody a member, or end that. Raises BadRequest, and what `change_member` raises."""
    role = next((known for known in _ROLES if known == fields.get("role")), None)
    if role is None and fields.get("role") != "":
        raise BadRequest("There is no such role.", code="form_invalid")
    change_member(uow, visit.actor, org, fields.get("user", "").strip(), role)
