"""This hub as a witness (C2SP tlog-witness): the last checkpoint that it cosigned of each log, and evidence.

The decision is made in `merkle`. Here is what must be kept: the comparison with what was cosigned last and
the writing of the new checkpoint are one transaction, durable before the cosignature is given out.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import select

from allmende.log.peers import known_logs
from allmende.log.tables import log_evidence, witness_state
from allmende.merkle import (
    Cosigned,
    Equivocation,
    Note,
    SigningKey,
    Witness,
    WitnessAnswer,
    monitoring_path,
    read_checkpoint,
    read_note,
)
from allmende.storage import Database, UnitOfWork

__all__ = [
    "Evidence",
    "WitnessedLog",
    "add_checkpoint",
    "evidence_file",
    "list_evidence",
    "put_evidence",
    "witnessed_logs",
    "witnessed_note",
]

_MOST_EVIDENCE = 1000
"""A log that contradicts itself could do so without end; this many files prove it."""


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """A log and the size of its tree that this hub cosigned last."""

    origin: str
    size: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """That a log has signed two histories; `digest` is the SHA-256 of the file."""

    digest: str
    origin: str
    at: datetime


class _Store:
    """A `merkle.CosignedStore` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self, origin: str, /) -> Cosigned | None:
        """What was stored last."""
        with self._database.read() as uow:
            return _last(uow, origin)

    def advance(self, old: Cosigned | None, new: Cosigned, /) -> bool:
        """Put `new` in the place of `old`, unless another is there by now."""
        with self._database.write() as uow:
            if _last(uow, new.origin) != old:
                return False
            row = {"origin": new.origin, "size": new.size, "note": bytes(new.note), "at": uow.now}
            uow.upsert(witness_state, row)
        return True


def add_checkpoint(database: Database, key: SigningKey, body: bytes) -> WitnessAnswer:
    """The answer of this witness to a request; what it cosigns and what it proves are stored first."""
    with database.read() as uow:
        logs = known_logs(uow)

    def keep(found: Equivocation) -> None:
        with database.write() as uow:
            put_evidence(uow, found)

    witness = Witness(logs, [key], _Store(database), keep)
    return witness.add_checkpoint(body, int(database.clock().timestamp()))


def witnessed_note(uow: UnitOfWork, path: str) -> Note | None:
    """The last cosigned checkpoint under a monitoring path, `<hash of the origin>/checkpoint`."""
    for row in uow.all(select(witness_state.c.origin, witness_state.c.note)):
        if monitoring_path(row.origin) == path:
            return read_note(bytes(row.note))
    return None


def witnessed_logs(uow: UnitOfWork) -> list[WitnessedLog]:
    """Every log of which this hub has cosigned something, by name."""
    query = select(witness_state).order_by(witness_state.c.origin)
    return [WitnessedLog(row.origin, row.size, row.at) for row in uow.all(query)]


def put_evidence(uow: UnitOfWork, found: Equivocation) -> str:
    """Keep evidence against a log, once; returns the digest of the file."""
    data = bytes(found)
    digest = sha256(data).hexdigest()
    if len(list_evidence(uow)) < _MOST_EVIDENCE:
        origin = read_checkpoint(found.larger.text).origin
        row = {"digest": digest, "origin": origin, "evidence": data, "at": uow.now}
        uow.insert_new(log_evidence, [row])
    return digest


def list_evidence(uow: UnitOfWork) -> list[Evidence]:
    """All evidence that this hub keeps, oldest first."""
    columns = (log_evidence.c.digest, log_evidence.c.origin, log_evidence.c.at)
    rows = uow.all(select(*columns).order_by(log_evidence.c.at, log_evidence.c.digest))
    return [Evidence(row.digest, row.origin, row.at) for row in rows]


def evidence_file(uow: UnitOfWork, digest: str) -> bytes | None:
    """The file of some evidence, which `merkle.read_equivocation` reads."""
    row = uow.one_or_none(select(log_evidence.c.evidence).where(log_evidence.c.digest == digest))
    return None if row is None else bytes(row.evidence)


def _last(uow: UnitOfWork, origin: str) -> Cosigned | None:
    row = uow.one_or_none(select(witness_state).where(witness_state.c.origin == origin))
    if row is None:
        return None
    note = read_note(bytes(row.note))
    checkpoint = read_checkpoint(note.text)
    return Cosigned(checkpoint.origin, checkpoint.size, checkpoint.root, note)
