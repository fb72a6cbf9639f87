"""The database of a store: how it is made, opened, read and written, and what its failures mean.

It runs in WAL mode with `synchronous=FULL`, so that what was committed survives a power cut and readers are
never held up by a writer. A writing transaction begins with BEGIN IMMEDIATE.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from allmende.archive.errors import NotAStore, StoreDamaged, StoreUnusable
from allmende.archive.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION
from allmende.errors import StorageFull, Unavailable

__all__ = ["Database"]

_BUSY_TIMEOUT_S = 10.0
_DAMAGED = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    # What is asked never changes: when it makes no sense, the tables are not what they were.
    sqlite3.SQLITE_ERROR,
)
_UNUSABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR)
_PRIMARY = 0xFF
"""The low byte of an extended result code is the code that it belongs to."""


class Database:
    """One database file; for use by many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def create(self) -> None:
        """Make the tables. The database either has all of them or does not count as one."""
        with self._connection() as connection:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION};"
                    f" PRAGMA application_id={APPLICATION_ID}; COMMIT;"
                )

    def check_version(self) -> None:
        """Raises NotAStore where it is another database, or of a version that is not known here."""
        with self._connection() as connection:
            found = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if found != APPLICATION_ID:
            raise NotAStore(f"{self.path} is not the database of a store.")
        if version != SCHEMA_VERSION:
            raise NotAStore(
                f"The store is of version {version}; this program knows version {SCHEMA_VERSION}.",
                hint="Use the version of Allmende that made it, or a newer one.",
            )

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A consistent view. Raises StoreDamaged where the database cannot be read."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable when the block ends, or nothing of it if it raises."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close all connections; the last one to close puts the log's pages into the database."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        with _translated():
            connection = connection or self._open()
            try:
                yield connection
            except (sqlite3.Error, UnicodeDecodeError):
                connection.close()
                raise
            except BaseException:
                self._keep(connection)
                raise
            self._keep(connection)

    def _keep(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "temp_store=MEMORY",
                "trusted_schema=OFF",
                "cell_size_check=ON",
            ):
                with closing(connection.execute(f"PRAGMA {pragma}")) as cursor:
                    cursor.fetchall()
        except (sqlite3.Error, UnicodeDecodeError):
            connection.close()
            raise
        return connection


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the database says into errors of ours; what remains is a fault of the program."""
    try:
        yield
    except UnicodeDecodeError as error:
        # What is wrong names what is damaged, and that need not be text any more.
        raise _damaged("it holds text that is none") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code == sqlite3.SQLITE_FULL:
            raise StorageFull(
                "The store's database has no room left.", hint="Free some space, then try again."
            ) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Unavailable("The store's database is busy.", hint="Try again in a moment.") from error
        if code in _UNUSABLE:
            raise StoreUnusable(
                f"The store's database cannot be used: {error}.",
                hint="Whoever uses a store needs to write in its folder, also to read from it.",
            ) from error
        # Text that is none has no code: the driver finds it, not the database.
        if code in _DAMAGED or "decode" in str(error):
            raise _damaged(str(error)) from error
        raise


def _damaged(detail: str) -> StoreDamaged:
    return StoreDamaged(
        f"The store's database is damaged: {detail}.",
        hint="`allmende store check STORE --rebuild` makes it anew from the packs.",
    )
