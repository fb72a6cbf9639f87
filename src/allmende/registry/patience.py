"""Tries that a stranger may make only so often: how many there were, and how long the next one has to wait.

A row for each key, which is a digest: what was tried, and from where, is not kept in words.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select

from allmende.errors import TooManyRequests
from allmende.registry.names import name_key
from allmende.registry.tables import sign_in_failure
from allmende.storage import UnitOfWork

__all__ = ["Limit", "count_try", "forget_tries", "require_patience", "tries_key"]

_FORGOTTEN = timedelta(days=1)
_MOST_DOUBLINGS = 20


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries are free; then each wait doubles, up to `longest_s` seconds."""

    free: int
    longest_s: int


def tries_key(name: str, address: str) -> str:
    """What tries for a name from an address are counted under."""
    return hashlib.sha256(f"{name_key(name)}\n{address}".encode("utf-8", "surrogateescape")).hexdigest()


def require_patience(uow: UnitOfWork, key: str, limit: Limit, message: str) -> None:
    """Raises TooManyRequests with `message` while the next try has to wait."""
    row = uow.one_or_none(select(sign_in_failure).where(sign_in_failure.c.key == key))
    if row is None or row.failures < limit.free:
        return
    wait = timedelta(seconds=min(2 ** min(row.failures - limit.free, _MOST_DOUBLINGS), limit.longest_s))
    left = (row.last_at + wait - uow.now).total_seconds()
    if left > 0:
        raise TooManyRequests(message, hint=f"Try again in {math.ceil(left)} seconds.", retry_after_s=left)


def count_try(uow: UnitOfWork, key: str) -> None:
    """One more; those of more than a day ago do not count."""
    row = uow.one_or_none(select(sign_in_failure).where(sign_in_failure.c.key == key))
    recent = row is not None and row.last_at >= uow.now - _FORGOTTEN
    count = row.failures + 1 if row is not None and recent else 1
    uow.upsert(sign_in_failure, {"key": key, "failures": count, "last_at": uow.now})


def forget_tries(uow: UnitOfWork, key: str) -> None:
    """Begin anew for this key, and drop what counts for nobody any more."""
    uow.execute(delete(sign_in_failure).where(sign_in_failure.c.key == key))
    uow.execute(delete(sign_in_failure).where(sign_in_failure.c.last_at < uow.now - _FORGOTTEN))
