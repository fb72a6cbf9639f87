"""The proof of a revision: what the log has of it, under one checkpoint, with the envelopes that it names.

What is put together here is what `proof.check_bundle` will ask for, and nothing beside it: an entry whose
envelope is not shown is left out, and so is an envelope whose entry is not in the log yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from allmende.errors import NotFound
from allmende.flows.attesting import shown_attestations
from allmende.flows.log_view import shown_entries
from allmende.flows.records import RecordNotReady, RecordWithheld, record_envelope
from allmende.flows.services import Services
from allmende.flows.tree_digests import TreeFile, tree_digests
from allmende.ids import GitOid
from allmende.log import LogEntry, LogUnsigned, newest_entry
from allmende.merkle import Note, VerifierKey, read_checkpoint, read_verifier_key
from allmende.proof import (
    BundleFile,
    Envelope,
    ProofBundle,
    ProvenEntry,
    PublicKey,
    read_envelope,
    read_json,
    read_public_key,
    signers_of,
)
from allmende.registry import Repo
from allmende.storage import UnitOfWork

__all__ = ["ProofNotKept", "key_entries", "proof_bundle", "prove_entry"]

_PUBLISH, _KEY, _RECORD = "publish", "key", "record"
_MAX_ENTRIES = 200
_MAX_ATTESTATIONS = 100
_MAX_KEY_ENTRIES = 200


class ProofNotKept(NotFound):
    """The log does not say that the hub published this commit, or what it said was erased."""

    code = "proof_not_kept"


def proof_bundle(services: Services, repo: Repo, commit_oid: GitOid) -> ProofBundle:
    """The proof of a revision for whoever may read the repo; the caller has asked who may.

    Raises LogUnsigned while the log has not got so far, ProofNotKept, RevisionNotFound, KeysDamaged.
    """
    tree = tree_digests(services, repo.id, commit_oid)
    with services.database.read() as uow:
        entries = _bounded(shown_entries(uow, repo.id, commit_oid))
        envelopes = _envelopes(uow, repo, commit_oid)
        keys = key_entries(uow)
    published = [one for one in entries if one.kind == _PUBLISH and b'"dirHash"' in (one.statement or b"")]
    if not published:
        raise ProofNotKept(
            f"The log has no publication of {commit_oid}.", hint="Only heads of branches are logged."
        )
    note = _checkpoint(services, entries, published[0].number)
    size = read_checkpoint(note.text).size
    hub_keys, naming = _hub_keys(keys, envelopes.values(), size)
    shown, kept = _shown(entries, envelopes, hub_keys, size)
    proven = sorted([*kept, *naming], key=lambda one: one.number)
    used = {key for envelope in shown for key in signers_of(envelope, hub_keys)}
    return ProofBundle(
        services.log.origin,
        repo.type,
        repo.public_id,
        commit_oid,
        _files(tree),
        tuple(prove_entry(services, one, note) for one in proven),
        shown,
        tuple(key for key in hub_keys if key in used),
        _signers(services, note),
    )


def _files(tree: Iterable[TreeFile]) -> tuple[BundleFile, ...]:
    files = (BundleFile(one.path, one.sha256, one.size_bytes) for one in tree)
    return tuple(sorted(files, key=lambda one: one.path.encode("utf-8", "surrogateescape")))


def _bounded(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """The newest entries, and whatever says that the commit was published."""
    newest = {one.number for one in entries[-_MAX_ENTRIES:]}
    return [one for one in entries if one.number in newest or one.kind == _PUBLISH]


def _envelopes(uow: UnitOfWork, repo: Repo, commit_oid: GitOid) -> Mapping[str, Envelope]:
    """The envelopes about a revision that are shown, by their digests."""
    attested, _ = shown_attestations(uow, repo, commit_oid, limit=_MAX_ATTESTATIONS)
    found = [read_envelope(one.envelope) for one in attested]
    with suppress(RecordNotReady, RecordWithheld):
        found.append(record_envelope(uow, repo, commit_oid))
    return {one.digest: one for one in found}


def key_entries(uow: UnitOfWork, before: int | None = None) -> list[LogEntry]:
    """The newest entries that name the hub's keys, newest first; with `before`, those under a checkpoint."""
    found: list[LogEntry] = []
    entry = newest_entry(uow, _KEY, before=before)
    while entry is not None and len(found) < _MAX_KEY_ENTRIES:
        found.append(entry)
        entry = newest_entry(uow, _KEY, before=entry.number)
    return found


def _hub_keys(
    entries: Iterable[LogEntry], envelopes: Iterable[Envelope], size: int
) -> tuple[tuple[PublicKey, ...], list[LogEntry]]:
    """The hub's keys that signed any of the envelopes, and the newest entries that name them."""
    wanted = list(envelopes)
    keys: dict[PublicKey, None] = {}
    named: list[LogEntry] = []
    for entry in entries:
        if entry.number >= size or entry.statement is None:
            continue
        fresh = [key for key in _keys_in(entry.statement) if key not in keys]
        signing = [key for key in fresh if any(signers_of(one, [key]) for one in wanted)]
        if signing:
            keys |= dict.fromkeys(signing)
            named.append(entry)
    return tuple(keys), named


def _keys_in(statement: bytes) -> list[PublicKey]:
    value = read_json(statement)
    keys = value.get("keys") if isinstance(value, dict) else None
    texts = keys.get("statement") if isinstance(keys, dict) else None
    return (
        [read_public_key(text) for text in texts if isinstance(text, str)] if isinstance(texts, list) else []
    )


def _shown(
    entries: Iterable[LogEntry], envelopes: Mapping[str, Envelope], hub_keys: Sequence[PublicKey], size: int
) -> tuple[tuple[Envelope, ...], list[LogEntry]]:
    """The entries under the checkpoint, and their envelopes in the same order."""
    shown: dict[str, Envelope] = {}
    kept: list[LogEntry] = []
    for entry in entries:
        if entry.number >= size or entry.statement is None:
            continue
        digest = _envelope_of(entry.statement)
        if digest is not None:
            envelope = envelopes.get(digest)
            if envelope is None or digest in shown:
                continue
            if entry.kind == _RECORD and not signers_of(envelope, hub_keys):
                continue
            shown[digest] = envelope
        kept.append(entry)
    return tuple(shown.values()), kept


def _envelope_of(statement: bytes) -> str | None:
    value = read_json(statement)
    digest = value.get("envelope") if isinstance(value, dict) else None
    return digest if isinstance(digest, str) else None


def _checkpoint(services: Services, entries: Sequence[LogEntry], published: int) -> Note:
    """One checkpoint over all, where there is one, and over the publication at least."""
    try:
        return services.log.checkpoint_over(entries[-1].number)
    except LogUnsigned:
        return services.log.checkpoint_over(published)


def prove_entry(services: Services, entry: LogEntry, note: Note) -> ProvenEntry:
    """An entry whose statement is kept, with its proof under a checkpoint that covers it."""
    proof = services.log.prove(entry.number, note)
    return ProvenEntry(entry.entry, entry.statement or b"", entry.salt or b"", proof)


def _signers(services: Services, note: Note) -> tuple[VerifierKey, ...]:
    """The keys of the log that signed the checkpoint."""
    signed = {(one.name, one.key_id) for one in note.signatures}
    keys = (read_verifier_key(text) for text in services.log.log_keys)
    return tuple(key for key in keys if (key.name, key.id) in signed)
