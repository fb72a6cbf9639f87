"""The local content store: what is announced is what is kept, or nothing is."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from allmende.errors import NotFound, StorageFull
from allmende.ids import Sha256
from allmende.storage import HashMismatch, LocalContentStore, LocalFile, SizeMismatch

DATA = b"weights" * 1000
SHA = Sha256(hashlib.sha256(DATA).hexdigest())


def incoming(store: LocalContentStore) -> list[Path]:
    return list((store.root / "incoming").iterdir())


def test_what_was_written_is_found_again(contents: LocalContentStore) -> None:
    writer = contents.open_write(SHA, len(DATA))
    writer.write(DATA[:10])
    writer.write(memoryview(DATA)[10:])
    location = writer.finish()
    with contents.open_read(location) as reader:
        assert reader.read() == DATA
    assert contents.locate(location) == LocalFile(contents.root / location)
    assert [(kept.location, kept.size_bytes) for kept in contents.iterate()] == [(location, len(DATA))]
    assert incoming(contents) == []
    assert (contents.root / location).stat().st_mode & 0o777 == 0o600


def test_a_wrong_hash_keeps_nothing(contents: LocalContentStore) -> None:
    writer = contents.open_write(Sha256("0" * 64), len(DATA))
    writer.write(DATA)
    with pytest.raises(HashMismatch, match=SHA):
        writer.finish()
    writer.discard()
    assert list(contents.iterate()) == []
    assert incoming(contents) == []


@pytest.mark.parametrize("announced", [len(DATA) - 1, 0])
def test_more_bytes_than_announced_are_refused_while_they_arrive(
    contents: LocalContentStore, announced: int
) -> None:
    writer = contents.open_write(SHA, announced)
    with pytest.raises(SizeMismatch):
        writer.write(DATA)
    writer.discard()
    assert incoming(contents) == []


def test_fewer_bytes_than_announced_are_refused(contents: LocalContentStore) -> None:
    writer = contents.open_write(SHA, len(DATA) + 1)
    writer.write(DATA)
    with pytest.raises(SizeMismatch):
        writer.finish()
    writer.discard()
    assert incoming(contents) == []


def test_the_same_content_twice_is_one_file(contents: LocalContentStore) -> None:
    for _ in range(2):
        writer = contents.open_write(SHA, len(DATA))
        writer.write(DATA)
        writer.finish()
    assert len(list(contents.iterate())) == 1


def test_parts_in_any_order_make_the_whole(contents: LocalContentStore) -> None:
    half = 4096
    for offset, part in ((half, DATA[half:]), (0, DATA[:half])):
        writer = contents.write_part("u1", offset)
        writer.write(part)
        writer.finish()
    location = contents.finish_parts("u1", SHA, len(DATA))
    with contents.open_read(location) as reader:
        assert reader.read() == DATA
    assert incoming(contents) == []


def test_a_missing_or_wrong_part_is_noticed(contents: LocalContentStore) -> None:
    writer = contents.write_part("u1", 4096)
    writer.write(DATA[4096:])
    writer.finish()
    with pytest.raises(HashMismatch):
        contents.finish_parts("u1", SHA, len(DATA))
    with pytest.raises(SizeMismatch):
        contents.finish_parts("never-begun", SHA, len(DATA))
    contents.discard_parts("u1")
    assert incoming(contents) == []


def test_missing_bytes_are_an_error_with_a_code(contents: LocalContentStore) -> None:
    with pytest.raises(NotFound) as caught:
        contents.open_read("ab/cd/missing")
    assert caught.value.code == "content_missing"


def test_abandoned_files_go_by_age(contents: LocalContentStore) -> None:
    writer = contents.open_write(SHA, len(DATA))
    writer.write(b"w")
    path = incoming(contents)[0]
    now = path.stat().st_mtime
    assert contents.discard_abandoned(60, now + 59) == 0
    assert contents.discard_abandoned(60, now + 61) == 1
    assert incoming(contents) == []


def test_a_full_disk_is_said_so(contents: LocalContentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = contents.open_write(SHA, len(DATA))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(StorageFull, match="nothing of this upload was kept"):
            writer.write(DATA)
    writer.discard()
    assert incoming(contents) == []
