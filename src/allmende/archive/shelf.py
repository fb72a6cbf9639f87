"""The objects of a store, as a shelf: what packing looks things up in and reads from."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

from allmende.archive.database import Database
from allmende.archive.pack_files import PackFolder, PackPart
from allmende.codecs import DamagedObject, ObjectId, ObjectMissing, Piece, Plain
from allmende.packing import Intake, Shelved

__all__ = ["ArchiveShelf", "bases_of", "find_object"]


class ArchiveShelf:
    """See packing.Shelf: all that is in the store is in one scope. For use by many threads."""

    def __init__(self, database: Database, packs: PackFolder, begin: Callable[[], Intake]) -> None:
        self._database = database
        self._packs = packs
        self._begin = begin
        self._given: WeakKeyDictionary[Plain, int] = WeakKeyDictionary()
        """The rows of what was given out, as long as somebody has it."""
        self._lock = threading.Lock()

    def find(self, ids: Iterable[ObjectId]) -> Mapping[ObjectId, Shelved]:
        """See Shelf."""
        with self._database.read() as connection:
            found = ((object_id, find_object(connection, object_id)) for object_id in set(ids))
            return {object_id: shelved for object_id, shelved in found if shelved is not None}

    def beginning(self, begin: Callable[[], Intake]) -> "ArchiveShelf":
        """The same shelf, with other intakes."""
        shelf = ArchiveShelf(self._database, self._packs, begin)
        shelf._given, shelf._lock = self._given, self._lock
        return shelf

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        """See Shelf. Those that were found damaged come last."""
        rows: list[tuple[int, int, int, int]] | None = None
        while (known := self._rows(object_id)) != rows:
            rows = known
            try:
                parts = [self._packs.part(pack, start, size_bytes) for _, pack, start, size_bytes in rows]
            except FileNotFoundError:
                # The pack was replaced by another, and the rows name that by now.
                continue
            return self._remembered({row[0]: part for row, part in zip(rows, parts, strict=True)})
        return self._readable(object_id, known)

    def bases_of(self, object_id: ObjectId) -> frozenset[ObjectId]:
        """See Shelf: of all its encodings, so that any of them may be used."""
        with self._database.read() as connection:
            return bases_of(connection, [object_id])

    def find_chunks(self, hashes: Iterable[bytes]) -> Mapping[bytes, Piece]:
        """See Shelf."""
        found = {}
        with self._database.read() as connection:
            for hashed in hashes:
                row = connection.execute(
                    "SELECT object.id, chunk.start, chunk.size_bytes FROM chunk"
                    " JOIN object ON object.number = chunk.object WHERE chunk.hash = ?",
                    [hashed],
                ).fetchone()
                if row is not None:
                    found[hashed] = Piece(ObjectId(row[0]), row[1], row[2])
        return found

    def report_damage(self, object_id: ObjectId, stored: Plain, problem: str) -> None:
        """See Shelf."""
        with self._lock:
            number = self._given.get(stored)
        if number is not None:
            with self._database.write() as connection:
                connection.execute(
                    "UPDATE encoding SET problem = ? WHERE number = ? AND problem IS NULL",
                    [problem[:500], number],
                )

    def intake(self) -> Intake:
        """See Shelf."""
        return self._begin()

    def _rows(self, object_id: ObjectId) -> list[tuple[int, int, int, int]]:
        with self._database.read() as connection:
            rows: list[tuple[int, int, int, int]] = connection.execute(
                "SELECT encoding.number, pack, start, encoding.size_bytes FROM encoding"
                " JOIN object ON object.number = encoding.object WHERE object.id = ?"
                " ORDER BY problem IS NOT NULL, encoding.size_bytes, encoding.number",
                [object_id],
            ).fetchall()
        if not rows:
            raise ObjectMissing(f"The store has no object {object_id[:16]}….")
        return rows

    def _readable(self, object_id: ObjectId, rows: Iterable[tuple[int, int, int, int]]) -> list[PackPart]:
        """Those of an object's encodings whose packs are there, when some are not."""
        found: dict[int, PackPart] = {}
        for number, pack, start, size_bytes in rows:
            if self._packs.path(pack).exists():
                found[number] = self._packs.part(pack, start, size_bytes)
        if not found:
            raise DamagedObject(f"The packs with the object {object_id[:16]}… are gone.")
        return self._remembered(found)

    def _remembered(self, found: Mapping[int, PackPart]) -> list[PackPart]:
        with self._lock:
            self._given.update((part, number) for number, part in found.items())
        return list(found.values())


def find_object(connection: sqlite3.Connection, object_id: ObjectId) -> Shelved | None:
    """What the tables say of an object, by its preferred encoding."""
    row = connection.execute(
        "SELECT object.size_bytes, encoding.size_bytes, depth,"
        " EXISTS (SELECT 1 FROM base WHERE base.object = object.number)"
        " FROM object JOIN encoding ON encoding.object = object.number WHERE object.id = ?"
        " ORDER BY problem IS NOT NULL, encoding.size_bytes, encoding.number LIMIT 1",
        [object_id],
    ).fetchone()
    return None if row is None else Shelved(object_id, row[0], row[1], row[2], bool(row[3]))


def bases_of(connection: sqlite3.Connection, ids: Iterable[ObjectId]) -> frozenset[ObjectId]:
    """All objects below these, by any of their encodings."""
    found: set[ObjectId] = set()
    waiting = list(ids)
    while waiting:
        rows = connection.execute(
            "SELECT DISTINCT below.id FROM object JOIN encoding ON encoding.object = object.number"
            " JOIN base ON base.encoding = encoding.number JOIN object AS below ON below.number = base.object"
            " WHERE object.id = ?",
            [waiting.pop()],
        ).fetchall()
        fresh = {ObjectId(row[0]) for row in rows} - found
        found |= fresh
        waiting += fresh
    return frozenset(found)
