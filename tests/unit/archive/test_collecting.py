"""Garbage: what nothing needs goes, what anything needs stays, and the space comes back."""

from random import Random

import pytest

from allmende.archive import (
    Archive,
    check_archive,
    collect_garbage,
    entries_below,
    entry_name,
    list_entries,
    open_content,
    rebuild_database,
    remove_entries,
    rewriting,
)
from allmende.codecs import DamagedObject
from tests.unit.archive.stores import chunks_of, drifted, encoded, put


def remove(archive: Archive, name: str) -> None:
    remove_entries(archive, entries_below(archive, entry_name(name)))


def pack_bytes(archive: Archive) -> int:
    return sum(path.stat().st_size for path in archive.packs.folder.iterdir())


def test_nothing_is_garbage_in_a_fresh_store(archive: Archive, random: Random) -> None:
    put(archive, "a", [random.randbytes(2000)])
    before = sorted(path.name for path in archive.packs.folder.iterdir())
    found = collect_garbage(archive)
    assert (found.contents, found.objects, found.encodings, found.orphans, found.freed_bytes) == (
        0,
        0,
        0,
        0,
        0,
    )
    assert sorted(path.name for path in archive.packs.folder.iterdir()) == before


def test_what_was_removed_is_forgotten_and_its_space_is_free(archive: Archive, random: Random) -> None:
    kept = put(archive, "kept", [random.randbytes(2000)])
    gone = put(archive, "gone", [random.randbytes(50_000)], chunked=True)
    remove(archive, "gone")
    before = pack_bytes(archive)
    planned = collect_garbage(archive, dry_run=True)
    assert pack_bytes(archive) == before
    assert (planned.contents, planned.objects, planned.freed_bytes) == (1, 1, 0)
    assert planned.garbage_bytes > 50_000
    found = collect_garbage(archive)
    assert before - pack_bytes(archive) == found.freed_bytes > 49_000
    assert archive.shelf.find(gone.objects) == {}
    assert archive.shelf.find_chunks(chunks_of(gone.data[:50_000])) == {}
    assert open_content(archive, kept.sha256).read() == kept.data
    checked = check_archive(archive, deep=True)
    assert checked.sound
    assert checked.notes == []


def test_a_second_run_finds_nothing(archive: Archive, random: Random) -> None:
    for number in range(6):
        put(archive, f"a/{number}", [random.randbytes(1000)])
    remove(archive, "a/1")
    remove(archive, "a/4")
    collect_garbage(archive)
    again = collect_garbage(archive)
    assert (again.objects, again.rewritten_packs, again.freed_bytes) == (0, 0, 0)


def test_a_base_stays_as_long_as_anything_is_predicted_from_it(archive: Archive, random: Random) -> None:
    data = random.randbytes(20_000)
    base = put(archive, "base", [data])
    child = put(archive, "child", [drifted(data, random)], base=base.objects[0])
    remove(archive, "base")
    found = collect_garbage(archive)
    assert (found.contents, found.objects, found.bases) == (1, 0, 1)
    assert found.bases_bytes > 19_000
    assert open_content(archive, child.sha256).read() == child.data
    remove(archive, "child")
    assert collect_garbage(archive).objects == 2
    assert archive.shelf.find([*base.objects, *child.objects]) == {}


def test_of_several_encodings_the_smallest_stays_once_it_was_read(archive: Archive, random: Random) -> None:
    data = random.randbytes(5000)
    near = put(archive, "near", [data])
    changed = drifted(data, random)
    kept = put(archive, "a", [changed])
    intake = archive.intake()
    intake.add(encoded(archive, changed, near.objects[0]))
    intake.commit(None)
    assert len(archive.shelf.encodings(kept.objects[0])) == 2
    assert collect_garbage(archive).encodings == 1
    (left,) = archive.shelf.encodings(kept.objects[0])
    assert left.size_bytes < 1000
    assert open_content(archive, kept.sha256).read() == kept.data
    assert check_archive(archive, deep=True).sound


