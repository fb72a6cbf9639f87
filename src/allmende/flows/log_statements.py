"""What each kind of act says in the log: the statement it commits to, and what the entry shows of it.

Every kind of event that anything in the hub emits stands in `KINDS`; one that does not stops the log, and a
test fails before that. No statement holds a name, an address or a free text: where one is part of an act,
its digest is. What a private repo does is veiled: its entry shows the day, a subject that its owner alone
can tell, and the commitment.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from allmende.errors import Damaged, NotFound
from allmende.flows.services import Services
from allmende.flows.tree_digests import known_tree_digests, tree_digests
from allmende.ids import GitOid, RepoId
from allmende.log import KEYS_EVENT, Act, Stated
from allmende.proof import JsonObject, JsonValue, Malformed, dir_hash
from allmende.registry import LogSubject, log_subjects
from allmende.storage import UnitOfWork

__all__ = ["KINDS", "LogStatements"]

KINDS: Mapping[str, str] = {
    "account.created": "account",
    "account.erased": "account",
    "account.updated": "account",
    "application.assessed": "assessment",
    "application.changed": "assessment",
    "application.created": "assessment",
    "application.deleted": "delete",
    "application.evidence": "assessment",
    "application.hidden": "visibility",
    "application.published": "visibility",
    "attestation.added": "attest",
    "contents.copied": "lineage",
    "contents.deleted": "delete",
    "hub.administered": "account",
    KEYS_EVENT: "key",
    "lineage.changed": "lineage",
    "member.removed": "account",
    "member.set": "account",
    "password.set": "account",
    "pull_request.opened": "ref",
    "record.signed": "record",
    "ref.created": "ref",
    "ref.deleted": "ref",
    "ref.rewritten": "publish",
    "ref.squashed": "publish",
    "ref.updated": "publish",
    "repo.access_granted": "visibility",
    "repo.created": "publish",
    "repo.deleted": "delete",
    "repo.duplicated": "lineage",
    "repo.gated": "visibility",
    "repo.moved": "move",
    "repo.visibility": "visibility",
    "repo.xet_reads": "visibility",
    "scan.override_revoked": "override",
    "scan.overridden": "override",
    "scan.verdict": "scan",
    "signature.verified": "signature",
    "token.issued": "account",
    "token.revoked": "account",
    "trust_policy.set": "account",
}
"""The kind of entry that each kind of event becomes."""

_TOLD: Mapping[str, tuple[str, ...]] = {
    "attestation.added": ("predicate_type",),
    "contents.deleted": ("history_rewritten",),
    "record.signed": ("version",),
    "repo.gated": ("gated",),
    "repo.visibility": ("private",),
    "repo.xet_reads": ("xet_reads",),
    "scan.overridden": ("override",),
    "scan.override_revoked": ("override",),
    "scan.verdict": ("status", "digest"),
    "lineage.changed": ("digest", "edges"),
    "signature.verified": ("bundle", "state"),
}
"""Which words of an event its statement repeats: none of a person, none that somebody typed."""

_TOLD_OF_APPLICATIONS = ("assessment", "description", "manifest", "pack")
"""Digests alone: of an assessment, a description, the manifest of an evidence pack, the law pack."""

_ALSO_HASHED = frozenset(["ref.created", "repo.duplicated"])
"""Acts that publish nothing new, whose entries have a `dirHash` all the same: a reader holds the files."""

_COMMIT_IN = ("after", "commit", "revision")
_KEPT_HASHES = 10_000
_MOST_REST_S = 0.005
"""Before each revision, while the hub answers somebody: two hundred a second are taken in all the same."""

_Revision = tuple[RepoId, GitOid]

_in_ascii = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class LogStatements:
    """The statements of one hub; implements `log.Statements`. For use by one thread."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._hashes: OrderedDict[_Revision, str | None] = OrderedDict()

    def prepare(self, acts: Sequence[Act]) -> None:
        """Find out the `dirHash` of every revision that was published."""
        for act in acts:
            revision = _published(act)
            if revision is not None and revision not in self._hashes:
                self._services.traffic.give_way(_MOST_REST_S)
                self._keep(revision, self._dir_hash(revision))

    def state(self, uow: UnitOfWork, acts: Sequence[Act]) -> list[Stated]:
        """What these acts say, up to the first one that came after `prepare`."""
        subjects = log_subjects(uow, {act.repo_id for act in acts if act.repo_id is not None})
        stated: list[Stated] = []
        for act in acts:
            revision = _published(act)
            if revision is not None and revision not in self._hashes:
                break
            found = None if revision is None else self._hashes[revision]
            stated.append(_stated(act, subjects, found))
        return stated

    def _dir_hash(self, revision: _Revision) -> str | None:
        """None when the revision is gone or damaged, or has a path that no line of a `dirHash` can hold."""
        try:
            with self._services.database.read() as uow:
                files = known_tree_digests(uow, *revision)
            if files is None:
                files = tree_digests(self._services, *revision)
            return dir_hash([(file.path, file.sha256) for file in files])
        except (Damaged, NotFound, Malformed):
            return None

    def _keep(self, revision: _Revision, found: str | None) -> None:
        self._hashes[revision] = found
        if len(self._hashes) > _KEPT_HASHES:
            self._hashes.popitem(last=False)


