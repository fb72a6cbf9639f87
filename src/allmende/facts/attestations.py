"""Signed statements about revisions, as they are kept. The caller verified them, and may read the repo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select

from allmende.facts.signature_tables import attestation
from allmende.ids import AccountId, GitOid, RepoId, Sha256
from allmende.storage import UnitOfWork

__all__ = [
    "UPLOADED",
    "Attestation",
    "add_attestation",
    "attestations_of",
    "count_attestations",
    "drop_older_attestations",
    "find_attestation",
    "forget_attestations",
    "has_attestation",
]

UPLOADED = "upload"
"""The maker of what came from outside; otherwise a step of this hub."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A statement in its envelope, and whose signatures were found to be on it."""

    digest: Sha256
    """SHA-256 of the envelope."""
    predicate_type: str
    basis: str
    """SHA-256 of what it says, its times left out: the same again is not said again."""
    envelope: bytes = field(repr=False)
    signers: Sequence[Mapping[str, str]]
    """`id` of each key, and `name` where the trust policy has one; empty: of no key that is known here."""
    maker: str
    actor_id: AccountId | None
    added_at: datetime


def add_attestation(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, added: Attestation) -> bool:
    """Keep a statement about a revision, with its event; False when this very envelope is there already."""
    if find_attestation(uow, repo_id, commit_oid, added.digest) is not None:
        return False
    uow.execute(
        attestation.insert().values(
            repo_id=repo_id,
            commit_oid=commit_oid,
            digest=added.digest,
            predicate_type=added.predicate_type,
            basis=added.basis,
            envelope=added.envelope,
            signers=[dict(signer) for signer in added.signers],
            maker=added.maker,
            actor_id=added.actor_id,
            added_at=added.added_at,
        )
    )
    uow.emit(
        "attestation.added",
        {"revision": commit_oid, "envelope": added.digest, "predicate_type": added.predicate_type},
        repo_id=repo_id,
        actor_id=added.actor_id,
    )
    return True


def attestations_of(
    uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, *, after: int = 0, limit: int = 100
) -> list[tuple[int, Attestation]]:
    """A page of the statements about a revision, in the order in which they came, each with its number."""
    query = (
        _of(repo_id, commit_oid)
        .where(attestation.c.number > after)
        .order_by(attestation.c.number)
        .limit(limit)
    )
    return [(int(row.number), _attestation(row)) for row in uow.all(query)]


def find_attestation(
    uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, digest: Sha256
) -> Attestation | None:
    """The statement whose envelope has this digest, if there is one about the revision."""
    row = uow.one_or_none(_of(repo_id, commit_oid).where(attestation.c.digest == digest))
    return None if row is None else _attestation(row)


def has_attestation(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, maker: str, basis: str) -> bool:
    """Whether the newest statement that this maker made of the revision says the same."""
    query = (
        _of(repo_id, commit_oid)
        .where(attestation.c.maker == maker)
        .order_by(attestation.c.number.desc())
        .limit(1)
    )
    row = uow.one_or_none(query)
    return row is not None and row.basis == basis


def count_attestations(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> int:
    """How many statements there are about a revision."""
    query = (
        select(func.count())
        .select_from(attestation)
        .where(attestation.c.repo_id == repo_id, attestation.c.commit_oid == commit_oid)
    )
    return int(uow.execute(query).scalar_one())


def drop_older_attestations(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, maker: str) -> None:
    """Of what a maker said of a revision, only the newest stays."""
    mine = (
        (attestation.c.repo_id == repo_id)
        & (attestation.c.commit_oid == commit_oid)
        & (attestation.c.maker == maker)
    )
    newest = select(func.max(attestation.c.number)).where(mine).scalar_subquery()
    uow.execute(delete(attestation).where(mine, attestation.c.number < newest))


def forget_attestations(uow: UnitOfWork, repo_id: RepoId) -> None:
    """The repo is gone, and what was said of it goes too."""
    uow.execute(delete(attestation).where(attestation.c.repo_id == repo_id))


def _of(repo_id: RepoId, commit_oid: GitOid) -> Any:
    return select(attestation).where(attestation.c.repo_id == repo_id, attestation.c.commit_oid == commit_oid)


def _attestation(row: Row[Any]) -> Attestation:
    return Attestation(
        digest=Sha256(row.digest),
        predicate_type=row.predicate_type,
        basis=row.basis,
        envelope=bytes(row.envelope),
        signers=row.signers,
        maker=row.maker,
        actor_id=None if row.actor_id is None else AccountId(row.actor_id),
        added_at=row.added_at,
    )
