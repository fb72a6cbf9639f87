"""Evidence for auditors as one archive: proofs of revisions, the history of keys, a signed list of it all.

    manifest.json        what it is about, when it was made, and every other file with its SHA-256
    manifest.dsse.json   the hub's signature: an in-toto statement about manifest.json
    keys.json            the hub's keys through time, as proven entries of the log
    checkpoint           the newest checkpoint of the log, with its cosignatures
    proofs/<type>/<id>/<commit>.json    a proof bundle for each revision
    records/<type>/<id>/<commit>.json   the transparency record in it, for people to read
    attached/…           whatever else the hub was asked to sign with it, such as an assessment

It is verified offline, years later, with nothing but a policy: every proof, and that the key which signed the
list is one that the log has. Nothing is unpacked onto a disk.
"""

import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO

from allmende.errors import AllmendeError
from allmende.merkle import MAX_NOTE_BYTES, Policy, PolicyLog, read_note, read_policy, read_verifier_key
from allmende.proof.canonical import JsonObject, JsonValue, canonical_json, read_canonical_json
from allmende.proof.envelopes import read_envelope
from allmende.proof.errors import MalformedEvidenceArchive, Oversized
from allmende.proof.keys import PublicKey, Signer, read_public_key
from allmende.proof.proof_bundles import (
    MAX_PROOF_BUNDLE_BYTES,
    ProvenEntry,
    entries_json,
    read_entries,
    read_proof_bundle,
)
from allmende.proof.revision_checking import (
    KEY,
    BundleRefused,
    CheckedBundle,
    check_bundle,
    check_entry,
    statement_keys_of,
)
from allmende.proof.statements import Statement, Subject, sign_statement, verify_envelope
from allmende.proof.strict import Fields
from allmende.proof.verdicts import Verdict, refused, unknown

__all__ = [
    "EVIDENCE_PREDICATE",
    "EvidenceRevision",
    "EvidenceVerdict",
    "evidence_hub",
    "judge_evidence",
    "keys_file",
    "manifest_of",
    "record_file",
    "signed_manifest",
]

EVIDENCE_SCHEMA = "allmende.evidence/1"
EVIDENCE_PREDICATE = "tag:allmende,2026:evidence/v1"

MANIFEST, SIGNATURE, KEYS, CHECKPOINT = "manifest.json", "manifest.dsse.json", "keys.json", "checkpoint"

_BROKEN = (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, zlib.error)
"""What the reader of archives raises for what is none."""

_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

_MAX_FILES = 100_000
_MAX_TOTAL_BYTES = 8 * 1024**3
_MAX_MANIFEST_BYTES = 64 * 1024 * 1024
_FIELDS = frozenset(
    {"schema", "hub", "scope", "made_at", "log_keys", "revisions", "without_proof", "files", "attached"}
)
_ATTACHED = "attached/"


@dataclass(frozen=True, slots=True)
class EvidenceRevision:
    """A revision in an archive, under the name that its repo had when the archive was made."""

    repo: str
    repo_type: str
    repo_id: str
    commit: str

    @property
    def proof_path(self) -> str:
        """Where its proof lies in the archive."""
        return f"proofs/{self.repo_type}/{self.repo_id}/{self.commit}.json"

    @property
    def record_path(self) -> str:
        """Where its record lies in the archive, if there is one."""
        return f"records/{self.repo_type}/{self.repo_id}/{self.commit}.json"

    @property
    def json(self) -> JsonObject:
        """As it stands in the manifest."""
        return {"repo": self.repo, "type": self.repo_type, "id": self.repo_id, "commit": self.commit}


@dataclass(frozen=True, slots=True)
class EvidenceVerdict:
    """The verdict on an archive, and what is in it."""

    verdict: Verdict
    scope: str = ""
    made_at: str = ""
    revisions: tuple[EvidenceRevision, ...] = field(default=(), repr=False)
    without_proof: int = 0