def _published(act: Act) -> _Revision | None:
    """The revision that an act published or gave a name, if it did."""
    names_files = KINDS.get(act.kind) == "publish" or act.kind in _ALSO_HASHED
    if act.erased or act.repo_id is None or not names_files:
        return None
    commit = _commit_of(act.payload)
    return None if commit is None else (act.repo_id, commit)


def _commit_of(payload: Mapping[str, Any]) -> GitOid | None:
    for name in _COMMIT_IN:
        if isinstance(payload.get(name), str):
            return GitOid(payload[name])
    return None


def _stated(act: Act, subjects: Mapping[RepoId, LogSubject], found_hash: str | None) -> Stated:
    # An act of a newer version, met after a return to an older one: logged, but of what kind nobody is told.
    kind = KINDS.get(act.kind, "other")
    if act.erased:
        return Stated(kind, veiled=True)
    if act.kind == KEYS_EVENT:
        return Stated(kind, {"keys": act.payload["keys"]})
    if act.kind == "repo.deleted":
        return _deletion(act)
    if act.kind.startswith("application.") and "subject" in act.payload:
        return _about_application(act, kind)
    subject = None if act.repo_id is None else subjects.get(act.repo_id)
    if subject is None:
        said: dict[str, JsonValue] = {"act": act.kind, "payload": _digest(act.payload)}
        return Stated(kind, said, veiled=kind != "account")
    if kind == "other":
        return Stated(
            kind, {"act": act.kind, "payload": _digest(act.payload)}, {}, subject.subject, veiled=True
        )
    return _about_repo(act, kind, subject, found_hash)


def _about_repo(act: Act, kind: str, subject: LogSubject, found_hash: str | None) -> Stated:
    payload = act.payload
    shown: dict[str, JsonValue] = {}
    commit = _commit_of(payload)
    if commit is not None:
        shown["commit"] = commit
    if found_hash is not None:
        shown["dirHash"] = found_hash
    if isinstance(payload.get("envelope"), str):
        shown["envelope"] = payload["envelope"]
    said: dict[str, JsonValue] = {
        "act": act.kind,
        "repo": _repo(subject.type, subject.public_id, subject.subject),
        "payload": _digest(payload),
        **shown,
    }
    for name in ("ref", "before"):
        if isinstance(payload.get(name), str):
            said[name] = payload[name]
    for name in _TOLD.get(act.kind, ()):
        said[_camel(name)] = payload.get(name)
    if isinstance(payload.get("reason"), str):
        said["reasonDigest"] = sha256(payload["reason"].encode("utf-8", "surrogatepass")).hexdigest()
    return Stated(kind, said, shown, subject.subject, subject.hidden, commit)


def _about_application(act: Act, kind: str) -> Stated:
    """Of an application: its events hold subject and digests, and no names."""
    payload = act.payload
    said: JsonObject = {
        "act": act.kind,
        "repo": _repo("application", payload["id"], payload["subject"]),
        "payload": _digest(payload),
    }
    told = {name: payload[name] for name in _TOLD_OF_APPLICATIONS if name in payload}
    return Stated(kind, {**said, **told}, told, payload["subject"], bool(payload["hidden"]))


def _deletion(act: Act) -> Stated:
    """Of a repo that is gone: what stood for it is in the event."""
    payload = act.payload
    said: JsonObject = {
        "act": act.kind,
        "repo": _repo(payload["type"], payload["id"], payload["subject"]),
    }
    return Stated("delete", said, {}, payload["subject"], bool(payload["hidden"]))


def _repo(repo_type: str, public_id: str, subject: str) -> JsonObject:
    return {"type": repo_type, "id": public_id, "subject": subject}


def _digest(payload: Mapping[str, Any]) -> str:
    """Of all that an event says. A name in it may be no Unicode, so it is written in ASCII."""
    return sha256(_in_ascii.encode(dict(payload)).encode("ascii")).hexdigest()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
