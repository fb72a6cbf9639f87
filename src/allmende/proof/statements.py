"""In-toto statements (v1): a predicate of some type about subjects that are named by their digests.

A statement says; only the envelope around it says who. Fields that in-toto does not have are passed over
when a statement is read, as its rules ask.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from allmende.proof.canonical import JsonObject, JsonValue, canonical_json, read_json
from allmende.proof.envelopes import Envelope, sign_payload, verified_payload
from allmende.proof.errors import MalformedStatement, NotCanonical
from allmende.proof.keys import PublicKey, Signer
from allmende.proof.strict import Fields

__all__ = [
    "IN_TOTO",
    "STATEMENT_TYPE",
    "Statement",
    "Subject",
    "dir_hash",
    "read_statement",
    "revision_subject",
    "sign_statement",
    "statement_of",
    "verify_envelope",
]

IN_TOTO = "application/vnd.in-toto+json"
"""The type of an envelope's payload that is a statement."""

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

_MAX_SUBJECTS = 10_000
_MAX_URI_CHARS = 512


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about: digests by algorithm, and a name that proves nothing."""

    digests: Mapping[str, str]
    name: str = ""

    @property
    def json(self) -> JsonObject:
        """The subject as in-toto writes it."""
        named: JsonObject = {"name": self.name} if self.name else {}
        return {**named, "digest": dict(self.digests)}


@dataclass(frozen=True, slots=True)
class Statement:
    """A predicate about subjects."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: JsonObject = field(repr=False)

    @property
    def json(self) -> JsonObject:
        """The statement as in-toto writes it."""
        return {
            "_type": STATEMENT_TYPE,
            "subject": [subject.json for subject in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }

    @property
    def data(self) -> bytes:
        """Its canonical JSON, which is what we sign."""
        return canonical_json(self.json)

    def is_about(self, digests: Mapping[str, str]) -> bool:
        """Whether a subject names one of these digests and contradicts none of them."""
        return any(
            any(subject.digests.get(name) == digest for name, digest in digests.items())
            and not any(subject.digests.get(name, digest) != digest for name, digest in digests.items())
            for subject in self.subjects
        )


def dir_hash(files: Iterable[tuple[str, str]]) -> str:
    """The `dirHash` of in-toto over (path, SHA-256 in hexadecimal digits) of every file of a tree.

    SHA-256 over lines `<digest>  <path>` sorted by the bytes of the path: what `find`, `sort` and `sha256sum`
    give. Raises MalformedStatement for a path with a line break, which could pass for two files.
    """
    lines = sorted((path.encode("utf-8", "surrogateescape"), digest) for path, digest in files)
    if any(b"\n" in path for path, _ in lines):
        raise MalformedStatement("A tree with a line break in the name of a file has no dirHash.")
    return sha256(
        b"".join(b"%b  %b\n" % (digest.encode("ascii"), path) for path, digest in lines)
    ).hexdigest()


def revision_subject(repo_type: str, repo_id: str, commit: str, tree_hash: str) -> Subject:
    """A revision of a repo on a hub: its commit, and the `dirHash` of all of its files."""
    return Subject({"gitCommit": commit, "dirHash": tree_hash}, f"{repo_type}/{repo_id}@{commit}")


def read_statement(payload: bytes) -> Statement:
    """The statement in a payload; raises MalformedStatement."""
    try:
        value = read_json(payload)
    except NotCanonical as error:
        raise MalformedStatement(f"The payload is no statement. {error.message}") from error
    fields = Fields(value, "statement", MalformedStatement)
    if fields.text("_type") != STATEMENT_TYPE:
        raise MalformedStatement(
            f"The statement is of the type {fields.text('_type')[:80]!r}; only {STATEMENT_TYPE} is read."
        )
    subjects = fields.values("subject", max_values=_MAX_SUBJECTS)
    if not subjects:
        raise MalformedStatement("The statement is about nothing.")
    kind = fields.text("predicateType")
    if len(kind) > _MAX_URI_CHARS:
        raise MalformedStatement(f"The type of the predicate is longer than {_MAX_URI_CHARS} characters.")
    found = tuple(_subject(subject, number) for number, subject in enumerate(subjects))
    return Statement(found, kind, fields.object("predicate", optional=True))


def _subject(value: JsonValue, number: int) -> Subject:
    fields = Fields(value, f"statement.subject[{number}]", MalformedStatement)
    return Subject(fields.digests("digest"), fields.text("name", default=""))


def sign_statement(statement: Statement | Mapping[str, JsonValue], *signers: Signer) -> Envelope:
    """The envelope of a statement, signed by each key; raises MalformedStatement for what is no statement."""
    data = statement.data if isinstance(statement, Statement) else canonical_json(dict(statement))
    read_statement(data)
    return sign_payload(IN_TOTO, data, signers)


def statement_of(envelope: Envelope) -> Statement:
    """The statement in an envelope whose signatures were NOT checked; raises MalformedStatement."""
    if envelope.payload_type != IN_TOTO:
        raise MalformedStatement(f"The envelope holds {envelope.payload_type[:80]!r} and no statement.")
    return read_statement(envelope.payload)


def verify_envelope(envelope: Envelope, keys: Iterable[PublicKey], threshold: int = 1) -> Statement:
    """The statement, if at least `threshold` of the keys signed it.

    Raises UntrustedSigner, BrokenSignature, MalformedEnvelope for a payload of another type and
    MalformedStatement.
    """
    return read_statement(verified_payload(envelope, keys, IN_TOTO, threshold))
