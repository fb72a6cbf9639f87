"""Whether the proof of a revision holds: every byte of a bundle against the log that the reader believes.

The chain, from what is believed to what is on the disk: the policy names a log and its witnesses; they
signed a checkpoint; a proof leads from it to an entry; the entry commits to a statement; the statement names
a commit and the `dirHash` of its files, or the digest of an envelope. Each step is one function here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from allmende.merkle import (
    Accepted,
    KeyRing,
    Policy,
    PolicyLog,
    leaf_hash,
)
from allmende.proof.envelopes import Envelope, signers_of
from allmende.proof.errors import BrokenSignature, Refused
from allmende.proof.keys import PublicKey
from allmende.proof.logged_acts import LoggedAct, open_act
from allmende.proof.predicates import PREDICATES
from allmende.proof.proof_bundles import BundleFile, ProofBundle, ProvenEntry
from allmende.proof.statements import Statement, dir_hash, statement_of, verify_envelope

__all__ = [
    "BundleRefused",
    "CheckedBundle",
    "CheckedEnvelope",
    "FileComparison",
    "FoundFile",
    "check_bundle",
    "check_entry",
    "compare_with_bundle",
    "own_policy",
    "statement_keys_of",
]

PUBLISH, KEY, RECORD = "publish", "key", "record"


class BundleRefused(Refused):
    """The parts of a proof do not belong together."""

    code = "proof_bundle_refused"


@dataclass(frozen=True, slots=True)
class CheckedEnvelope:
    """An envelope that the log has; `signed_by_hub` when a key of the hub signed it."""

    envelope: Envelope = field(repr=False)
    statement: Statement = field(repr=False)
    act: LoggedAct = field(repr=False)
    signed_by_hub: bool


@dataclass(frozen=True, slots=True)
class CheckedBundle:
    """A bundle of which everything holds under the policy that it was checked with."""

    bundle: ProofBundle = field(repr=False)
    accepted: Accepted
    """The checkpoint, the log's key that signed it, and when which witness cosigned it."""
    published: LoggedAct
    """The act by which the commit came to be."""
    acts: tuple[LoggedAct, ...]
    """Everything that the bundle has of the log, in its order."""
    tree_hash: str
    """The in-toto `dirHash` of all files."""
    envelopes: tuple[CheckedEnvelope, ...]

    @property
    def record(self) -> CheckedEnvelope | None:
        """The newest transparency record, signed by the hub."""
        records = [one for one in self.envelopes if one.statement.predicate_type == PREDICATES[RECORD]]
        return records[-1] if records else None

    @property
    def seen_at_s(self) -> int | None:
        """When the last witness had seen the checkpoint, POSIX seconds; None: nobody but the hub says."""
        return max(self.accepted.witnesses.values(), default=None)


class FoundFile(Protocol):
    """A file as it was found."""

    @property
    def sha256(self) -> str | None:
        """Its digest in hexadecimal digits; None where it could not be, or need not be, read."""

    @property
    def size_bytes(self) -> int:
        """How many bytes it has."""


@dataclass(frozen=True, slots=True)
class FileComparison:
    """How the files that were found are to those of a revision; each list sorted by path."""

    right: tuple[str, ...] = field(default=(), repr=False)
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


def check_bundle(bundle: ProofBundle, policy: Policy) -> CheckedBundle:
    """The bundle, if all of it holds under the policy.

    Raises what `LogProof.check` and `open_act` raise, and BundleRefused, or another Refused of envelopes.
    """
    if not bundle.entries:
        raise BundleRefused("The proof has no entry of a log.")
    tree_hash = dir_hash((one.path, one.sha256) for one in bundle.files)
    found = tuple(check_entry(one, policy, bundle.hub) for one in bundle.entries)
    accepted = found[0][1]
    if any(one.proof.note != bundle.entries[0].proof.note for one in bundle.entries):
        raise BundleRefused("The entries of the proof do not lead to one checkpoint.")
    _check_log_keys(bundle)
    acts = tuple(act for act, _ in found)
    for act in acts:
        _check_about(act, bundle, tree_hash)
    published = next((act for act in acts if act.kind == PUBLISH), None)
    if published is None:
        raise BundleRefused("The proof does not show that the hub published the commit.")
    return CheckedBundle(
        bundle, accepted, published, acts, tree_hash, _check_envelopes(bundle, acts, tree_hash)
    )


def check_entry(proven: ProvenEntry, policy: Policy, hub: str) -> tuple[LoggedAct, Accepted]:
    """The act that an entry is about, and the checkpoint that has it; raises as `check_bundle` does."""
    accepted = proven.proof.check(leaf_hash(proven.entry), policy)
    if accepted.checkpoint.origin != hub:
        raise BundleRefused(
            f"The entry is in the log {accepted.checkpoint.origin[:80]!r}, and the hub's is {hub[:80]!r}."
        )
    return open_act(proven.entry, proven.statement, proven.salt, hub), accepted


