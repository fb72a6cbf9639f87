"""Publishers' signatures in a revision: found by their names, verified at the commit, and said as a fact.

A step of the examination, and the job `signatures`, which does it again for what is there when somebody's
trust changed. A verdict rests on the file, the trust of that moment and the tool, and is kept until one of
them changes. Certificates are asked about the time at which this hub first had the file: a signature that
was good when it came stays good when its certificate runs out.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from io import BytesIO

from allmende.clock import iso
from allmende.facts import (
    HUB,
    CheckedSignature,
    Fact,
    add_revision_facts,
    first_seen,
    model_signatures_of,
    put_model_signatures,
    repos_with_signatures,
    revisions_with_signatures,
    trust_policy_of,
)
from allmende.flows.reading import open_content
from allmende.flows.record_queue import enqueue_record
from allmende.flows.services import Services
from allmende.flows.tree_digests import TreeFile, tree_digests
from allmende.formats import JsonObject, JsonValue
from allmende.ids import AccountId, GitOid, RepoId, Sha256, is_sha256
from allmende.jobs import JobContext
from allmende.proof import (
    MAX_BUNDLE_BYTES,
    NO_TRUST,
    HashType,
    SignedFile,
    TrustPolicy,
    is_signature_path,
    range_digest,
    read_trust_policy,
    verify_model_signature,
)
from allmende.registry import RevisionNotFound, find_repo_by_id, held_content, read_blob
from allmende.storage import UnitOfWork

__all__ = ["SIGNATURE", "check_signatures", "recheck_signatures", "signature_fact", "trust_in"]

SIGNATURE = "signature"
"""The name of the fact about a revision; a revision without signatures has none."""

_TOOL = "allmende.proof"
_TOOL_VERSION = "1"
"""Raise it when verdicts of `allmende.proof` change: every signature is then verified anew."""

_MAX_SIGNATURES = 16
_MAX_REVISIONS = 1000
_BEST_FIRST = (
    "valid", "valid-extra-files", "pending", "mismatch", "untrusted-key", "expired-at-signing",
    "unfit-certificate", "revoked", "bad-signature", "unsupported", "malformed",
)  # fmt: skip

_log = logging.getLogger(__name__)


def check_signatures(
    services: Services, repo_id: RepoId, commit_oid: GitOid, checkpoint: Callable[[], None]
) -> Fact | None:
    """Verify the signatures in a revision, keep the verdicts, and return the fact; None without signatures.

    `checkpoint` is called between pieces of work and may raise. Raises RevisionNotFound.
    """
    files = tree_digests(services, repo_id, commit_oid)
    named = [
        file
        for file in files
        if is_signature_path(file.path) and not file.is_link and file.size_bytes <= MAX_BUNDLE_BYTES
    ]
    bundles = _bundles(services, repo_id, named[:_MAX_SIGNATURES])
    with services.database.read() as uow:
        repo = find_repo_by_id(uow, repo_id)
        if repo is None:
            raise RevisionNotFound(commit_oid)
        trust, basis = trust_in(uow, repo.namespace_id)
        known = {one.path: one for one in model_signatures_of(uow, repo_id, commit_oid)}
    source = _HubFiles(services, repo_id, files, checkpoint)
    signed = [SignedFile(file.path, file.sha256, file.size_bytes, file.is_link) for file in files]
    checked = []
    for file, data in bundles:
        checkpoint()
        before = known.get(file.path)
        rests_on = _basis(basis, str(file.sha256))
        # What had to wait for bytes may have them by now.
        if before is not None and before.basis == rests_on and before.state != "pending":
            checked.append(before)
            continue
        now = services.database.clock()
        with services.database.read() as uow:
            seen = first_seen(uow, repo_id, file.sha256) or now
        not_files = [other.path for other, _ in bundles]
        report = verify_model_signature(data, signed, trust, seen, not_files=not_files, source=source)
        checked.append(
            CheckedSignature(file.path, file.sha256, rests_on, report.state, report.json, seen, now)
        )
    if checked or known:
        with services.database.write() as uow:
            if find_repo_by_id(uow, repo_id) is not None:
                put_model_signatures(uow, repo_id, commit_oid, checked)
    return signature_fact(checked)


def signature_fact(checked: Sequence[CheckedSignature]) -> Fact | None:
    """What the signatures of a revision say together: the best of them decides."""
    if not checked:
        return None
    listed: list[JsonValue] = [
        {"path": one.path, "bundle": one.bundle, "first_seen": iso(one.first_seen_at), **one.report}
        for one in checked
    ]
    best = min(checked, key=lambda one: _BEST_FIRST.index(one.state))
    value: JsonObject = {"state": best.state, "signatures": listed}
    at = max(one.checked_at for one in checked)
    evidence = {"bundles": [one.bundle for one in checked]}
    return Fact(SIGNATURE, value, "attested", _TOOL, _TOOL_VERSION, at, evidence)


def recheck_signatures(services: Services, context: JobContext) -> None:
    """The job `signatures`: the trust of a namespace (or of the hub) changed, and with it verdicts."""
    account_id = AccountId(int(context.payload["account_id"]))
    with services.database.read() as uow:
        repos = [
            repo.id
            for repo_id in repos_with_signatures(uow)
            if (repo := find_repo_by_id(uow, repo_id)) is not None and account_id in (HUB, repo.namespace_id)
        ]
    for repo_id in repos:
        with services.database.read() as uow:
            commits = revisions_with_signatures(uow, repo_id, _MAX_REVISIONS)
        for commit_oid in commits:
            context.checkpoint()
            try:
                fact = check_signatures(services, repo_id, commit_oid, context.checkpoint)
            except RevisionNotFound:
                _log.info("revision %s of repo %s is gone; nothing to verify", commit_oid, repo_id)
                continue
            with services.database.write() as uow:
                add_revision_facts(uow, repo_id, commit_oid, [fact] if fact else [], [SIGNATURE])
                enqueue_record(services, uow, repo_id, commit_oid)


def trust_in(uow: UnitOfWork, account_id: AccountId) -> tuple[TrustPolicy, str]:
    """Whom a namespace trusts, the hub's own policy included; and on what that rests."""
    own, hub = (trust_policy_of(uow, id_) for id_ in (account_id, HUB))
    policies = [read_trust_policy(one.document) if one else NO_TRUST for one in (own, hub)]
    merged = replace(
        policies[0],
        signers=policies[0].signers + policies[1].signers,
        revoked=policies[0].revoked + policies[1].revoked,
    )
    return merged, _basis(*(one.digest if one else "" for one in (own, hub)))


