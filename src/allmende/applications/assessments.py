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

from sqlalchemy import Row, Select, delete, func, select

from allmende.applications.register import Application
from allmende.applications.tables import application, application_assessment
from allmende.errors import Damaged
from allmende.ids import RepoId, Sha256
from allmende.storage import UnitOfWork

__all__ = [
    "KeptAssessment",
    "ListedAssessment",
    "add_assessment",
    "find_assessment",
    "is_law_new",
    "list_assessments",
    "newest_assessment",
]

_MAX_KEPT = 200
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ListedAssessment:
    """One assessment as lists need it.

    `digest` is that of its JSON; `basis` what the hub knew of each model then, by the model's name; `moved`
    what is different from the assessment before, empty for the first; `repos` those whose facts are in it.
    """

    number: int
    version: int
    pack_digest: str
    at: datetime
    digest: Sha256
    basis: Mapping[str, Any]
    moved: Mapping[str, Any]
    repos: frozenset[RepoId]


@dataclass(frozen=True, slots=True)
class KeptAssessment(ListedAssessment):
    """The whole of it: its JSON in English, and the description with the hub's facts that it was made of."""

    document: bytes
    inputs: bytes

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
        dict(basis),
        dict(moved),
        frozenset(repos),
        document,
        inputs,
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
    """The newest; None where there is none yet. Raises Damaged."""
    query = _of(found).order_by(application_assessment.c.number.desc()).limit(1)
    row = uow.one_or_none(query)
    return None if row is None else _kept(row)


def find_assessment(uow: UnitOfWork, found: Application, number: int) -> KeptAssessment | None:
    """The assessment of that number; None where there is none, or none any more. Raises Damaged."""
    row = uow.one_or_none(_of(found).where(application_assessment.c.number == number))
    return None if row is None else _kept(row)


def list_assessments(
    uow: UnitOfWork, found: Application, *, before: int | None = None, limit: int = 20
) -> list[ListedAssessment]:
    """The assessments, the newest first, with `before` those of lower numbers, without their texts."""
    of = application_assessment.c
    columns = (of.number, of.version, of.pack_digest, of.at, of.digest, of.basis, of.moved, of.repos)
    query = select(*columns).where(of.application_id == found.id)
    if before is not None:
        query = query.where(of.number < before)
    return [ListedAssessment(*_listed(row)) for row in uow.all(query.order_by(of.number.desc()).limit(limit))]


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
    return KeptAssessment(*_listed(row), document, _inflated(row.inputs))


def _of(found: Application) -> Select[Any]:
    return select(application_assessment).where(application_assessment.c.application_id == found.id)


def _listed(
    row: Row[Any],
) -> tuple[int, int, str, datetime, Sha256, Mapping[str, Any], Mapping[str, Any], frozenset[RepoId]]:
    """The fields of a ListedAssessment, in their order."""
    return (
        row.number,
        row.version,
        row.pack_digest,
        row.at,
        Sha256(row.digest),
        row.basis,
        row.moved,
        frozenset(RepoId(one) for one in row.repos),
    )


def _inflated(data: bytes) -> bytes:
    inflating = zlib.decompressobj()
    whole = inflating.decompress(data, _MAX_BYTES)
    if not inflating.eof:
        raise Damaged("A stored assessment does not end where it should.")
    return whole