def own_policy(bundle: ProofBundle) -> Policy:
    """A policy that believes the keys in the bundle: it shows that a bundle agrees with itself, no more."""
    return Policy(tuple(PolicyLog(key) for key in bundle.log_keys), (), (), None)


def compare_with_bundle(files: Iterable[BundleFile], found: Mapping[str, FoundFile]) -> FileComparison:
    """How what was found is to the files of a revision."""
    expected = {one.path: one for one in files}
    right: list[str] = []
    changed: list[str] = []
    for path in expected.keys() & found.keys():
        here = found[path]
        is_right = (here.sha256, here.size_bytes) == (expected[path].sha256, expected[path].size_bytes)
        (right if is_right else changed).append(path)
    return FileComparison(
        tuple(sorted(right)),
        tuple(sorted(changed)),
        tuple(sorted(expected.keys() - found.keys())),
        tuple(sorted(found.keys() - expected.keys())),
    )


def _check_log_keys(bundle: ProofBundle) -> None:
    """Every key of a log that the bundle names has signed its checkpoint: none of them stands there idle."""
    signed = KeyRing(bundle.log_keys).check(bundle.entries[0].proof.note)
    if {one.key for one in signed} != set(bundle.log_keys) or len(set(bundle.log_keys)) != len(
        bundle.log_keys
    ):
        raise BundleRefused("The proof names a key of the log that has not signed the checkpoint.")


def _check_about(act: LoggedAct, bundle: ProofBundle, tree_hash: str) -> None:
    """The act is about this revision, or about the keys of the hub."""
    if act.kind == KEY:
        return
    if act.repo != (bundle.repo_type, bundle.repo_id):
        raise BundleRefused(f"An entry of the kind {act.kind} is about another repo than the proof.")
    if act.text("commit") != bundle.commit:
        raise BundleRefused(f"An entry of the kind {act.kind} is about another commit than the proof.")
    if act.text("dirHash") != tree_hash and (act.kind == PUBLISH or "dirHash" in act.statement):
        raise BundleRefused(
            f"The files that the proof lists are not those that the entry of the kind {act.kind} is about."
        )


def _check_envelopes(
    bundle: ProofBundle, acts: Sequence[LoggedAct], tree_hash: str
) -> tuple[CheckedEnvelope, ...]:
    acts_by_digest = {digest: act for act in acts if (digest := act.text("envelope")) is not None}
    digests = [one.digest for one in bundle.envelopes]
    if len(set(digests)) != len(digests) or set(digests) != acts_by_digest.keys():
        raise BundleRefused("The envelopes of the proof are not those that its entries of the log name.")
    keys = _hub_keys(bundle, acts)
    checked, used = [], set[PublicKey]()
    for envelope, digest in zip(bundle.envelopes, digests, strict=True):
        act = acts_by_digest[digest]
        signers = signers_of(envelope, keys)
        used.update(signers)
        is_record = act.kind == RECORD
        statement = verify_envelope(envelope, keys) if is_record or signers else statement_of(envelope)
        if is_record != (statement.predicate_type == PREDICATES[RECORD]):
            raise BundleRefused("An envelope in the proof is of another kind than its entry of the log says.")
        if signers and len(signers) != len(envelope.signatures):
            raise BrokenSignature("A signature under an envelope of the hub is not of a key of the hub.")
        if not statement.is_about({"gitCommit": bundle.commit, "dirHash": tree_hash}):
            raise BundleRefused("An envelope in the proof is about another revision.")
        checked.append(CheckedEnvelope(envelope, statement, act, bool(signers)))
    if used != set(bundle.statement_keys) or len(used) != len(bundle.statement_keys):
        raise BundleRefused("The proof names a key of the hub that has signed nothing in it.")
    return tuple(checked)


def _hub_keys(bundle: ProofBundle, acts: Sequence[LoggedAct]) -> tuple[PublicKey, ...]:
    """The keys that the hub signs statements with, if the log has them; raises BundleRefused."""
    logged = {pem for act in acts if act.kind == KEY for pem in statement_keys_of(act)}
    if any(key.pem not in logged for key in bundle.statement_keys):
        raise BundleRefused("The proof names a key of the hub that no entry of its log names.")
    return bundle.statement_keys


def statement_keys_of(act: LoggedAct) -> Iterable[str]:
    """The PEM texts of the statement keys that an act about keys names."""
    keys = act.statement.get("keys")
    found = keys.get("statement") if isinstance(keys, dict) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
