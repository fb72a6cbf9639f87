"""A database file of the newest schema, a clock that the test moves, and a queue on both."""

import pytest

from allmende.jobs import SqlJobQueue
from allmende.storage import Database, migrate
from tests.integration.jobs.held_clock import HeldClock


@pytest.fixture
def clock():
    return HeldClock()


@pytest.fixture
def database_url(tmp_path):
    return f"sqlite:///{tmp_path / 'hub.db'}"


@pytest.fixture
def database(database_url, clock):
    opened = Database(database_url, clock)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def queue(database):
    return SqlJobQueue(database, max_attempts=3)


@pytest.fixture
def put(database, queue):
    """Enqueue one job in a transaction of its own."""

    def put_job(kind, payload=None, **options):
        with database.write() as uow:
            queue.enqueue(uow, kind, payload or {}, **options)

    return put_job
