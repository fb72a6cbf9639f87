"""Assessments of an application, kept one after the other: what followed, from what, and what had moved.

Each names the repos whose facts are in it, so that it can be withheld from who may not see one of them.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select

from allmende.applications.register import Application
from allmende.applications.tables import application, application_assessment
from allmende.errors import Damaged
from allmende.ids import RepoId, Sha256
from allmende.storage import UnitOfWork

__all__ = [
    "KeptAssessment",
    "add_assessment",
    "find_assessment",
    "is_law_new",
    "list_assessments",
    "newest_assessment",
    "repos_in_assessments",
]

_MAX_KEPT = 200
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptAssessment:
    """One assessment: its JSON in English, and the description with the hub's facts that it was made of.

    `basis` is what the hub knew of each model then, by the model's name; `moved` what is different from the
    assessment before, empty for the first; `repos` are those whose facts are in it.
    """

    number: int
    version: int
    pack_digest: str
    at: datetime
    digest: Sha256
    document: bytes
    inputs: bytes
    basis: Mapping[str, Any]
    moved: Mapping[str, Any]
    repos: frozenset[RepoId]

    @property
    def json(self) -> dict[str, Any]:
        """The assessment as a JSON document."""
        document: dict[str, Any] = json.loads(self.document)
        return document


def add_assessment(
    uow: UnitOfWork,
    found: Application,
    *,
    version: int,
    pack_digest: str,
    document: bytes,
    inputs: bytes,
    basis: Mapping[str, Any],
    moved: Mapping[str, Any],
    repos: Iterable[RepoId],
) -> KeptAssessment:
    """Keep an assessment as the newest; of more than 200 the oldest go."""
    newest = select(func.max(application_assessment.c.number)).where(
        application_assessment.c.application_id == found.id
    )
    number = (uow.execute(newest).scalar_one() or 0) + 1
    kept = KeptAssessment(
        number,
        version,
        pack_digest,
        uow.now,
        Sha256(hashlib.sha256(document).hexdigest()),
        document,
        inputs,
        dict(basis),
        dict(moved),
        frozenset(repos),
    )
    uow.execute(
        application_assessment.insert().values(
            application_id=found.id,
            number=number,
            version=version,
            pack_digest=pack_digest,
            at=kept.at,
            digest=kept.digest,
            document=zlib.compress(document),
            inputs=zlib.compress(inputs),
            basis=dict(basis),
            moved=dict(moved),
            repos=sorted(kept.repos),
        )
    )
    uow.execute(
        delete(application_assessment).where(
            application_assessment.c.application_id == found.id,
            application_assessment.c.number <= number - _MAX_KEPT,
        )
    )
    return kept


def newest_assessment(uow: UnitOfWork, found: Application) -> KeptAssessment | None:
    """The newest; None where there is none yet."""
    listed = list_assessments(uow, found, limit=1)
    return listed[0] if listed else None


def find_assessment(uow: UnitOfWork, found: Application, number: int) -> KeptAssessment | None:
    """The assessment of that number; None where there is none, or none any more."""
    listed = list_assessments(uow, found, before=number + 1, limit=1)
    return listed[0] if listed and listed[0].number == number else None


def list_assessments(
    uow: UnitOfWork, found: Application, *, before: int | None = None, limit: int = 20
) -> list[KeptAssessment]:
    """The assessments, the newest first, with `before` those of lower numbers. Raises Damaged."""
    query = select(application_assessment).where(application_assessment.c.application_id == found.id)
    if before is not None:
        query = query.where(application_assessment.c.number < before)
    rows = uow.all(query.order_by(application_assessment.c.number.desc()).limit(limit))
    return [_kept(row) for row in rows]


def repos_in_assessments(
    uow: UnitOfWork, found: Application, numbers: Iterable[int]
) -> dict[int, frozenset[RepoId]]:
    """The repos whose facts are in each of these assessments; those that are not kept are absent."""
    of = application_assessment.c
    query = select(of.number, of.repos).where(
        of.application_id == found.id, of.number.in_(sorted(set(numbers)))
    )
    return {row.number: frozenset(RepoId(one) for one in row.repos) for row in uow.all(query)}


def is_law_new(uow: UnitOfWork, pack_digest: str) -> bool:
    """Whether some application was assessed last by another law pack, or not at all."""
    of, newer = application_assessment, application_assessment.alias()
    superseded = select(newer.c.number).where(
        newer.c.application_id == of.c.application_id, newer.c.number > of.c.number
    )
    current = select(of.c.application_id).where(of.c.pack_digest == pack_digest, ~superseded.exists())
    query = select(application.c.id).where(application.c.id.not_in(current)).limit(1)
    return uow.execute(query).first() is not None


def _kept(row: Row[Any]) -> KeptAssessment:
    document = _inflated(row.document)
    if hashlib.sha256(document).hexdigest() != row.digest:
        raise Damaged(f"Assessment {row.number} is not what was stored.")
    return KeptAssessment(
        number=row.number,
        version=row.version,
        pack_digest=row.pack_digest,
        at=row.at,
        digest=Sha256(row.digest),
        document=document,
        inputs=_inflated(row.inputs),
        basis=row.basis,
        moved=row.moved,
        repos=frozenset(RepoId(one) for one in row.repos),
    )


def _inflated(data: bytes) -> bytes:
    inflating = zlib.decompressobj()
    whole = inflating.decompress(data, _MAX_BYTES)
    if not inflating.eof:
        raise Damaged("A stored assessment does not end where it should.")
    return whole
