"""The proof of a revision as one file: its files, what the log has of it, and the envelopes about it.

The file is canonical JSON and nothing in it is left over: whatever is read here is compared with something by
`revision_checking`, so that no byte of a bundle can change and the bundle still be believed. The keys in it
are for reading alone. Whom to believe is said by the reader's own policy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from allmende.ids import COMMIT_OID
from allmende.merkle import LogProof, VerifierKey, read_log_proof, read_verifier_key
from allmende.merkle import Malformed as MalformedOfLog
from allmende.proof.canonical import JsonObject, JsonValue, canonical_json, read_canonical_json
from allmende.proof.envelopes import Envelope, envelope_from_json
from allmende.proof.errors import MalformedProofBundle, NotCanonical
from allmende.proof.keys import PublicKey, read_public_key
from allmende.proof.logged_acts import MAX_ENTRY_BYTES, MAX_STATEMENT_BYTES, SALT_BYTES
from allmende.proof.manifests import MAX_FILES
from allmende.proof.strict import Fields, read_base64, write_base64

__all__ = [
    "BUNDLE_SCHEMA",
    "MAX_PROOF_BUNDLE_BYTES",
    "BundleFile",
    "ProofBundle",
    "ProvenEntry",
    "entries_json",
    "read_entries",
    "read_proof_bundle",
]

BUNDLE_SCHEMA = "allmende.proof-bundle/1"
MAX_PROOF_BUNDLE_BYTES = 64 * 1024 * 1024

_MAX_ENTRIES = 1000
_MAX_ENVELOPES = 1000
_MAX_KEYS = 64
_MAX_PATH_BYTES = 4096
_MAX_SIZE_BYTES = 2**53 - 1
_DIGITS = 64
_FIELDS = frozenset({"schema", "hub", "repo", "commit", "files", "entries", "envelopes", "keys"})


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of the revision; of a symbolic link in git the bytes are its target's path."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry of the log, what it commits to, and the proof that it is in the log."""

    entry: bytes = field(repr=False)
    statement: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    proof: LogProof = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProofBundle:
    """Everything that shows what a hub published at a commit; nothing of it has been checked."""

    hub: str
    """The origin of the hub's log."""
    repo_type: str
    repo_id: str
    """The id that the hub's log has for the repo: names change, and may be a person's."""
    commit: str
    files: tuple[BundleFile, ...] = field(repr=False)
    entries: tuple[ProvenEntry, ...] = field(repr=False)
    envelopes: tuple[Envelope, ...] = field(repr=False)
    statement_keys: tuple[PublicKey, ...] = field(default=(), repr=False)
    log_keys: tuple[VerifierKey, ...] = field(default=(), repr=False)

    @property
    def json(self) -> JsonObject:
        """The bundle as JSON."""
        files: list[JsonValue] = [
            {"path": one.path, "sha256": one.sha256, "size": one.size_bytes} for one in self.files
        ]
        envelopes: list[JsonValue] = [one.json for one in self.envelopes]
        keys: JsonObject = {
            "log": [key.text for key in self.log_keys],
            "statement": [key.pem for key in self.statement_keys],
        }
        return {
            "schema": BUNDLE_SCHEMA,
            "hub": self.hub,
            "repo": {"type": self.repo_type, "id": self.repo_id},
            "commit": self.commit,
            "files": files,
            "entries": entries_json(self.entries),
            "envelopes": envelopes,
            "keys": keys,
        }

    @property
    def data(self) -> bytes:
        """The canonical JSON of the bundle: the file."""
        return canonical_json(self.json)


def entries_json(entries: Iterable[ProvenEntry]) -> list[JsonValue]:
    """Proven entries as they stand in files."""
    return [
        {
            "entry": write_base64(one.entry),
            "proof": bytes(one.proof).decode(),
            "salt": one.salt.hex(),
            "statement": write_base64(one.statement),
        }
        for one in entries
    ]


