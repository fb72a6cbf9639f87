"""The epoch changes when the memory of clients may be wrong, and at no other time."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from allmende.ids import AccountId
from allmende.storage import (
    Database,
    migrate,
    read_epoch,
    read_generation,
    renew_epoch,
    renew_scope,
    settle_epoch,
)

Open = Callable[[Path], Database]


@pytest.fixture
def open_database() -> Iterator[Open]:
    opened: list[Database] = []

    def run(data: Path) -> Database:
        database = Database(f"sqlite:///{data / 'allmende.db'}")
        migrate(database)
        opened.append(database)
        return database

    yield run
    for database in opened:
        database.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def epoch_of(database: Database) -> str:
    with database.read() as uow:
        return read_epoch(uow)


def start(open_database: Open, data: Path) -> tuple[bool, str]:
    """A start of the hub, and its end."""
    database = open_database(data)
    renewed = settle_epoch(database, data)
    epoch = epoch_of(database)
    database.close()
    return renewed, epoch


def test_a_new_folder_begins_an_epoch(open_database: Open, data: Path) -> None:
    renewed, epoch = start(open_database, data)
    assert renewed
    assert len(epoch) == 12


def test_a_start_on_the_same_folder_keeps_it(open_database: Open, data: Path) -> None:
    _, first = start(open_database, data)
    for _ in range(3):
        assert start(open_database, data) == (False, first)


def test_a_copy_of_the_folder_begins_one(open_database: Open, data: Path, tmp_path: Path) -> None:
    _, first = start(open_database, data)
    for copy in (tmp_path / "one", tmp_path / "two"):
        shutil.copytree(data, copy)
        renewed, epoch = start(open_database, copy)
        assert renewed
        assert epoch != first
    assert start(open_database, data) == (False, first)


def test_a_backup_that_is_put_back_begins_one(open_database: Open, data: Path, tmp_path: Path) -> None:
    _, first = start(open_database, data)
    shutil.copytree(data, tmp_path / "backup")
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "backup", data)
    renewed, epoch = start(open_database, data)
    assert renewed
    assert epoch != first


def test_a_folder_that_is_moved_keeps_it(open_database: Open, data: Path, tmp_path: Path) -> None:
    """Nothing is lost by a move within a disk."""
    _, first = start(open_database, data)
    data.rename(tmp_path / "elsewhere")
    # The clock of the inode of the marker stands still when the folder above it moves.
    assert start(open_database, tmp_path / "elsewhere") == (False, first)


def test_an_older_database_that_is_written_in_place_begins_one(
    open_database: Open, data: Path, tmp_path: Path
) -> None:
    start(open_database, data)
    backup = (data / "allmende.db").read_bytes()
    _, before = start(open_database, data)
    number = (data / "allmende.db").stat().st_ino
    (data / "allmende.db").write_bytes(backup)
    assert (data / "allmende.db").stat().st_ino == number
    renewed, epoch = start(open_database, data)
    assert renewed
    assert epoch != before


def test_an_older_database_in_the_place_of_the_newer_one_begins_one(
    open_database: Open, data: Path, tmp_path: Path
) -> None:
    start(open_database, data)
    shutil.copy(data / "allmende.db", tmp_path / "backup.db")
    (tmp_path / "backup.db").replace(data / "allmende.db")
    assert start(open_database, data)[0]


@pytest.mark.parametrize("change", ["deleted", "copied", "empty", "other words"])
def test_another_marker_begins_one(open_database: Open, data: Path, tmp_path: Path, change: str) -> None:
    _, first = start(open_database, data)
    marker = data / "xet-mark"
    if change == "deleted":
        marker.unlink()
    elif change == "copied":
        shutil.copy2(marker, tmp_path / "mark")
        (tmp_path / "mark").replace(marker)
    else:
        marker.write_text("" if change == "empty" else "x" * 32)
    renewed, epoch = start(open_database, data)
    assert renewed
    assert epoch != first
    assert start(open_database, data) == (False, epoch)


def test_a_database_that_was_never_started_begins_one(
    open_database: Open, data: Path, tmp_path: Path
) -> None:
    start(open_database, data)
    (data / "allmende.db").unlink()
    assert start(open_database, data)[0]


def test_an_epoch_is_begun_by_hand(open_database: Open, data: Path) -> None:
    database = open_database(data)
    seen = {epoch_of(database)}
    for _ in range(3):
        with database.write() as uow:
            said = renew_epoch(uow)
        assert epoch_of(database) == said
        seen.add(said)
    assert len(seen) == 4


def test_a_scope_is_renewed_for_one_account(open_database: Open, data: Path) -> None:
    database = open_database(data)
    one, two = AccountId(1), AccountId(2)
    for times in (1, 2, 3):
        with database.write() as uow:
            renew_scope(uow, one)
        with database.read() as uow:
            assert (read_generation(uow, one), read_generation(uow, two)) == (times, 0)