def _basis(*parts: str) -> str:
    return hashlib.sha256("\n".join((_TOOL_VERSION, *parts)).encode()).hexdigest()


def _bundles(services: Services, repo_id: RepoId, files: Sequence[TreeFile]) -> list[tuple[TreeFile, bytes]]:
    """Those of the files that are there and may be signatures of models; other kinds end in `.sig` too."""
    found = []
    for file in files:
        with services.database.read() as uow:
            data = _read(services, uow, repo_id, file)
        if data is not None and data.lstrip()[:1] == b"{":
            found.append((file, data))
    return found


def _read(services: Services, uow: UnitOfWork, repo_id: RepoId, file: TreeFile) -> bytes | None:
    if not is_sha256(file.key):
        return read_blob(uow, repo_id, GitOid(file.key))
    content = held_content(uow, repo_id, Sha256(file.key))
    if content is None:
        return None
    with open_content(services, content) as reader:
        return reader.read(MAX_BUNDLE_BYTES)


class _HubFiles:
    """The bytes of a revision, for digests that the hub does not have: a `DigestSource`."""

    def __init__(
        self,
        services: Services,
        repo_id: RepoId,
        files: Sequence[TreeFile],
        checkpoint: Callable[[], None],
    ) -> None:
        self._services = services
        self._repo_id = repo_id
        self._files: Mapping[str, TreeFile] = {file.path: file for file in files}
        self._checkpoint = checkpoint

    def digest(self, path: str, hash_type: HashType, start: int, end: int) -> str | None:
        """Reads the range; None when the repo does not hold the bytes."""
        file = self._files[path]
        with self._services.database.read() as uow:
            if not is_sha256(file.key):
                data = read_blob(uow, self._repo_id, GitOid(file.key))
                return range_digest(BytesIO(data), hash_type, start, end)
            content = held_content(uow, self._repo_id, Sha256(file.key))
        if content is None:
            return None
        with closing(open_content(self._services, content)) as reader:
            return range_digest(reader, hash_type, start, end, lambda _: self._checkpoint())
