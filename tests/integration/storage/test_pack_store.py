"""Packs: appended to, readable before and after they are finished, durable under their location."""

from pathlib import Path

import pytest

from allmende.codecs import (
    BytesPlain,
    DamagedObject,
    Decoding,
    MalformedEncoding,
    ObjectId,
    ObjectMissing,
    Plain,
    word_type,
    write_encoding,
)
from allmende.codecs.kept_heads import head_of
from allmende.codecs.objects import fill_from
from allmende.storage import LocalContentStore, LocalPackStore


@pytest.fixture
def packs(contents: LocalContentStore) -> LocalPackStore:
    return LocalPackStore(contents.root / "packs", contents.incoming)


def written(packs: LocalPackStore, *parts: bytes) -> str:
    writer = packs.open_write()
    for part in parts:
        writer.append([part])
    return writer.finish()


def path_of(packs: LocalPackStore, location: str) -> Path:
    return packs.root / location


def test_what_is_appended_is_read_back_before_and_after_it_is_finished(packs: LocalPackStore) -> None:
    writer = packs.open_write()
    assert writer.append([b"one", memoryview(b"two")]) == 0
    assert writer.append([b"three"]) == 6
    assert bytes(writer.read(6, 5).read_at(1, 3)) == b"hre"
    location = writer.finish()
    writer.discard()
    assert packs.size_of(location) == writer.size_bytes == 11
    stored = packs.read(location, 3, 3)
    assert (stored.size_bytes, bytes(stored.read_at(0, 3))) == (3, b"two")
    # A reader from before the pack had its name goes on.
    assert bytes(writer.read(0, 6).read_at(0, 6)) == b"onetwo"


def test_a_pack_that_is_given_up_leaves_nothing(packs: LocalPackStore, contents: LocalContentStore) -> None:
    writer = packs.open_write()
    writer.append([b"x"])
    writer.discard()
    assert list(packs.iterate()) == []
    assert list(contents.incoming.iterdir()) == []


def test_reading_beyond_an_encoding_is_refused(packs: LocalPackStore) -> None:
    stored = packs.read(written(packs, b"0123", b"4567"), 2, 4)
    for start, count in ((-1, 1), (0, 5), (4, 1), (0, -1)):
        with pytest.raises(DamagedObject):
            stored.read_at(start, count)


def test_what_is_appended_fills_memory_later(packs: LocalPackStore) -> None:
    location, found, decoding = written(packs, b"0123", b"4567"), memoryview(bytearray(6)), Decoding()
    stored = packs.read(location, 2, 6)
    fill_from(stored, found[:2], 4, decoding)
    fill_from(stored, found[2:], 1, decoding)
    path_of(packs, location).unlink()
    assert bytes(found) == bytes(6)
    decoding.carry_out()
    assert bytes(found) == b"673456"
    for start, count in ((-1, 1), (0, 7), (6, 1)):
        with pytest.raises(DamagedObject):
            fill_from(stored, memoryview(bytearray(count)), start, decoding)
    with pytest.raises(DamagedObject):
        fill_from(packs.read(location[:-1], 0, 1), found, 0, decoding)


def test_a_pack_that_is_cut_short_fills_nothing(packs: LocalPackStore) -> None:
    location, decoding = written(packs, b"0123456789"), Decoding()
    path_of(packs, location).write_bytes(b"0123")
    fill_from(packs.read(location, 0, 10), memoryview(bytearray(10)), 0, decoding)
    with pytest.raises(MalformedEncoding):
        decoding.carry_out()


def test_the_head_of_an_encoding_stays_known(packs: LocalPackStore) -> None:
    encoded = write_encoding(BytesPlain(b"some words" * 40), word_type("U8"), None, _missing)
    location = written(packs, *map(bytes, encoded.parts))
    assert head_of(packs.read(location, 0, encoded.size_bytes)).object_id == encoded.object_id
    path_of(packs, location).write_bytes(b"")
    assert head_of(packs.read(location, 0, encoded.size_bytes)).object_id == encoded.object_id
    with pytest.raises(DamagedObject):
        head_of(packs.read(location, 0, encoded.size_bytes - 1))


def _missing(name: ObjectId) -> Plain:
    raise ObjectMissing(name)


def test_a_pack_that_is_missing_or_cut_short_is_damage(packs: LocalPackStore) -> None:
    location = written(packs, b"0123456789")
    path_of(packs, location).write_bytes(b"0123")
    with pytest.raises(DamagedObject, match="ends before"):
        packs.read(location, 0, 10).read_at(0, 10)
    packs.delete(location)
    packs.delete(location)
    assert packs.size_of(location) is None
    with pytest.raises(DamagedObject, match="missing"):
        packs.read(location, 0, 1).read_at(0, 1)


def test_an_open_reader_outlives_its_pack(packs: LocalPackStore) -> None:
    location = written(packs, b"0123456789")
    stored = packs.read(location, 0, 10)
    stored.read_at(0, 1)
    packs.delete(location)
    assert bytes(stored.read_at(0, 10)) == b"0123456789"


def test_all_packs_are_listed(packs: LocalPackStore) -> None:
    locations = {written(packs, bytes([n])) for n in range(20)}
    listed = list(packs.iterate())
    assert {found.location for found in listed} == locations
    assert {found.size_bytes for found in listed} == {1}


def test_no_more_than_some_packs_stay_open(packs: LocalPackStore) -> None:
    locations = [written(packs, b"%d" % n) for n in range(80)]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for n, location in enumerate(locations):
        assert bytes(packs.read(location, 0, len(str(n))).read_at(0, len(str(n)))) == b"%d" % n
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 65
