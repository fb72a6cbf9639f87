"""Reading the outbox as people do: the newest acts first, in pages, perhaps only some of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from allmende.ids import AccountId, RepoId
from allmende.storage.schema import outbox
from allmende.storage.unit_of_work import UnitOfWork

__all__ = ["Event", "recent_events"]


@dataclass(frozen=True, slots=True)
class Event:
    """An act on record. Of one that was erased the payload is empty, or nearly, and `actor_id` is None."""

    id: int
    at: datetime
    kind: str
    actor_id: AccountId | None
    repo_id: RepoId | None
    payload: Mapping[str, Any]
    log_index: int | None
    """The entry of the log that tells of it; None while there is none yet."""


def recent_events(
    uow: UnitOfWork,
    limit: int,
    *,
    below: int | None = None,
    kind: str | None = None,
    actor_id: AccountId | None = None,
    repo_id: RepoId | None = None,
) -> list[Event]:
    """The newest events, or the newest before event `below`; of one kind, account or repo where that is said.

    For the hub's administrators: private repos and people are named.
    """
    columns = (outbox.c.id, outbox.c.at, outbox.c.kind, outbox.c.actor_id, outbox.c.repo_id)
    query = select(*columns, outbox.c.payload, outbox.c.log_index).order_by(outbox.c.id.desc()).limit(limit)
    if below is not None:
        query = query.where(outbox.c.id < below)
    if kind is not None:
        query = query.where(outbox.c.kind == kind)
    if actor_id is not None:
        query = query.where(outbox.c.actor_id == actor_id)
    if repo_id is not None:
        query = query.where(outbox.c.repo_id == repo_id)
    return [Event(**row._asdict()) for row in uow.all(query)]
