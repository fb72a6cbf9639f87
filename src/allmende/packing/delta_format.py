"""Deltas: a content on its way to a hub, as stretches of what is there and encodings of what is new.

All little-endian, one after another:

    head       see _HEAD: magic, and how many there are of all that follows
    bases      for each: SHA-256 (32 bytes), size (u64)
    objects    of bases, for each: its name (32 bytes), the number of its base, how many stretches (u32)
    stretches  of the objects in their order, for each: where it starts in the base, its size (u64)
    segments   of the content in their order, for each: kind (u32, see `Kind`), start, size (u64)
    lengths    of the encodings, for each: u64
    literals   the bytes that segments of that kind stand for, in their order
    encodings  as `allmende.codecs` writes them, to the end

A name of a base's object is a label by which encodings point to it; what the whole is stands for all of it.
An encoding rests on objects of bases alone: there is no chain, and no circle.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, islice

from allmende.codecs import MAX_OBJECT_BYTES, ObjectId, Plain
from allmende.errors import BadRequest
from allmende.ids import Sha256

__all__ = [
    "DELTA_TRANSFER",
    "BaseObject",
    "Delta",
    "DeltaBase",
    "DeltaRefused",
    "Kind",
    "read_delta",
    "write_delta_head",
]

DELTA_TRANSFER = "allmende-delta-1"
"""The name under which an LFS client says that it can send deltas, and a hub that it takes them."""

_MAGIC = b"AllmDlt1"
_HEAD = struct.Struct("<8sIIIIIQ")
"""Magic; bases, objects, stretches, segments, encodings; bytes of literals."""
_BASE = struct.Struct("<32sQ")
_OBJECT = struct.Struct("<32sII")
_STRETCH = struct.Struct("<QQ")
_SEGMENT = struct.Struct("<IQQ")
_LENGTH = struct.Struct("<Q")
_MOST_BASES = 64
_MOST_ROWS = 1 << 18
_MOST_LITERALS = 32 * 1024 * 1024


class DeltaRefused(BadRequest):
    """A delta does not give the content that it was announced as."""

    code = "delta_refused"

    def __init__(self, why: str) -> None:
        super().__init__(why, hint="Send the file as it is.")


class Kind(IntEnum):
    """What a segment is a part of: literals, or from `OBJECTS` on an object, those of bases first."""

    LITERAL = 0
    OBJECTS = 1


@dataclass(frozen=True, slots=True)
class DeltaBase:
    """A content that has to be there."""

    sha256: Sha256
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BaseObject:
    """Bytes of a base, put together of stretches: starts and sizes."""

    object_id: ObjectId
    base: int
    stretches: tuple[tuple[int, int], ...]

    @property
    def size_bytes(self) -> int:
        """How many bytes it has."""
        return sum(size for _, size in self.stretches)


@dataclass(frozen=True, slots=True)
class Delta:
    """A delta without its encodings, which lie at `encodings` as starts and sizes."""

    bases: tuple[DeltaBase, ...]
    objects: tuple[BaseObject, ...]
    segments: tuple[tuple[int, int, int], ...]
    literals: bytes
    encodings: tuple[tuple[int, int], ...]


def write_delta_head(
    bases: Sequence[DeltaBase],
    objects: Sequence[BaseObject],
    segments: Sequence[tuple[int, int, int]],
    literals: bytes,
    lengths: Sequence[int],
) -> bytes:
    """All of a delta that stands before its encodings. Raises DeltaRefused for what is more than is taken."""
    stretches = [stretch for one in objects for stretch in one.stretches]
    counts = (len(bases), len(objects), len(stretches), len(segments), len(lengths))
    _check_counts(counts, len(literals))
    return b"".join(
        (
            _HEAD.pack(_MAGIC, *counts, len(literals)),
            *(_BASE.pack(bytes.fromhex(one.sha256), one.size_bytes) for one in bases),
            *(_OBJECT.pack(bytes.fromhex(one.object_id), one.base, len(one.stretches)) for one in objects),
            *(_STRETCH.pack(*one) for one in stretches),
            *(_SEGMENT.pack(*one) for one in segments),
            *(_LENGTH.pack(one) for one in lengths),
            literals,
        )
    )


def read_delta(sent: Plain, size_bytes: int) -> Delta:
    """What a delta of a content of `size_bytes` says, held against itself; its encodings are not looked at.

    Takes at most about 100 MiB of memory. Raises DeltaRefused.
    """
    if sent.size_bytes < _HEAD.size:
        raise DeltaRefused("The delta is cut short.")
    magic, *counts, literal_bytes = _HEAD.unpack(sent.read_at(0, _HEAD.size))
    if magic != _MAGIC:
        raise DeltaRefused("These bytes do not begin as a delta does.")
    _check_counts(counts, literal_bytes)
    rows = (_BASE, _OBJECT, _STRETCH, _SEGMENT, _LENGTH)
    sizes = [row.size * count for row, count in zip(rows, counts, strict=True)]
    starts = list(accumulate([*sizes, literal_bytes], initial=_HEAD.size))
    if starts[-1] > sent.size_bytes:
        raise DeltaRefused("The delta is cut short.")
    parts = [sent.read_at(start, size) for start, size in zip(starts, sizes, strict=False)]
    bases = tuple(DeltaBase(Sha256(name.hex()), size) for name, size in _BASE.iter_unpack(parts[0]))
    objects = _objects(parts[1], parts[2], bases)
    lengths = [length for (length,) in _LENGTH.iter_unpack(parts[4])]
    ends = list(accumulate(lengths, initial=starts[-1]))
    if ends[-1] != sent.size_bytes:
        raise DeltaRefused(f"The delta has {sent.size_bytes} bytes where its parts make {ends[-1]}.")
    segments = tuple((kind, start, size) for kind, start, size in _SEGMENT.iter_unpack(parts[3]))
    _check_segments(segments, len(objects) + len(lengths), literal_bytes, size_bytes)
    literals = bytes(sent.read_at(starts[5], literal_bytes))
    return Delta(bases, objects, segments, literals, tuple(zip(ends, lengths, strict=False)))


def _check_counts(counts: Sequence[int], literal_bytes: int) -> None:
    if counts[0] > _MOST_BASES or max(counts) > _MOST_ROWS or literal_bytes > _MOST_LITERALS:
        raise DeltaRefused(
            f"A delta has at most {_MOST_BASES} bases, {_MOST_ROWS} of each other part, "
            f"and {_MOST_LITERALS} bytes of its own."
        )


def _objects(rows: memoryview, stretches: memoryview, bases: Sequence[DeltaBase]) -> tuple[BaseObject, ...]:
    left = _STRETCH.iter_unpack(stretches)
    found: list[BaseObject] = []
    for name, number, count in _OBJECT.iter_unpack(rows):
        own = tuple((start, size) for start, size in islice(left, count))
        if number >= len(bases) or len(own) != count:
            raise DeltaRefused("An object of a delta lies nowhere.")
        end = bases[number].size_bytes
        if any(not size or start + size > end for start, size in own):
            raise DeltaRefused("An object of a delta lies beyond its base.")
        found.append(BaseObject(ObjectId(name.hex()), number, own))
        if not 0 < found[-1].size_bytes <= MAX_OBJECT_BYTES:
            raise DeltaRefused("An object of a delta is empty or too large.")
    if next(left, None) is not None:
        raise DeltaRefused("A delta has stretches of no object.")
    if len({one.object_id for one in found}) != len(found):
        raise DeltaRefused("A delta names an object twice.")
    return tuple(found)


def _check_segments(
    segments: Sequence[tuple[int, int, int]], objects: int, literal_bytes: int, size_bytes: int
) -> None:
    total = literal = 0
    for kind, start, size in segments:
        if not size or kind > objects or (kind == Kind.LITERAL and start):
            raise DeltaRefused("A segment of a delta makes no sense.")
        total += size
        literal += size if kind == Kind.LITERAL else 0
    if total != size_bytes or literal != literal_bytes:
        raise DeltaRefused(f"The segments of a delta make {total} bytes, announced were {size_bytes}.")
