"""A flipped bit anywhere in a store: found, never given out as good, and gone when it is flipped back."""

import os
from pathlib import Path
from random import Random

import pytest

from allmende.archive import (
    Archive,
    NotAStore,
    StoreDamaged,
    add_file,
    check_archive,
    entry_name,
    list_entries,
    open_content,
)
from allmende.errors import Damaged, NotFound
from tests.integration.archive.training import write_run

FLIPS = 50
CAMPAIGN_FLIPS = 1000
STEPS = 4


@pytest.fixture
def truth(tmp_path: Path) -> dict[str, bytes]:
    """A store of a few checkpoints and a text, and what is in it."""
    found = {}
    with Archive.create(tmp_path / "store") as archive:
        for path in write_run(tmp_path / "run", STEPS):
            name = str(path.relative_to(tmp_path))
            add_file(archive, path, entry_name(name))
            found[name] = path.read_bytes()
        text = tmp_path / "text"
        text.write_bytes(b"".join(f"line {number * number}\n".encode() for number in range(20_000)))
        add_file(archive, text, entry_name("text"))
        found["text"] = text.read_bytes()
    return found


def flip(path: Path, place: int) -> None:
    descriptor = os.open(path, os.O_RDWR)
    byte = os.pread(descriptor, 1, place // 8)[0]
    os.pwrite(descriptor, bytes([byte ^ 1 << place % 8]), place // 8)
    os.close(descriptor)


def flip_and_look(folder: Path, truth: dict[str, bytes], flips: int, seed: int) -> None:
    random = Random(seed)
    packs = sorted((folder / "packs").iterdir())
    sizes = [path.stat().st_size for path in packs]
    for _ in range(flips):
        path = random.choices(packs, sizes)[0]
        place = random.randrange(8 * path.stat().st_size)
        flip(path, place)
        with Archive.open(folder) as archive:
            assert not check_archive(archive, deep=True).sound, (path.name, place)
            for entry in list_entries(archive):
                try:
                    given = open_content(archive, entry.sha256).read()
                except (Damaged, NotFound):
                    continue
                assert given == truth[str(entry.name)], (path.name, place)
        flip(path, place)
        with Archive.open(folder) as archive, archive.database.write() as connection:
            connection.execute("UPDATE encoding SET problem = NULL")
    with Archive.open(folder) as archive:
        assert check_archive(archive, deep=True).sound


def flip_database_and_look(folder: Path, truth: dict[str, bytes], flips: int, seed: int) -> None:
    """A flip may lie where the database keeps nothing; then everything is as it was."""
    random = Random(seed)
    path = folder / "archive.db"
    sound = path.read_bytes()
    found_count = 0
    for _ in range(flips):
        changed = bytearray(sound)
        place = random.randrange(8 * len(sound))
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        given = {}
        try:
            with Archive.open(folder) as archive:
                found = not check_archive(archive).sound
                for entry in list_entries(archive):
                    try:
                        given[str(entry.name)] = open_content(archive, entry.sha256).read()
                    except (Damaged, NotFound):
                        continue
        except (StoreDamaged, NotAStore):
            found = True
        assert found or given == truth, place
        found_count += found
        for leftover in folder.glob("archive.db-*"):
            leftover.unlink()
    assert found_count
    path.write_bytes(sound)


@pytest.mark.slow
def test_fifty_flips_of_the_database_are_found_or_change_nothing(
    tmp_path: Path, truth: dict[str, bytes]
) -> None:
    flip_database_and_look(tmp_path / "store", truth, FLIPS, 3)


@pytest.mark.slow
def test_fifty_flips_are_found(tmp_path: Path, truth: dict[str, bytes]) -> None:
    flip_and_look(tmp_path / "store", truth, FLIPS, 1)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_thousand_flips_are_found(tmp_path: Path, truth: dict[str, bytes]) -> None:
    flip_and_look(tmp_path / "store", truth, CAMPAIGN_FLIPS, 2)
    flip_database_and_look(tmp_path / "store", truth, CAMPAIGN_FLIPS, 4)
