"""What a manifest says of the files that are there: which it covers, which changed, are missing or unsigned.

Names and digests are compared and no byte is read, where the manifest has SHA-256 of whole files. For other
digests and for ranges of bytes the caller lends a `DigestSource`; without it the comparison is incomplete,
and says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import BinaryIO, Protocol

from blake3 import blake3

from allmende.proof.manifests import ALWAYS_IGNORED, HashType, Manifest, ManifestEntry, SignedFile, is_ignored

__all__ = ["Coverage", "DigestSource", "compare_files", "range_digest"]

_CHUNK_BYTES = 1024 * 1024


class _Hash(Protocol):
    """What all three have in common."""

    def update(self, data: bytes, /) -> object: ...
    def hexdigest(self) -> str: ...


_HASHES: Mapping[HashType, Callable[[], _Hash]] = {"sha256": sha256, "blake2b": blake2b, "blake3": blake3}


class DigestSource(Protocol):
    """Whoever can read the files."""

    def digest(self, path: str, hash_type: HashType, start: int, end: int) -> str | None:
        """The digest of the bytes from `start` to `end` of a file in hexadecimal digits; None: not there."""
        ...


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the files are to the manifest; each list sorted by path."""

    covered: tuple[str, ...] = field(default=(), repr=False)
    """Present, and as they were signed."""
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unsigned: tuple[str, ...] = ()
    """Present, neither signed nor left out by the rules."""
    ignored: tuple[str, ...] = ()
    """Present, and left out by the rules of the signature: nothing is said of them."""
    unread: tuple[str, ...] = ()
    """Their digests need their bytes, which nobody lent."""

    @property
    def is_complete(self) -> bool:
        """Whether every file that was signed is there, and as it was signed."""
        return not (self.changed or self.missing or self.unread)


def compare_files(
    manifest: Manifest,
    files: Iterable[SignedFile],
    *,
    not_files: Iterable[str] = (),
    source: DigestSource | None = None,
) -> Coverage:
    """How these files are to the manifest (OMS 1.0, section 8.4).

    `not_files` are paths that are no part of the model whatever the manifest says: the signature itself,
    and what clients leave in a folder. A symbolic link is never as it was signed, unless the signer followed
    links and the caller did too.
    """
    left_out = frozenset({*ALWAYS_IGNORED, *manifest.ignored, *not_files})
    signed = _by_path(manifest)
    found: dict[str, list[str]] = {
        "covered": [],
        "changed": [],
        "missing": [],
        "unsigned": [],
        "ignored": [],
        "unread": [],
    }
    present: set[str] = set()
    for file in files:
        present.add(file.path)
        if file.path in signed:
            found[_state(file, signed[file.path], manifest, source)].append(file.path)
        elif is_ignored(file.path, left_out):
            found["ignored"].append(file.path)
        else:
            found["unsigned"].append(file.path)
    found["missing"] = list(signed.keys() - present)
    return Coverage(**{state: tuple(sorted(paths)) for state, paths in found.items()})


def range_digest(
    reader: BinaryIO, hash_type: HashType, start: int, end: int, tell: Callable[[int], None] | None = None
) -> str:
    """The digest of the bytes from `start` to `end`, as a `DigestSource` gives it.

    `tell` hears of each piece. Where the reader ends too early, the digest is of what it has.
    """
    digest = _HASHES[hash_type]()
    reader.seek(start)
    left = end - start
    while left > 0 and (piece := reader.read(min(left, _CHUNK_BYTES))):
        digest.update(piece)
        left -= len(piece)
        if tell is not None:
            tell(len(piece))
    return digest.hexdigest()


def _by_path(manifest: Manifest) -> Mapping[str, Sequence[ManifestEntry]]:
    if manifest.method == "files":
        return {entry.path: (entry,) for entry in manifest.entries}
    signed: dict[str, list[ManifestEntry]] = {}
    for entry in manifest.entries:
        signed.setdefault(entry.path, []).append(entry)
    return signed


def _state(
    file: SignedFile, entries: Sequence[ManifestEntry], manifest: Manifest, source: DigestSource | None
) -> str:
    if file.is_link:
        return "changed"
    if manifest.method == "files" and manifest.hash_type == "sha256":
        return "covered" if file.sha256 == entries[0].digest else "changed"
    if manifest.method == "shards" and not _spans(entries, file.size_bytes):
        return "changed"
    unread = False
    for entry in entries:
        end = file.size_bytes if entry.end is None else entry.end
        whole = entry.start == 0 and end == file.size_bytes
        digest: str | None
        if whole and manifest.hash_type == "sha256":
            digest = file.sha256
        else:
            digest = source.digest(file.path, manifest.hash_type, entry.start, end) if source else None
        if digest is None:
            unread = True
        elif digest != entry.digest:
            return "changed"
    return "unread" if unread else "covered"


def _spans(entries: Sequence[ManifestEntry], size_bytes: int) -> bool:
    """Whether the ranges follow each other from the first byte to the last."""
    position = 0
    for entry in sorted(entries, key=lambda entry: entry.start):
        if entry.start != position or entry.end is None:
            return False
        position = entry.end
    return position == size_bytes
