"""Users and organisations: the namespaces in which repos lie, and who belongs to which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, delete, func, or_, select, update

from allmende.ids import AccountId
from allmende.registry.errors import AccountExists, AccountNotFound
from allmende.registry.names import check_account_name, name_key
from allmende.registry.tables import account, membership
from allmende.storage import UnitOfWork, batches

__all__ = [
    "Account",
    "Role",
    "Visibility",
    "account_by_id",
    "accounts_by_id",
    "count_accounts",
    "create_account",
    "find_account",
    "list_accounts",
    "members_of",
    "memberships_of",
    "remove_member",
    "search_accounts",
    "set_member",
    "update_account",
]

Role = Literal["admin", "write", "read"]
Visibility = Literal["public", "private"]
Kind = Literal["user", "org"]


@dataclass(frozen=True, slots=True)
class Account:
    """A user or an organisation."""

    id: AccountId
    name: str
    kind: Kind
    fullname: str
    email: str | None
    is_admin: bool
    default_visibility: Visibility
    created_at: datetime
    locked_at: datetime | None = None
    """Since when nobody may act as this user; None: everybody who proves to be them may."""


def create_account(
    uow: UnitOfWork,
    name: str,
    kind: Kind,
    *,
    fullname: str | None = None,
    email: str | None = None,
    is_admin: bool = False,
    default_visibility: Visibility = "public",
    by_themselves: bool = False,
) -> Account:
    """A new account. Raises NameInvalid, or AccountExists when the name is taken (case does not count).

    `by_themselves` goes on record: a stranger signed up, and nobody made the account for them.
    """
    check_account_name(name)
    if find_account(uow, name) is not None:
        raise AccountExists(f"The name {name!r} is taken.")
    uow.execute(
        account.insert().values(
            name=name,
            name_key=name_key(name),
            kind=kind,
            fullname=fullname or name,
            email=email,
            is_admin=is_admin,
            default_visibility=default_visibility,
            created_at=uow.now,
        )
    )
    created = find_account(uow, name)
    if created is None:
        raise RuntimeError("an account that was just inserted is not there")
    signed_up = {"signed_up": True} if by_themselves else {}
    uow.emit("account.created", {"name": name, "kind": kind, **signed_up}, actor_id=created.id)
    return created


def update_account(uow: UnitOfWork, current: Account, changes: Mapping[str, Any]) -> None:
    """Set `fullname`, `email`, `is_admin`, `default_visibility` or `locked_at`."""
    uow.execute(update(account).where(account.c.id == current.id).values(**changes))
    uow.emit("account.updated", {"name": current.name, "fields": sorted(changes)}, actor_id=current.id)


def find_account(uow: UnitOfWork, name: str) -> Account | None:
    """The account of that name, whatever its case."""
    row = uow.one_or_none(select(account).where(account.c.name_key == name_key(name)))
    return None if row is None else _account(row)


def account_by_id(uow: UnitOfWork, account_id: AccountId) -> Account:
    """The account; raises AccountNotFound."""
    row = uow.one_or_none(select(account).where(account.c.id == account_id))
    if row is None:
        raise AccountNotFound(str(account_id))
    return _account(row)


def accounts_by_id(uow: UnitOfWork, ids: Iterable[AccountId]) -> dict[AccountId, Account]:
    """These accounts, as far as they exist."""
    found: dict[AccountId, Account] = {}
    for batch in batches(sorted(set(ids))):
        rows = uow.all(select(account).where(account.c.id.in_(batch)))
        found |= {AccountId(row.id): _account(row) for row in rows}
    return found


def search_accounts(uow: UnitOfWork, kind: Kind, text: str, limit: int, offset: int = 0) -> list[Account]:
    """Users or organisations by name, of whose names `text` is a part; a page of them."""
    query = select(account).where(account.c.kind == kind)
    if text:
        query = query.where(
            or_(
                account.c.name_key.contains(name_key(text), autoescape=True),
                account.c.fullname.icontains(text, autoescape=True),
            )
        )
    rows = uow.all(query.order_by(account.c.name_key).limit(limit).offset(offset))
    return [_account(row) for row in rows]


def list_accounts(uow: UnitOfWork) -> list[Account]:
    """All accounts by name."""
    return [_account(row) for row in uow.all(select(account).order_by(account.c.name_key))]


def count_accounts(uow: UnitOfWork) -> int:
    """How many accounts there are; 0 on a hub that nobody has set up yet."""
    return int(uow.connection.execute(select(func.count()).select_from(account)).scalar_one())


def set_member(uow: UnitOfWork, org: Account, user: Account, role: Role) -> None:
    """Make `user` a member of `org` with that role, or change the role."""
    uow.upsert(membership, {"org_id": org.id, "user_id": user.id, "role": role})
    uow.emit("member.set", {"org": org.name, "user": user.name, "role": role}, actor_id=user.id)


def remove_member(uow: UnitOfWork, org: Account, user: Account) -> None:
    """End a membership; harmless when there is none."""
    uow.execute(delete(membership).where(membership.c.org_id == org.id, membership.c.user_id == user.id))
    uow.emit("member.removed", {"org": org.name, "user": user.name}, actor_id=user.id)


def memberships_of(uow: UnitOfWork, user_id: AccountId) -> list[tuple[Account, Role]]:
    """The organisations that a user belongs to, with the role in each, by name."""
    query = (
        select(account, membership.c.role)
        .join(membership, membership.c.org_id == account.c.id)
        .where(membership.c.user_id == user_id)
        .order_by(account.c.name_key)
    )
    return [(_account(row), row.role) for row in uow.all(query)]


def members_of(uow: UnitOfWork, org_id: AccountId) -> list[tuple[Account, Role]]:
    """The members of an organisation with their roles, by name."""
    query = (
        select(account, membership.c.role)
        .join(membership, membership.c.user_id == account.c.id)
        .where(membership.c.org_id == org_id)
        .order_by(account.c.name_key)
    )
    return [(_account(row), row.role) for row in uow.all(query)]


def _account(row: Row[Any]) -> Account:
    return Account(
        id=AccountId(row.id),
        name=row.name,
        kind=row.kind,
        fullname=row.fullname,
        email=row.email,
        is_admin=row.is_admin,
        default_visibility=row.default_visibility,
        created_at=row.created_at,
        locked_at=row.locked_at,
    )
