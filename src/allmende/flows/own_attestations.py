"""What the hub itself attests of a revision after looking at it: scan, verdict and measured lineage.

The job `attest`, after each examination and each comparison of weights. Three statements, each in the form
that other tools read: `vulns` for the scan, a verification summary for the verdict by the hub's policy, SCAI
for lineage. Nothing is said twice: a statement is made anew when it says something else than the last one,
its times aside. Of lineage only the newest stays, and it names only models that everybody may see.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from allmende.facts import (
    Attestation,
    add_attestation,
    drop_older_attestations,
    has_attestation,
    revision_facts,
)
from allmende.flows.lineage_reading import lineage_of
from allmende.flows.record_queue import enqueue_record
from allmende.flows.scan_policy import policy_digest
from allmende.flows.scan_summary import SCAN
from allmende.flows.services import Services
from allmende.flows.statement_key import statement_signer
from allmende.flows.tree_digests import tree_digests
from allmende.formats import JsonObject
from allmende.ids import GitOid, RepoId, Sha256
from allmende.jobs import JobContext
from allmende.proof import (
    Predicate,
    Resource,
    ScaiAttribute,
    ScaiPredicate,
    Statement,
    Subject,
    VsaPredicate,
    VulnsPredicate,
    VulnsResult,
    canonical_json,
    dir_hash,
    read_envelope,
    read_predicate,
    revision_subject,
    sign_statement,
    statement_of,
)
from allmende.registry import (
    ANONYMOUS,
    Repo,
    RepoDisabled,
    RepoMoved,
    RepoNotFound,
    RevisionNotFound,
    find_repo_by_id,
    readable_repo,
)
from allmende.storage import UnitOfWork

__all__ = ["LINEAGE", "attest", "enqueue_attesting", "names_hidden_repos"]

LINEAGE = "lineage"
_SCAN = "scan"
_VERDICT = "verdict"

_SCANNER = "tag:allmende,2026:scanner"
_POLICY = "tag:allmende,2026:scan-policy"
_GRADES = frozenset({"proven", "strong", "likely"})
_PASSED = frozenset({"clean", "noted", "warned"})
_DECIDED = _PASSED | {"blocked", "quarantined", "not_scanned"}
_TIMES = frozenset({"scanStartedOn", "scanFinishedOn", "timeVerified"})
_PRIORITY = -5

_log = logging.getLogger(__name__)


def enqueue_attesting(services: Services, uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> None:
    """Have the hub say what is known of a revision now."""
    services.queue.enqueue(
        uow,
        "attest",
        {"repo_id": repo_id, "commit_oid": commit_oid},
        key=f"attest:{repo_id}:{commit_oid}",
        priority=_PRIORITY,
    )


def attest(services: Services, context: JobContext) -> None:
    """The job `attest`. Does nothing when the repo or the revision is gone, or was not examined."""
    repo_id = RepoId(int(context.payload["repo_id"]))
    commit_oid = GitOid(str(context.payload["commit_oid"]))
    try:
        files = tree_digests(services, repo_id, commit_oid)
    except RevisionNotFound:
        _log.info("revision %s of repo %s is gone; nothing to attest", commit_oid, repo_id)
        return
    tree = dir_hash((file.path, file.sha256) for file in files)
    with services.database.write() as uow:
        repo = find_repo_by_id(uow, repo_id)
        if repo is None:
            return
        subject = revision_subject(repo.type, repo.public_id, commit_oid, tree)
        for maker, predicate in _predicates(services, uow, repo, commit_oid).items():
            _say(services, uow, _Place(repo_id, commit_oid, subject), maker, predicate)


@dataclass(frozen=True, slots=True)
class _Place:
    repo_id: RepoId
    commit_oid: GitOid
    subject: Subject


def _predicates(
    services: Services, uow: UnitOfWork, repo: Repo, commit_oid: GitOid
) -> Mapping[str, Predicate]:
    found: dict[str, Predicate] = {}
    facts = revision_facts(uow, repo.id, commit_oid)
    scan, at = facts.value(SCAN), facts[SCAN].at if SCAN in facts else uow.now
    if isinstance(scan, dict) and scan.get("status") in _DECIDED:
        found[_SCAN] = _scanned(scan, at)
        found[_VERDICT] = _verdict(services, repo, commit_oid, scan, at)
    lineage = _lineage(services, uow, repo, commit_oid)
    if lineage is not None:
        found[LINEAGE] = lineage
    return found


def _say(services: Services, uow: UnitOfWork, place: _Place, maker: str, predicate: Predicate) -> None:
    body = predicate.json
    basis = sha256(canonical_json([predicate.type, _without_times(body)])).hexdigest()
    if has_attestation(uow, place.repo_id, place.commit_oid, maker, basis):
        return
    signer = statement_signer(services)
    envelope = sign_statement(Statement((place.subject,), predicate.type, body), signer)
    added = Attestation(
        digest=Sha256(envelope.digest),
        predicate_type=predicate.type,
        basis=basis,
        envelope=envelope.data,
        signers=[{"id": signer.public.id, "name": "this hub"}],
        maker=maker,
        actor_id=None,
        added_at=uow.now,
    )
    add_attestation(uow, place.repo_id, place.commit_oid, added)
    if maker == LINEAGE:
        drop_older_attestations(uow, place.repo_id, place.commit_oid, maker)
    enqueue_record(services, uow, place.repo_id, place.commit_oid)


def _hub_uri(services: Services) -> str:
    return (services.settings.public_url or "tag:allmende,2026:hub").rstrip("/")


def _without_times(value: JsonObject) -> JsonObject:
    return {
        name: _without_times(inner) if isinstance(inner, dict) else inner
        for name, inner in value.items()
        if name not in _TIMES
    }


# --- the scan ------------------------------------------------------------------------------------------


def _scanned(scan: Mapping[str, Any], at: datetime) -> VulnsPredicate:
    by_rule: dict[tuple[str, str], list[str]] = {}
    for file in scan.get("files", []):
        for rule in file["rules"] or ["no-rule"]:
            by_rule.setdefault((str(rule), str(file["status"])), []).append(str(file["path"]))
    results = tuple(
        VulnsResult(rule, (("allmende", status),), tuple({"path": path} for path in paths))
        for (rule, status), paths in sorted(by_rule.items())
    )
    rule_set = str(scan.get("rule_set", ""))
    counts: JsonObject = dict(scan.get("counts", {}))
    database: JsonObject = {"uri": f"{_SCANNER}/rules", "version": rule_set}
    return VulnsPredicate(_SCANNER, rule_set, at, at, results, {**database, "counts": counts})


def _verdict(
    services: Services, repo: Repo, commit_oid: GitOid, scan: Mapping[str, Any], at: datetime
) -> VsaPredicate:
    origin = _hub_uri(services)
    passed = scan["status"] in _PASSED
    return VsaPredicate(
        verifier_id=origin,
        verified=at,
        resource_uri=f"{origin}/{repo.full_name}/tree/{commit_oid}",
        policy=Resource(_POLICY, {"sha256": policy_digest(services.policy)}),
        passed=passed,
        levels=("ALLMENDE_SCAN_PASSED",) if passed else ("FAILED",),
    )


# --- lineage -------------------------------------------------------------------------------------------


def _lineage(services: Services, uow: UnitOfWork, repo: Repo, commit_oid: GitOid) -> ScaiPredicate | None:
    view = lineage_of(uow, ANONYMOUS, repo, commit_oid)
    attributes = tuple(
        ScaiAttribute(
            attribute="DERIVED_FROM",
            target=Resource(
                uri=f"{_hub_uri(services)}/{parent.repo}/tree/{parent.revision}",
                digests={"gitCommit": parent.revision},
                name=parent.repo,
            ),
            conditions={
                "relation": edge.relation,
                "grade": edge.grade,
                "weight": parent.weight,
                "method": "compared tensor by tensor",
            },
        )
        for edge in view.edges[:1]
        if edge.grade in _GRADES
        for parent in edge.parents
    )
    return ScaiPredicate(attributes, Resource(uri=_hub_uri(services))) if attributes else None


def names_hidden_repos(uow: UnitOfWork, found: Attestation) -> bool:
    """Whether a statement about lineage names a model that not everybody may see now."""
    predicate = read_predicate(statement_of(read_envelope(found.envelope)))
    targets = [one.target for one in predicate.attributes] if isinstance(predicate, ScaiPredicate) else []
    for target in targets:
        try:
            readable_repo(uow, ANONYMOUS, "model", target.name if target else "")
        except (RepoNotFound, RepoDisabled):
            return True
        except RepoMoved:
            continue
    return False
