"""A hub of the tests that publishes, keeps a log with witnesses, and gives proofs of it."""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from allmende.merkle import (
    Checkpoint,
    KeyKind,
    LogProof,
    MemoryTree,
    SigningKey,
    inclusion_proof,
    leaf_hash,
    signed_checkpoint,
)
from allmende.proof import (
    PREDICATES,
    BundleFile,
    Envelope,
    ProofBundle,
    ProvenEntry,
    Statement,
    canonical_json,
    dir_hash,
    generate_signer,
    revision_subject,
    sign_statement,
)

ORIGIN = "hub.example/log"
NOW = 1_800_000_000
TIME = "2026-11-28T09:00:00Z"
COMMIT = "c0ffee" + "0" * 34
REPO = ("model", "01hub")
SUBJECT = sha256(b"subject").hexdigest()
LOG_KEY = SigningKey(ORIGIN, KeyKind.ED25519, b"\1" * 32)
OTHER_KEY = SigningKey(ORIGIN, KeyKind.ED25519, b"\2" * 32)
WITNESSES = (
    SigningKey("witness.example/one", KeyKind.ED25519_COSIGNATURE, b"\3" * 32),
    SigningKey("witness.example/two", KeyKind.ED25519_COSIGNATURE, b"\4" * 32),
)
HUB_SIGNER = generate_signer()
STRANGER = generate_signer()

FILES = {
    "README.md": b"# A model\n",
    "config.json": b'{"a": 1}\n',
    "model.safetensors": bytes(range(256)) * 40,
    "sub/tokenizer.json": b"{}",
    "empty": b"",
}


def policy_of(log: SigningKey = LOG_KEY, witnesses=WITNESSES, quorum: str = "all") -> bytes:
    lines = [f"log {log.verifier.text}"]
    lines += [f"witness W{at} {key.verifier.text}" for at, key in enumerate(witnesses)]
    if witnesses:
        names = " ".join(f"W{at}" for at in range(len(witnesses)))
        lines += [f"group G {quorum} {names}", "quorum G"]
    else:
        lines.append("quorum none")
    return "".join(f"{line}\n" for line in lines).encode()


POLICY = policy_of()


def write_folder(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


class MadeHub:
    """Keeps acts, and makes a bundle of the last of them."""

    def __init__(self, *, private: bool = False, log_key: SigningKey = LOG_KEY, witnesses=WITNESSES) -> None:
        self.private = private
        self.signers = (log_key, *witnesses)
        self.log_key = log_key
        self.entries: list[bytes] = []
        self.kept: list[tuple[int, bytes, bytes, bytes]] = []
        for at in range(5):
            self.entries.append(b"someone else's %d" % at)

    def log(self, statement: dict, *, tells=("commit", "dirHash", "envelope"), **entry_changes) -> None:
        statement = {"v": 1, "time": TIME, "hub": ORIGIN, **statement}
        data, salt = canonical_json(statement), secrets.token_bytes(32)
        entry = {
            "v": 1,
            "kind": statement["kind"],
            "time": statement["time"],
            "commitment": sha256(salt + data).hexdigest(),
        }
        if "repo" in statement:
            entry["subject"] = statement["repo"]["subject"]
        if self.private and "repo" in statement:
            entry |= {"kind": "private", "time": statement["time"][:10]}
        else:
            entry |= {name: statement[name] for name in tells if name in statement}
        made = canonical_json(entry | entry_changes)
        self.kept.append((len(self.entries), made, data, salt))
        self.entries += [made, b"someone else's"]

    def repo(self) -> dict:
        return {"type": REPO[0], "id": REPO[1], "subject": SUBJECT}

    def log_keys(self, *signers) -> None:
        pems = [one.public.pem for one in signers or (HUB_SIGNER,)]
        self.log({"kind": "key", "keys": {"log": [self.log_key.verifier.text], "statement": pems}})

    def log_publish(self, tree: str, commit: str = COMMIT) -> None:
        self.log({"kind": "publish", "repo": self.repo(), "commit": commit, "dirHash": tree})

    def log_envelope(self, kind: str, envelope: Envelope, commit: str = COMMIT) -> None:
        self.log({"kind": kind, "repo": self.repo(), "commit": commit, "envelope": envelope.digest})

    def proven(self, at_s: int = NOW) -> tuple[ProvenEntry, ...]:
        tree = MemoryTree(map(leaf_hash, self.entries))
        note = signed_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), self.signers, at_s)
        return tuple(
            ProvenEntry(
                entry, data, salt, LogProof(index, tuple(inclusion_proof(tree, index, tree.size)), note)
            )
            for index, entry, data, salt in self.kept
        )


def files_of(files: Mapping[str, bytes] = FILES) -> tuple[BundleFile, ...]:
    return tuple(
        BundleFile(path, sha256(files[path]).hexdigest(), len(files[path]))
        for path in sorted(files, key=str.encode)
    )


def tree_hash(files: Mapping[str, bytes] = FILES) -> str:
    return dir_hash((one.path, one.sha256) for one in files_of(files))


def envelope_of(
    predicate: str = "record", *signers, commit: str = COMMIT, files: Mapping[str, bytes] = FILES
) -> Envelope:
    subject = revision_subject(*REPO, commit, tree_hash(files))
    statement = Statement((subject,), PREDICATES[predicate], {"facts": []})
    return sign_statement(statement, *(signers or (HUB_SIGNER,)))


def bundle_of(hub: MadeHub, *envelopes: Envelope, **changes) -> ProofBundle:
    given = {
        "hub": ORIGIN,
        "repo_type": REPO[0],
        "repo_id": REPO[1],
        "commit": COMMIT,
        "files": files_of(),
        "entries": hub.proven(),
        "envelopes": envelopes,
        "statement_keys": (HUB_SIGNER.public,) if envelopes else (),
        "log_keys": (hub.log_key.verifier,),
    }
    return ProofBundle(**(given | changes))


def good_bundle(*, private: bool = False) -> ProofBundle:
    """A publication with a record and an attestation of a stranger."""
    hub = MadeHub(private=private)
    record, attested = envelope_of(), envelope_of("scai", STRANGER)
    hub.log_keys()
    hub.log_publish(tree_hash())
    hub.log_envelope("record", record)
    hub.log_envelope("attest", attested)
    return bundle_of(hub, record, attested)