def read_proof_bundle(data: bytes) -> ProofBundle:
    """A bundle from its file; raises MalformedProofBundle, and the like for what lies in it.

    `data` of what is read is the file again, byte for byte.
    """
    wrong = MalformedProofBundle
    try:
        value = read_canonical_json(data, MAX_PROOF_BUNDLE_BYTES)
    except NotCanonical as error:
        raise wrong(f"This is no proof of a revision. {error.message}") from error
    fields = Fields(value, "bundle", wrong, _FIELDS)
    if fields.text("schema") != BUNDLE_SCHEMA:
        raise wrong(f"The bundle is a {fields.text('schema')[:60]!r}; only {BUNDLE_SCHEMA} is read.")
    repo = fields.fields("repo", frozenset({"type", "id"}))
    commit = fields.text("commit")
    if COMMIT_OID.fullmatch(commit) is None:
        raise wrong("The commit of the bundle is none.")
    keys = fields.fields("keys", frozenset({"log", "statement"}))
    bundle = ProofBundle(
        fields.text("hub"),
        repo.text("type"),
        repo.text("id"),
        commit,
        _read_files(fields.values("files", max_values=MAX_FILES)),
        read_entries(fields.values("entries", max_values=_MAX_ENTRIES)),
        tuple(envelope_from_json(one) for one in fields.values("envelopes", max_values=_MAX_ENVELOPES)),
        tuple(read_public_key(one) for one in keys.texts("statement", max_values=_MAX_KEYS)),
        tuple(read_verifier_key(one) for one in keys.texts("log", max_values=_MAX_KEYS)),
    )
    if bundle.data != data:
        # An envelope without a key id, or a key in another form of PEM, would be a second spelling.
        raise wrong("The bundle writes something in it in another way than we do.")
    return bundle


def _read_files(values: Sequence[JsonValue]) -> tuple[BundleFile, ...]:
    files = tuple(_read_file(value, number) for number, value in enumerate(values))
    paths = [one.path.encode() for one in files]
    if any(first >= second for first, second in pairwise(paths)):
        raise MalformedProofBundle("The files of the bundle are not in the order of their paths, each once.")
    _refuse_files_in_files(files)
    return files


def _read_file(value: JsonValue, number: int) -> BundleFile:
    place = f"bundle.files[{number}]"
    fields = Fields(value, place, MalformedProofBundle, frozenset({"path", "sha256", "size"}))
    path = fields.text("path")
    parts = path.split("/")
    # A line break could pass for a second file in a dirHash, a null byte ends a path for the system.
    if any(part in {"", ".", ".."} for part in parts) or any(sign in path for sign in "\n\r\0"):
        raise MalformedProofBundle(f"{place} has a path that is not safe: {path[:200]!r}.")
    if len(path.encode()) > _MAX_PATH_BYTES:
        raise MalformedProofBundle(f"{place} has a path of more than {_MAX_PATH_BYTES} bytes.")
    size_bytes = value.get("size") if isinstance(value, dict) else None
    if (
        isinstance(size_bytes, bool)
        or not isinstance(size_bytes, int)
        or not 0 <= size_bytes <= _MAX_SIZE_BYTES
    ):
        raise MalformedProofBundle(f"{place}.size is not a whole number of bytes.")
    return BundleFile(path, _hex(fields, "sha256", _DIGITS, place), size_bytes)


def _refuse_files_in_files(files: Iterable[BundleFile]) -> None:
    paths = {one.path for one in files}
    for path in paths:
        at = path.find("/")
        while at >= 0:
            if path[:at] in paths:
                raise MalformedProofBundle(f"{path[:at][:200]!r} is a file and a folder in the bundle.")
            at = path.find("/", at + 1)


def read_entries(values: Sequence[JsonValue]) -> tuple[ProvenEntry, ...]:
    """Proven entries in the order of the log, each once; raises MalformedProofBundle."""
    entries = tuple(_read_entry(value, number) for number, value in enumerate(values))
    indexes = [one.proof.index for one in entries]
    if any(first >= second for first, second in pairwise(indexes)):
        raise MalformedProofBundle("The entries of the bundle are not in the order of the log, each once.")
    return entries


def _read_entry(value: JsonValue, number: int) -> ProvenEntry:
    place = f"bundle.entries[{number}]"
    wrong = MalformedProofBundle
    fields = Fields(value, place, wrong, frozenset({"entry", "proof", "salt", "statement"}))
    entry, statement = read_base64(fields.text("entry"), wrong), read_base64(fields.text("statement"), wrong)
    if len(entry) > MAX_ENTRY_BYTES or len(statement) > MAX_STATEMENT_BYTES:
        raise wrong(f"{place} is larger than an entry or a statement can be.")
    try:
        proof = read_log_proof(fields.text("proof").encode())
    except MalformedOfLog as error:
        raise wrong(f"{place}.proof: {error.message}") from error
    if proof.extra:
        raise wrong(f"{place}.proof has something in it that nobody signed.")
    return ProvenEntry(entry, statement, bytes.fromhex(_hex(fields, "salt", 2 * SALT_BYTES, place)), proof)


def _hex(fields: Fields, name: str, digits: int, place: str) -> str:
    text = fields.text(name)
    if len(text) != digits or any(sign not in "0123456789abcdef" for sign in text):
        raise MalformedProofBundle(f"{place}.{name} does not have {digits} hexadecimal digits.")
    return text
