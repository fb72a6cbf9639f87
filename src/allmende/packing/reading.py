"""Reading stored contents back: objects through their encodings, and a content through its recipe.

Whatever is given out was verified: each decoded block by its check, and a content that is read from its
beginning to its end by its SHA-256 besides. Where an encoding is damaged the next one takes its place, and
the shelf is told.
"""

import hashlib
import io
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from itertools import accumulate
from threading import RLock
from typing import Protocol, TypeVar, cast

from allmende.codecs import (
    DamagedObject,
    Decoding,
    EncodedReader,
    MalformedEncoding,
    ObjectId,
    ObjectMissing,
    Plain,
    PredictionImpossible,
    Recipe,
    Stretch,
    joined,
)
from allmende.packing.ahead import PartsAhead, part_ends
from allmende.packing.shelf import MAX_DEPTH, Shelf

__all__ = [
    "ObjectOpener",
    "Readable",
    "RecipeReader",
    "UnreadableObject",
    "is_readable",
    "open_recipe",
    "shelf_plain",
]

_OPEN_OBJECTS = 8
_READ_BYTES = 1024 * 1024

_Found = TypeVar("_Found")

_Lock = AbstractContextManager[bool]
Report = Callable[[ObjectId, Plain, str], None]
"""Is told of an object, the stored bytes of one of its encodings, and what is wrong with these."""


class UnreadableObject(DamagedObject):
    """None of an object's encodings gives its bytes."""

    code = "object_unreadable"


class _Bases(Protocol):
    def __call__(self, *, verify: bool) -> "ObjectOpener": ...


class _Encodings(Protocol):
    def encodings(self, object_id: ObjectId) -> Sequence[Plain]: ...


class ObjectOpener:
    """Opens objects by their names, and keeps the last ones open.

    Several threads may use it, and read what it opened; what it looks things up in is used by one of them at
    a time.

    Whatever it gives was checked, each byte once: what an object rests on is decoded without a check of its
    own, since the object's tells whether all was right. Where it was not, the object is read again from what
    is checked level by level, and so the one that is damaged is found.
    """

    def __init__(
        self,
        source: _Encodings,
        report: Report,
        level: int = 0,
        lock: _Lock | None = None,
        *,
        verify: bool = True,
    ) -> None:
        self._source = source
        self._report = report
        self._level = level
        self._verify = verify
        self._open: OrderedDict[ObjectId, _StoredObject] = OrderedDict()
        self._below: dict[bool, ObjectOpener] = {}
        self._lock: _Lock = RLock() if lock is None else lock

    def __call__(self, object_id: ObjectId) -> "_StoredObject":
        """The plain bytes of an object. Raises ObjectMissing, and DamagedObject where objects rest on too
        many.
        """
        with self._lock:
            found = self._open.pop(object_id, None)
            if found is None:
                stored = self._source.encodings(object_id)
                found = _StoredObject(
                    object_id, stored, self._bases, self._report, self._lock, verify=self._verify
                )
            self._open[object_id] = found
            if len(self._open) > _OPEN_OBJECTS:
                self._open.popitem(last=False)
            return found

    def _bases(self, *, verify: bool) -> "ObjectOpener":
        """What opens the bases of the objects opened here, with or without checks of their own."""
        if self._level > MAX_DEPTH:
            raise DamagedObject("Objects rest on each other on more levels than there can be.")
        with self._lock:
            below = self._below.get(verify)
            if below is None:
                below = self._below[verify] = ObjectOpener(
                    self._source, self._report, self._level + 1, self._lock, verify=verify
                )
            return below


