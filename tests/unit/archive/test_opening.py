"""Opening and making stores: one that is there, one that is not, and folders of other things."""

import multiprocessing
import sqlite3
from pathlib import Path
from random import Random

import pytest

from allmende.archive import Archive, NotAStore, StoreDamaged, StoreInUse, StoreMissing, list_entries
from allmende.archive.writing_lock import WritingLock
from tests.unit.archive.stores import put


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing) as caught:
        Archive.open(tmp_path / "store")
    assert caught.value.hint
    assert not (tmp_path / "store").exists()


def test_one_is_made_once(folder: Path, random: Random) -> None:
    with Archive.create(folder) as archive:
        put(archive, "a", [random.randbytes(100)])
    with Archive.create(folder) as archive:
        assert [entry.name for entry in list_entries(archive)] == ["a"]


@pytest.mark.parametrize("name", ["model.safetensors", "packs", "archive"])
def test_a_folder_of_other_things_is_not_made_a_store(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(NotAStore):
        Archive.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(NotAStore):
        Archive.create(path)


@pytest.mark.parametrize(
    "left", [(), ("packs",), ("packs", "write.lock"), ("packs", "write.lock", "archive.db")]
)
def test_making_one_that_was_cut_off_goes_on(folder: Path, left: tuple[str, ...]) -> None:
    folder.mkdir()
    for name in left:
        (folder / name).mkdir() if name == "packs" else (folder / name).touch()
    with Archive.create(folder) as archive:
        assert list_entries(archive) == []


def test_packs_without_a_database(folder: Path, random: Random) -> None:
    with Archive.create(folder) as archive:
        put(archive, "a", [random.randbytes(100)])
    (folder / "archive.db").unlink()
    for opening in (Archive.open, Archive.create):
        with pytest.raises(StoreDamaged) as caught:
            opening(folder)
        assert "--rebuild" in str(caught.value.hint)


def test_another_database(folder: Path) -> None:
    folder.mkdir()
    connection = sqlite3.connect(folder / "archive.db")
    connection.execute("CREATE TABLE things (name)")
    connection.close()
    with pytest.raises(NotAStore):
        Archive.open(folder)


def test_a_store_of_a_later_version(folder: Path) -> None:
    Archive.create(folder).close()
    connection = sqlite3.connect(folder / "archive.db")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(NotAStore, match="version 2"):
        Archive.open(folder)


def test_a_database_that_is_none(folder: Path) -> None:
    Archive.create(folder).close()
    (folder / "archive.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreDamaged):
        Archive.open(folder)


def test_a_store_by_whom_it_may_be_cannot_name_files_elsewhere(folder: Path, random: Random) -> None:
    with Archive.create(folder) as archive:
        put(archive, "a", [random.randbytes(100)])
        with archive.database.write() as connection:
            connection.execute("UPDATE entry SET name = '../../a'")
        with pytest.raises(StoreDamaged, match="name"):
            list_entries(archive)


class TestLock:
    def test_who_holds_it_may_take_it_again(self, tmp_path: Path) -> None:
        lock, other = WritingLock(tmp_path), WritingLock(tmp_path)
        with lock.held(0):
            with lock.held(0), pytest.raises(StoreInUse):
                other.take(0)
            with pytest.raises(StoreInUse):
                other.take(0.1)
        with other.held(0):
            pass

    def test_a_child_that_was_forked_meanwhile_does_not_keep_it(self, tmp_path: Path) -> None:
        lock, other = WritingLock(tmp_path), WritingLock(tmp_path)
        end = multiprocessing.Event()
        child = multiprocessing.get_context("fork").Process(target=end.wait, args=(60,))
        with lock.held(0):
            child.start()
        try:
            with other.held(0):
                pass
        finally:
            end.set()
            child.join()

    def test_it_ends_with_its_process(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("fork")
        holder = context.Process(target=_hold_and_die, args=(tmp_path,))
        holder.start()
        holder.join(30)
        with WritingLock(tmp_path).held(0):
            pass


def _hold_and_die(folder: Path) -> None:
    import os

    WritingLock(folder).take(0)
    os._exit(1)
