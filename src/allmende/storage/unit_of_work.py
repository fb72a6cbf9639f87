"""The unit of work: one connection in one transaction, and the outbox that belongs to it.

Services take a `UnitOfWork` and never commit; whoever opened it (`Database.write`) does. An act and the
event that tells of it are rows of the same transaction, so there is never one without the other.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, Row, Table
from sqlalchemy.dialects import postgresql, sqlite

from allmende.clock import Clock
from allmende.ids import AccountId, RepoId
from allmende.storage.schema import outbox

__all__ = ["UnitOfWork"]

_SALT_BYTES = 32


class UnitOfWork:
    """A transaction in progress. Not for use by two threads at once."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.connection = connection
        self._clock = clock
        self._now: datetime | None = None
        self._after_commit: list[Callable[[], None]] = []
        self.emitted = False
        """Whether an event was written."""

    @property
    def writes(self) -> bool:
        """Whether it may change something: what it sees then may never be committed."""
        return bool(self.connection.get_execution_options().get("allmende_write", False))

    @property
    def now(self) -> datetime:
        """The time of this transaction: the same however often it is asked."""
        if self._now is None:
            self._now = self._clock()
        return self._now

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Run one statement."""
        return self.connection.execute(statement, parameters)

    def one_or_none(self, statement: Executable) -> Row[Any] | None:
        """The only row, or None; raises when there are several."""
        return self.connection.execute(statement).one_or_none()

    def all(self, statement: Executable) -> Sequence[Row[Any]]:
        """All rows."""
        return self.connection.execute(statement).all()

    def insert_new(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert the rows whose key is not there yet; the others stay as they are."""
        values = [dict(row) for row in rows]
        if not values:
            return
        dialect = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        self.connection.execute(dialect.insert(table).on_conflict_do_nothing(), values)

    def upsert(self, table: Table, row: Mapping[str, Any]) -> None:
        """Insert `row`, or overwrite the one that has its primary key."""
        self.upsert_all(table, [row])

    def upsert_all(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """The same of several rows, which name the same columns."""
        if not rows:
            return
        dialect = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        keys = [column.name for column in table.primary_key.columns]
        inserting = dialect.insert(table)
        rest = {name: inserting.excluded[name] for name in rows[0] if name not in keys}
        self.connection.execute(
            inserting.on_conflict_do_update(index_elements=keys, set_=rest), [dict(row) for row in rows]
        )

    def emit(
        self,
        kind: str,
        payload: Mapping[str, Any],
        *,
        repo_id: RepoId | None = None,
        actor_id: AccountId | None = None,
    ) -> int:
        """Write an event into the outbox, with the act itself; returns its id.

        Call it after the compare-and-set of a ref, so that the row locks make the order of events causal
        for each ref.
        """
        result = self.connection.execute(
            outbox.insert().values(
                at=self.now,
                kind=kind,
                actor_id=actor_id,
                repo_id=repo_id,
                payload=dict(payload),
                salt=secrets.token_bytes(_SALT_BYTES),
            )
        )
        self.emitted = True
        key = result.inserted_primary_key
        if key is None:
            raise RuntimeError("the outbox gave no id")
        return int(key[0])

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Run `callback` when the transaction is durable; never when it is rolled back."""
        self._after_commit.append(callback)

    def run_after_commit(self) -> None:
        """Called once by the opener of the transaction."""
        for callback in self._after_commit:
            callback()
