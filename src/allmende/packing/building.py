"""Building a recipe: what is new of a file goes onto the shelf, and counts when the whole was read back.

The file is read twice: to name its objects, and to encode those that are new. What was written is read back
in the order of the file, each object as soon as it is there, and the SHA-256 of all has to be the file's.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial

from blake3 import blake3

from allmende.codecs import (
    DamagedObject,
    EncodedObject,
    EncodedReader,
    Literal,
    ObjectId,
    ObjectMissing,
    Piece,
    Plain,
    Recipe,
    Segment,
    Stretch,
    word_type,
    write_encoding,
)
from allmende.ids import Sha256
from allmende.packing.bases import Base, open_base
from allmende.packing.choosing import Chooser
from allmende.packing.cutting import SMALL_BYTES, Cut, PlacedBytes, can_be_cut, cut, other_bytes, plain_of
from allmende.packing.layout import tensors_in
from allmende.packing.reading import ObjectOpener, Readable, RecipeReader, is_readable
from allmende.packing.shelf import Intake, Shelf, Shelved
from allmende.weights import Place
from allmende.xorbs import Chunker, chunk_hash

__all__ = ["build"]

_BLOCK_BYTES = 4 * 1024 * 1024
_RUN_BYTES = 8 * 1024 * 1024
_MOST_BASES = 8
_BETTER = 0.95
"""An object that is there is stored anew only for a form that is at least this much smaller."""

Progress = Callable[[int], None]


def _nothing() -> None:
    pass


def _unheard(_done: int) -> None:
    pass


@dataclass
class _Parts:
    """What a recipe is put together from, while it is not known yet in which order."""

    objects: dict[ObjectId, int] = field(default_factory=dict)
    stretches: list[tuple[int, ObjectId, int, int]] = field(default_factory=list)
    written: set[ObjectId] = field(default_factory=set)
    rested_on: set[ObjectId] = field(default_factory=set)
    """What was written rests on these, so that they stay as they are."""
    chunks: dict[bytes, Piece] = field(default_factory=dict)
    waiting: dict[ObjectId, tuple[Cut, Shelved | None]] = field(default_factory=dict)
    """What is stored when the file comes to it; what is there already only if it becomes smaller."""

    def add(self, file_start: int, object_id: ObjectId, start: int, size: int) -> None:
        """Bytes of the file are these bytes of an object."""
        self.objects.setdefault(object_id, len(self.objects))
        self.stretches.append((file_start, object_id, start, size))


class _Building:
    def __init__(
        self,
        place: Place,
        shelf: Shelf,
        intake: Intake,
        bases: Sequence[Base],
        unreadable: frozenset[ObjectId],
        progress: Progress,
        checkpoint: Callable[[], None],
    ) -> None:
        self.place = place
        self.shelf = shelf
        self.intake = intake
        self.opener = ObjectOpener(intake, shelf.report_damage)
        # All that is written is read back in the end.
        self.chooser = Chooser(shelf, bases, self.opener, verify=False)
        self.parts = _Parts()
        self.unreadable = unreadable
        self.avoided = set(unreadable)
        """No base among these: what cannot be read, and what has just come to rest on others itself."""
        self._progress = progress
        self._checkpoint = checkpoint
        self._done = 0

    def advance(self, size: int = 0) -> None:
        """So many bytes more of the file are done; asks whether to go on."""
        self._checkpoint()
        if size:
            self._done += size
            self._progress(self._done)

    def add(self, encoded: EncodedObject, object_id: ObjectId) -> None:
        """Write an encoding of the object that was named when the file was read before."""
        if encoded.object_id != object_id:
            raise DamagedObject("The file changed while it was read.")
        self.intake.add(encoded)
        self.parts.written.add(encoded.object_id)
        self.avoided.add(encoded.object_id)
        self.parts.rested_on |= encoded.parents

    def find(self, ids: Sequence[ObjectId]) -> dict[ObjectId, Shelved]:
        """Those of these objects that are on the shelf and can be read, as far as is known."""
        return {one: what for one, what in self.shelf.find(ids).items() if one not in self.unreadable}

    def find_chunks(self, names: AbstractSet[bytes]) -> dict[bytes, Piece]:
        """Where these chunks lie on the shelf, and can be read as far as is known."""
        found = self.shelf.find_chunks(names)
        return {name: piece for name, piece in found.items() if piece.object_id not in self.unreadable}


def build(
    place: Place,
    shelf: Shelf,
    sha256: Sha256,
    bases: Sequence[Sequence[Recipe]] = (),
    *,
    improve: bool = False,
    progress: Progress = _unheard,
    checkpoint: Callable[[], None] = _nothing,
) -> Recipe:
    """Store a file as a recipe, on stored models (each of one or several files) as bases, best guess first.

    `progress` hears how many bytes of the file are done; what `checkpoint` raises between blocks ends the
    work and leaves nothing. With `improve`, objects that are there already get a smaller form where one is
    found. Objects that are there and cannot be read are stored anew. Raises DamagedObject when what was
    written does not give the SHA-256, and what the shelf raises.
    """
    unreadable: frozenset[ObjectId] = frozenset()
    while True:
        intake = shelf.intake()
        try:
            opened = _opened(shelf, bases)
            building = _Building(place, shelf, intake, opened, unreadable, progress, checkpoint)
            recipe = _named(building, sha256, improve=improve)
            try:
                _store(building, recipe)
            except (DamagedObject, ObjectMissing):
                found = _unreadable(building, recipe, checkpoint) - unreadable
                if not found:
                    raise
                unreadable |= found
            else:
                intake.commit(recipe)
                return recipe
        finally:
            intake.discard()


def _named(building: _Building, sha256: Sha256, *, improve: bool) -> Recipe:
    """The recipe, of which everything is stored but the tensors that wait to be."""
    tensors = tensors_in(building.place)
    others = other_bytes(building.place.size_bytes, tensors)
    if not can_be_cut(others):
        tensors, others = [], other_bytes(building.place.size_bytes, [])
    _name_tensors(building, cut(tensors), improve=improve)
    for start, size in others:
        if size >= SMALL_BYTES:
            _store_others(building, start, size)
    return _recipe(building, sha256)


def _opened(shelf: Shelf, bases: Sequence[Sequence[Recipe]]) -> list[Base]:
    found: list[Base] = []
    for number, recipes in enumerate(bases[:_MOST_BASES]):
        try:
            found.append(open_base(recipes, shelf, str(number)))
        except (DamagedObject, ObjectMissing):
            continue  # it is of no use as a base; what is wrong with it was told to the shelf
    return found


# --- tensors -----------------------------------------------------------------------------------------------


def _name_tensors(building: _Building, cuts: Sequence[Cut], *, improve: bool) -> None:
    parts = building.parts
    ids = [_name_of(building, plain_of(building.place, one)) for one in cuts]
    there = building.find(ids)
    for one, object_id in zip(cuts, ids, strict=True):
        known = there.get(object_id)
        if known is None or (improve and not known.is_base):
            parts.waiting.setdefault(object_id, (one, known))
        start = 0
        for member in one.members:
            parts.add(member.file_start, object_id, start, member.size_bytes)
            start += member.size_bytes


def _name_of(building: _Building, plain: Plain) -> ObjectId:
    name = blake3()
    for start in range(0, plain.size_bytes, _BLOCK_BYTES):
        building.advance()
        name.update(plain.read_at(start, min(_BLOCK_BYTES, plain.size_bytes - start)))
    return ObjectId(name.hexdigest())


# --- other bytes -------------------------------------------------------------------------------------------


def _store_others(building: _Building, start: int, size: int) -> None:
    """Chunks that lie somewhere already are named there; runs of new ones become objects."""
    run: list[tuple[bytes, int]] = []
    run_start = at = start
    for batch in _batches(_chunks(building, start, size)):
        known = building.find_chunks({name for name, _ in batch})
        for name, length in batch:
            piece = known.get(name) or building.parts.chunks.get(name)
            if piece is not None and piece.object_id is not None and piece.size_bytes == length:
                _store_run(building, run_start, run)
                building.parts.add(at, piece.object_id, piece.start, length)
                run, run_start = [], at + length
            else:
                run.append((name, length))
            at += length
            if at - run_start >= _RUN_BYTES:
                _store_run(building, run_start, run)
                run, run_start = [], at
    _store_run(building, run_start, run)


def _store_run(building: _Building, start: int, run: Sequence[tuple[bytes, int]]) -> None:
    size = sum(length for _, length in run)
    if not size:
        return
    plain = PlacedBytes(building.place, [(start, size)])
    object_id = _name_of(building, plain)
    parts = building.parts
    if object_id not in parts.written | parts.waiting.keys() and object_id not in building.find([object_id]):
        building.add(_alone(building, plain, "U8"), object_id)
    places: dict[bytes, Piece] = {}
    at = 0
    for name, length in run:
        places[name] = Piece(object_id, at, length)
        at += length
    building.intake.add_chunks(places)
    parts.chunks |= places
    parts.add(start, object_id, 0, size)


def _alone(building: _Building, plain: Plain, dtype: str) -> EncodedObject:
    return write_encoding(plain, word_type(dtype), None, building.opener, verify=False)


def _chunks(building: _Building, start: int, size: int) -> Iterator[tuple[bytes, int]]:
    chunker = Chunker()
    for at in range(start, start + size, _BLOCK_BYTES):
        count = min(_BLOCK_BYTES, start + size - at)
        for chunk in chunker.feed(building.place.read_at(at, count)):
            yield chunk_hash(chunk), len(chunk)
        building.advance()
    for chunk in chunker.finish():
        yield chunk_hash(chunk), len(chunk)


def _batches(chunks: Iterator[tuple[bytes, int]]) -> Iterator[list[tuple[bytes, int]]]:
    batch: list[tuple[bytes, int]] = []
    for chunk in chunks:
        batch.append(chunk)
        if len(batch) == 500:
            yield batch
            batch = []
    if batch:
        yield batch


# --- the whole ---------------------------------------------------------------------------------------------


def _recipe(building: _Building, sha256: Sha256) -> Recipe:
    """All stretches in the order of the file, and the bytes between them."""
    parts, place = building.parts, building.place
    segments: list[Segment] = []
    literals = bytearray()
    end = 0
    for file_start, object_id, start, size in sorted(parts.stretches):
        if file_start > end:
            segments.append(Literal(file_start - end))
            literals += place.read_at(end, file_start - end)
        stretch = Stretch(parts.objects[object_id], start, size)
        last = segments[-1] if segments else None
        if isinstance(last, Stretch) and (last.number, last.start + last.size_bytes) == (
            stretch.number,
            start,
        ):
            segments[-1] = Stretch(last.number, last.start, last.size_bytes + size)
        else:
            segments.append(stretch)
        end = file_start + size
    if place.size_bytes > end:
        segments.append(Literal(place.size_bytes - end))
        literals += place.read_at(end, place.size_bytes - end)
    return Recipe(sha256, place.size_bytes, tuple(parts.objects), tuple(segments), bytes(literals))


class _Stored:
    """The objects of a file as they are read back: those that wait are stored when first asked for."""

    def __init__(self, building: _Building) -> None:
        self._building = building
        self._opener = ObjectOpener(building.intake, building.shelf.report_damage)
        self._last: tuple[ObjectId, EncodedReader] | None = None

    def __call__(self, object_id: ObjectId) -> Readable:
        """The bytes of an object, decoded from what was written. Raises ObjectMissing, DamagedObject."""
        waiting = self._building.parts.waiting.pop(object_id, None)
        if waiting is not None:
            self.settle()
            one, known = waiting
            if known is None:
                self._write(self._encoded(one, object_id), object_id)
            elif object_id not in self._building.parts.rested_on:
                self._improve(one, known)
        if self._last is not None and self._last[0] == object_id:
            return self._last[1]
        return self._opener(object_id)

    def settle(self) -> None:
        """Raises DamagedObject where the bases that the last object was decoded from were not what they are
        named by.
        """
        if self._last is not None:
            self._building.chooser.held.check(self._last[1].parents)
            self._last = None

    def _write(self, encoded: EncodedObject, object_id: ObjectId) -> None:
        """Write an encoding, and have it read from there as long as its bases are at hand."""
        self._building.add(encoded, object_id)
        (stored, *_) = self._building.intake.encodings(object_id)
        self._last = object_id, EncodedReader(stored, self._building.chooser.held.whole)

    def _encoded(self, one: Cut, object_id: ObjectId) -> EncodedObject:
        building = self._building
        plain = plain_of(building.place, one)
        if object_id in building.unreadable:
            # Others may rest on it: what rests on nothing is right for all of them.
            return _alone(building, plain, one.dtype)
        return building.chooser.encode(one, plain, object_id, avoiding=building.avoided)

    def _improve(self, one: Cut, known: Shelved) -> None:
        """Store an object on better bases, if it becomes much smaller by that."""
        building = self._building
        plain = plain_of(building.place, one)
        encoded = building.chooser.encode(one, plain, known.object_id, known=True, avoiding=building.avoided)
        if encoded.size_bytes <= _BETTER * known.stored_bytes:
            self._write(encoded, known.object_id)


def _store(building: _Building, recipe: Recipe) -> None:
    """Store what waits, and read everything back.

    Raises DamagedObject where the whole, which the reader holds against its SHA-256, is not had.
    """
    stored = _Stored(building)
    with RecipeReader(recipe, stored) as reader:
        while count := reader.pass_over(_BLOCK_BYTES):
            building.advance(count)
    stored.settle()


def _unreadable(building: _Building, recipe: Recipe, checkpoint: Callable[[], None]) -> frozenset[ObjectId]:
    """The objects of a recipe that were there before, and of which not all can be read."""
    before = (one for one in building.shelf.find(recipe.objects) if one not in building.parts.written)
    return frozenset(one for one in before if not is_readable(partial(building.opener, one), checkpoint))