class _StoredObject:
    """An object by the first of its encodings that gives what is asked for."""

    def __init__(
        self,
        object_id: ObjectId,
        stored: Sequence[Plain],
        bases: "_Bases",
        report: Report,
        lock: _Lock,
        *,
        verify: bool,
    ) -> None:
        if not stored:
            raise ObjectMissing(f"The object {object_id} is not in the store.")
        self._id = object_id
        self._stored = stored
        self._bases = bases
        self._report = report
        self._lock = lock
        self._verify = verify
        self._checks_bases = False
        self._number = 0
        self._reader: EncodedReader | None = None
        self.size_bytes = self._tried(lambda reader: reader.size_bytes)

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        return self._tried(lambda reader: reader.read_at(start, count))

    def read_into(self, out: memoryview, start: int) -> None:
        """See EncodedReader."""
        self._tried(lambda reader: reader.read_into(out, start))

    def fill(self, out: memoryview, start: int, decoding: Decoding) -> None:
        """See Fillable."""
        self._tried(lambda reader: reader.fill(out, start, decoding))

    def _tried(self, read: Callable[[EncodedReader], _Found]) -> _Found:
        """What the encoding in use gives; where it gives nothing, the next one."""
        while (number := self._number) < len(self._stored):
            problem: str | None = None
            reader: EncodedReader | None = None
            try:
                reader = self._opened(number)
                return read(reader)
            except (UnreadableObject, ObjectMissing):
                pass  # a base is not to be had, which was told of that
            except (DamagedObject, MalformedEncoding, PredictionImpossible) as error:
                if not self._verify:
                    raise  # nobody can tell yet who is to blame: what rests on this will read it with checks
                if reader is not None and reader.parents and self._suspects_bases(reader):
                    continue
                problem = error.message
            self._give_up(number, problem)
        raise UnreadableObject(f"No stored form of the object {self._id} can be read.")

    def _opened(self, number: int) -> EncodedReader:
        with self._lock:
            if number == self._number and self._reader is not None:
                return self._reader
            bases = self._bases(verify=self._checks_bases)
            reader = EncodedReader(self._stored[number], bases, verify=self._verify)
            if reader.object_id != self._id:
                raise DamagedObject("It is an encoding of another object.")
            if number == self._number:
                self._reader = reader
            return reader

    def _suspects_bases(self, reader: EncodedReader) -> bool:
        """Have the bases checked from now on; False where the reader that failed did so already."""
        with self._lock:
            if self._checks_bases and reader is self._reader:
                return False
            if not self._checks_bases:
                self._checks_bases, self._reader = True, None
            return True

    def _give_up(self, number: int, problem: str | None) -> None:
        """Go on to the next encoding, unless another thread has done so."""
        with self._lock:
            if number == self._number:
                if problem is not None:
                    self._report(self._id, self._stored[number], problem)
                self._number += 1
                self._reader = None


class _Digest:
    """SHA-256 of parts, taken by another thread while the next part is got.

    A part stays as it is until the next one is added, or all is settled.
    """

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor
        self._hash = hashlib.sha256()
        self._last: tuple[Future[None], memoryview] | None = None
        self.size_bytes = 0

    def add(self, part: memoryview) -> None:
        """The part comes next."""
        self.size_bytes += len(part)
        self.settle()
        if self._executor is None:
            self._hash.update(part)
            return
        try:
            self._last = self._executor.submit(self._hash.update, part), part
        except RuntimeError:  # the executor was shut down meanwhile
            self._hash.update(part)

    def hexdigest(self) -> str:
        """Of all parts."""
        self.settle()
        return self._hash.hexdigest()

    def settle(self) -> None:
        """The last part is hashed when this returns: here, if nobody has begun with it."""
        last, self._last = self._last, None
        if last is None:
            return
        if last[0].cancel():
            self._hash.update(last[1])
        else:
            last[0].result()


class Readable(Plain, Protocol):
    """Plain bytes that are read into memory which is there already, too."""

    def read_into(self, out: memoryview, start: int) -> None:
        """Fill it with the bytes from `start` on. Raises DamagedObject where they cannot be had."""
        ...


