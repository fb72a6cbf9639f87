"""Xorbs as clients uploaded them: whose they are, where their bytes lie, and for how long.

A client remembers for three weeks what it has uploaded and never asks again, so a row lives longer than that
after it was last seen. Its bytes are kept until contents hold all of them: then runs say where.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, select, tuple_, update

from allmende.ids import AccountId, Sha256, XetHash
from allmende.storage.contents import batches
from allmende.storage.schema import content
from allmende.storage.unit_of_work import UnitOfWork
from allmende.storage.xet_tables import uploaded_xorb, xorb_run

__all__ = [
    "UploadedXorb",
    "XorbKey",
    "XorbRun",
    "add_runs",
    "add_uploaded_xorb",
    "find_uploaded_xorb",
    "forget_lost_xorb",
    "forget_uploaded_xorb",
    "kept_xorbs",
    "known_xorb_locations",
    "let_go_of_bytes",
    "list_runs",
    "named_since",
    "see_xorbs",
    "uploaded_xorb_figures",
    "waiting_xorbs",
    "xorbs_unseen_since",
]


@dataclass(frozen=True, slots=True)
class XorbKey:
    """An uploaded xorb is somebody's: two accounts that upload the same have two."""

    account_id: AccountId
    hash: XetHash


@dataclass(frozen=True, slots=True)
class UploadedXorb:
    """A xorb, its chunks (packed), and where its unpacked bytes are, unless contents hold all of them."""

    key: XorbKey
    size_bytes: int
    chunks: bytes
    location: str | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class XorbRun:
    """Chunks `first` to `end` (exclusive) of a xorb lie at `offset_bytes` of a content."""

    key: XorbKey
    first: int
    end: int
    sha256: Sha256
    offset_bytes: int


def add_uploaded_xorb(
    uow: UnitOfWork, key: XorbKey, size_bytes: int, chunks: bytes, location: str
) -> str | None:
    """Record that the bytes of a xorb are durable at `location`.

    Returns where they were before, if they were somewhere: the caller removes them there after the commit.
    """
    before = uow.one_or_none(select(uploaded_xorb.c.location).where(_is(key)))
    uow.upsert(
        uploaded_xorb,
        {
            "account_id": key.account_id,
            "hash": key.hash,
            "size_bytes": size_bytes,
            "chunks": chunks,
            "location": location,
            "seen_at": uow.now,
        },
    )
    return None if before is None else before.location


def find_uploaded_xorb(uow: UnitOfWork, key: XorbKey) -> UploadedXorb | None:
    """The xorb, if the account has uploaded it."""
    row = uow.one_or_none(select(uploaded_xorb).where(_is(key)))
    return None if row is None else _xorb(row)


def list_runs(uow: UnitOfWork, key: XorbKey) -> list[XorbRun]:
    """Where the chunks of a xorb lie in sound contents, in their order."""
    query = (
        select(xorb_run)
        .join(content, content.c.sha256 == xorb_run.c.sha256)
        .where(
            xorb_run.c.account_id == key.account_id,
            xorb_run.c.hash == key.hash,
            content.c.damaged.is_(None),
        )
        .order_by(xorb_run.c.first)
    )
    return [XorbRun(key, row.first, row.end, Sha256(row.sha256), row.offset_bytes) for row in uow.all(query)]


def waiting_xorbs(uow: UnitOfWork, account_id: AccountId, limit: int) -> list[UploadedXorb]:
    """The account's xorbs whose files have not been made of them yet, the last seen first."""
    query = (
        select(uploaded_xorb)
        .where(uploaded_xorb.c.account_id == account_id, uploaded_xorb.c.location.is_not(None))
        .order_by(uploaded_xorb.c.seen_at.desc(), uploaded_xorb.c.hash)
        .limit(limit)
    )
    return [_xorb(row) for row in uow.all(query)]


def add_runs(uow: UnitOfWork, runs: Iterable[XorbRun]) -> None:
    """Record where ranges of xorbs lie; of two that begin alike the longer one in a sound content stays."""
    by_xorb: dict[XorbKey, dict[int, XorbRun]] = {}
    for run in runs:
        begun = by_xorb.setdefault(run.key, {})
        if run.first not in begun or begun[run.first].end < run.end:
            begun[run.first] = run
    rows = []
    for key, begun in by_xorb.items():
        known = {run.first: run.end for run in list_runs(uow, key)}
        rows += [run for run in begun.values() if known.get(run.first, 0) < run.end]
    uow.upsert_all(
        xorb_run,
        [
            {
                "account_id": run.key.account_id,
                "hash": run.key.hash,
                "first": run.first,
                "end": run.end,
                "sha256": run.sha256,
                "offset_bytes": run.offset_bytes,
            }
            for run in rows
        ],
    )