def test_the_smallest_does_not_supersede_when_it_is_damaged(archive: Archive, random: Random) -> None:
    data = random.randbytes(5000)
    near = put(archive, "near", [data])
    changed = drifted(data, random)
    kept = put(archive, "a", [changed])
    intake = archive.intake()
    intake.add(encoded(archive, changed, near.objects[0]))
    intake.commit(None)
    path = archive.packs.path(3)
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    collect_garbage(archive)
    (left,) = archive.shelf.encodings(kept.objects[0])
    assert left.size_bytes > 4000
    assert open_content(archive, kept.sha256).read() == kept.data
    assert check_archive(archive, deep=True).sound


def test_what_crashes_left_goes(archive: Archive, random: Random) -> None:
    kept = put(archive, "a", [random.randbytes(100)])
    archive.packs.path(9).write_bytes(b"of a writer that was killed before its commit")
    archive.packs.temporary(10).write_bytes(b"and before that")
    assert collect_garbage(archive).orphans == 2
    assert [path.name for path in archive.packs.folder.iterdir()] == ["0000000001.pack"]
    assert open_content(archive, kept.sha256).read() == kept.data


def test_many_small_packs_become_one(
    archive: Archive, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "_MOST_SMALL", 5)
    kept = [put(archive, f"a/{number}", [random.randbytes(500)], chunked=True) for number in range(5)]
    before = list_entries(archive)
    found = collect_garbage(archive)
    assert found.rewritten_packs == 5
    assert len(list(archive.packs.folder.iterdir())) == 1
    assert list_entries(archive) == before
    for each in kept:
        assert open_content(archive, each.sha256).read() == each.data
        assert len(archive.shelf.find_chunks(chunks_of(each.data[:500]))) == 1
    assert check_archive(archive, deep=True).sound


@pytest.mark.parametrize("part", ["head", "body"])
def test_damaged_packs_are_left_as_they_are(archive: Archive, random: Random, part: str) -> None:
    shared, large = random.randbytes(900), random.randbytes(5000)
    put(archive, "a", [large, shared], tail=b"")
    other = put(archive, "b", [shared])
    remove(archive, "a")
    path = archive.packs.path(1)
    whole = bytearray(path.read_bytes())
    whole[40 if part == "head" else whole.index(shared) + 5] ^= 1
    path.write_bytes(whole)
    found = collect_garbage(archive)
    assert found.damaged_packs == (1,)
    assert path.read_bytes() == bytes(whole)
    assert [entry.name for entry in list_entries(archive)] == ["b"]
    if part == "body":
        with pytest.raises(DamagedObject):
            open_content(archive, other.sha256).read()
    else:
        assert open_content(archive, other.sha256).read() == other.data


def test_names_do_not_come_back_when_the_database_is_made_anew(archive: Archive, random: Random) -> None:
    kept = {f"a/{number}": put(archive, f"a/{number}", [random.randbytes(700)]) for number in range(5)}
    remove(archive, "a/0")
    collect_garbage(archive)
    remove(archive, "a/1")
    put(archive, "a/2", [random.randbytes(700)])
    before = list_entries(archive)
    archive.close()
    assert rebuild_database(archive.folder).lost == []
    with Archive.open(archive.folder) as again:
        assert list_entries(again) == before
        assert {entry.name for entry in before} == {"a/2", "a/3", "a/4"}
        assert open_content(again, kept["a/3"].sha256).read() == kept["a/3"].data
        assert check_archive(again, deep=True).sound


def test_a_reader_that_has_a_content_open_goes_on(archive: Archive, random: Random) -> None:
    kept = put(archive, "a", [random.randbytes(3000), random.randbytes(3000)])
    put(archive, "b", [random.randbytes(3000)])
    given = archive.shelf.encodings(kept.objects[0])
    before = [bytes(part.read_at(0, part.size_bytes)) for part in given]
    with Archive.open(archive.folder) as other:
        remove(other, "a")
        collect_garbage(other)
    assert [bytes(part.read_at(0, part.size_bytes)) for part in given] == before
