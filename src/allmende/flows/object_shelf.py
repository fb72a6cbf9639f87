"""The hub's shelf: objects in packs, found through the rows of the database, as far as a scope reaches."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from allmende.codecs import EncodedObject, ObjectId, ObjectMissing, Piece, Plain, Recipe, write_recipe
from allmende.failpoints import reach
from allmende.packing import Shelved
from allmende.storage import (
    Database,
    KeptEncoding,
    NewEncoding,
    PackStore,
    PackWriter,
    UnitOfWork,
    add_chunk_places,
    add_encoding,
    add_pack,
    bases_below,
    encodings_down_from,
    encodings_of,
    find_chunk_places,
    find_objects,
    mark_encoding_damaged,
    put_recipe,
)

__all__ = ["HubIntake", "HubShelf", "Settling"]

_log = logging.getLogger(__name__)

_PACK_BYTES = 64 * 1024 * 1024
_DIGEST_BYTES = 16
_MAX_PROBLEM_CHARS = 1000
_EXPECTED_AT_ONCE = 256
_MORE_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Settling:
    """What is decided and done with an intake as it is committed.

    `accept` hears how many bytes would be stored, before anything is durable, and may raise. `within` is part
    of the transaction.
    """

    accept: Callable[[int], None]
    within: Callable[[UnitOfWork], None]


class HubShelf:
    """See `allmende.packing.Shelf`. For one thread at a time."""

    def __init__(
        self, database: Database, packs: PackStore, scope: int, settling: Settling | None = None
    ) -> None:
        self.scope = scope
        self._database = database
        self._packs = packs
        self._settling = settling
        self._given: WeakKeyDictionary[Plain, KeptEncoding] = WeakKeyDictionary()
        """What was given out, as long as somebody has it."""
        self._expected: Sequence[ObjectId] = ()
        self._places: Mapping[ObjectId, int] = {}
        self._ready: Mapping[ObjectId, Sequence[KeptEncoding]] = {}
        self._at_once = 1

    def expect(self, ids: Sequence[ObjectId]) -> None:
        """Say which objects may be asked for, in which order: each is looked up with all on which it rests.

        Whoever goes on asking gets ever more of them at a time.
        """
        self._expected = ids
        self._places = {one: place for place, one in enumerate(ids)}

    def find(self, ids: Iterable[ObjectId]) -> Mapping[ObjectId, Shelved]:
        """See Shelf."""
        with self._database.read() as uow:
            found = find_objects(uow, self.scope, ids)
        return {
            one.id: Shelved(one.id, one.size_bytes, one.stored_bytes, one.depth, one.is_base)
            for one in found.values()
        }

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        """See Shelf."""
        found = self._looked_up(object_id)
        if not found:
            raise ObjectMissing(f"The object {object_id} is not in the store.")
        given = {self._packs.read(one.location, one.offset_bytes, one.size_bytes): one for one in found}
        self._given.update(given)
        return list(given)

    def _looked_up(self, object_id: ObjectId) -> Sequence[KeptEncoding]:
        place = self._places.get(object_id)
        if place is not None and object_id not in self._ready:
            following = self._expected[place : place + self._at_once]
            self._at_once = min(_EXPECTED_AT_ONCE, _MORE_AT_ONCE * self._at_once)
            with self._database.read() as uow:
                self._ready = encodings_down_from(uow, self.scope, following)
        if object_id in self._ready:
            return self._ready[object_id]
        with self._database.read() as uow:
            return encodings_of(uow, self.scope, object_id)

    def bases_of(self, object_id: ObjectId) -> frozenset[ObjectId]:
        """See Shelf."""
        with self._database.read() as uow:
            return frozenset(bases_below(uow, self.scope, [object_id]))

    def find_chunks(self, hashes: Iterable[bytes]) -> Mapping[bytes, Piece]:
        """See Shelf."""
        with self._database.read() as uow:
            return find_chunk_places(uow, self.scope, hashes)

    def report_damage(self, object_id: ObjectId, stored: Plain, problem: str) -> None:
        """See Shelf."""
        given = self._given.get(stored)
        if given is None or given.damaged is not None:
            return
        with self._database.write() as uow:
            recorded = mark_encoding_damaged(uow, given, problem[:_MAX_PROBLEM_CHARS])
        if recorded:
            _log.error("encoding %s of object %s is damaged: %s", given.number, object_id, problem)

    def intake(self) -> "HubIntake":
        """See Shelf."""
        return HubIntake(self._database, self._packs, self, self._settling)


class HubIntake:
    """See `allmende.packing.Intake`: encodings go into packs as they come, all rows in one transaction."""

    def __init__(
        self, database: Database, packs: PackStore, shelf: HubShelf, settling: Settling | None
    ) -> None:
        self._database = database
        self._packs = packs
        self._shelf = shelf
        self._settling = settling
        self._writers: list[PackWriter] = []
        self._new: dict[ObjectId, tuple[PackWriter, NewEncoding]] = {}
        self._chunks: dict[bytes, Piece] = {}

    @property
    def stored_bytes(self) -> int:
        """How many bytes were written so far."""
        return sum(writer.size_bytes for writer in self._writers)

    def add(self, encoded: EncodedObject) -> None:
        """See Intake."""
        if not self._writers or self._writers[-1].size_bytes >= _PACK_BYTES:
            self._writers.append(self._packs.open_write())
        writer = self._writers[-1]
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        for part in encoded.parts:
            digest.update(part)
        new = NewEncoding(
            encoded.object_id,
            encoded.plain_bytes,
            writer.append(encoded.parts),
            encoded.size_bytes,
            digest.digest(),
            encoded.parents,
        )
        self._new[encoded.object_id] = (writer, new)

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        """See Intake."""
        own = self._new.get(object_id)
        if own is None:
            return self._shelf.encodings(object_id)
        # What is written now takes the place of what the shelf has: reading back must not fall back to that.
        writer, new = own
        return [writer.read(new.offset_bytes, new.size_bytes)]

    def add_chunks(self, chunks: Mapping[bytes, Piece]) -> None:
        """See Intake."""
        self._chunks.update(chunks)

    def commit(self, recipe: Recipe | None) -> None:
        """See Intake. Raises ObjectsChanged where what it rests on has changed meanwhile."""
        body = None if recipe is None else write_recipe(recipe)
        if self._settling is not None:
            self._settling.accept(self.stored_bytes + len(body or b""))
        # Packs whose rows do not come to be go as orphans: a row may be there though this fails.
        locations = {id(writer): writer.finish() for writer in self._writers}
        reach("pack.before_transaction")
        with self._database.write() as uow:
            self._record(uow, locations)
            if recipe is not None and body is not None:
                put_recipe(uow, recipe.sha256, self._shelf.scope, body, recipe.objects)
            if self._settling is not None:
                self._settling.within(uow)
            reach("pack.before_database")
        self._writers = []

    def discard(self) -> None:
        """See Intake."""
        for writer in self._writers:
            writer.discard()
        self._writers = []

    def _record(self, uow: UnitOfWork, locations: Mapping[int, str]) -> None:
        scope = self._shelf.scope
        pack_ids = {
            id(writer): add_pack(uow, locations[id(writer)], writer.size_bytes) for writer in self._writers
        }
        for writer, new in self._bases_first():
            add_encoding(uow, scope, pack_ids[id(writer)], new)
        add_chunk_places(uow, scope, self._chunks)

    def _bases_first(self) -> list[tuple[PackWriter, NewEncoding]]:
        """What is new, each after the new things that it rests on."""
        ordered: dict[ObjectId, tuple[PackWriter, NewEncoding]] = {}

        def place(object_id: ObjectId, above: frozenset[ObjectId]) -> None:
            if object_id in ordered or object_id not in self._new or object_id in above:
                return
            for base in sorted(self._new[object_id][1].bases):
                place(base, above | {object_id})
            ordered[object_id] = self._new[object_id]

        for object_id in self._new:
            place(object_id, frozenset())
        return list(ordered.values())
