"""Records: the self-describing parts of a pack, from which a store's database can be made anew.

A pack is a head of 32 bytes and records one after another, little-endian:

- head: `AllmPack`, version (u32), number of the pack (u64), the first 12 bytes of BLAKE3 over all before;
- record: kind (u8), length of its label (u32), length of its body (u64), the first 16 bytes of BLAKE3 over
  the body, then the first 11 bytes of BLAKE3 over all before and the label; the label; the body.

So each byte of a pack lies under a check, and records can be walked without reading their bodies. Labels and
bodies, by kind:

- encoding: object id (32), plain bytes (u64), then ids of bases (32 each); the encoding;
- chunks: nothing; for each object its id (32), how many (u32), and for each chunk hash (32), start and
  size (u32);
- recipe: SHA-256 of the content (32), its bytes (u64); the recipe;
- names: sequence (u64); JSON, a list of what names mean from then on: `name`, `sha256` (null: it is gone),
  `at`, `sequence` and, of weights, `key`. Of two records that speak of a name that of the higher sequence
  holds. A *baseline* is the same, and no name has a meaning but those in it and after it.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from blake3 import blake3

from allmende.archive.errors import MalformedPack, UnfitName
from allmende.archive.names import EntryName, entry_name
from allmende.codecs import MAX_OBJECT_BYTES, ObjectId, Piece
from allmende.ids import Sha256, is_sha256

__all__ = [
    "PACK_HEAD_BYTES",
    "RECORD_HEAD_BYTES",
    "EncodingLabel",
    "Kind",
    "NameChange",
    "RecordHead",
    "body_check",
    "chunks_body",
    "encoding_label",
    "label_bytes",
    "names_body",
    "pack_head",
    "parse_chunks",
    "parse_encoding_label",
    "parse_names",
    "parse_pack_head",
    "parse_recipe_label",
    "parse_record_head",
    "parse_sequence",
    "recipe_label",
    "record_head",
    "sequence_label",
]

PACK_HEAD_BYTES = 32
RECORD_HEAD_BYTES = 40
VERSION = 1

_MAGIC = b"AllmPack"
_PACK = struct.Struct("<8sIQ")
_RECORD = struct.Struct("<BIQ16s")
_SIZE = struct.Struct("<Q")
_COUNT = struct.Struct("<I")
_CHUNK = struct.Struct("<32sII")
_MAX_LABEL_BYTES = 4 * 1024 * 1024
_ID_BYTES = 32
_KEY_CHARS = 2 * 256


class Kind(IntEnum):
    """What a record holds."""

    ENCODING = 1
    CHUNKS = 2
    RECIPE = 3
    NAMES = 4
    BASELINE = 5


_KINDS = frozenset(int(kind) for kind in Kind)


@dataclass(frozen=True, slots=True)
class RecordHead:
    """The head of a record that agrees with its own check, and its label."""

    kind: Kind
    label: bytes
    body_bytes: int
    body_check: bytes

    @property
    def prefix_bytes(self) -> int:
        """How far behind its beginning a record's body begins."""
        return RECORD_HEAD_BYTES + len(self.label)


@dataclass(frozen=True, slots=True)
class EncodingLabel:
    """What stands before an encoding."""

    object_id: ObjectId
    plain_bytes: int
    bases: frozenset[ObjectId]


@dataclass(frozen=True, slots=True)
class NameChange:
    """What a name means from now on; without `sha256` nothing any more.

    `at` is when, as ISO 8601; `sequence` orders what came about at the same time. `key` is that of the sketch
    of weights, by which kin are found.
    """

    name: EntryName
    sha256: Sha256 | None
    at: str
    sequence: int
    key: bytes | None = None


# --- packs and records -------------------------------------------------------------------------------------


def pack_head(number: int) -> bytes:
    """The beginning of the pack of this number."""
    said = _PACK.pack(_MAGIC, VERSION, number)
    return said + blake3(said).digest(PACK_HEAD_BYTES - len(said))


