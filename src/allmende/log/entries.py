"""The entries of the log as rows: making one from a statement, finding them, and erasing what they say.

An entry holds no statement but a commitment to it, SHA-256 over 32 random bytes and the statement. The random
bytes stand in the outbox's row. Without both nobody can tell what an entry was about, and the tree stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, select, update

from allmende.ids import AccountId, GitOid, RepoId
from allmende.log.acts import Act, Stated, day_of, second_of
from allmende.log.errors import EntryNotFound
from allmende.log.tables import log_entry
from allmende.proof import JsonObject, canonical_json
from allmende.storage import UnitOfWork, batches, outbox

__all__ = [
    "MAX_ENTRY_BYTES",
    "VEILED_KIND",
    "LogEntry",
    "entries_below",
    "entries_between",
    "entries_in_order",
    "entries_of_repo",
    "erase_acts",
    "erase_acts_of",
    "erase_repo",
    "key_entries",
    "leaf_and_statement",
    "newest_entry",
    "read_entry",
    "times_of_entries",
]

VEILED_KIND = "private"
MAX_ENTRY_BYTES = 4096

_UNDATED = frozenset(["account"])
"""Kinds whose entries say the day and not the second: what people do at their accounts is theirs."""

_KEPT_OF_ERASED: dict[str, tuple[str, ...]] = {
    "contents.deleted": ("sha256",),
    "repo.duplicated": ("source_repo_id", "foreign"),
}
"""What the hub itself needs of an act, whoever did it, although its people are forgotten: no names."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry with what it commits to; `statement` and `salt` are None once they are erased."""

    number: int
    at: datetime
    kind: str
    veiled: bool
    repo_id: RepoId | None
    commit_oid: GitOid | None
    entry: bytes
    statement: bytes | None
    salt: bytes | None


def leaf_and_statement(act: Act, stated: Stated, salt: bytes, hub: str) -> tuple[bytes, bytes]:
    """The entry of an act and its statement, both canonical JSON."""
    said: JsonObject = {"v": 1, "kind": stated.kind, "time": second_of(act.at), "hub": hub, **stated.said}
    statement = canonical_json(said)
    entry: JsonObject = {"v": 1, "commitment": sha256(salt + statement).hexdigest()}
    if stated.subject is not None:
        entry["subject"] = stated.subject
    if stated.veiled:
        entry |= {"kind": VEILED_KIND, "time": day_of(act.at)}
    else:
        time = day_of(act.at) if stated.kind in _UNDATED else second_of(act.at)
        entry |= {"kind": stated.kind, "time": time, **stated.shown}
    leaf = canonical_json(entry)
    if len(leaf) >= MAX_ENTRY_BYTES:
        raise RuntimeError(f"an entry of kind {stated.kind} would have {len(leaf)} bytes")
    return leaf, statement


def read_entry(uow: UnitOfWork, number: int) -> LogEntry:
    """One entry; raises EntryNotFound. Whether its statement may be shown is the caller's question."""
    row = uow.one_or_none(_select().where(log_entry.c.number == number))
    if row is None:
        raise EntryNotFound
    return _entry(row)


def entries_between(uow: UnitOfWork, begin: int, end: int) -> list[bytes]:
    """The leaves from `begin` up to and without `end`; fewer where the log ends."""
    query = (
        select(log_entry.c.entry)
        .where(log_entry.c.number >= begin, log_entry.c.number < end)
        .order_by(log_entry.c.number)
    )
    return [row.entry for row in uow.all(query)]


def entries_in_order(uow: UnitOfWork, begin: int, end: int) -> list[LogEntry]:
    """The entries from `begin` up to and without `end`, with their statements; fewer where the log ends."""
    query = _select().where(log_entry.c.number >= begin, log_entry.c.number < end)
    return [_entry(row) for row in uow.all(query.order_by(log_entry.c.number))]


