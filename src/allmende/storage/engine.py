"""The one place that knows the database driver: connections, pragmas, and how a transaction opens.

SQLite runs in WAL mode with `synchronous=FULL`, so that a commit that was answered survives a power cut.
A writing transaction opens with BEGIN IMMEDIATE: two writers never discover at their end that they
collided. Inside one process writers queue at a lock, which is fair and cheaper than SQLite's polling;
across processes `busy_timeout` applies.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from allmende.clock import Clock, system_clock
from allmende.errors import StorageFull, Unavailable
from allmende.storage.unit_of_work import UnitOfWork

__all__ = ["Database"]

_CONNECTIONS = 40
_BUSY_TIMEOUT_MS = 10_000
_MOST_TURN_S = 0.025


class Database:
    """Opens units of work on one database, given by its SQLAlchemy URL."""

    def __init__(self, url: str, clock: Clock = system_clock) -> None:
        self.url = make_url(url)
        self.clock = clock
        self.on_events: Callable[[], None] | None = None
        """Called after each transaction that emitted events, from the thread that committed it."""
        self._turn = threading.Lock()
        self._writer: threading.Lock | None = None
        if self.url.get_backend_name() == "sqlite":
            self._writer = threading.Lock()
            self.engine = _sqlite_engine(url)
        else:
            self.engine = create_engine(url, pool_size=_CONNECTIONS, max_overflow=0, pool_pre_ping=True)

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """A consistent view of the database; nothing that is done in it stays."""
        with self.engine.connect() as connection, _translated():
            yield UnitOfWork(connection, self.clock)

    @contextmanager
    def read_in_turn(self) -> Iterator[UnitOfWork]:
        """The same for an answer that somebody waits for: a few statements, and nothing else.

        Such units come one after the other: threads that step through statements at once take the interpreter
        from each other at each step, so that four at once take more than twice as long as four in a row.
        Whoever was not let in for 25 ms does not wait any longer.
        """
        first = self._turn.acquire(timeout=_MOST_TURN_S)
        try:
            with self.read() as unit:
                yield unit
        finally:
            if first:
                self._turn.release()

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        """One transaction: all of it is durable when the block ends, or none of it if it raises.

        Callbacks given to `UnitOfWork.after_commit` run once it is durable. Raises Unavailable when the
        database stays locked, StorageFull when the disk is full.
        """
        with self._writer or nullcontext(), self.engine.connect() as connection, _translated():
            unit = UnitOfWork(connection.execution_options(allmende_write=True), self.clock)
            with connection.begin():
                yield unit
        if unit.emitted and self.on_events is not None:
            self.on_events()
        unit.run_after_commit()

    def compact(self) -> None:
        """Write the database anew, so that nothing that was deleted is left in its files.

        Raises Unavailable when others are reading or writing for too long.
        """
        with self._writer or nullcontext(), self.engine.connect() as connection, _translated():
            bare = connection.execution_options(isolation_level="AUTOCOMMIT", allmende_bare=True)
            bare.exec_driver_sql("VACUUM")
            if self._writer is not None:
                bare.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        text = str(error.orig)
        if "disk is full" in text or "No space left" in text:
            raise StorageFull(
                "The database has no room left.", hint="Free some disk space, then try again."
            ) from error
        if "locked" in text:
            raise Unavailable(
                "The database is busy.", hint="Try again in a moment.", code="database_busy"
            ) from error
        raise


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def _configure(dbapi_connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own: `begin` below does.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "temp_store=MEMORY",
            "trusted_schema=OFF",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("allmende_bare", False):
            return
        writes = connection.get_execution_options().get("allmende_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
