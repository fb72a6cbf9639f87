"""Epoch and scope: the two parts of the Xet store's address on which a client's memory depends.

A client remembers what it has uploaded under the whole address of the store. The address must change when
that memory may be wrong for everybody (the epoch), or for one account (its scope).

The epoch changes by itself when the data folder is new or was restored. A restored copy is told from the
original by a mark: a file beside the database that each start writes anew, the numbers by which the file
system knows it and the database, and the same written down in the database. Whatever copy was put in place of
another, one of them differs. What no mark can tell, such as a store that lost bytes, is found by the shard
that names them; then the scope of its account is renewed.
"""

import json
import secrets
from pathlib import Path

from sqlalchemy import select, update

from allmende.ids import AccountId
from allmende.storage.durable import replace_durably
from allmende.storage.engine import Database
from allmende.storage.unit_of_work import UnitOfWork
from allmende.storage.xet_tables import xet_epoch, xet_scope

__all__ = ["read_epoch", "read_generation", "renew_epoch", "renew_scope", "settle_epoch"]

_ROW = 1
_EPOCH_BYTES = 6


def read_epoch(uow: UnitOfWork) -> str:
    """The epoch of this moment; the migration that made its table began the first one."""
    return str(uow.execute(select(xet_epoch.c.epoch).where(xet_epoch.c.id == _ROW)).scalar_one())


def renew_epoch(uow: UnitOfWork) -> str:
    """Begin an epoch: from now on no client relies on what it remembers."""
    epoch = secrets.token_hex(_EPOCH_BYTES)
    uow.execute(update(xet_epoch).where(xet_epoch.c.id == _ROW).values(epoch=epoch))
    return epoch


def settle_epoch(database: Database, data: Path) -> bool:
    """At a start: begin an epoch if the data folder is new or was restored; returns whether.

    Only for whoever holds the data folder alone: a second start at the same time would disturb the mark.
    """
    marker = data / "xet-mark"
    with database.read() as uow:
        expected = uow.execute(select(xet_epoch.c.mark).where(xet_epoch.c.id == _ROW)).scalar_one()
    renewed = _mark(marker, database) != str(expected)
    replace_durably(marker, secrets.token_hex(16).encode())
    mark = _mark(marker, database)
    with database.write() as uow:
        if renewed:
            renew_epoch(uow)
        uow.execute(update(xet_epoch).where(xet_epoch.c.id == _ROW).values(mark=mark))
    return renewed


def read_generation(uow: UnitOfWork, account_id: AccountId) -> int:
    """How often the account's scope was renewed."""
    row = uow.one_or_none(select(xet_scope.c.generation).where(xet_scope.c.account_id == account_id))
    return 0 if row is None else int(row.generation)


def renew_scope(uow: UnitOfWork, account_id: AccountId) -> None:
    """Let the account's clients begin with an empty memory."""
    generation = read_generation(uow, account_id) + 1
    uow.upsert(xet_scope, {"account_id": account_id, "generation": generation})


def _mark(marker: Path, database: Database) -> str:
    """What tells this data folder from a copy of it.

    A copy of the marker has another number or another time of change, which no program can set; the database
    of a copy has another number, or, written in place, an older idea of the marker.
    """
    try:
        stat = marker.stat()
        text = marker.read_text("ascii")
    except FileNotFoundError:
        return "there is no marker"
    file = database.url.database if database.url.get_backend_name() == "sqlite" else None
    database_number = Path(file).stat().st_ino if file and Path(file).exists() else 0
    return json.dumps([text, stat.st_ino, stat.st_ctime_ns, database_number])
