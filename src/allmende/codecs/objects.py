"""Objects: byte strings named by their BLAKE3, and references put together from pieces of them.

An object is what is stored once however many files hold it: a tensor, a bundle of small tensors, or a run of
chunks of something else. Its name is the hash of its plain bytes alone, so equal bytes always meet, whatever
type a file gives them.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import NewType, Protocol, TypeAlias, cast

from blake3 import blake3

from allmende.codecs.decoding import Decoding, lent
from allmende.codecs.errors import DamagedObject

__all__ = [
    "MAX_OBJECT_BYTES",
    "BytesPlain",
    "Fillable",
    "ObjectId",
    "Piece",
    "Plain",
    "Reference",
    "ReferenceBytes",
    "Resolve",
    "fill_from",
    "object_id",
    "reference_bytes",
    "taken_from",
]

ObjectId = NewType("ObjectId", str)
"""BLAKE3 of the plain bytes of an object, 64 lowercase hexadecimal digits."""

MAX_OBJECT_BYTES = 256 * 1024 * 1024
"""Larger tensors are split by rows."""


def object_id(data: bytes | bytearray | memoryview) -> ObjectId:
    """The name of an object with these bytes."""
    return ObjectId(blake3(data).hexdigest())


class Plain(Protocol):
    """Plain bytes that can be read anywhere."""

    @property
    def size_bytes(self) -> int:
        """How many there are."""
        ...

    def read_at(self, start: int, count: int) -> memoryview:
        """Exactly `count` bytes from `start` on. Raises DamagedObject where they cannot be had."""
        ...


class Fillable(Plain, Protocol):
    """Plain bytes that may be had later, together with others."""

    def fill(self, out: memoryview, start: int, decoding: Decoding) -> None:
        """Note down what fills `out` with the bytes from `start` on.

        Raises as `read_at`; but what is only found out when the decoding is carried out, that raises.
        """
        ...


def fill_from(plain: Plain, out: memoryview, start: int, decoding: Decoding) -> None:
    """Have `out` filled with plain bytes from `start` on, now or by the decoding."""
    if hasattr(plain, "fill"):
        cast(Fillable, plain).fill(out, start, decoding)
    else:
        decoding.copy(plain.read_at(start, len(out)), out)


@contextmanager
def taken_from(plain: Plain, start: int, count: int, decoding: Decoding) -> Iterator[memoryview]:
    """Plain bytes, for calls that are noted down within: they are there when these are carried out."""
    if not hasattr(plain, "fill"):
        yield plain.read_at(start, count)
        return
    with lent(count) as found:
        cast(Fillable, plain).fill(found, start, decoding)
        yield found


class BytesPlain:
    """Bytes that are in memory already."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B").toreadonly()
        self.size_bytes = len(self._view)

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        found = self._view[start : start + count]
        if start < 0 or len(found) != count:
            raise DamagedObject(f"There are {self.size_bytes} bytes, and {count} at {start} were asked for.")
        return found


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of bytes of an object; without an object, that many zeros."""

    object_id: ObjectId | None
    start: int
    size_bytes: int


Reference: TypeAlias = tuple[Piece, ...]
"""A byte string put together from pieces, one after another: what a prediction starts from."""

Resolve: TypeAlias = Callable[[ObjectId], Plain]
"""Gives an object's plain bytes by its name. Raises ObjectMissing."""


def reference_bytes(pieces: Iterable[Piece]) -> int:
    """The length of a reference."""
    return sum(piece.size_bytes for piece in pieces)


class ReferenceBytes:
    """The bytes of a reference, read where its objects are read. Objects are resolved when first touched."""

    def __init__(self, pieces: Sequence[Piece], resolve: Resolve) -> None:
        self._pieces = tuple(pieces)
        self._resolve = resolve
        self._ends = list(accumulate(piece.size_bytes for piece in self._pieces))
        self._opened: dict[ObjectId, Plain] = {}
        self.size_bytes = self._ends[-1] if self._ends else 0

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject(f"A reference of {self.size_bytes} bytes has no {count} bytes at {start}.")
        number = bisect_right(self._ends, start)
        read: list[memoryview] = []
        while count:
            piece = self._pieces[number]
            skipped = start - (self._ends[number] - piece.size_bytes)
            some = min(count, piece.size_bytes - skipped)
            if some:
                read.append(self._read(piece, skipped, some))
            start, count, number = start + some, count - some, number + 1
        return read[0] if len(read) == 1 else memoryview(b"".join(read))

    def fill(self, out: memoryview, start: int, decoding: Decoding) -> None:
        """See Fillable. Only what lies in one piece is left for later: else calls could be countless."""
        number = bisect_right(self._ends, start)
        if start >= 0 and number < len(self._ends) and start + len(out) <= self._ends[number]:
            piece = self._pieces[number]
            if piece.object_id is not None:
                begin = piece.start + start - (self._ends[number] - piece.size_bytes)
                fill_from(self._object(piece.object_id), out, begin, decoding)
                return
        decoding.copy(self.read_at(start, len(out)), out)

    def _read(self, piece: Piece, skipped: int, count: int) -> memoryview:
        if piece.object_id is None:
            return memoryview(bytes(count))
        return self._object(piece.object_id).read_at(piece.start + skipped, count)

    def _object(self, object_id: ObjectId) -> Plain:
        plain = self._opened.get(object_id)
        if plain is None:
            plain = self._opened[object_id] = self._resolve(object_id)
        return plain
