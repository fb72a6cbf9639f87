"""Building a delta: what of a file is new against files that lie here and, the same, where it is sent.

The file is read twice: to name its tensors, and to encode those that no base has.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from blake3 import blake3

from allmende.codecs import (
    DamagedObject,
    Literal,
    ObjectId,
    ObjectMissing,
    Plain,
    Recipe,
    Segment,
    Stretch,
    word_type,
    write_encoding,
)
from allmende.errors import AllmendeError
from allmende.ids import Sha256
from allmende.packing.bases import Base, base_of
from allmende.packing.choosing import Chooser
from allmende.packing.cutting import SMALL_BYTES, Cut, PlacedBytes, can_be_cut, cut, other_bytes, plain_of
from allmende.packing.delta_format import BaseObject, DeltaBase, Kind, write_delta_head
from allmende.packing.layout import tensors_in
from allmende.packing.shelf import Shelved
from allmende.weights import Place

__all__ = ["DeltaBuilder", "DeltaDoesNotPay", "has_tensors"]

_BLOCK_BYTES = 4 * 1024 * 1024
_RUN_BYTES = 8 * 1024 * 1024
_TRIED_BYTES = 128 * 1024 * 1024
"""So much of a file is encoded before it is given up for being hardly smaller."""
_WORTH = 0.9

Progress = Callable[[int], None]


class DeltaDoesNotPay(AllmendeError):
    """A file is hardly smaller as a delta: it is sent as it is."""

    code = "delta_does_not_pay"

    def __init__(self) -> None:
        super().__init__("The file is hardly smaller as a delta.")


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """Where an object lies here."""

    place: Place
    base: Sha256
    stretches: tuple[tuple[int, int], ...]

    def plain(self) -> Plain:
        return PlacedBytes(self.place, self.stretches)


def has_tensors(place: Place) -> bool:
    """Whether a file can be built as a delta, or serve as a base."""
    return bool(tensors_in(place))


class DeltaBuilder:
    """Builds deltas of several files. Each base is known to be there where they are sent. For one thread."""

    def __init__(self) -> None:
        self._objects: dict[ObjectId, _Placed] = {}
        self._bases: dict[Sha256, tuple[DeltaBase, Base]] = {}

    def add_base(self, place: Place, sha256: Sha256, progress: Progress | None = None) -> bool:
        """Make a file known as a base; whether it is of use as one. It is read once."""
        if sha256 in self._bases:
            return True
        tensors = tensors_in(place)
        if not tensors:
            return False
        numbers: dict[ObjectId, int] = {}
        found: list[tuple[int, int, int, int]] = []
        for one in cut(tensors):
            object_id = _name_of(plain_of(place, one))
            number = numbers.setdefault(object_id, len(numbers))
            stretches = _stretches(one)
            self._objects.setdefault(object_id, _Placed(place, sha256, stretches))
            start = 0
            for file_start, size in stretches:
                found.append((file_start, number, start, size))
                start += size
            if progress is not None:
                progress(one.size_bytes)
        recipe = Recipe(sha256, place.size_bytes, tuple(numbers), _segments(found, place.size_bytes), b"")
        base = base_of([(recipe, tensors)], sha256)
        self._bases[sha256] = (DeltaBase(sha256, place.size_bytes), base)
        return True

    @property
    def has_bases(self) -> bool:
        """Whether there is anything to build upon."""
        return bool(self._bases)

    def build(self, place: Place, into: BinaryIO, told: Progress = lambda _: None) -> None:
        """Write the delta of a file into an empty file.

        `told` hears of bytes of the file as they are done, and may raise. Raises DeltaDoesNotPay, and
        DamagedObject where the file changes while it is read.
        """
        building = _Building(self, place, [base for _, base in self._bases.values()], into)
        building.build(told)

    # What a chooser asks of a shelf, and of what opens objects.

    def find(self, ids: Iterable[ObjectId]) -> Mapping[ObjectId, Shelved]:
        """Objects of bases; they rest on nothing."""
        return {
            one: Shelved(one, size, size, 0, is_base=True)
            for one in ids
            if (placed := self._objects.get(one)) is not None and (size := placed.plain().size_bytes)
        }

    def bases_of(self, object_id: ObjectId) -> frozenset[ObjectId]:
        """None: see `find`."""
        return frozenset()

    def placed(self, object_id: ObjectId) -> _Placed | None:
        """Where an object of a base lies."""
        return self._objects.get(object_id)

    def resolve(self, object_id: ObjectId) -> Plain:
        """The bytes of an object of a base. Raises ObjectMissing."""
        placed = self._objects.get(object_id)
        if placed is None:
            raise ObjectMissing(f"The object {object_id} is in no base.")
        return placed.plain()

    def base(self, sha256: Sha256) -> DeltaBase:
        """A base by its name."""
        return self._bases[sha256][0]


class _Building:
    def __init__(self, builder: DeltaBuilder, place: Place, bases: Sequence[Base], into: BinaryIO) -> None:
        self._builder = builder
        self._place = place
        self._chooser = Chooser(builder, bases, builder.resolve)
        self._into = into
        self._new: dict[ObjectId, int] = {}
        self._lengths: list[int] = []
        self._known: dict[ObjectId, BaseObject] = {}
        self._used: dict[Sha256, int] = {}
        self._segments: list[tuple[int, ObjectId, int, int]] = []
        self._done = 0

    def build(self, told: Progress) -> None:
        tensors = tensors_in(self._place)
        others = other_bytes(self._place.size_bytes, tensors)
        if not tensors or not can_be_cut(others):
            raise DeltaDoesNotPay
        for one in cut(tensors):
            self._add(plain_of(self._place, one), _stretches(one), one)
            self._count(one.size_bytes, told)
        for start, size in others:
            for at in range(start, start + size, _RUN_BYTES) if size >= SMALL_BYTES else ():
                stretch = (at, min(_RUN_BYTES, start + size - at))
                self._add(PlacedBytes(self._place, [stretch]), (stretch,), None)
                self._count(stretch[1], told)
        self._finish()

    def _count(self, size: int, told: Progress) -> None:
        told(size)
        self._done += size
        if self._done >= _TRIED_BYTES and sum(self._lengths) > _WORTH * self._done:
            raise DeltaDoesNotPay

    def _add(self, plain: Plain, stretches: tuple[tuple[int, int], ...], one: Cut | None) -> None:
        object_id = _name_of(plain)
        if self._builder.placed(object_id) is not None:
            self._rest_on(object_id)
        elif object_id not in self._new:
            if one is None:
                encoded = write_encoding(plain, word_type("U8"), None, self._builder.resolve)
            else:
                encoded = self._chooser.encode(one, plain, object_id)
            if encoded.object_id != object_id:
                raise DamagedObject("The file changed while it was read.")
            for base in sorted(encoded.parents):
                self._rest_on(base)
            self._new[object_id] = len(self._new)
            self._lengths.append(encoded.size_bytes)
            self._into.writelines(encoded.parts)
        start = 0
        for file_start, size in stretches:
            self._segments.append((file_start, object_id, start, size))
            start += size

    def _rest_on(self, object_id: ObjectId) -> None:
        placed = self._builder.placed(object_id)
        if object_id not in self._known and placed is not None:
            base = self._used.setdefault(placed.base, len(self._used))
            self._known[object_id] = BaseObject(object_id, base, placed.stretches)

    def _finish(self) -> None:
        """Put what comes first before the encodings, which are there already."""
        numbers = {one: number for number, one in enumerate(self._known)}
        numbers |= {one: len(self._known) + number for one, number in self._new.items()}
        segments: list[tuple[int, int, int]] = []
        literals = bytearray()
        end = 0
        for file_start, object_id, start, size in sorted(self._segments):
            if file_start > end:
                segments.append((Kind.LITERAL, 0, file_start - end))
                literals += self._place.read_at(end, file_start - end)
            kind = Kind.OBJECTS + numbers[object_id]
            segments.append((kind, start, size))
            end = file_start + size
        if self._place.size_bytes > end:
            segments.append((Kind.LITERAL, 0, self._place.size_bytes - end))
            literals += self._place.read_at(end, self._place.size_bytes - end)
        bases = [self._builder.base(one) for one in self._used]
        head = write_delta_head(bases, list(self._known.values()), segments, bytes(literals), self._lengths)
        if len(head) + sum(self._lengths) > _WORTH * self._place.size_bytes:
            raise DeltaDoesNotPay
        _put_before(self._into, head)


def _put_before(file: BinaryIO, head: bytes) -> None:
    """Move what is in a file behind `head`, from its end on."""
    end = file.seek(0, 2)
    while end:
        start = max(0, end - _BLOCK_BYTES)
        file.seek(start)
        block = file.read(end - start)
        file.seek(start + len(head))
        file.write(block)
        end = start
    file.seek(0)
    file.write(head)
    file.flush()


def _stretches(one: Cut) -> tuple[tuple[int, int], ...]:
    return tuple((member.file_start, member.size_bytes) for member in one.members)


def _segments(found: Iterable[tuple[int, int, int, int]], size_bytes: int) -> tuple[Segment, ...]:
    return tuple(_in_order(sorted(found), size_bytes))


def _in_order(found: Sequence[tuple[int, int, int, int]], size_bytes: int) -> Iterator[Segment]:
    end = 0
    for file_start, number, start, size in found:
        if file_start > end:
            yield Literal(file_start - end)
        yield Stretch(number, start, size)
        end = file_start + size
    if size_bytes > end:
        yield Literal(size_bytes - end)


def _name_of(plain: Plain) -> ObjectId:
    name = blake3()
    for start in range(0, plain.size_bytes, _BLOCK_BYTES):
        name.update(plain.read_at(start, min(_BLOCK_BYTES, plain.size_bytes - start)))
    return ObjectId(name.hexdigest())
