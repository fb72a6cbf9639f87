"""Passwords, for browsers: kept as Argon2id, checked slowly on purpose, and guarded against guessing.

Programs use tokens. A password opens a session, which is a token that nobody knows and that a browser's
signed cookie names.
"""

import os
import threading

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from sqlalchemy import select

from allmende.errors import BadRequest
from allmende.ids import AccountId, TokenId
from allmende.registry.accounts import Account, find_account
from allmende.registry.names import name_key
from allmende.registry.patience import Limit, count_try, forget_tries, require_patience, tries_key
from allmende.registry.tables import password
from allmende.registry.tokens import end_other_sessions
from allmende.storage import Database, UnitOfWork

__all__ = [
    "MAX_PASSWORD_CHARS",
    "MIN_PASSWORD_CHARS",
    "PasswordRefused",
    "change_password",
    "check_new_password",
    "check_password",
    "has_password",
    "set_password",
]

MIN_PASSWORD_CHARS = 12
MAX_PASSWORD_CHARS = 200

_MEMORY_KIB, _ITERATIONS = 19_456, 2
"""What OWASP's guide to storing passwords asks of Argon2id at the least, with one lane."""
_HASHING = threading.BoundedSemaphore(2)
"""Each hash takes 19 MiB and a tenth of a second: strangers must not have many made at once."""
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$MDAwMDAwMDAwMDAwMDAwMA$" + "A" * 43
"""Checked where there is no such account, so that the answer takes as long."""

_OF_ADDRESS = Limit(5, 900)
"""For a name from one address."""
_OF_NAME = Limit(50, 60)
"""For a name from anywhere: long enough against guessing, too short to lock somebody out."""
_TOO_MANY = "There were too many failures to sign in."


class PasswordRefused(BadRequest):
    """The name or the password is not right."""

    code = "sign_in_refused"


def change_password(
    database: Database, owner: Account, old: str, new: str, address: str, kept: TokenId | None
) -> None:
    """Another password for a user who gives the present one, if there is one; `kept` stays signed in.

    Raises what `check_password` and `set_password` raise.
    """
    with database.read() as uow:
        known = has_password(uow, owner.id)
    if known:
        check_password(database, owner.name, old, address)
    with database.write() as uow:
        set_password(uow, owner, new, kept=kept)


def set_password(uow: UnitOfWork, owner: Account, text: str, *, kept: TokenId | None = None) -> None:
    """Give a user a password, or another one; all their browsers but the session `kept` are signed out.

    Raises what `check_new_password` raises.
    """
    if owner.kind != "user":
        raise BadRequest("Passwords belong to users, not to organisations.", code="password_owner")
    check_new_password(owner.name, text)
    uow.upsert(password, {"account_id": owner.id, "hashed": _hashed(text), "set_at": uow.now})
    end_other_sessions(uow, owner, kept)
    uow.emit("password.set", {"name": owner.name}, actor_id=owner.id)


def check_new_password(name: str, text: str) -> None:
    """Raises BadRequest for a password that is too short, too long, or little more than the user's name."""
    if not MIN_PASSWORD_CHARS <= len(text) <= MAX_PASSWORD_CHARS:
        raise BadRequest(
            f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters.",
            hint="A few words that nobody else puts together are easy to keep in mind.",
            code="password_length",
            places={"least": MIN_PASSWORD_CHARS, "most": MAX_PASSWORD_CHARS},
        )
    if name_key(name) in text.lower() and len(text) < MIN_PASSWORD_CHARS + len(name):
        raise BadRequest("The password is little more than the name.", code="password_weak")


def has_password(uow: UnitOfWork, account_id: AccountId) -> bool:
    """Whether a user may sign in with one."""
    return (
        uow.one_or_none(select(password.c.account_id).where(password.c.account_id == account_id)) is not None
    )


def check_password(database: Database, name: str, text: str, address: str) -> Account:
    """The user of that name, if it is their password; `address` is where the try comes from.

    Raises PasswordRefused, the same for a wrong name and for a locked account, and TooManyRequests after
    several failures from one address, or very many for one name. Not within a transaction: it takes a tenth
    of a second.
    """
    keys = {tries_key(name, address): _OF_ADDRESS, tries_key(name, ""): _OF_NAME}
    with database.read() as uow:
        for key, limit in keys.items():
            require_patience(uow, key, limit, _TOO_MANY)
        owner = find_account(uow, name)
        row = None
        if owner is not None:
            row = uow.one_or_none(select(password.c.hashed).where(password.c.account_id == owner.id))
    right = _is_right(text[: MAX_PASSWORD_CHARS + 1], _NOBODY if row is None else row.hashed)
    if right and owner is not None and row is not None and owner.locked_at is None:
        with database.write() as uow:
            forget_tries(uow, tries_key(name, address))
        return owner
    with database.write() as uow:
        for key in keys:
            count_try(uow, key)
    raise PasswordRefused(
        "The name or the password is not right.", hint="Ask who runs the hub for a new one."
    )


def _hashed(text: str) -> str:
    with _HASHING:
        return _argon2(os.urandom(16)).derive_phc_encoded(text.encode())


def _is_right(text: str, hashed: str) -> bool:
    with _HASHING:
        try:
            Argon2id.verify_phc_encoded(text.encode("utf-8", "surrogateescape"), hashed)
        except InvalidKey:
            return False
    return True


def _argon2(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=32, iterations=_ITERATIONS, lanes=1, memory_cost=_MEMORY_KIB)
