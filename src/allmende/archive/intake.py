"""Taking things into a store: packs first, durable under their names, then a transaction that names them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from sqlite3 import Connection

from allmende.archive.database import Database
from allmende.archive.errors import EncodingRefused
from allmende.archive.names import EntryName
from allmende.archive.pack_files import PackFolder, PackPart, Record
from allmende.archive.pack_series import PackSeries
from allmende.archive.records import (
    Kind,
    NameChange,
    chunks_body,
    encoding_label,
    names_body,
    recipe_label,
    sequence_label,
)
from allmende.archive.rows import put_chunks, put_encoding, put_names, put_recipe, stretches_of
from allmende.archive.shelf import ArchiveShelf, bases_of, find_object
from allmende.codecs import EncodedObject, ObjectId, ObjectMissing, Piece, Plain, Recipe, write_recipe
from allmende.failpoints import reach
from allmende.ids import Sha256
from allmende.packing import MAX_DEPTH, Shelved

__all__ = ["ArchiveIntake"]


@dataclass(frozen=True, slots=True)
class _Written:
    """An encoding in a pack that is not committed yet."""

    record: Record
    part: PackPart
    shelved: Shelved
    bases: frozenset[ObjectId]


@dataclass
class _Pending:
    """What an intake holds so far."""

    encodings: dict[ObjectId, list[_Written]] = field(default_factory=dict)
    order: list[_Written] = field(default_factory=list)
    bases: set[ObjectId] = field(default_factory=set)
    chunks: dict[bytes, Piece] = field(default_factory=dict)
    names: list[NameChange] = field(default_factory=list)


class ArchiveIntake:
    """See packing.Intake. The store's writing lock is held until `commit` or `discard`."""

    def __init__(
        self, database: Database, packs: PackFolder, shelf: ArchiveShelf, release: Callable[[], None]
    ) -> None:
        self._database = database
        self._series = PackSeries(database, packs)
        self._shelf = shelf
        self._release = release
        self._pending = _Pending()
        self._ended = False
        self.stored_bytes = 0
        """The size of the encodings and the recipe that were written so far."""

    def add(self, encoded: EncodedObject) -> None:
        """See Intake. Raises EncodingRefused where it would lie too deep or on itself, ObjectMissing where a
        base is not there, StorageFull.
        """
        depth = self._depth(encoded)
        label = encoding_label(encoded.object_id, encoded.plain_bytes, encoded.parents)
        record = self._series.append(Kind.ENCODING, label, encoded.parts)
        part = self._series.part(record)
        self.stored_bytes += part.size_bytes
        shelved = Shelved(encoded.object_id, encoded.plain_bytes, part.size_bytes, depth, is_base=False)
        written = _Written(record, part, shelved, encoded.parents)
        self._pending.encodings.setdefault(encoded.object_id, []).append(written)
        self._pending.order.append(written)
        self._pending.bases |= encoded.parents

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        """See Intake."""
        written = [each.part for each in self._pending.encodings.get(object_id, ())]
        if not written:
            return self._shelf.encodings(object_id)
        known = self._shelf.find([object_id])
        return [*written, *(self._shelf.encodings(object_id) if known else ())]

    def add_chunks(self, chunks: Mapping[bytes, Piece]) -> None:
        """See Intake."""
        self._pending.chunks |= chunks

    def set_name(self, name: EntryName, sha256: Sha256 | None, at: str, key: bytes | None = None) -> None:
        """Let a name mean this content, or none any more, from the commit on."""
        self._pending.names.append(NameChange(name, sha256, at, 0, key))

    def commit(self, recipe: Recipe | None) -> None:
        """See Intake. Raises EncodingRefused for a recipe that asks for more than its objects have."""
        if recipe is not None:
            self._check(recipe)
        recipe_record = self._write_last(recipe)
        self._series.publish()
        reach("archive.before_database")
        # From here on the packs may be what the database speaks of, even if it says that it failed.
        self._ended = True
        try:
            with self._database.write() as connection:
                self._put(connection, recipe, recipe_record)
                reach("archive.before_commit")
        finally:
            self._release()
        reach("archive.before_answer")

    def discard(self) -> None:
        """See Intake."""
        if self._ended:
            return
        self._ended = True
        try:
            self._series.discard()
        finally:
            self._release()

    # --- within --------------------------------------------------------------------------------------------

    def _depth(self, encoded: EncodedObject) -> int:
        known = self._known(encoded.object_id)
        if known is not None and known.size_bytes != encoded.plain_bytes:
            raise EncodingRefused("An encoding says another size than its object has.")
        depths = [0]
        for base in encoded.parents:
            shelved = self._known(base)
            if shelved is None:
                raise ObjectMissing(
                    f"The store has no object {base[:16]}…, on which another is to be stored."
                )
            depths.append(shelved.depth + 1)
        if max(depths) > MAX_DEPTH:
            raise EncodingRefused(f"An encoding lies more than {MAX_DEPTH} levels deep.")
        if known is not None and known.is_base and max(depths) > known.depth:
            raise EncodingRefused("An object that others are predicted from cannot come to lie deeper.")
        # An object that is new cannot be below anything yet.
        if known is not None and encoded.parents and encoded.object_id in self._below(encoded.parents):
            raise EncodingRefused("An object cannot be stored on itself.")
        return max(depths)

    def _known(self, object_id: ObjectId) -> Shelved | None:
        """The object by the encoding that will be preferred: the smallest."""
        found = [each.shelved for each in self._pending.encodings.get(object_id, ())]
        with self._database.read() as connection:
            shelved = find_object(connection, object_id)
        if shelved is not None:
            found.insert(0, shelved)
        if not found:
            return None
        is_base = object_id in self._pending.bases
        best = min(found, key=lambda each: each.stored_bytes)
        return replace(best, is_base=is_base or any(each.is_base for each in found))

    def _below(self, ids: frozenset[ObjectId]) -> frozenset[ObjectId]:
        """These objects and all below them, by encodings that are written and those that are there."""
        found = set(ids)
        waiting = list(ids)
        while waiting:
            object_id = waiting.pop()
            fresh = set().union(*(each.bases for each in self._pending.encodings.get(object_id, ())))
            with self._database.read() as connection:
                fresh |= bases_of(connection, [object_id])
            waiting += fresh - found
            found |= fresh
        return frozenset(found)

    def _check(self, recipe: Recipe) -> None:
        sizes = {}
        for object_id in recipe.objects:
            known = self._known(object_id)
            if known is None:
                raise ObjectMissing(
                    f"The store has no object {object_id[:16]}…, of which a content consists."
                )
            sizes[object_id] = known.size_bytes
        for stretch in stretches_of(recipe):
            if stretch.start + stretch.size_bytes > sizes[recipe.objects[stretch.number]]:
                raise EncodingRefused("A recipe asks for more than its objects have.")

    def _write_last(self, recipe: Recipe | None) -> Record | None:
        """What is written once everything else is: chunks, the recipe, names."""
        pending = self._pending
        if pending.chunks:
            self._series.append(Kind.CHUNKS, b"", [chunks_body(pending.chunks)])
        record = None
        if recipe is not None:
            label = recipe_label(recipe.sha256, recipe.size_bytes)
            record = self._series.append(Kind.RECIPE, label, [write_recipe(recipe)])
            self.stored_bytes += record.head.body_bytes
        if pending.names:
            # Numbers of packs only grow, so they order what names meant.
            sequence = self._series.last_number()
            pending.names = [replace(change, sequence=sequence) for change in pending.names]
            self._series.append(Kind.NAMES, sequence_label(sequence), [names_body(pending.names)])
        return record

    def _put(self, connection: Connection, recipe: Recipe | None, recipe_record: Record | None) -> None:
        pending = self._pending
        self._series.put(connection)
        for each in pending.order:
            put_encoding(connection, each.record, each.shelved.depth)
        put_chunks(connection, pending.chunks)
        if recipe is not None and recipe_record is not None:
            put_recipe(connection, recipe_record, recipe)
        if pending.names:
            put_names(connection, pending.names)
