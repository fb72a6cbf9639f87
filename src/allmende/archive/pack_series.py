"""New packs that belong together: one after another as they fill, durable together or not at all."""

from collections.abc import Sequence
from sqlite3 import Connection

from allmende.archive.database import Database
from allmende.archive.pack_files import MAX_PACK_BYTES, PackFolder, PackPart, PackWriter, Record
from allmende.archive.records import Kind
from allmende.archive.rows import put_pack

__all__ = ["PackSeries"]


class PackSeries:
    """Packs that are being written. Whoever uses it holds the store's writing lock."""

    def __init__(self, database: Database, packs: PackFolder) -> None:
        self._database = database
        self._packs = packs
        self._writers: list[PackWriter] = []

    def append(self, kind: Kind, label: bytes, parts: Sequence[bytes | memoryview]) -> Record:
        """Write a record to the present pack, or to the next one where it would grow too large."""
        return self._writer(sum(map(len, parts))).append(kind, label, parts)

    def part(self, record: Record) -> PackPart:
        """The body of a record that was written here, to be read."""
        writer = next(writer for writer in self._writers if writer.number == record.pack)
        return writer.part(record.body_start, record.head.body_bytes)

    def last_number(self) -> int:
        """The number of the pack that the next small record goes to."""
        return self._writer(0).number

    def publish(self) -> None:
        """Make them durable under their own names."""
        for writer in self._writers:
            writer.publish()

    def put(self, connection: Connection) -> None:
        """Let the database know of them."""
        for writer in self._writers:
            put_pack(connection, writer.number, writer.size_bytes)

    def discard(self) -> None:
        """Remove them. Not once the database may know of them."""
        for writer in self._writers:
            writer.discard()

    def _writer(self, coming_bytes: int) -> PackWriter:
        full = not self._writers or self._writers[-1].size_bytes + coming_bytes > MAX_PACK_BYTES
        if full:
            self._writers.append(PackWriter(self._packs, self._next_number()))
        return self._writers[-1]

    def _next_number(self) -> int:
        with self._database.read() as connection:
            given = connection.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()[0] or 0
        return 1 + max([given, *self._packs.numbers(), *(writer.number for writer in self._writers)])