def manifest_of(
    hub: str,
    scope: str,
    made_at: str,
    log_keys: Sequence[str],
    revisions: Iterable[EvidenceRevision],
    without_proof: Iterable[tuple[EvidenceRevision, str]],
    files: Mapping[str, tuple[str, int]],
    attached: Sequence[str] = (),
) -> bytes:
    """The canonical manifest. `files` has SHA-256 and size of each by path, `without_proof` why not.

    `attached` are those of the files that are no proofs, all below `attached/`.
    """
    listed: list[JsonValue] = [
        {"path": path, "sha256": files[path][0], "size": files[path][1]} for path in sorted(files)
    ]
    return canonical_json(
        {
            "schema": EVIDENCE_SCHEMA,
            "hub": hub,
            "scope": scope,
            "made_at": made_at,
            "log_keys": list(log_keys),
            "revisions": [one.json for one in revisions],
            "without_proof": [{**one.json, "why": why} for one, why in without_proof],
            "files": listed,
            **({"attached": sorted(attached)} if attached else {}),
        }
    )


def signed_manifest(manifest: bytes, signer: Signer, made_at: str) -> bytes:
    """The hub's statement about a manifest, in its envelope."""
    subject = Subject({"sha256": sha256(manifest).hexdigest()}, MANIFEST)
    statement = Statement((subject,), EVIDENCE_PREDICATE, {"madeAt": made_at})
    return sign_statement(statement, signer).data


def keys_file(entries: Sequence[ProvenEntry]) -> bytes:
    """The proven entries about keys, as the archive has them."""
    return canonical_json({"entries": entries_json(entries)})


def judge_evidence(archive: BinaryIO, policy_data: bytes | None) -> EvidenceVerdict:
    """The verdict on an archive; nothing that is in it raises. Raises OSError when it cannot be read.

    Without a policy it is at best `unknown`: the archive then agrees with itself, and no more.
    """
    try:
        return _judged(archive, policy_data)
    except AllmendeError as error:
        return EvidenceVerdict(refused(error))
    except _BROKEN as error:
        wrong = MalformedEvidenceArchive(f"This is no archive of evidence: {error}.")
        return EvidenceVerdict(refused(wrong))


def evidence_hub(archive: BinaryIO) -> str | None:
    """The hub that an archive says it is of, unchecked; None where it says none."""
    try:
        with zipfile.ZipFile(archive) as opened:
            manifest = _Files(opened).read(MANIFEST, _MAX_MANIFEST_BYTES)
        return Fields(read_canonical_json(manifest), "manifest", MalformedEvidenceArchive).text("hub")
    except (AllmendeError, *_BROKEN):
        return None


def _judged(archive: BinaryIO, policy_data: bytes | None) -> EvidenceVerdict:
    with zipfile.ZipFile(archive) as opened:
        files = _Files(opened)
        manifest = files.read(MANIFEST, _MAX_MANIFEST_BYTES)
        fields = Fields(
            read_canonical_json(manifest, _MAX_MANIFEST_BYTES), "manifest", MalformedEvidenceArchive, _FIELDS
        )
        if fields.text("schema") != EVIDENCE_SCHEMA:
            raise MalformedEvidenceArchive(f"The manifest is not {EVIDENCE_SCHEMA}.")
        files.compare(_listed(fields))
        hub = fields.text("hub")
        policy = _own_policy(fields) if policy_data is None else read_policy(policy_data)
        _check_checkpoint(files, hub, policy)
        keys = _hub_keys(files, hub, policy)
        _check_signature(files, manifest, keys)
        revisions = _revisions(fields, "revisions")
        for one in revisions:
            _check_revision(files, one, hub, policy)
        _check_nothing_else(files, revisions, _attached(fields))
    verdict = Verdict(
        "verified",
        "verified",
        f"{_counted(len(revisions))}, made {fields.text('made_at')[:19]}Z by {hub}.",
    )
    if policy_data is None:
        verdict = unknown(
            "The evidence agrees with itself, but nobody whom you trust vouches for the keys in it.",
            "Give --policy FILE with the log's key, from the hub or from someone who knows it.",
        )
    missing = fields.values("without_proof", max_values=_MAX_FILES)
    return EvidenceVerdict(verdict, fields.text("scope"), fields.text("made_at"), revisions, len(missing))


