"""Taking things in: all at once or not at all, and nothing that could not be read again."""

import errno
import os
from pathlib import Path
from random import Random

import pytest

from allmende.archive import (
    Archive,
    EncodingRefused,
    StoreInUse,
    entry_name,
    entry_of,
    open_content,
    pack_series,
)
from allmende.codecs import BytesPlain, EncodedObject, ObjectId, ObjectMissing, Recipe, Stretch
from allmende.errors import StorageFull
from allmende.packing import MAX_DEPTH
from tests.unit.archive.stores import chunks_of, drifted, encoded, put, recipe_for


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "packs").iterdir()}


def test_what_was_committed_is_there_for_who_opens_the_store_again(folder: Path, random: Random) -> None:
    base, other = random.randbytes(70_000), random.randbytes(300)
    with Archive.create(folder) as archive:
        first = put(archive, "run/1/model", [base, other])
        second = put(archive, "run/2/model", [drifted(base, random), other], base=first.objects[0])
    with Archive.open(folder) as archive:
        for name, kept in (("run/1/model", first), ("run/2/model", second)):
            found = entry_of(archive, entry_name(name))
            assert found is not None
            assert (found.sha256, found.size_bytes) == (kept.sha256, len(kept.data))
            assert open_content(archive, kept.sha256).read() == kept.data
        shelved = archive.shelf.find([*first.objects, *second.objects])
    assert {object_id: each.depth for object_id, each in shelved.items()} == {
        first.objects[0]: 0,
        first.objects[1]: 0,
        second.objects[0]: 1,
    }
    assert [shelved[each].is_base for each in first.objects] == [True, False]
    assert shelved[second.objects[0]].stored_bytes < 1000


def test_what_is_given_up_leaves_nothing(archive: Archive, random: Random) -> None:
    data = random.randbytes(1000)
    intake = archive.intake()
    added = encoded(archive, data)
    intake.add(added)
    assert len(intake.encodings(added.object_id)) == 1
    assert files(archive.folder)
    intake.discard()
    intake.discard()
    assert files(archive.folder) == set()
    assert archive.shelf.find([added.object_id]) == {}
    with pytest.raises(ObjectMissing):
        archive.shelf.encodings(added.object_id)


def test_giving_up_after_a_commit_changes_nothing(archive: Archive, random: Random) -> None:
    kept = put(archive, "a", [random.randbytes(1000)])
    assert open_content(archive, kept.sha256).read() == kept.data


def test_packs_end_before_they_grow_too_large(
    archive: Archive, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_series, "MAX_PACK_BYTES", 100_000)
    datas = [random.randbytes(size_bytes) for size_bytes in (40_000, 40_000, 40_000, 120_000, 100)]
    kept = put(archive, "large", datas)
    sizes = [path.stat().st_size for path in sorted((archive.folder / "packs").iterdir())]
    assert [size > 100_000 for size in sizes] == [False, False, True, False]
    assert open_content(archive, kept.sha256).read() == kept.data


class TestRefusals:
    def test_a_base_that_is_not_there(self, archive: Archive, random: Random) -> None:
        intake = archive.intake()
        with pytest.raises(ObjectMissing):
            intake.add(EncodedObject(ObjectId("ab" * 32), 3, [b"abc"], frozenset({ObjectId("cd" * 32)})))
        intake.discard()

    def test_too_many_levels(self, archive: Archive, random: Random) -> None:
        data = random.randbytes(5000)
        base = put(archive, "0", [data]).objects[0]
        for level in range(1, MAX_DEPTH + 1):
            data = drifted(data, random)
            base = put(archive, str(level), [data], base=base).objects[0]
        with pytest.raises(EncodingRefused, match="levels deep"):
            put(archive, "one more", [drifted(data, random)], base=base)

    def test_an_object_on_itself(self, archive: Archive, random: Random) -> None:
        data = random.randbytes(5000)
        first = put(archive, "a", [data]).objects[0]
        second = put(archive, "b", [drifted(data, random)], base=first).objects[0]
        intake = archive.intake()
        with pytest.raises(EncodingRefused):
            intake.add(encoded(archive, data, second))
        intake.discard()

    def test_an_object_on_itself_within_one_intake(self, archive: Archive, random: Random) -> None:
        intake = archive.intake()
        one, two = ObjectId("01" * 32), ObjectId("02" * 32)
        intake.add(EncodedObject(one, 3, [b"abc"], frozenset()))
        intake.add(EncodedObject(two, 3, [b"abc"], frozenset({one})))
        with pytest.raises(EncodingRefused):
            intake.add(EncodedObject(one, 3, [b"x"], frozenset({two})))
        intake.discard()

    def test_a_base_cannot_come_to_lie_deeper(self, archive: Archive, random: Random) -> None:
        data, other = random.randbytes(5000), random.randbytes(5000)
        base = put(archive, "base", [data]).objects[0]
        put(archive, "child", [drifted(data, random)], base=base)
        apart = put(archive, "other", [other]).objects[0]
        intake = archive.intake()
        with pytest.raises(EncodingRefused, match="deeper"):
            intake.add(encoded(archive, data, apart))
        intake.discard()

    def test_another_size(self, archive: Archive, random: Random) -> None:
        kept = put(archive, "a", [random.randbytes(1000)])
        intake = archive.intake()
        with pytest.raises(EncodingRefused, match="size"):
            intake.add(EncodedObject(kept.objects[0], 999, [b"x"], frozenset()))
        intake.discard()

    def test_a_recipe_of_what_is_not_there(self, archive: Archive, random: Random) -> None:
        intake = archive.intake()
        with pytest.raises(ObjectMissing):
            intake.commit(recipe_for([random.randbytes(100)], b""))
        intake.discard()
        assert files(archive.folder) == set()

    def test_a_recipe_of_more_than_is_there(self, archive: Archive, random: Random) -> None:
        kept = put(archive, "a", [random.randbytes(100)])
        intake = archive.intake()
        with pytest.raises(EncodingRefused):
            intake.commit(Recipe(kept.sha256, 101, kept.objects, (Stretch(0, 0, 101),), b""))
        intake.discard()


