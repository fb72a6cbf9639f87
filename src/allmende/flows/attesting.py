"""Statements about revisions that come from outside: what is accepted, and what of all of them is shown.

A statement is kept when it is about the revision by its digests, has the shape that its type asks for, and
is signed by a key that the namespace, or this hub, trusts. What it says is not checked: the hub vouches for
who said it and when it came.
"""

from dataclasses import dataclass
from hashlib import sha256

from allmende.errors import BadRequest, TooLarge
from allmende.facts import (
    UPLOADED,
    Attestation,
    add_attestation,
    attestations_of,
    count_attestations,
    find_attestation,
)
from allmende.flows.own_attestations import LINEAGE, names_hidden_repos
from allmende.flows.record_queue import enqueue_record
from allmende.flows.services import Services
from allmende.flows.signature_checking import trust_in
from allmende.flows.tree_digests import tree_digests
from allmende.ids import GitOid, Sha256
from allmende.proof import (
    Envelope,
    TrustPolicy,
    UntrustedSigner,
    dir_hash,
    read_envelope,
    read_predicate,
    signers_of,
    statement_of,
)
from allmende.registry import Actor, Repo
from allmende.storage import UnitOfWork

__all__ = [
    "MAX_ATTESTATION_BYTES",
    "AboutSomethingElse",
    "CheckedAttestation",
    "TooManyAttestations",
    "accept_attestation",
    "check_attestation",
    "shown_attestation",
    "shown_attestations",
]

MAX_ATTESTATION_BYTES = 1024 * 1024
_MAX_PER_REVISION = 500


class AboutSomethingElse(BadRequest):
    """A statement does not name the revision that it was sent for."""

    code = "statement_about_something_else"


class TooManyAttestations(TooLarge):
    """A revision has as many statements as are kept of one."""

    code = "too_many_attestations"


@dataclass(frozen=True, slots=True)
class CheckedAttestation:
    """A statement that is in order, before anybody asked who signed it."""

    envelope: Envelope
    predicate_type: str


def check_attestation(services: Services, repo: Repo, commit_oid: GitOid, data: bytes) -> CheckedAttestation:
    """Read a statement, and see that it is about the revision; reads files that were not read yet.

    Raises Malformed and its like, TooLarge, and AboutSomethingElse.
    """
    envelope = read_envelope(data, MAX_ATTESTATION_BYTES)
    statement = statement_of(envelope)
    read_predicate(statement)
    files = tree_digests(services, repo.id, commit_oid)
    tree = dir_hash((file.path, file.sha256) for file in files)
    if not statement.is_about({"gitCommit": commit_oid, "dirHash": tree}):
        raise AboutSomethingElse(
            "No subject of the statement is this revision.",
            hint=f"Name it by gitCommit {commit_oid}, by dirHash {tree}, or by both.",
        )
    return CheckedAttestation(envelope, statement.predicate_type)


def accept_attestation(
    services: Services,
    uow: UnitOfWork,
    actor: Actor,
    repo: Repo,
    commit_oid: GitOid,
    found: CheckedAttestation,
) -> Attestation:
    """Keep a statement that is in order, with its event; the same again changes nothing.

    Raises SignInRequired and AccessDenied, UntrustedSigner when no key that may sign for the namespace did,
    and TooManyAttestations.
    """
    known = actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    trust, _ = trust_in(uow, repo.namespace_id)
    signers = _signers(services, found.envelope, trust)
    digest = Sha256(found.envelope.digest)
    present = find_attestation(uow, repo.id, commit_oid, digest)
    if present is not None:
        return present
    if count_attestations(uow, repo.id, commit_oid) >= _MAX_PER_REVISION:
        raise TooManyAttestations(f"This revision has {_MAX_PER_REVISION} statements; more are not kept.")
    added = Attestation(
        digest=digest,
        predicate_type=found.predicate_type,
        basis=sha256(found.envelope.payload).hexdigest(),
        envelope=found.envelope.data,
        signers=signers,
        maker=UPLOADED,
        actor_id=known.id,
        added_at=uow.now,
    )
    add_attestation(uow, repo.id, commit_oid, added)
    enqueue_record(services, uow, repo.id, commit_oid)
    return added


def shown_attestations(
    uow: UnitOfWork, repo: Repo, commit_oid: GitOid, *, after: int = 0, limit: int = 100
) -> tuple[list[Attestation], int | None]:
    """A page of the statements about a revision for whoever may read the repo, and what to go on after."""
    page = attestations_of(uow, repo.id, commit_oid, after=after, limit=limit + 1)
    following = page[limit - 1][0] if len(page) > limit else None
    return [one for _, one in page[:limit] if not _is_hidden(uow, one)], following


def shown_attestation(uow: UnitOfWork, repo: Repo, commit_oid: GitOid, digest: Sha256) -> Attestation | None:
    """One of them, by the digest of its envelope."""
    found = find_attestation(uow, repo.id, commit_oid, digest)
    return None if found is None or _is_hidden(uow, found) else found


def _is_hidden(uow: UnitOfWork, found: Attestation) -> bool:
    """What was said of a parent while it was public is not shown while it is not."""
    return found.maker == LINEAGE and names_hidden_repos(uow, found)


def _signers(services: Services, envelope: Envelope, trust: TrustPolicy) -> list[dict[str, str]]:
    now = services.database.clock()
    named = {
        signer.key: signer.name
        for signer in trust.signers
        if signer.key is not None and signer.holds_at(now) and not trust.revocation([signer.key.id], now)
    }
    signers = [{"id": key.id, "name": named[key]} for key in signers_of(envelope, named)]
    if not signers:
        raise UntrustedSigner(
            "No signature of the statement is of a key that may sign for this namespace.",
            hint="An admin of the namespace adds the key to its trust policy.",
        )
    return signers
