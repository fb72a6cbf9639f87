"""The manifest of a signed model: which paths it has, and the digest of each (OMS 1.0, sections 5 and 6).

OMS is the format of OpenSSF Model Signing. Its root digest is over the digests of the files and not over
their names, so a renamed file does not change it: it names a list of digests and no model.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, NamedTuple, get_args

from allmende.proof.canonical import JsonValue
from allmende.proof.errors import MalformedSignature, Oversized, UnsupportedSignature
from allmende.proof.predicates import PREDICATES
from allmende.proof.statements import Statement, Subject
from allmende.proof.strict import Fields, is_hex

__all__ = [
    "ALWAYS_IGNORED",
    "CLIENT_TRACES",
    "MAX_FILES",
    "HashType",
    "Manifest",
    "ManifestEntry",
    "SignedFile",
    "is_ignored",
    "is_signature_path",
    "make_manifest",
    "manifest_statement",
    "read_manifest",
]

HashType = Literal["sha256", "blake2b", "blake3"]
Method = Literal["files", "shards"]

ALWAYS_IGNORED = (".git", ".gitattributes", ".github", ".gitignore")
"""What is never part of a model, at its root alone: `sub/.git` is a file like any other."""

CLIENT_TRACES = (".allmende", ".cache/huggingface")
"""What clients of hubs leave in a folder that they fill; no part of the model either."""

MAX_FILES = 200_000
_MAX_IGNORED = 10_000
_NO_NAMES = frozenset({"", ".", ".."})
_MIN_SHARD_BYTES = 4096
_MAX_PATH_BYTES = 4096
_DIGEST_CHARS = {"sha256": 64, "blake2b": 128, "blake3": 64}
_SHARD = re.compile(r"(?P<path>.+):(?P<start>0|[1-9]\d{0,18}):(?P<end>[1-9]\d{0,18})", re.DOTALL)
_SHARDED_ALGORITHM = re.compile(r"(sha256|blake2b|blake3)-sharded-(\d+)")


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A file of a model as whoever has it knows it: nothing of it need be read."""

    path: str
    sha256: str
    size_bytes: int
    is_link: bool = False