def _counted(revisions: int) -> str:
    return "1 revision with its proof" if revisions == 1 else f"{revisions} revisions with their proofs"


class _Files:
    """The files of an archive, each once, within bounds, and read only as they are asked for."""

    def __init__(self, opened: zipfile.ZipFile) -> None:
        self._opened = opened
        infos = opened.infolist()
        self._infos = {info.filename: info for info in infos}
        if len(self._infos) != len(infos):
            raise MalformedEvidenceArchive("The archive has two files of one name.")
        if len(infos) > _MAX_FILES or sum(info.file_size for info in infos) > _MAX_TOTAL_BYTES:
            raise Oversized("The archive holds more than is read.")
        if any(info.flag_bits & 1 for info in infos):
            raise MalformedEvidenceArchive("A file of the archive is encrypted.")
        if any(info.compress_type not in _COMPRESSIONS for info in infos):
            # Other ways have readers of their own, which fail in other ways.
            raise MalformedEvidenceArchive(
                "A file of the archive is compressed in another way than by deflate."
            )

    def names(self) -> set[str]:
        """Their names."""
        return set(self._infos)

    def read(self, name: str, at_most_bytes: int) -> bytes:
        """One file. The sizes in an archive may lie, so that no more than they say is taken."""
        info = self._infos.get(name)
        if info is None:
            raise MalformedEvidenceArchive(f"The archive has no {name[:200]}.")
        if info.file_size > at_most_bytes:
            raise Oversized(f"{name[:200]} has {info.file_size} bytes; at most {at_most_bytes} are read.")
        with self._opened.open(info) as reader:
            data = reader.read(info.file_size + 1)
        if len(data) != info.file_size:
            raise MalformedEvidenceArchive(f"{name[:200]} is not as long as the archive says.")
        return data

    def compare(self, listed: Mapping[str, tuple[str, int]]) -> None:
        """Every file is listed, and is what the list says."""
        if self.names() != listed.keys() | {MANIFEST, SIGNATURE}:
            raise MalformedEvidenceArchive("The archive does not hold the files that its manifest lists.")
        for name, (digest, size_bytes) in listed.items():
            data = self.read(name, MAX_PROOF_BUNDLE_BYTES)
            if len(data) != size_bytes or sha256(data).hexdigest() != digest:
                raise BundleRefused(f"{name[:200]} is not the file that the manifest lists.")


def _listed(fields: Fields) -> dict[str, tuple[str, int]]:
    listed: dict[str, tuple[str, int]] = {}
    for number, value in enumerate(fields.values("files", max_values=_MAX_FILES)):
        place = f"manifest.files[{number}]"
        one = Fields(value, place, MalformedEvidenceArchive, frozenset({"path", "sha256", "size"}))
        size_bytes = value.get("size") if isinstance(value, dict) else None
        if not isinstance(size_bytes, int) or isinstance(size_bytes, bool) or one.text("path") in listed:
            raise MalformedEvidenceArchive(f"{place} has no size, or stands there twice.")
        listed[one.text("path")] = (one.text("sha256"), size_bytes)
    return listed


def _revisions(fields: Fields, name: str) -> tuple[EvidenceRevision, ...]:
    found = []
    for number, value in enumerate(fields.values(name, max_values=_MAX_FILES)):
        one = Fields(
            value,
            f"manifest.{name}[{number}]",
            MalformedEvidenceArchive,
            frozenset({"repo", "type", "id", "commit"}),
        )
        found.append(EvidenceRevision(one.text("repo"), one.text("type"), one.text("id"), one.text("commit")))
    if len(set(found)) != len(found):
        raise MalformedEvidenceArchive("A revision stands in the manifest twice.")
    return tuple(found)


def _own_policy(fields: Fields) -> Policy:
    keys = [read_verifier_key(text) for text in fields.texts("log_keys", max_values=64)]
    return Policy(tuple(PolicyLog(key) for key in dict.fromkeys(keys)), (), (), None)