def parse_pack_head(data: bytes) -> int:
    """The number of the pack that begins so. Raises MalformedPack."""
    said = data[: _PACK.size]
    if (
        len(data) != PACK_HEAD_BYTES
        or blake3(said).digest(PACK_HEAD_BYTES - _PACK.size) != data[_PACK.size :]
    ):
        raise MalformedPack("This is no pack, or its head is damaged.")
    magic, version, number = _PACK.unpack(said)
    if magic != _MAGIC or version != VERSION:
        raise MalformedPack(f"This is no pack of version {VERSION}.")
    return int(number)


def body_check(parts: Iterable[bytes | memoryview]) -> bytes:
    """The check of a body that consists of these parts."""
    hashed = blake3()
    for part in parts:
        hashed.update(part)
    return hashed.digest(16)


def record_head(kind: Kind, label: bytes, parts: Sequence[bytes | memoryview]) -> bytes:
    """What stands before the body of a record: its head and its label."""
    said = _RECORD.pack(kind, len(label), sum(map(len, parts)), body_check(parts))
    return said + _head_check(said, label) + label


def parse_record_head(head: bytes, label: bytes) -> RecordHead:
    """The head of a record, with what `label_bytes` of it said belongs to it. Raises MalformedPack."""
    said = head[: _RECORD.size]
    if len(head) != RECORD_HEAD_BYTES or _head_check(said, label) != head[_RECORD.size :]:
        raise MalformedPack("The head of a record is damaged.")
    kind, expected_bytes, body_bytes, check = _RECORD.unpack(said)
    if expected_bytes != len(label) or kind not in _KINDS:
        raise MalformedPack("The head of a record cannot be read.")
    return RecordHead(Kind(kind), label, body_bytes, check)


def label_bytes(head: bytes) -> int:
    """How long the label behind this head is, if the head is sound. Raises MalformedPack."""
    if len(head) != RECORD_HEAD_BYTES:
        raise MalformedPack("The pack ends in the middle of a record.")
    length = int(_RECORD.unpack(head[: _RECORD.size])[1])
    if length > _MAX_LABEL_BYTES:
        raise MalformedPack("The head of a record is damaged.")
    return length


def _head_check(said: bytes, label: bytes) -> bytes:
    return blake3(said + label).digest(RECORD_HEAD_BYTES - _RECORD.size)


# --- labels and bodies -------------------------------------------------------------------------------------


def encoding_label(object_id: ObjectId, plain_bytes: int, bases: Iterable[ObjectId]) -> bytes:
    """The label of an encoding."""
    ids = b"".join(bytes.fromhex(base) for base in sorted(bases))
    return bytes.fromhex(object_id) + _SIZE.pack(plain_bytes) + ids


def parse_encoding_label(label: bytes) -> EncodingLabel:
    """The inverse of `encoding_label`. Raises MalformedPack."""
    fixed = _ID_BYTES + _SIZE.size
    if len(label) < fixed or (len(label) - fixed) % _ID_BYTES:
        raise MalformedPack("The label of an encoding cannot be read.")
    (plain_bytes,) = _SIZE.unpack_from(label, _ID_BYTES)
    if plain_bytes > MAX_OBJECT_BYTES:
        raise MalformedPack("An object is said to be larger than objects are.")
    places = range(fixed, len(label), _ID_BYTES)
    bases = frozenset(ObjectId(label[at : at + _ID_BYTES].hex()) for at in places)
    return EncodingLabel(ObjectId(label[:_ID_BYTES].hex()), plain_bytes, bases)


def recipe_label(sha256: Sha256, size_bytes: int) -> bytes:
    """The label of a recipe."""
    return bytes.fromhex(sha256) + _SIZE.pack(size_bytes)


