"""A hub's database and stores in a temporary folder, with a clock that a test can move."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from allmende.jobs import SqlJobQueue
from allmende.registry import Account, Actor, authenticate, create_account, issue_token
from allmende.storage import Database, LocalContentStore
from tests.databases import new_schema


class HeldClock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def database(tmp_path: Path, clock: HeldClock) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'hub.db'}", clock)
    new_schema(opened)
    yield opened
    opened.close()


@pytest.fixture
def contents(tmp_path: Path) -> LocalContentStore:
    return LocalContentStore(tmp_path / "contents")


@pytest.fixture
def queue(database: Database) -> SqlJobQueue:
    return SqlJobQueue(database)


@pytest.fixture
def alice(database: Database) -> Actor:
    """A user with a writing token."""
    return new_user(database, "alice")


@pytest.fixture
def bob(database: Database) -> Actor:
    """Another user with a writing token."""
    return new_user(database, "bob")


def new_user(database: Database, name: str) -> Actor:
    with database.write() as uow:
        user: Account = create_account(uow, name, "user")
        secret = issue_token(uow, user, "work", "write")
        return authenticate(uow, secret)
