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
from itertools import accumulate
from typing import Protocol, TypeVar, cast

from allmende.codecs import (
    DamagedObject,
    EncodedReader,
    MalformedEncoding,
    ObjectId,
    ObjectMissing,
    Plain,
    PredictionImpossible,
    Recipe,
    Stretch,
)
from allmende.packing.shelf import MAX_DEPTH, Shelf

__all__ = ["ObjectOpener", "RecipeReader", "UnreadableObject", "is_readable", "open_recipe", "shelf_plain"]

_OPEN_OBJECTS = 8
_READ_BYTES = 1024 * 1024

_Found = TypeVar("_Found")

Report = Callable[[ObjectId, int, str], None]
"""Is told of an object, the number of one of its encodings, and what is wrong with that."""


class UnreadableObject(DamagedObject):
    """None of an object's encodings gives its bytes."""

    code = "object_unreadable"


class _Encodings(Protocol):
    def encodings(self, object_id: ObjectId) -> Sequence[Plain]: ...


class ObjectOpener:
    """Opens objects by their names, and keeps the last ones open. For one thread."""

    def __init__(self, source: _Encodings, report: Report, level: int = 0) -> None:
        self._source = source
        self._report = report
        self._level = level
        self._open: OrderedDict[ObjectId, _StoredObject] = OrderedDict()
        self._below: ObjectOpener | None = None

    def __call__(self, object_id: ObjectId) -> Plain:
        """The plain bytes of an object. Raises ObjectMissing, and DamagedObject where objects rest on too
        many.
        """
        found = self._open.pop(object_id, None)
        if found is None:
            found = _StoredObject(object_id, self._source.encodings(object_id), self._bases(), self._report)
        self._open[object_id] = found
        if len(self._open) > _OPEN_OBJECTS:
            self._open.popitem(last=False)
        return found

    def _bases(self) -> "ObjectOpener":
        if self._level > MAX_DEPTH:
            raise DamagedObject("Objects rest on each other on more levels than there can be.")
        if self._below is None:
            self._below = ObjectOpener(self._source, self._report, self._level + 1)
        return self._below


class _StoredObject:
    """An object by the first of its encodings that gives what is asked for."""

    def __init__(
        self, object_id: ObjectId, stored: Sequence[Plain], resolve: ObjectOpener, report: Report
    ) -> None:
        if not stored:
            raise ObjectMissing(f"The object {object_id} is not in the store.")
        self._id = object_id
        self._stored = stored
        self._resolve = resolve
        self._report = report
        self._number = 0
        self._reader: EncodedReader | None = None
        self.size_bytes = self._tried(lambda reader: reader.size_bytes)

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        return self._tried(lambda reader: reader.read_at(start, count))

    def _tried(self, read: Callable[[EncodedReader], _Found]) -> _Found:
        """What the encoding in use gives; where it gives nothing, the next one."""
        while self._number < len(self._stored):
            try:
                return read(self._opened())
            except (UnreadableObject, ObjectMissing):
                pass  # a base is not to be had, which was told of that
            except (DamagedObject, MalformedEncoding, PredictionImpossible) as error:
                self._report(self._id, self._number, error.message)
            self._number += 1
            self._reader = None
        raise UnreadableObject(f"No stored form of the object {self._id} can be read.")

    def _opened(self) -> EncodedReader:
        if self._reader is None:
            self._reader = EncodedReader(self._stored[self._number], self._resolve)
            if self._reader.object_id != self._id:
                raise DamagedObject("It is an encoding of another object.")
        return self._reader


class RecipeReader(io.RawIOBase):
    """The bytes of a content, decoded where they are read. Not for use by two threads at once.

    Reading raises DamagedObject where bytes cannot be had, ObjectMissing where an object is not there. Who
    reads from the first byte to the last without a jump gets the last ones only when all had the content's
    SHA-256.
    """

    def __init__(self, recipe: Recipe, objects: ObjectOpener) -> None:
        super().__init__()
        self._recipe = recipe
        self._objects = objects
        self._ends = list(accumulate(segment.size_bytes for segment in recipe.segments))
        literals = (0 if isinstance(one, Stretch) else one.size_bytes for one in recipe.segments)
        self._literal_ends = list(accumulate(literals))
        self._at = 0
        self._digest = hashlib.sha256()
        self._digested = 0

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
            part = self._read_some(self._at + done, len(view) - done)
            view[done : done + len(part)] = part
            done += len(part)
        self._verify(view)
        self._at += done
        return done

    def _read_some(self, start: int, most: int) -> memoryview:
        number = bisect_right(self._ends, start)
        segment = self._recipe.segments[number]
        skipped = start - (self._ends[number] - segment.size_bytes)
        count = min(most, segment.size_bytes - skipped, _READ_BYTES)
        if isinstance(segment, Stretch):
            plain = self._objects(self._recipe.objects[segment.number])
            return plain.read_at(segment.start + skipped, count)
        begin = self._literal_ends[number] - segment.size_bytes + skipped
        return memoryview(self._recipe.literals)[begin : begin + count]

    def _verify(self, part: memoryview) -> None:
        if self._at == 0:
            self._digest, self._digested = hashlib.sha256(), 0
        if self._digested != self._at:
            return
        self._digest.update(part)
        self._digested += len(part)
        if self._digested == self._recipe.size_bytes and self._digest.hexdigest() != self._recipe.sha256:
            raise DamagedObject(f"The bytes of content {self._recipe.sha256} are not what was stored.")


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


def open_recipe(recipe: Recipe, shelf: Shelf) -> "RecipeReader":
    """A reader of a content; raises nothing before it is read."""
    return RecipeReader(recipe, ObjectOpener(shelf, shelf.report_damage))