class ManifestEntry(NamedTuple):
    """A file, or the bytes `start` to `end` of it, and its digest; `end` is None for a whole file."""

    path: str
    digest: str
    start: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a signer says the model consists of."""

    name: str
    entries: tuple[ManifestEntry, ...] = field(repr=False)
    method: Method = "files"
    hash_type: HashType = "sha256"
    shard_bytes: int | None = None
    allow_links: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def root_digest(self) -> str:
        """SHA-256 over the digests in their order, 64 hexadecimal digits."""
        return _root_digest(entry.digest for entry in self.entries)


def is_ignored(path: str, ignored: Iterable[str]) -> bool:
    """Whether a path is one of these, or lies below one of them."""
    names = frozenset(ignored)
    parts = path.split("/")
    return any("/".join(parts[:count]) in names for count in range(1, len(parts) + 1))


def is_signature_path(path: str) -> bool:
    """Whether a file of this name may be the signature of the model that it lies with (section 9)."""
    return "/" not in path and path.lower().endswith(".sig")


def make_manifest(name: str, files: Sequence[SignedFile], ignored: Iterable[str] = ()) -> Manifest:
    """The manifest of a model by SHA-256 of whole files.

    `ignored` are further paths from its root that are left out, with what lies below them: the signature
    itself among them. Raises MalformedSignature for a path that a manifest may not have, for symbolic links
    and for a model without files.
    """
    left_out = tuple(sorted({*ALWAYS_IGNORED, *(_checked_path(path, "ignored path") for path in ignored)}))
    names = frozenset(left_out)
    covered = sorted((file for file in files if not is_ignored(file.path, names)), key=lambda file: file.path)
    for file in covered:
        _checked_path(file.path, "path")
        if file.is_link:
            raise MalformedSignature(
                f"{file.path} is a symbolic link, and a signature does not cover those.",
                hint="Put a copy of the file in its place, or have it ignored.",
            )
    if not covered:
        raise MalformedSignature("There is no file to sign.")
    entries = tuple(ManifestEntry(file.path, file.sha256) for file in covered)
    return Manifest(name, _unique(entries), ignored=left_out)


def manifest_statement(manifest: Manifest) -> Statement:
    """The statement that is signed; for manifests of whole files."""
    resources: list[JsonValue] = [
        {"name": entry.path, "digest": entry.digest, "algorithm": manifest.hash_type}
        for entry in manifest.entries
    ]
    serialization: dict[str, JsonValue] = {
        "method": manifest.method,
        "hash_type": manifest.hash_type,
        "allow_symlinks": manifest.allow_links,
        "ignore_paths": list(manifest.ignored),
    }
    subject = Subject({"sha256": manifest.root_digest}, manifest.name)
    predicate: dict[str, JsonValue] = {"resources": resources, "serialization": serialization}
    return Statement((subject,), PREDICATES["model_signature"], predicate)


def read_manifest(statement: Statement) -> Manifest:
    """The manifest that a statement carries.

    Raises MalformedSignature for one that breaks a rule, UnsupportedSignature for what is known and not
    read here (the predicate of version 0.2), Oversized for more than `MAX_FILES` entries.
    """
    if statement.predicate_type != PREDICATES["model_signature"]:
        raise UnsupportedSignature(
            f"The signature is of the type {statement.predicate_type[:80]!r}; "
            f"only {PREDICATES['model_signature']} is read.",
        )
    if len(statement.subjects) != 1 or not statement.subjects[0].name:
        raise MalformedSignature("A signature is about exactly one model, which has a name.")
    subject = statement.subjects[0]
    fields = Fields(statement.predicate, "predicate", MalformedSignature)
    manifest = _read_serialization(fields.fields("serialization"), subject.name)
    resources = fields.values("resources", max_values=10 * MAX_FILES)
    if not 1 <= len(resources) <= MAX_FILES:
        raise Oversized(f"A signature of {len(resources)} files is not read; 1 to {MAX_FILES} are.")
    entries = tuple([_read_entry(value, manifest) for value in resources])
    if not is_hex("".join([entry.digest for entry in entries])):
        raise MalformedSignature("A digest of the signature is not in lower-case hexadecimal digits.")
    if len(entries) == 1 and entries[0].path == ".":
        # Before 1.0.1 the reference wrote a model that is a single file so.
        entries = (ManifestEntry(_checked_path(subject.name, "path"), entries[0].digest),)
    for entry in entries:
        _checked_path(entry.path, "path")
    root = _root_digest(entry.digest for entry in entries)
    if subject.digests.get("sha256") != root:
        raise MalformedSignature("The root digest of the signature is not that of the digests in it.")
    return Manifest(
        manifest.name,
        _unique(entries),
        manifest.method,
        manifest.hash_type,
        manifest.shard_bytes,
        manifest.allow_links,
        manifest.ignored,
    )


def _read_serialization(fields: Fields, name: str) -> Manifest:
    method, hash_type = fields.text("method"), fields.text("hash_type")
    if method not in get_args(Method):
        raise UnsupportedSignature(f"The signature is by the method {method[:40]!r}, which is not known.")
    if hash_type not in get_args(HashType):
        raise UnsupportedSignature(f"The signature has digests by {hash_type[:40]!r}, which is not known.")
    if method == "files" and "shard_size" in fields:
        raise MalformedSignature("A signature of whole files has a size of shards.")
    shard_bytes = fields.count("shard_size") if method == "shards" else None
    if shard_bytes is not None and shard_bytes < _MIN_SHARD_BYTES:
        raise UnsupportedSignature(f"Shards of {shard_bytes} bytes are not read; {_MIN_SHARD_BYTES} are.")
    ignored = fields.texts("ignore_paths", max_values=_MAX_IGNORED, optional=True)
    return Manifest(
        name=name,
        entries=(),
        method=method,  # type: ignore[arg-type]  # it is one of them by now
        hash_type=hash_type,  # type: ignore[arg-type]
        shard_bytes=shard_bytes,
        allow_links=fields.flag("allow_symlinks"),
        ignored=tuple(_checked_path(path, "ignored path") for path in ignored),
    )


def _read_entry(value: JsonValue, manifest: Manifest) -> ManifestEntry:
    # There are thousands of these, so they are taken apart by hand.
    named = value if isinstance(value, dict) else {}
    name, digest, algorithm = named.get("name"), named.get("digest"), named.get("algorithm")
    if not (isinstance(name, str) and isinstance(digest, str) and isinstance(algorithm, str)):
        raise MalformedSignature("A resource lacks one of name, digest and algorithm.")
    if algorithm != manifest.hash_type:
        _check_algorithm(algorithm, manifest)
    if len(digest) != _DIGEST_CHARS[manifest.hash_type]:
        raise MalformedSignature(f"The digest of {name[:100]!r} is not one of {manifest.hash_type}.")
    if manifest.shard_bytes is None:
        return ManifestEntry(name, digest)
    return _shard(name, digest, manifest.shard_bytes)


def _shard(name: str, digest: str, shard_bytes: int) -> ManifestEntry:
    found = _SHARD.fullmatch(name)
    if found is None:
        raise MalformedSignature(f"{name[:100]!r} does not name a range of bytes.")
    start, end = int(found["start"]), int(found["end"])
    if start % shard_bytes or not start < end <= start + shard_bytes:
        raise MalformedSignature(f"{name[:100]!r} is not one of the ranges of {shard_bytes} bytes.")
    return ManifestEntry(found["path"], digest, start, end)


def _check_algorithm(algorithm: str, manifest: Manifest) -> None:
    # The reference (1.1.1) writes the size of shards into the name of their algorithm.
    sharded = _SHARDED_ALGORITHM.fullmatch(algorithm) if manifest.shard_bytes else None
    plain = sharded[1] if sharded and int(sharded[2]) == manifest.shard_bytes else algorithm
    if plain != manifest.hash_type:
        raise MalformedSignature(
            f"A digest is by {algorithm[:60]!r} in a signature whose digests are by {manifest.hash_type}."
        )


def _checked_path(path: str, what: str) -> str:
    """The path, if it is in the one form that manifests allow (section 6.1.2); `.` of old ones aside."""
    if not _NO_NAMES.isdisjoint(path.split("/")) or "\0" in path:
        raise MalformedSignature(f"{path[:100]!r} is no {what} that a signature may name.")
    try:
        size = len(path) if path.isascii() else len(path.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise MalformedSignature(f"{path[:100]!r} is not UTF-8.") from error
    if size > _MAX_PATH_BYTES:
        raise MalformedSignature(f"A {what} is longer than {_MAX_PATH_BYTES} bytes.")
    return path


def _unique(entries: tuple[ManifestEntry, ...]) -> tuple[ManifestEntry, ...]:
    if len({(entry.path, entry.start) for entry in entries}) != len(entries):
        raise MalformedSignature("A file is named twice.")
    return entries


def _root_digest(digests: Iterable[str]) -> str:
    return sha256(bytes.fromhex("".join(digests))).hexdigest()
