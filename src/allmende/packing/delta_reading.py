"""Rebuilding a content from a delta that somebody sent: every byte in its order, with bounded work.

Nothing in a delta is trusted. What it may cost is counted before it is done: bytes that are read from bases,
jumps in them (a base that is stored packed is decoded in blocks), and what is decoded. What comes out is held
against the SHA-256 by who takes it.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import BinaryIO

from allmende.codecs import (
    DamagedObject,
    EncodedReader,
    EncodingHead,
    MalformedEncoding,
    ObjectId,
    ObjectMissing,
    Plain,
    PredictionImpossible,
    read_head,
)
from allmende.packing.delta_format import BaseObject, Delta, DeltaRefused, Kind
from allmende.weights import BytesMissing, Place

__all__ = ["rebuild"]

_BLOCK_BYTES = 1024 * 1024
_LEAST_WORK = 256 * 1024 * 1024
_WORK_FOR_A_BYTE = 32
_READING = 16 * 1024
_JUMPING = 512 * 1024
"""What reading somewhere else in a base costs, beside the bytes: a block is decoded for it."""
_OPENING = 64 * 1024
_PIECE = 256
_OPEN_OBJECTS = 4


class _Work:
    """How much may still be done for a delta, in bytes."""

    def __init__(self, size_bytes: int) -> None:
        self._left = _LEAST_WORK + _WORK_FOR_A_BYTE * size_bytes

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise DeltaRefused("The delta asks for more work than its content is worth.")


class _OpenBase:
    """A base; knows where it was read last."""

    def __init__(self, place: Place, work: _Work) -> None:
        self._place = place
        self._work = work
        self._last = 0

    def read_at(self, start: int, count: int) -> memoryview:
        far = not self._last - _BLOCK_BYTES <= start <= self._last + _BLOCK_BYTES
        self._work.take(count + _READING + (_JUMPING if far else 0))
        self._last = start + count
        return self._place.read_at(start, count)


class _OfBase:
    """An object that lies in a base, as plain bytes."""

    def __init__(self, base: _OpenBase, one: BaseObject) -> None:
        self._base = base
        self._stretches = one.stretches
        self._ends = list(accumulate(size for _, size in one.stretches))
        self.size_bytes = self._ends[-1]

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject(f"An object of {self.size_bytes} bytes has no {count} bytes at {start}.")
        number = bisect_right(self._ends, start)
        parts: list[memoryview] = []
        while count:
            begin, size = self._stretches[number]
            skipped = start - (self._ends[number] - size)
            some = min(count, size - skipped)
            parts.append(self._base.read_at(begin + skipped, some))
            start, count, number = start + some, count - some, number + 1
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))


class _Within:
    """A part of the delta, as plain bytes."""

    def __init__(self, sent: Plain, start: int, size_bytes: int) -> None:
        self._sent = sent
        self._start = start
        self.size_bytes = size_bytes

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject("An encoding of a delta is cut short.")
        return self._sent.read_at(self._start + start, count)


class _Rebuilding:
    def __init__(
        self, sent: Plain, delta: Delta, bases: Sequence[Place], size_bytes: int, spare: BinaryIO
    ) -> None:
        self._sent = sent
        self._delta = delta
        self._work = _Work(size_bytes)
        self._bases = [_OpenBase(place, self._work) for place in bases]
        self._by_id = {one.object_id: one for one in delta.objects}
        self._spare = spare
        self._spared: dict[int, int] = {}
        """Where in the spare file an object lies that was decoded into it."""
        self._spare_end = 0
        self._sizes = [one.size_bytes for one in delta.objects]
        self._check_encodings(size_bytes)

    def _check_encodings(self, size_bytes: int) -> None:
        """All heads hold, rest on bases alone, and decode to no more than there is of the content."""
        expanded = 0
        seen = set(self._by_id)
        for start, size in self._delta.encodings:
            self._work.take(_OPENING)
            head = read_head(_Within(self._sent, start, size))
            self._take_for(head)
            expanded += head.plain_bytes
            if expanded > size_bytes:
                raise DeltaRefused("The encodings of a delta decode to more than its content.")
            if head.object_id in seen or not head.parents <= self._by_id.keys():
                raise DeltaRefused("An encoding of a delta is there twice, or rests on what is no base.")
            seen.add(head.object_id)
            self._sizes.append(head.plain_bytes)

    def _take_for(self, head: EncodingHead) -> None:
        if head.prediction is not None:
            pieces = sum(len(source.reference) for source in head.prediction.sources)
            self._work.take(len(head.prediction.side) + _PIECE * pieces)

    def resolve(self, object_id: ObjectId) -> Plain:
        """What encodings rest on."""
        one = self._by_id.get(object_id)
        if one is None:
            raise ObjectMissing(f"The delta does not say where the object {object_id} lies.")
        return _OfBase(self._bases[one.base], one)

    def write_all(self, write: Callable[[memoryview], None]) -> None:
        """Every segment in its order."""
        used = self._uses()
        literals = memoryview(self._delta.literals)
        for kind, start, size in self._delta.segments:
            if kind == Kind.LITERAL:
                write(literals[:size])
                literals = literals[size:]
                continue
            number = kind - Kind.OBJECTS
            if start + size > self._sizes[number]:
                raise DeltaRefused("A segment of a delta is beyond its object.")
            plain = self._plain(number, straight=used[number] == [(start, size)])
            for at in range(start, start + size, _BLOCK_BYTES):
                write(plain.read_at(at, min(_BLOCK_BYTES, start + size - at)))

    def _uses(self) -> dict[int, list[tuple[int, int]]]:
        """Which parts of each object are wanted; the first two are enough to know."""
        used: dict[int, list[tuple[int, int]]] = {}
        for kind, start, size in self._delta.segments:
            if kind != Kind.LITERAL:
                known = used.setdefault(kind - Kind.OBJECTS, [])
                if len(known) < 2:
                    known.append((start, size))
        return used

    def _plain(self, number: int, *, straight: bool) -> Plain:
        """An object. What is wanted in several parts is decoded once, to a file, and not for each part."""
        objects = self._delta.objects
        if number < len(objects):
            return _OfBase(self._bases[objects[number].base], objects[number])
        start, size = self._delta.encodings[number - len(objects)]
        if straight:
            self._work.take(_OPENING)
            return EncodedReader(_Within(self._sent, start, size), self.resolve)
        if number not in self._spared:
            self._work.take(_OPENING)
            reader = EncodedReader(_Within(self._sent, start, size), self.resolve)
            self._spared[number] = self._spare_end
            self._spare.seek(self._spare_end)
            for at in range(0, reader.size_bytes, _BLOCK_BYTES):
                self._spare.write(reader.read_at(at, min(_BLOCK_BYTES, reader.size_bytes - at)))
            self._spare_end += reader.size_bytes
        return _Spared(self._spare, self._spared[number], self._sizes[number])


class _Spared:
    """An object that was decoded into a file."""

    def __init__(self, file: BinaryIO, start: int, size_bytes: int) -> None:
        self._file = file
        self._start = start
        self.size_bytes = size_bytes

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        self._file.seek(self._start + start)
        return memoryview(self._file.read(count))


def rebuild(
    sent: Plain,
    delta: Delta,
    bases: Sequence[Place],
    size_bytes: int,
    spare: BinaryIO,
    write: Callable[[memoryview], None],
) -> None:
    """Write the content of a delta, in its order, with the contents that it names as `bases`.

    `spare` is an empty file for what is wanted in several parts; it becomes no larger than the content. Takes
    some MiB of memory, beside an encoding's prediction (at most 64 MiB). Raises DeltaRefused where the delta
    does not make sense, or costs more than its size is worth, and what `write` raises.
    """
    try:
        _Rebuilding(sent, delta, bases, size_bytes, spare).write_all(write)
    except (BytesMissing, DamagedObject, MalformedEncoding, ObjectMissing, PredictionImpossible) as error:
        raise DeltaRefused(f"The delta cannot be decoded: {error.message}") from error