def test_chunks_are_found_where_they_lie_first(archive: Archive, random: Random) -> None:
    data = random.randbytes(3500)
    kept = put(archive, "a", [data], chunked=True)
    chunks = chunks_of(data)
    assert archive.shelf.find_chunks([*chunks, b"x" * 32]) == chunks
    again = archive.intake()
    again.add(encoded(archive, data + b"more"))
    moved = {hashed: piece for hashed, piece in chunks_of(data + b"more").items() if hashed in chunks}
    again.add_chunks(moved)
    again.commit(None)
    assert archive.shelf.find_chunks(moved) == {hashed: chunks[hashed] for hashed in moved}
    assert {piece.object_id for piece in chunks.values()} == set(kept.objects)


def test_of_two_encodings_the_smaller_is_preferred_until_it_is_damaged(
    archive: Archive, random: Random
) -> None:
    data, near = random.randbytes(5000), random.randbytes(5000)
    kept = put(archive, "a", [data])
    base = put(archive, "b", [near]).objects[0]
    better = put(archive, "c", [drifted(near, random)]).objects[0]
    intake = archive.intake()
    intake.add(encoded(archive, bytes(archive_read(archive, better)), base))
    intake.commit(None)
    first, second = archive.shelf.encodings(better)
    assert first.size_bytes < second.size_bytes
    assert archive.shelf.bases_of(better) == {base}
    archive.shelf.report_damage(better, first, "a test says so")
    assert [part.size_bytes for part in archive.shelf.encodings(better)] == [
        second.size_bytes,
        first.size_bytes,
    ]
    assert archive.shelf.bases_of(kept.objects[0]) == frozenset()


def archive_read(archive: Archive, object_id: ObjectId) -> memoryview:
    from allmende.packing import shelf_plain

    plain = shelf_plain(archive.shelf, object_id)
    return plain.read_at(0, plain.size_bytes)


def test_damage_is_told_of_the_encoding_that_was_given_out(archive: Archive, random: Random) -> None:
    data = random.randbytes(5000)
    near = put(archive, "near", [data]).objects[0]
    changed = drifted(data, random)
    object_id = put(archive, "a", [changed]).objects[0]
    intake = archive.intake()
    intake.add(encoded(archive, changed, near))
    intake.commit(None)
    smaller, larger = archive.shelf.encodings(object_id)
    archive.shelf.report_damage(object_id, smaller, "one")
    # Asked for again, they come in another order: what was given before still is what it was.
    assert [part.size_bytes for part in archive.shelf.encodings(object_id)] == [
        larger.size_bytes,
        smaller.size_bytes,
    ]
    archive.shelf.report_damage(object_id, larger, "two")
    archive.shelf.report_damage(object_id, BytesPlain(b"of no row"), "three")
    with archive.database.read() as connection:
        problems = connection.execute(
            "SELECT problem FROM encoding JOIN object ON object.number = encoding.object"
            " WHERE object.id = ? ORDER BY encoding.size_bytes",
            [object_id],
        ).fetchall()
    assert problems == [("one",), ("two",)]


def test_a_second_writer_waits_or_is_told(folder: Path, archive: Archive) -> None:
    intake = archive.intake()
    with Archive.open(folder, wait_s=0.1) as other, pytest.raises(StoreInUse, match=str(os.getpid())):
        other.intake()
    intake.discard()
    with Archive.open(folder, wait_s=0) as other:
        other.intake().discard()


def test_readers_are_not_held_up_by_a_writer(folder: Path, archive: Archive, random: Random) -> None:
    kept = put(archive, "a", [random.randbytes(1000)])
    with archive.writing(), archive.database.write() as connection:
        connection.execute("DELETE FROM entry")
        with Archive.open(folder) as reader:
            assert entry_of(reader, entry_name("a")) is not None
            assert open_content(reader, kept.sha256).read() == kept.data


def test_a_full_disk_is_said_so_and_leaves_nothing(
    archive: Archive, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _parts: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kept = put(archive, "a", [random.randbytes(1000)])
    before = files(archive.folder)
    added = encoded(archive, random.randbytes(5000))
    intake = archive.intake()
    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", full)
        with pytest.raises(StorageFull):
            intake.add(added)
    intake.discard()
    assert files(archive.folder) == before
    assert open_content(archive, kept.sha256).read() == kept.data


def test_a_write_that_the_system_cuts_short_is_gone_on_with(
    archive: Archive, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.writev
    monkeypatch.setattr(os, "writev", lambda descriptor, parts: whole(descriptor, [b"".join(parts)[:100]]))
    kept = put(archive, "a", [random.randbytes(5000)])
    assert open_content(archive, kept.sha256).read() == kept.data
