"""Checking a store: whatever bit is flipped, it is found, and nothing wrong is given out as good."""

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from allmende.archive import (
    Archive,
    EntryMissing,
    check_archive,
    entry_name,
    list_entries,
    open_content,
    remove_entries,
)
from allmende.archive.pack_files import records_of
from allmende.archive.records import Kind
from allmende.errors import Damaged
from tests.unit.archive.stores import Kept, drifted, put

FLIPS = 12
"""Fifty, and a thousand, are tried on stores that were filled by packing."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Kept]]:
    """A closed store with something of each kind in it."""
    random = Random(6)
    folder = tmp_path_factory.mktemp("stored") / "store"
    kept: dict[str, Kept] = {}
    with Archive.create(folder) as archive:
        base = random.randbytes(20_000)
        kept["run/0/model"] = put(archive, "run/0/model", [base, b"z" * 9000], key=random.randbytes(256))
        for number in range(1, 4):
            name = f"run/{number}/model"
            kept[name] = put(archive, name, [drifted(base, random)], base=kept["run/0/model"].objects[0])
        kept["data/text"] = put(archive, "data/text", [random.randbytes(5000)], chunked=True)
        put(archive, "gone", [random.randbytes(200)])
        remove_entries(archive, [entry for entry in list_entries(archive) if entry.name == "gone"])
    return folder, kept


@pytest.fixture
def copied(stored: tuple[Path, dict[str, Kept]], tmp_path: Path) -> Path:
    shutil.copytree(stored[0], tmp_path / "copy")
    return tmp_path / "copy"


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place // 8)
        byte = file.read(1)[0]
        file.seek(place // 8)
        file.write(bytes([byte ^ 1 << place % 8]))


def problems(folder: Path, *, deep: bool) -> set[str]:
    with Archive.open(folder, wait_s=0) as archive:
        return {found.kind for found in check_archive(archive, deep=deep).problems}


def readable(folder: Path) -> dict[str, bytes]:
    """What can still be read of a store, by name; what cannot says so."""
    found = {}
    with Archive.open(folder, wait_s=0) as archive:
        for entry in list_entries(archive):
            try:
                found[str(entry.name)] = open_content(archive, entry.sha256).read()
            except (Damaged, EntryMissing):
                continue
    return found


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_store_is_sound(copied: Path, deep: bool) -> None:
    with Archive.open(copied) as archive:
        found = check_archive(archive, deep=deep)
    assert found.sound
    assert (found.entries, found.contents, found.encodings, found.packs) == (5, 6, 7, 7)
    assert [note.kind for note in found.notes] == ["garbage"]


def test_every_flipped_bit_of_a_pack_is_found_and_never_given_out(
    copied: Path, stored: tuple[Path, dict[str, Kept]]
) -> None:
    random = Random(50)
    truth = {name: kept.data for name, kept in stored[1].items()}
    packs = sorted((copied / "packs").iterdir())
    sizes = [path.stat().st_size for path in packs]
    for _ in range(FLIPS):
        path = random.choices(packs, sizes)[0]
        place = random.randrange(8 * path.stat().st_size)
        flip(path, place)
        assert problems(copied, deep=True), (path.name, place)
        given = readable(copied)
        assert given.items() <= truth.items(), (path.name, place)
        flip(path, place)
        mend(copied)
    assert problems(copied, deep=True) == set()
    assert readable(copied) == truth


def mend(folder: Path) -> None:
    """Forget of damage that was found: the bytes are right again."""
    with Archive.open(folder) as archive, archive.database.write() as connection:
        connection.execute("UPDATE encoding SET problem = NULL")


class TestWithoutReadingEverything:
    def test_a_pack_that_is_gone(self, copied: Path) -> None:
        (copied / "packs" / "0000000002.pack").unlink()
        assert "pack" in problems(copied, deep=False)
        given = readable(copied)
        assert "run/1/model" not in given
        assert "run/2/model" in given

    def test_a_pack_that_is_cut_off(self, copied: Path) -> None:
        path = copied / "packs" / "0000000001.pack"
        path.write_bytes(path.read_bytes()[:-1])
        assert "pack" in problems(copied, deep=False)

    def test_a_damaged_head(self, copied: Path) -> None:
        with Archive.open(copied) as archive:
            record = next(iter(records_of(archive.packs, 1)))
        flip(copied / "packs" / "0000000001.pack", 8 * record.start + 3)
        assert "pack" in problems(copied, deep=False)

    @pytest.mark.parametrize(
        ("change", "kind"),
        [
            ("UPDATE encoding SET start = start + 1 WHERE number = 2", "encoding"),
            ("UPDATE encoding SET size_bytes = size_bytes - 1 WHERE number = 2", "encoding"),
            ("UPDATE encoding SET depth = 2 WHERE number = 3", "encoding"),
            ("UPDATE object SET size_bytes = size_bytes + 1 WHERE number = 2", "encoding"),
            ("UPDATE object SET id = replace(id, substr(id, 1, 1), 'e') WHERE number = 2", "encoding"),
            ("DELETE FROM base WHERE encoding = 3", "encoding"),
            ("UPDATE chunk SET start = start + 1", "chunks"),
            ("UPDATE recipe SET size_bytes = size_bytes + 1 WHERE number = 1", "recipe"),
            ("UPDATE recipe SET literal_bytes = 0 WHERE number = 1", "recipe"),
            ("UPDATE covers SET size_bytes = size_bytes - 1 WHERE recipe = 1", "recipe"),
            ("UPDATE entry SET name = 'run/9/model' WHERE name = 'run/1/model'", "entry"),
            ("UPDATE entry SET recipe = 1 WHERE name = 'run/1/model'", "entry"),
            ("UPDATE entry SET sequence = 0 WHERE name = 'run/1/model'", "entry"),
            ("UPDATE entry SET key = NULL WHERE name = 'run/0/model'", "entry"),
            ("DELETE FROM entry WHERE name = 'run/1/model'", "entry"),
            ("UPDATE pack SET size_bytes = size_bytes + 1 WHERE number = 1", "pack"),
        ],
    )
    def test_a_row_that_says_other_than_the_packs(self, copied: Path, change: str, kind: str) -> None:
        connection = sqlite3.connect(copied / "archive.db", isolation_level=None)
        assert connection.execute(change).rowcount >= 1
        connection.close()
        assert kind in problems(copied, deep=False)


def test_damage_of_one_encoding_is_survived_where_there_is_another(
    archive: Archive, folder: Path, random: Random
) -> None:
    from tests.unit.archive.stores import encoded

    data = random.randbytes(5000)
    near = put(archive, "near", [data])
    changed = drifted(data, random)
    kept = put(archive, "a", [changed])
    intake = archive.intake()
    intake.add(encoded(archive, changed, near.objects[0]))
    intake.commit(None)
    (record,) = (each for each in records_of(archive.packs, 3) if each.head.kind is Kind.ENCODING)
    flip(archive.packs.path(3), 8 * (record.end - 2))
    found = check_archive(archive, deep=True)
    assert {problem.kind for problem in found.problems} == {"record", "encoding"}
    assert open_content(archive, kept.sha256).read() == kept.data
    # The damaged one is remembered, and so is not tried first any more.
    assert [note.kind for note in check_archive(archive).notes] == ["damaged"]


def test_what_no_row_names_is_told(archive: Archive, random: Random) -> None:
    put(archive, "a", [random.randbytes(100)])
    path = archive.packs.path(1)
    archive.packs.path(7).write_bytes(path.read_bytes())
    archive.packs.temporary(8).write_bytes(b"half")
    found = check_archive(archive, deep=True)
    assert found.sound
    assert {note.subject for note in found.notes} == {"0000000007.pack", "0000000008.part"}


def test_progress_is_told_to_the_end(archive: Archive, random: Random) -> None:
    put(archive, entry_name("a"), [random.randbytes(3000)])
    told: list[tuple[int, int]] = []
    check_archive(archive, deep=True, tell=lambda done, of: told.append((done, of)))
    assert told[-1] == (6004, 6004)
    assert sorted(told) == told