def see_xorbs(uow: UnitOfWork, account_id: AccountId, hashes: Iterable[XetHash]) -> None:
    """Record that the account's client names these xorbs now."""
    for batch in batches(sorted(set(hashes))):
        uow.execute(
            update(uploaded_xorb)
            .where(uploaded_xorb.c.account_id == account_id, uploaded_xorb.c.hash.in_(batch))
            .values(seen_at=uow.now)
        )


def let_go_of_bytes(uow: UnitOfWork, key: XorbKey, location: str) -> bool:
    """The bytes at `location` are in contents by now: the row names them no more. False if it did not."""
    changed = uow.execute(
        update(uploaded_xorb).where(_is(key), uploaded_xorb.c.location == location).values(location=None)
    )
    return changed.rowcount == 1


def kept_xorbs(uow: UnitOfWork, after: XorbKey | None, limit: int) -> list[UploadedXorb]:
    """Xorbs whose bytes are kept, in the order of account and hash, after `after`."""
    query = (
        select(uploaded_xorb)
        .where(uploaded_xorb.c.location.is_not(None))
        .order_by(uploaded_xorb.c.account_id, uploaded_xorb.c.hash)
        .limit(limit)
    )
    if after is not None:
        query = query.where(
            tuple_(uploaded_xorb.c.account_id, uploaded_xorb.c.hash) > tuple_(after.account_id, after.hash)
        )
    return [_xorb(row) for row in uow.all(query)]


def xorbs_unseen_since(uow: UnitOfWork, moment: datetime, limit: int) -> list[UploadedXorb]:
    """Xorbs that no client has named since `moment`, the oldest first."""
    query = (
        select(uploaded_xorb)
        .where(uploaded_xorb.c.seen_at < moment)
        .order_by(uploaded_xorb.c.seen_at)
        .limit(limit)
    )
    return [_xorb(row) for row in uow.all(query)]


def forget_lost_xorb(uow: UnitOfWork, key: XorbKey, location: str) -> bool:
    """Remove the row of a xorb whose bytes at `location` are lost, unless it was uploaded anew since."""
    gone = uow.execute(delete(uploaded_xorb).where(_is(key), uploaded_xorb.c.location == location))
    return gone.rowcount == 1


def forget_uploaded_xorb(uow: UnitOfWork, key: XorbKey, unseen_since: datetime) -> bool:
    """Remove the row and its runs, unless a client has named it since; returns whether."""
    gone = uow.execute(delete(uploaded_xorb).where(_is(key), uploaded_xorb.c.seen_at < unseen_since))
    return gone.rowcount == 1


def known_xorb_locations(uow: UnitOfWork, locations: Sequence[str]) -> set[str]:
    """Those locations at which the bytes of some xorb are kept."""
    found: set[str] = set()
    for batch in batches(sorted(set(locations))):
        query = select(uploaded_xorb.c.location).where(uploaded_xorb.c.location.in_(batch))
        found.update(row.location for row in uow.all(query))
    return found


def uploaded_xorb_figures(uow: UnitOfWork) -> tuple[int, int]:
    """How many xorbs still wait for their files, and how many bytes they have together."""
    query = select(
        func.count().label("xorbs"), func.coalesce(func.sum(uploaded_xorb.c.size_bytes), 0).label("size")
    ).where(uploaded_xorb.c.location.is_not(None))
    row = uow.execute(query).one()
    return int(row.xorbs), int(row.size)


def named_since(moment: datetime) -> ColumnElement[bool]:
    """The condition that a content holds chunks that some client may still name."""
    return exists().where(
        xorb_run.c.sha256 == content.c.sha256,
        uploaded_xorb.c.account_id == xorb_run.c.account_id,
        uploaded_xorb.c.hash == xorb_run.c.hash,
        uploaded_xorb.c.seen_at >= moment,
    )


def _is(key: XorbKey) -> ColumnElement[bool]:
    return and_(uploaded_xorb.c.account_id == key.account_id, uploaded_xorb.c.hash == key.hash)


def _xorb(row: Row[Any]) -> UploadedXorb:
    key = XorbKey(AccountId(row.account_id), XetHash(row.hash))
    return UploadedXorb(key, row.size_bytes, row.chunks, row.location, row.seen_at)
