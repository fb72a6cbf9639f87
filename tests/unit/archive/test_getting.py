"""Getting contents out: whole or not at all, verified, and going on after a cut."""

import fcntl
from pathlib import Path
from random import Random

import pytest

from allmende.archive import Archive, Entry, FileInTheWay, entries_below, entry_name, get_content
from allmende.codecs import DamagedObject
from tests.unit.archive.stores import Kept, put


@pytest.fixture
def kept(archive: Archive, random: Random) -> Kept:
    return put(archive, "run/model", [random.randbytes(700_000), random.randbytes(900_000)])


@pytest.fixture
def entry(archive: Archive, kept: Kept) -> Entry:
    return entries_below(archive, entry_name("run"))[0]


def part_of(path: Path, entry: Entry) -> Path:
    return path.parent / f".allmende-{entry.sha256[:32]}.part"


def get(archive: Archive, entry: Entry, path: Path, *, replace: bool = False) -> tuple[bool, int]:
    """Whether it was written, and how many bytes were told of."""
    told: list[int] = []
    return get_content(archive, entry, path, replace=replace, tell=told.append), sum(told)


def test_it_is_what_it_was(archive: Archive, entry: Entry, kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "out" / "deep" / "model"
    assert get(archive, entry, path) == (True, len(kept.data))
    assert path.read_bytes() == kept.data
    assert [each.name for each in path.parent.iterdir()] == ["model"]
    assert get(archive, entry, path) == (False, len(kept.data))


def test_another_file_is_written_over_only_when_that_is_said(
    archive: Archive, entry: Entry, kept: Kept, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"x" * len(kept.data))
    with pytest.raises(FileInTheWay):
        get(archive, entry, path)
    assert path.read_bytes() == b"x" * len(kept.data)
    assert get(archive, entry, path, replace=True)[0]
    assert path.read_bytes() == kept.data


def test_a_folder_in_the_way(archive: Archive, entry: Entry, tmp_path: Path) -> None:
    with pytest.raises(FileInTheWay):
        get(archive, entry, tmp_path, replace=True)


@pytest.mark.parametrize("done", [0, 1, 700_001, 1_600_003])
def test_it_goes_on_where_it_was_cut_off(
    archive: Archive, entry: Entry, kept: Kept, tmp_path: Path, done: int
) -> None:
    path = tmp_path / "model"
    part_of(path, entry).write_bytes(kept.data[:done])
    assert get(archive, entry, path)[0]
    assert path.read_bytes() == kept.data


@pytest.mark.parametrize("left", [b"\0" * 1000, b"\0" * 1_600_004, b"\0" * 2_000_000])
def test_it_begins_anew_when_what_is_left_is_wrong(
    archive: Archive, entry: Entry, kept: Kept, tmp_path: Path, left: bytes
) -> None:
    path = tmp_path / "model"
    part_of(path, entry).write_bytes(left)
    assert get(archive, entry, path)[0]
    assert path.read_bytes() == kept.data


def test_two_do_not_write_the_same_file(archive: Archive, entry: Entry, tmp_path: Path) -> None:
    path = tmp_path / "model"
    with part_of(path, entry).open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(FileInTheWay):
            get(archive, entry, path)
    assert not path.exists()


def test_damage_is_never_given_a_name(archive: Archive, entry: Entry, kept: Kept, tmp_path: Path) -> None:
    pack = archive.packs.path(1)
    whole = bytearray(pack.read_bytes())
    whole[len(whole) // 2] ^= 4
    pack.write_bytes(whole)
    path = tmp_path / "model"
    with pytest.raises(DamagedObject):
        get(archive, entry, path)
    assert not path.exists()