def _check_checkpoint(files: _Files, hub: str, policy: Policy) -> None:
    accepted = policy.check(read_note(files.read(CHECKPOINT, MAX_NOTE_BYTES)))
    if accepted.checkpoint.origin != hub:
        raise BundleRefused("The checkpoint in the archive is of another log.")


def _hub_keys(files: _Files, hub: str, policy: Policy) -> tuple[PublicKey, ...]:
    """Every key that the hub ever signed statements with, as its log has them."""
    value = read_canonical_json(files.read(KEYS, MAX_PROOF_BUNDLE_BYTES), MAX_PROOF_BUNDLE_BYTES)
    fields = Fields(value, "keys", MalformedEvidenceArchive, frozenset({"entries"}))
    keys: dict[PublicKey, None] = {}
    for one in read_entries(fields.values("entries", max_values=1000)):
        act, _ = check_entry(one, policy, hub)
        if act.kind != KEY:
            raise BundleRefused("The history of keys has an entry in it that is about no keys.")
        keys |= dict.fromkeys(read_public_key(pem) for pem in statement_keys_of(act))
    return tuple(keys)


def _check_signature(files: _Files, manifest: bytes, keys: Sequence[PublicKey]) -> None:
    envelope = read_envelope(files.read(SIGNATURE, 1024 * 1024), 1024 * 1024)
    if envelope.data != files.read(SIGNATURE, 1024 * 1024) or len(envelope.signatures) != 1:
        raise MalformedEvidenceArchive("The signature of the manifest is not in the one spelling of it.")
    statement = verify_envelope(envelope, keys)
    digest = sha256(manifest).hexdigest()
    if statement.predicate_type != EVIDENCE_PREDICATE or not statement.is_about({"sha256": digest}):
        raise BundleRefused("The hub's signature is about another manifest.")


def _check_revision(files: _Files, revision: EvidenceRevision, hub: str, policy: Policy) -> None:
    data = files.read(revision.proof_path, MAX_PROOF_BUNDLE_BYTES)
    try:
        checked = check_bundle(read_proof_bundle(data), policy)
    except AllmendeError as error:
        raise BundleRefused(f"The proof of {revision.repo} does not hold: {error.message}") from error
    bundle = checked.bundle
    named = (revision.repo_type, revision.repo_id, revision.commit, hub)
    if (bundle.repo_type, bundle.repo_id, bundle.commit, bundle.hub) != named:
        raise BundleRefused(f"The proof of {revision.repo} is about another revision.")
    record = record_file(checked)
    if (record is None) != (revision.record_path not in files.names()):
        raise BundleRefused(f"The record of {revision.repo} is not that of its proof.")
    if record is not None and files.read(revision.record_path, MAX_PROOF_BUNDLE_BYTES) != record:
        raise BundleRefused(f"The record of {revision.repo} is not that of its proof.")


def record_file(checked: CheckedBundle) -> bytes | None:
    """The newest record of a proof as a file for people; None where there is none."""
    record = checked.record
    return None if record is None else canonical_json(record.statement.predicate)


def _attached(fields: Fields) -> tuple[str, ...]:
    """The other files that the signed manifest vouches for; archives of before have none."""
    if "attached" not in fields:
        return ()
    names = tuple(fields.texts("attached", max_values=_MAX_FILES))
    if not all(name.startswith(_ATTACHED) for name in names):
        raise MalformedEvidenceArchive(f"What is attached lies below {_ATTACHED}.")
    return names


def _check_nothing_else(
    files: _Files, revisions: Iterable[EvidenceRevision], attached: Iterable[str]
) -> None:
    known = {MANIFEST, SIGNATURE, KEYS, CHECKPOINT, *attached}
    for one in revisions:
        known |= {one.proof_path, one.record_path}
    if files.names() - known:
        raise BundleRefused(
            f"The archive has a file that belongs to nothing: {min(files.names() - known)[:200]}."
        )
