"""A queue that gives up after three attempts, and a short way to enqueue."""

from pathlib import Path
from typing import Any, Protocol

import pytest

from allmende.jobs import SqlJobQueue
from allmende.storage import Database


class Put(Protocol):
    """Enqueue one job in a transaction of its own."""

    def __call__(self, kind: str, payload: dict[str, Any] | None = None, **options: Any) -> None: ...


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hub.db'}"


@pytest.fixture
def queue(database: Database) -> SqlJobQueue:
    return SqlJobQueue(database, max_attempts=3)


@pytest.fixture
def put(database: Database, queue: SqlJobQueue) -> Put:
    def put_job(kind: str, payload: dict[str, Any] | None = None, **options: Any) -> None:
        with database.write() as uow:
            queue.enqueue(uow, kind, payload or {}, **options)

    return put_job
