"""Transparency records as they were signed: the versions of each revision's, the newest first.

A version names other repos only while everybody may see them: it keeps their ids, so that whoever shows it
can ask. What a version said goes when a repo that it names is seen by fewer people, and when many newer ones
are there; that it was there, and its digest, stay until the repo goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update

from allmende.facts.record_tables import record, record_mention
from allmende.ids import GitOid, RepoId
from allmende.storage import UnitOfWork, batches

__all__ = [
    "RecordVersion",
    "add_record",
    "erase_records_naming",
    "erase_records_of",
    "forget_records",
    "latest_record",
    "record_versions",
    "records_naming",
    "repos_named_in",
    "revisions_with_record",
    "signed_record",
]

_KEPT = 50
"""How many versions of a revision's record keep what they say."""


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """One signed record of a revision. `kept` is False when only its digest is left."""

    number: int
    repo_id: RepoId
    commit_oid: GitOid
    version: int
    basis: str
    digest: str
    made_at: datetime
    kept: bool


_COLUMNS = [column for column in record.c if column.name != "envelope"]
_VERSIONS = select(*_COLUMNS, record.c.envelope.is_not(None).label("kept"))
_LATEST = (
    _VERSIONS.where(record.c.repo_id == bindparam("repo_id"), record.c.commit_oid == bindparam("commit_oid"))
    .order_by(record.c.version.desc())
    .limit(1)
)


def add_record(
    uow: UnitOfWork,
    repo_id: RepoId,
    commit_oid: GitOid,
    version: int,
    basis: str,
    digest: str,
    envelope: bytes,
    named: Iterable[RepoId],
) -> None:
    """Add a version, and let the oldest go beyond those that are kept.

    The database refuses a version that is there already.
    """
    inserted = uow.execute(
        record.insert().values(
            repo_id=repo_id,
            commit_oid=commit_oid,
            version=version,
            basis=basis,
            digest=digest,
            envelope=envelope,
            made_at=uow.now,
        )
    ).inserted_primary_key
    if inserted is None:
        raise RuntimeError("the database gave a record no number")
    number = int(inserted[0])
    uow.insert_new(
        record_mention, [{"record": number, "repo_id": one} for one in sorted(set(named)) if one != repo_id]
    )
    older = (
        (record.c.repo_id == repo_id)
        & (record.c.commit_oid == commit_oid)
        & (record.c.version <= version - _KEPT)
    )
    uow.execute(update(record).where(older).values(envelope=None))


def latest_record(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> RecordVersion | None:
    """The newest version of a revision's record; None before there is one."""
    row = uow.execute(_LATEST, {"repo_id": repo_id, "commit_oid": commit_oid}).one_or_none()
    return None if row is None else _version(row)


def record_versions(
    uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, limit: int, before: int | None = None
) -> list[RecordVersion]:
    """The versions of a revision's record, the newest first; with `before`, those below that version."""
    query = _of_revision(repo_id, commit_oid)
    if before is not None:
        query = query.where(record.c.version < before)
    return [_version(row) for row in uow.all(query.order_by(record.c.version.desc()).limit(limit))]


def signed_record(uow: UnitOfWork, number: int) -> bytes | None:
    """The envelope of a version; None when it is not kept any more."""
    row = uow.one_or_none(select(record.c.envelope).where(record.c.number == number))
    return None if row is None or row.envelope is None else bytes(row.envelope)


def repos_named_in(uow: UnitOfWork, numbers: Iterable[int]) -> dict[int, set[RepoId]]:
    """Which other repos these versions name; those that name none are absent."""
    found: dict[int, set[RepoId]] = {}
    for batch in batches(sorted(set(numbers))):
        query = select(record_mention).where(record_mention.c.record.in_(batch))
        for row in uow.all(query):
            found.setdefault(int(row.record), set()).add(RepoId(row.repo_id))
    return found


def records_naming(uow: UnitOfWork, repo_id: RepoId, limit: int) -> list[tuple[RepoId, GitOid]]:
    """Revisions of other repos of whose records a version names this repo; bounded."""
    query = (
        select(record.c.repo_id, record.c.commit_oid)
        .join(record_mention, record_mention.c.record == record.c.number)
        .where(record_mention.c.repo_id == repo_id, record.c.envelope.is_not(None))
        .distinct()
        .order_by(record.c.repo_id, record.c.commit_oid)
        .limit(limit)
    )
    return [(RepoId(row.repo_id), GitOid(row.commit_oid)) for row in uow.all(query)]


def erase_records_naming(uow: UnitOfWork, repo_id: RepoId) -> None:
    """What any version says goes that names this repo: not everybody may know of it any more."""
    naming = select(record_mention.c.record).where(record_mention.c.repo_id == repo_id)
    uow.execute(update(record).where(record.c.number.in_(naming)).values(envelope=None))


def erase_records_of(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> None:
    """What the versions of this revision's record say goes; that there were some, and their digests, stay."""
    said = (record.c.repo_id == repo_id) & (record.c.commit_oid == commit_oid)
    uow.execute(update(record).where(said).values(envelope=None))


def revisions_with_record(uow: UnitOfWork, repo_id: RepoId) -> list[GitOid]:
    """The revisions of a repo of which there is a record."""
    query = select(record.c.commit_oid).where(record.c.repo_id == repo_id).group_by(record.c.commit_oid)
    return [GitOid(row.commit_oid) for row in uow.all(query.order_by(func.max(record.c.number)))]


def forget_records(uow: UnitOfWork, repo_id: RepoId, commits: Iterable[GitOid] | None = None) -> None:
    """The repo is gone, or these commits of it, and what was signed of them goes too."""
    gone = record.c.repo_id == repo_id
    if commits is not None:
        gone &= record.c.commit_oid.in_(sorted(set(commits)))
    uow.execute(delete(record).where(gone))


def _of_revision(repo_id: RepoId, commit_oid: GitOid) -> Any:
    return _VERSIONS.where(record.c.repo_id == repo_id, record.c.commit_oid == commit_oid)


def _version(row: Row[Any]) -> RecordVersion:
    return RecordVersion(
        number=int(row.number),
        repo_id=RepoId(row.repo_id),
        commit_oid=GitOid(row.commit_oid),
        version=int(row.version),
        basis=row.basis,
        digest=row.digest,
        made_at=row.made_at,
        kept=bool(row.kept),
    )
