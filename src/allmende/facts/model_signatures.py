"""What was found of the signatures of models in revisions, and whom a namespace trusts, as they are kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, delete, select

from allmende.facts.signature_tables import model_signature, trust_policy
from allmende.formats import JsonObject
from allmende.ids import AccountId, GitOid, RepoId, Sha256
from allmende.storage import UnitOfWork

__all__ = [
    "HUB",
    "CheckedSignature",
    "SetTrustPolicy",
    "first_seen",
    "forget_model_signatures",
    "forget_trust_policy",
    "model_signatures_of",
    "put_model_signatures",
    "put_trust_policy",
    "repos_with_signatures",
    "revisions_with_signatures",
    "trust_policy_of",
]

HUB = AccountId(0)
"""Stands for the hub itself, whose operator's policy holds for every namespace."""


@dataclass(frozen=True, slots=True)
class CheckedSignature:
    """A signature file of a revision, and the verdict on it."""

    path: str
    bundle: Sha256
    """SHA-256 of the file."""
    basis: str
    """SHA-256 over what the verdict rests on: trust, tool, file."""
    state: str
    report: JsonObject
    first_seen_at: datetime
    """Since when this hub knows of it: the time that its certificates are asked about."""
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class SetTrustPolicy:
    """Whom a namespace trusts, as its admins set it."""

    version: int
    document: str
    digest: Sha256
    set_at: datetime


def model_signatures_of(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> list[CheckedSignature]:
    """The signatures in a revision, by path."""
    query = (
        select(model_signature)
        .where(model_signature.c.repo_id == repo_id, model_signature.c.commit_oid == commit_oid)
        .order_by(model_signature.c.path)
    )
    return [_signature(row) for row in uow.all(query)]


def first_seen(uow: UnitOfWork, repo_id: RepoId, bundle: Sha256) -> datetime | None:
    """Since when this hub knows of a signature file in a repo, whatever revision had it first."""
    query = (
        select(model_signature.c.first_seen_at)
        .where(model_signature.c.repo_id == repo_id, model_signature.c.bundle == bundle)
        .order_by(model_signature.c.first_seen_at)
        .limit(1)
    )
    row = uow.one_or_none(query)
    return None if row is None else row.first_seen_at


def repos_with_signatures(uow: UnitOfWork) -> list[RepoId]:
    """Every repo in which signatures were found."""
    query = select(model_signature.c.repo_id).distinct().order_by(model_signature.c.repo_id)
    return [RepoId(row.repo_id) for row in uow.all(query)]


def put_model_signatures(
    uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, found: Iterable[CheckedSignature]
) -> None:
    """Replace what is kept of a revision's signatures, with an event for each verdict that is new."""
    before = {one.path: one for one in model_signatures_of(uow, repo_id, commit_oid)}
    uow.execute(
        delete(model_signature).where(
            model_signature.c.repo_id == repo_id, model_signature.c.commit_oid == commit_oid
        )
    )
    for one in found:
        uow.execute(model_signature.insert().values(_row(repo_id, commit_oid, one)))
        known = before.get(one.path)
        if known is None or (known.state, known.bundle) != (one.state, one.bundle):
            payload = {
                "revision": commit_oid,
                "bundle": one.bundle,
                "state": one.state,
                "key": one.report.get("key_id"),
            }
            uow.emit("signature.verified", payload, repo_id=repo_id)


def revisions_with_signatures(uow: UnitOfWork, repo_id: RepoId, limit: int) -> list[GitOid]:
    """The revisions of a repo in which signatures were found, those checked last first."""
    query = (
        select(model_signature.c.commit_oid, model_signature.c.checked_at)
        .where(model_signature.c.repo_id == repo_id)
        .order_by(model_signature.c.checked_at.desc())
        .limit(limit)
    )
    return list(dict.fromkeys(GitOid(row.commit_oid) for row in uow.all(query)))


def forget_model_signatures(uow: UnitOfWork, repo_id: RepoId) -> None:
    """The repo is gone, and what was found in it goes too."""
    uow.execute(delete(model_signature).where(model_signature.c.repo_id == repo_id))


def trust_policy_of(uow: UnitOfWork, account_id: AccountId) -> SetTrustPolicy | None:
    """Whom a namespace trusts; None when it has not said."""
    row = uow.one_or_none(select(trust_policy).where(trust_policy.c.account_id == account_id))
    if row is None:
        return None
    return SetTrustPolicy(row.version, row.document, Sha256(row.digest), row.set_at)


def put_trust_policy(
    uow: UnitOfWork, account_id: AccountId, document: str, actor_id: AccountId | None
) -> SetTrustPolicy:
    """Set whom a namespace trusts, with the event. The caller has read the document, and asked who may."""
    known = trust_policy_of(uow, account_id)
    digest = Sha256(sha256(document.encode("utf-8")).hexdigest())
    version = 1 if known is None else known.version + 1
    row = {
        "account_id": account_id,
        "version": version,
        "document": document,
        "digest": digest,
        "set_at": uow.now,
    }
    uow.upsert(trust_policy, row)
    uow.emit(
        "trust_policy.set",
        {"namespace_id": account_id, "version": version, "digest": digest},
        actor_id=actor_id,
    )
    return SetTrustPolicy(version, document, digest, uow.now)


def forget_trust_policy(uow: UnitOfWork, account_id: AccountId) -> None:
    """The namespace is gone, and whom it trusted goes too."""
    uow.execute(delete(trust_policy).where(trust_policy.c.account_id == account_id))


def _row(repo_id: RepoId, commit_oid: GitOid, one: CheckedSignature) -> dict[str, Any]:
    return {
        "repo_id": repo_id,
        "commit_oid": commit_oid,
        "path_digest": sha256(one.path.encode("utf-8", "surrogateescape")).hexdigest(),
        "path": one.path,
        "bundle": one.bundle,
        "basis": one.basis,
        "state": one.state,
        "report": one.report,
        "first_seen_at": one.first_seen_at,
        "checked_at": one.checked_at,
    }


def _signature(row: Row[Any]) -> CheckedSignature:
    return CheckedSignature(
        path=row.path,
        bundle=Sha256(row.bundle),
        basis=row.basis,
        state=row.state,
        report=row.report,
        first_seen_at=row.first_seen_at,
        checked_at=row.checked_at,
    )