def parse_recipe_label(label: bytes) -> tuple[Sha256, int]:
    """The inverse of `recipe_label`. Raises MalformedPack."""
    if len(label) != _ID_BYTES + _SIZE.size:
        raise MalformedPack("The label of a recipe cannot be read.")
    return Sha256(label[:_ID_BYTES].hex()), int(_SIZE.unpack_from(label, _ID_BYTES)[0])


def sequence_label(sequence: int) -> bytes:
    """The label of names."""
    return _SIZE.pack(sequence)


def parse_sequence(label: bytes) -> int:
    """The inverse of `sequence_label`. Raises MalformedPack."""
    if len(label) != _SIZE.size:
        raise MalformedPack("The label of names cannot be read.")
    return int(_SIZE.unpack(label)[0])


def chunks_body(chunks: Mapping[bytes, Piece]) -> bytes:
    """Where chunks lie, gathered by objects."""
    gathered: dict[ObjectId, list[bytes]] = {}
    for hashed, piece in chunks.items():
        if piece.object_id is None:
            raise ValueError("a chunk lies in an object")
        gathered.setdefault(piece.object_id, []).append(_CHUNK.pack(hashed, piece.start, piece.size_bytes))
    return b"".join(
        bytes.fromhex(object_id) + _COUNT.pack(len(packed)) + b"".join(packed)
        for object_id, packed in gathered.items()
    )


def parse_chunks(body: bytes | memoryview) -> dict[bytes, Piece]:
    """The inverse of `chunks_body`. Raises MalformedPack."""
    found: dict[bytes, Piece] = {}
    at = 0
    try:
        while at < len(body):
            object_id = ObjectId(bytes(body[at : at + _ID_BYTES]).hex())
            (count,) = _COUNT.unpack_from(body, at + _ID_BYTES)
            at += _ID_BYTES + _COUNT.size
            end = at + count * _CHUNK.size
            for hashed, start, size_bytes in _CHUNK.iter_unpack(body[at:end]):
                found[hashed] = Piece(object_id, start, size_bytes)
            if end > len(body):
                raise MalformedPack("A list of chunks is cut off.")
            at = end
    except struct.error as error:
        raise MalformedPack("A list of chunks is cut off.") from error
    return found


def names_body(changes: Iterable[NameChange]) -> bytes:
    """What names mean, as JSON."""
    listed = []
    for change in changes:
        said: dict[str, str | int | None] = {
            "name": change.name,
            "sha256": change.sha256,
            "at": change.at,
            "sequence": change.sequence,
        }
        listed.append(said if change.key is None else {**said, "key": change.key.hex()})
    return json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()


def parse_names(body: bytes | memoryview) -> list[NameChange]:
    """The inverse of `names_body`. Raises MalformedPack."""
    try:
        listed = json.loads(bytes(body))
        if not isinstance(listed, list):
            raise MalformedPack("A list of names cannot be read.")
        return [_name_change(said) for said in listed]
    except (ValueError, RecursionError, UnfitName) as error:
        raise MalformedPack("A list of names cannot be read.") from error


def _name_change(said: object) -> NameChange:
    if not isinstance(said, dict):
        raise MalformedPack("A list of names holds something else.")
    name, sha256, at, sequence, key = (
        said.get(field) for field in ("name", "sha256", "at", "sequence", "key")
    )
    if not isinstance(name, str) or not isinstance(at, str) or not isinstance(sequence, int):
        raise MalformedPack("A list of names holds something else.")
    if sha256 is not None and not (isinstance(sha256, str) and is_sha256(sha256)):
        raise MalformedPack("A list of names holds something else.")
    if key is not None and not (isinstance(key, str) and len(key) == _KEY_CHARS):
        raise MalformedPack("A list of names holds something else.")
    return NameChange(
        entry_name(name),
        None if sha256 is None else Sha256(sha256),
        at,
        sequence,
        None if key is None else bytes.fromhex(key),
    )