def entries_of_repo(
    uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid | None = None, *, limit: int = 1000
) -> list[LogEntry]:
    """The newest entries about a repo, or about one of its revisions, in the order of the log."""
    query = _select().where(log_entry.c.repo_id == repo_id)
    if commit_oid is not None:
        query = query.where(log_entry.c.commit_oid == commit_oid)
    rows = uow.all(query.order_by(log_entry.c.number.desc()).limit(limit))
    return [_entry(row) for row in reversed(rows)]


def key_entries(uow: UnitOfWork) -> list[int]:
    """The numbers of the entries that tell of the hub's keys, oldest first."""
    query = select(log_entry.c.number).where(log_entry.c.kind == "key").order_by(log_entry.c.number)
    return [row.number for row in uow.all(query)]


def newest_entry(uow: UnitOfWork, kind: str, *, before: int | None = None) -> LogEntry | None:
    """The last entry of a kind, or the last before another; None when there is none."""
    query = _select().where(log_entry.c.kind == kind)
    if before is not None:
        query = query.where(log_entry.c.number < before)
    row = uow.one_or_none(query.order_by(log_entry.c.number.desc()).limit(1))
    return None if row is None else _entry(row)


def entries_below(
    uow: UnitOfWork, below: int | None, limit: int, kind: str | None = None, *, told: bool = False
) -> list[LogEntry]:
    """The newest entries, or the newest before entry `below`, newest first; only those that say `kind`.

    What an entry hides is of the kind `private` and of no other. With `told`, only those whose statements
    were not erased. Which statement may be shown is the caller's question.
    """
    query = _select()
    if below is not None:
        query = query.where(log_entry.c.number < below)
    if kind == VEILED_KIND:
        query = query.where(log_entry.c.veiled.is_(True))
    elif kind is not None:
        query = query.where(log_entry.c.kind == kind, log_entry.c.veiled.is_(False))
    if told:
        query = query.where(log_entry.c.statement.is_not(None))
    return [_entry(row) for row in uow.all(query.order_by(log_entry.c.number.desc()).limit(limit))]


def times_of_entries(uow: UnitOfWork, numbers: Sequence[int]) -> dict[int, datetime]:
    """When the acts of these entries were done; numbers that the log does not have are absent."""
    query = select(log_entry.c.number, log_entry.c.at).where(log_entry.c.number.in_(sorted(set(numbers))))
    return {int(row.number): row.at for row in uow.all(query)}


def erase_repo(uow: UnitOfWork, repo_id: RepoId) -> None:
    """Forget what was said of a repo; the entries stay and say nothing any more."""
    erase_acts(uow, [row.id for row in uow.all(select(outbox.c.id).where(outbox.c.repo_id == repo_id))])


def erase_acts_of(uow: UnitOfWork, account_id: AccountId) -> None:
    """Forget what an account did, in whatever repos; the entries stay and say nothing any more."""
    erase_acts(uow, [row.id for row in uow.all(select(outbox.c.id).where(outbox.c.actor_id == account_id))])


def erase_acts(uow: UnitOfWork, outbox_ids: Sequence[int]) -> None:
    """Forget what these acts were, by the ids of their events."""
    for batch in batches(list(outbox_ids)):
        rows = uow.all(select(outbox.c.id, outbox.c.kind, outbox.c.payload).where(outbox.c.id.in_(batch)))
        for row in rows:
            kept = _KEPT_OF_ERASED.get(row.kind, ())
            left = {name: value for name, value in row.payload.items() if name in kept}
            uow.execute(
                update(outbox).where(outbox.c.id == row.id).values(payload=left, salt=None, actor_id=None)
            )
        uow.execute(update(log_entry).where(log_entry.c.outbox_id.in_(batch)).values(statement=None))


def _select() -> Any:
    return select(log_entry, outbox.c.salt).join(outbox, outbox.c.id == log_entry.c.outbox_id)


def _entry(row: Row[Any]) -> LogEntry:
    return LogEntry(
        row.number,
        row.at,
        row.kind,
        row.veiled,
        row.repo_id,
        row.commit_oid,
        bytes(row.entry),
        None if row.statement is None or row.salt is None else bytes(row.statement),
        None if row.salt is None else bytes(row.salt),
    )
