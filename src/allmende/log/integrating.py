"""The integrator: acts of the outbox become entries, in the order of their ids, each once.

It takes the rows that have no index yet. An act whose transaction ends late has a smaller id than acts that
are entries already, and simply joins a later batch: to remember the highest id would lose it. A batch is one
transaction, and only one process is in it: SQLite's write lock, or an advisory lock of PostgreSQL.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TypeAlias

from sqlalchemy import func, select, update

from allmende.failpoints import reach
from allmende.log.acts import Act, Statements
from allmende.log.entries import leaf_and_statement
from allmende.log.tables import log_entry, log_state
from allmende.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, leaf_hash
from allmende.proof import JsonObject, canonical_json
from allmende.storage import Database, UnitOfWork, outbox

__all__ = ["BATCH", "KEYS_EVENT", "LogSize", "announce_keys", "integrate", "log_size", "waiting_acts"]

BATCH = 256
"""Acts in one transaction: few enough that nobody who writes waits for long."""

KEYS_EVENT = "log.keys"

_Salted: TypeAlias = tuple[Act, bytes | None]
"""An act with its salt, which it has until it is erased."""

_LOCK = 0x616C6D6C6F67  # any number that nothing else in the database locks
_STATE = 1


@dataclass(frozen=True, slots=True)
class LogSize:
    """How far the database is: entries, and the root over them."""

    size: int
    root: bytes


def log_size(uow: UnitOfWork) -> LogSize:
    """The tree as the database has it."""
    row = uow.one_or_none(select(log_state.c.size, log_state.c.root).where(log_state.c.id == _STATE))
    return LogSize(0, EMPTY_ROOT) if row is None else LogSize(row.size, bytes(row.root))


def waiting_acts(uow: UnitOfWork) -> tuple[int, datetime | None]:
    """How many acts are no entries yet, and the time of the oldest."""
    query = select(func.count().label("acts"), func.min(outbox.c.at).label("oldest")).where(
        outbox.c.log_index.is_(None)
    )
    row = uow.execute(query).one()
    return int(row.acts), row.oldest


def announce_keys(database: Database, keys: JsonObject) -> None:
    """Make an act of the set of keys that is valid from now on, unless it is the one that was told last."""
    digest = sha256(canonical_json(keys)).hexdigest()
    with database.read() as uow:
        if _keys_digest(uow) == digest:
            return
    with database.write() as uow:
        if _keys_digest(uow) == digest:
            return
        frontier = _frontier(uow)
        uow.emit(KEYS_EVENT, {"keys": keys})
        _put_state(uow, frontier, digest)


def integrate(database: Database, statements: Statements, hub: str, limit: int = BATCH) -> int:
    """Make the next acts entries, at most `limit`; returns how many they were.

    0 when there are none, and also while another process is at it.
    """
    with database.read() as uow:
        acts = _pending(uow, limit)
    if not acts:
        return 0
    statements.prepare([act for act, _ in acts])
    reach("log.before_batch")
    with database.write() as uow:
        if not _locked(uow):
            return 0
        count = _append(uow, statements, hub, _still_pending(uow, acts))
        reach("log.before_commit")
    reach("log.integrated")
    return count


def _append(uow: UnitOfWork, statements: Statements, hub: str, acts: Sequence[_Salted]) -> int:
    stated = statements.state(uow, [act for act, _ in acts])
    frontier = _frontier(uow)
    leaves: list[bytes] = []
    rows = []
    for (act, salt), said in zip(acts, stated, strict=False):
        leaf, statement = leaf_and_statement(act, said, salt or secrets.token_bytes(HASH_BYTES), hub)
        rows.append(
            {
                "number": frontier.size + len(leaves),
                "outbox_id": act.id,
                "at": act.at,
                "kind": said.kind,
                "veiled": said.veiled,
                "repo_id": act.repo_id,
                "commit_oid": said.commit_oid,
                "entry": leaf,
                # What was erased before it came here stays erased: the entry binds nothing that is known.
                "statement": None if salt is None else statement,
            }
        )
        leaves.append(leaf)
    if rows:
        uow.execute(log_entry.insert(), rows)
        uow.execute(
            update(outbox)
            .where(outbox.c.id == log_entry.c.outbox_id, log_entry.c.number >= frontier.size)
            .values(log_index=log_entry.c.number)
        )
        _put_state(uow, frontier.extended(map(leaf_hash, leaves)), _keys_digest(uow))
    return len(rows)


def _pending(uow: UnitOfWork, limit: int) -> list[_Salted]:
    query = select(outbox).where(outbox.c.log_index.is_(None)).order_by(outbox.c.id).limit(limit)
    return [
        (
            Act(row.id, row.at, row.kind, row.repo_id, row.payload, erased=row.salt is None),
            None if row.salt is None else bytes(row.salt),
        )
        for row in uow.all(query)
    ]


def _still_pending(uow: UnitOfWork, acts: Sequence[_Salted]) -> list[_Salted]:
    """Those of these acts that are no entries yet, as they are now: one may have been erased meanwhile.

    What an act says never changes but by erasure, so that it is not read a second time.
    """
    query = select(outbox.c.id, outbox.c.salt.is_(None).label("erased")).where(
        outbox.c.log_index.is_(None), outbox.c.id >= acts[0][0].id, outbox.c.id <= acts[-1][0].id
    )
    erased = {row.id: bool(row.erased) for row in uow.all(query)}
    return [
        (replace(act, payload={}, erased=True), None) if erased[act.id] else (act, salt)
        for act, salt in acts
        if act.id in erased
    ]


def _locked(uow: UnitOfWork) -> bool:
    """Whether this process may append now; a writing transaction of SQLite excludes every other one."""
    if uow.connection.dialect.name != "postgresql":
        return True
    return bool(uow.execute(select(func.pg_try_advisory_xact_lock(_LOCK))).scalar_one())


def _keys_digest(uow: UnitOfWork) -> str | None:
    row = uow.one_or_none(select(log_state.c.keys_digest).where(log_state.c.id == _STATE))
    return None if row is None else row.keys_digest


def _frontier(uow: UnitOfWork) -> Frontier:
    row = uow.one_or_none(select(log_state.c.size, log_state.c.frontier).where(log_state.c.id == _STATE))
    if row is None:
        return Frontier()
    packed = bytes(row.frontier)
    return Frontier(row.size, tuple(packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)))


def _put_state(uow: UnitOfWork, frontier: Frontier, keys_digest: str | None) -> None:
    uow.upsert(
        log_state,
        {
            "id": _STATE,
            "size": frontier.size,
            "root": frontier.root,
            "frontier": b"".join(frontier.hashes),
            "keys_digest": keys_digest,
            "at": uow.now,
        },
    )