class RecipeReader(io.RawIOBase):
    """The bytes of a content, decoded where they are read. Not for use by two threads at once.

    Reading raises DamagedObject where bytes cannot be had, ObjectMissing where an object is not there. Who
    reads from the first byte to the last without a jump gets the last ones only when all had the content's
    SHA-256.

    With `ahead`, what follows is decoded there while something is read, up to `until` (the end if none is
    given): for who reads much at a stretch. It must not be the executor in which this reading itself happens.

    Without `verify` the whole is not held against its SHA-256, only each block against its check: for who
    does that himself.
    """

    def __init__(
        self,
        recipe: Recipe,
        objects: Callable[[ObjectId], Readable],
        ahead: Executor | None = None,
        until: int | None = None,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__()
        self._recipe = recipe
        self._objects = objects
        self._ends = list(accumulate(segment.size_bytes for segment in recipe.segments))
        literals = (0 if isinstance(one, Stretch) else one.size_bytes for one in recipe.segments)
        self._literal_ends = list(accumulate(literals))
        self._at = 0
        self._verify = verify
        self._executor = ahead
        self._digest = _Digest(ahead)
        self._ahead: PartsAhead | None = None
        if ahead is not None:
            end = recipe.size_bytes if until is None else until
            self._ahead = PartsAhead(part_ends(recipe), self._fill, ahead, end)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def tell(self) -> int:
        """Where reading goes on."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See io.IOBase."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._recipe.size_bytes}[whence]
        if start + offset < 0:
            raise ValueError("a place before the first byte")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: object, /) -> int:
        """Fills the buffer, to the end of the content at most."""
        view = memoryview(cast(bytearray, buffer)).cast("B")
        view = view[: max(0, self._recipe.size_bytes - self._at)]
        done = 0
        while done < len(view):
            part = self._next(self._at + done, len(view) - done)
            view[done : done + len(part)] = part
            done += len(part)
        self._at += done
        return done

    def read1(self, most: int) -> bytes:
        """The next bytes, as many as are at hand, which spares a copy; `most` at most, none at the end."""
        most = min(most, self._recipe.size_bytes - self._at)
        if most <= 0:
            return b""
        part = _bytes_of(self._next(self._at, most))
        self._at += len(part)
        return part

    def pass_over(self, most: int) -> int:
        """Read on for the sake of what is verified by that; how many bytes, none only at the end."""
        most = min(most, self._recipe.size_bytes - self._at)
        count = len(self._next(self._at, most)) if most > 0 else 0
        self._at += count
        return count

    def _next(self, start: int, most: int) -> memoryview:
        """One to `most` bytes, which are taken into the SHA-256 of the whole."""
        part = self._read_some(start, most) if self._ahead is None else self._ahead.read_at(start, most)
        if self._verify:
            self._add_to_digest(start, part)
        return part

    def close(self) -> None:
        """See io.IOBase."""
        if self._ahead is not None:
            self._ahead.close()
        super().close()

    def _fill(self, start: int, out: memoryview) -> None:
        """Fill memory with the bytes from one place on; several threads may ask."""
        done = 0
        while done < len(out):
            number, place, count = self._lies_at(start + done, len(out) - done)
            segment, part = self._recipe.segments[number], out[done : done + count]
            if isinstance(segment, Stretch):
                self._objects(self._recipe.objects[segment.number]).read_into(part, place)
            else:
                part[:] = memoryview(self._recipe.literals)[place : place + count]
            done += count

    def _read_some(self, start: int, most: int) -> memoryview:
        """One to `most` bytes, which lie in one segment, and in one MiB of an object."""
        number, place, count = self._lies_at(start, most)
        segment = self._recipe.segments[number]
        if isinstance(segment, Stretch):
            plain = self._objects(self._recipe.objects[segment.number])
            return plain.read_at(place, min(count, _READ_BYTES - place % _READ_BYTES))
        return memoryview(self._recipe.literals)[place : place + min(count, _READ_BYTES)]

    def _lies_at(self, start: int, most: int) -> tuple[int, int, int]:
        """In which segment bytes lie, from where on in its object or the literals, and how many of them."""
        number = bisect_right(self._ends, start)
        segment = self._recipe.segments[number]
        left = self._ends[number] - start
        end = self._literal_ends[number]
        if isinstance(segment, Stretch):
            end = segment.start + segment.size_bytes
        return number, end - left, min(most, left)

    def _add_to_digest(self, start: int, part: memoryview) -> None:
        if start == 0:
            self._digest = _Digest(self._executor)
        if self._digest.size_bytes != start:
            self._digest.settle()
            return
        self._digest.add(part)
        whole = self._digest.size_bytes == self._recipe.size_bytes
        if whole and self._digest.hexdigest() != self._recipe.sha256:
            raise DamagedObject(f"The bytes of content {self._recipe.sha256} are not what was stored.")


def _bytes_of(part: memoryview) -> bytes:
    """The bytes of a view: those that it shows, uncopied, where it shows all of them."""
    whole = part.obj
    return whole if isinstance(whole, bytes) and len(whole) == part.nbytes else joined([part])


def is_readable(opened: Callable[[], Plain], checkpoint: Callable[[], None] = lambda: None) -> bool:
    """Whether all bytes of something can be read; what is damaged in it is told to the shelf on the way."""
    try:
        plain = opened()
        for start in range(0, plain.size_bytes, _READ_BYTES):
            checkpoint()
            plain.read_at(start, min(_READ_BYTES, plain.size_bytes - start))
    except (DamagedObject, ObjectMissing):
        return False
    return True


def shelf_plain(shelf: Shelf, object_id: ObjectId) -> Plain:
    """The plain bytes of an object on a shelf. Raises ObjectMissing, DamagedObject."""
    return ObjectOpener(shelf, shelf.report_damage)(object_id)


def open_recipe(
    recipe: Recipe,
    shelf: Shelf,
    ahead: Executor | None = None,
    until: int | None = None,
    *,
    verify: bool = True,
) -> "RecipeReader":
    """A reader of a content; raises nothing before it is read. For the last three see there."""
    return RecipeReader(recipe, ObjectOpener(shelf, shelf.report_damage), ahead, until, verify=verify)
