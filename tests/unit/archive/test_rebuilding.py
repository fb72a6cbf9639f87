"""Making the database anew from the packs: everything comes back, and what cannot is told."""

from pathlib import Path
from random import Random

import pytest

from allmende.archive import (
    Archive,
    StoreMissing,
    check_archive,
    collect_garbage,
    figures_of,
    list_entries,
    open_content,
    rebuild_database,
)
from allmende.archive.pack_files import records_of
from allmende.archive.records import Kind
from tests.unit.archive.stores import Kept, chunks_of, drifted, put


@pytest.fixture
def kept(archive: Archive, random: Random) -> dict[str, Kept]:
    base, text = random.randbytes(9000), random.randbytes(3000)
    found = {"a": put(archive, "a", [base], key=random.randbytes(256))}
    found["b"] = put(archive, "b", [drifted(base, random)], base=found["a"].objects[0])
    found["c"] = put(archive, "c", [text], chunked=True)
    found["d"] = put(archive, "d", [text, base])
    return found


def test_nothing_is_lost(archive: Archive, folder: Path, kept: dict[str, Kept]) -> None:
    entries, figures = list_entries(archive), figures_of(archive)
    text = kept["c"].data[:3000]
    archive.close()
    (folder / "archive.db").unlink()
    found = rebuild_database(folder)
    assert (found.packs, found.objects, found.contents, found.entries, found.lost) == (4, 3, 4, 4, [])
    with Archive.open(folder) as again:
        assert list_entries(again) == entries
        assert figures_of(again).entries == figures.entries
        assert again.shelf.find_chunks(chunks_of(text)) == chunks_of(text)
        for each in kept.values():
            assert open_content(again, each.sha256).read() == each.data
        assert check_archive(again, deep=True).sound


def test_the_log_of_the_old_database_is_not_taken_for_the_new_ones(
    archive: Archive, folder: Path, kept: dict[str, Kept]
) -> None:
    entries = list_entries(archive)
    # The store is still open, so its log is there; and what is in it is of other pages.
    assert (folder / "archive.db-wal").exists()
    rebuild_database(folder)
    with Archive.open(folder) as again:
        assert list_entries(again) == entries
        assert check_archive(again, deep=True).sound


def test_what_a_crash_left_before_its_commit_comes_to_be_there(
    archive: Archive, folder: Path, kept: dict[str, Kept], random: Random
) -> None:
    with Archive.create(folder.parent / "other") as other:
        late = [put(other, f"late/{number}", [random.randbytes(100)]) for number in range(5)][-1]
        (folder / "packs" / "0000000005.pack").write_bytes(other.packs.path(5).read_bytes())
    archive.close()
    assert rebuild_database(folder).entries == 5
    with Archive.open(folder) as again:
        assert open_content(again, late.sha256).read() == late.data


def test_what_is_damaged_is_told_and_all_else_is_there(
    archive: Archive, folder: Path, kept: dict[str, Kept]
) -> None:
    (record,) = (each for each in records_of(archive.packs, 1) if each.head.kind is Kind.ENCODING)
    path = archive.packs.path(1)
    whole = bytearray(path.read_bytes())
    whole[record.end - 1] ^= 1
    path.write_bytes(whole)
    archive.close()
    found = rebuild_database(folder)
    assert found.entries == 1
    assert any("0000000001.pack" in lost for lost in found.lost)
    with Archive.open(folder) as again:
        assert [entry.name for entry in list_entries(again)] == ["c"]
        assert open_content(again, kept["c"].sha256).read() == kept["c"].data
        checked = check_archive(again, deep=True)
        assert checked.sound
        assert [note.kind for note in checked.notes] == ["record"]
        collect_garbage(again)
        assert check_archive(again, deep=True).notes == []


def test_a_pack_that_ends_early_gives_what_is_in_it(
    archive: Archive, folder: Path, kept: dict[str, Kept]
) -> None:
    _, second, *_ = records_of(archive.packs, 4)
    path = archive.packs.path(4)
    path.write_bytes(path.read_bytes()[: second.end - 1])
    archive.close()
    assert rebuild_database(folder).entries == 3
    with Archive.open(folder) as again:
        assert {problem.kind for problem in check_archive(again, deep=True).problems} == {"pack"}
        collect_garbage(again)
        assert check_archive(again, deep=True).sound
        for name in "abc":
            assert open_content(again, kept[name].sha256).read() == kept[name].data


def test_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        rebuild_database(tmp_path)
