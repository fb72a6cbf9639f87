"""Access tokens: secrets that stand for an account, with a role or with scopes per repo.

The database keeps SHA-256 of a secret and never the secret. Issued secrets carry 200 random bits, so
a plain hash is enough; one that an operator chooses must be as strong as they need it.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, delete, select, update

from allmende.errors import BadRequest, Conflict, NotFound
from allmende.ids import AccountId, TokenId
from allmende.registry.accounts import Account
from allmende.registry.tables import token
from allmende.storage import UnitOfWork

__all__ = [
    "SESSION_TTL",
    "Scope",
    "Token",
    "TokenRole",
    "end_other_sessions",
    "end_session",
    "find_token",
    "find_token_by_id",
    "issue_token",
    "list_tokens",
    "needs_touch",
    "open_session",
    "revoke_token",
    "touch_token",
]

TokenRole = Literal["read", "write", "admin", "fine_grained"]

_PREFIX = "hf_"
"""Some tools tell tokens by this prefix."""
_SECRET_BYTES = 25
_TOUCH_EVERY = timedelta(hours=1)
SESSION_TTL = timedelta(days=7)
_MAX_SESSIONS = 20
_MAX_SEEN_CHARS = 60
_SESSION_MARK_CHARS = 8


@dataclass(frozen=True, slots=True)
class Scope:
    """One grant of a fine-grained token: an entity (`ns`, or `model/ns/name`) and what it allows there."""

    entity: str
    allows: Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret."""

    id: TokenId
    account_id: AccountId
    name: str
    role: TokenRole
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    is_session: bool = False


def issue_token(
    uow: UnitOfWork,
    owner: Account,
    name: str,
    role: TokenRole,
    *,
    scopes: tuple[Scope, ...] = (),
    secret: str | None = None,
    expires_at: datetime | None = None,
    replace: bool = False,
) -> str:
    """Make a token and return its secret, which cannot be had again.

    A given `secret` is taken as it is, whatever its shape. Raises Conflict when the owner has a token of that
    name, unless that is to be replaced; BadRequest when the secret is empty or already stands for another
    account, or when scopes and role do not fit.
    """
    if owner.kind != "user":
        raise BadRequest("Tokens belong to users, not to organisations.", code="token_owner")
    if bool(scopes) != (role == "fine_grained"):
        raise BadRequest(
            "A fine-grained token needs scopes, and only such a token has them.", code="token_scopes"
        )
    chosen = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES) if secret is None else secret
    if not chosen.strip():
        raise BadRequest("A token must not be empty.", code="token_empty")
    holder = uow.one_or_none(select(token).where(token.c.digest == _digest(chosen)))
    if holder is not None and (holder.account_id, holder.name) != (owner.id, name):
        raise BadRequest("This secret is in use already.", hint="Choose another.", code="token_taken")
    named = token.c.account_id == owner.id, token.c.name == name, token.c.is_session.is_(False)
    if not replace and uow.one_or_none(select(token.c.id).where(*named)) is not None:
        raise Conflict(
            f"{owner.name} has a token called {name!r}.",
            hint="Choose another name, or replace the present one.",
            code="token_exists",
            places={"name": name},
        )
    uow.execute(delete(token).where(*named))
    uow.execute(
        token.insert().values(
            account_id=owner.id,
            name=name,
            digest=_digest(chosen),
            role=role,
            scopes=[{"entity": scope.entity, "allows": scope.allows} for scope in scopes],
            created_at=uow.now,
            expires_at=expires_at,
        )
    )
    uow.emit("token.issued", {"name": name, "role": role}, actor_id=owner.id)
    return chosen


def open_session(uow: UnitOfWork, owner: Account, seen_as: str) -> Token:
    """A token for a browser that has shown the owner's password: its secret is known to nobody.

    `seen_as` says to its owner which browser that is. Of the sessions of a user the oldest beyond twenty end.
    """
    sessions = list_tokens(uow, owner.id, sessions=True)
    for old in sorted(sessions, key=lambda one: one.created_at)[: max(0, len(sessions) + 1 - _MAX_SESSIONS)]:
        end_session(uow, owner, old.id)
    digest = _digest(secrets.token_urlsafe(_SECRET_BYTES))
    uow.execute(
        token.insert().values(
            account_id=owner.id,
            name=f"{seen_as[:_MAX_SEEN_CHARS]} {digest[:_SESSION_MARK_CHARS]}",
            digest=digest,
            role="admin" if owner.is_admin else "write",
            scopes=[],
            created_at=uow.now,
            expires_at=uow.now + SESSION_TTL,
            is_session=True,
        )
    )
    return _token(uow.all(select(token).where(token.c.digest == digest))[0])


def end_session(uow: UnitOfWork, owner: Account, token_id: TokenId) -> None:
    """Sign a browser out; harmless when it is already."""
    uow.execute(
        delete(token).where(
            token.c.account_id == owner.id, token.c.id == token_id, token.c.is_session.is_(True)
        )
    )


def end_other_sessions(uow: UnitOfWork, owner: Account, kept: TokenId | None) -> None:
    """Sign out every browser of a user but one."""
    others = token.c.account_id == owner.id, token.c.is_session.is_(True), token.c.id != (kept or -1)
    uow.execute(delete(token).where(*others))


def find_token(uow: UnitOfWork, secret: str) -> Token | None:
    """The token that a secret stands for, unless it has expired."""
    row = uow.one_or_none(select(token).where(token.c.digest == _digest(secret)))
    if row is None or (row.expires_at is not None and row.expires_at <= uow.now):
        return None
    return _token(row)


def find_token_by_id(uow: UnitOfWork, token_id: TokenId, issued_at: datetime) -> Token | None:
    """The token of this id that was issued then, unless it has expired.

    The id alone does not name a token for good: a database may give the id of a deleted row again.
    """
    row = uow.one_or_none(select(token).where(token.c.id == token_id, token.c.created_at == issued_at))
    if row is None or (row.expires_at is not None and row.expires_at <= uow.now):
        return None
    return _token(row)


def needs_touch(used: Token, now: datetime) -> bool:
    """Whether the last use on record is old enough to be worth a write."""
    return used.last_used_at is None or now - used.last_used_at > _TOUCH_EVERY


def touch_token(uow: UnitOfWork, used: Token) -> None:
    """Record a use, to within an hour."""
    if needs_touch(used, uow.now):
        uow.execute(update(token).where(token.c.id == used.id).values(last_used_at=uow.now))


def list_tokens(uow: UnitOfWork, account_id: AccountId, *, sessions: bool = False) -> list[Token]:
    """The tokens of a user, by name; or the sessions of their browsers, which are none for programs."""
    of_kind = token.c.account_id == account_id, token.c.is_session.is_(sessions)
    return [_token(row) for row in uow.all(select(token).where(*of_kind).order_by(token.c.name))]


def revoke_token(uow: UnitOfWork, owner: Account, name: str) -> None:
    """End a token at once; raises NotFound."""
    named = token.c.account_id == owner.id, token.c.name == name, token.c.is_session.is_(False)
    gone = uow.execute(delete(token).where(*named))
    if gone.rowcount == 0:
        raise NotFound(f"{owner.name} has no token called {name!r}.", code="token_unknown")
    uow.emit("token.revoked", {"name": name}, actor_id=owner.id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _token(row: Row[Any]) -> Token:
    return Token(
        id=TokenId(row.id),
        account_id=AccountId(row.account_id),
        name=row.name,
        role=row.role,
        scopes=tuple(Scope(scope["entity"], scope["allows"]) for scope in row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        is_session=row.is_session,
    )
