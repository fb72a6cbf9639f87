"""Where the bytes of uploaded xorbs wait: unpacked, verified, each upload in a place of its own."""

from pathlib import Path

import pytest

from allmende.errors import NotFound
from allmende.storage import HashMismatch, LocalXorbStore
from allmende.xorbs import MalformedXorb, unpack_chunks
from tests.xet_forge import Xorb, pieces

XORB = Xorb(pieces(1, 5))
BARE = b"".join(XORB.pieces)


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    (tmp_path / "incoming").mkdir()
    return tmp_path / "incoming"


@pytest.fixture
def store(tmp_path: Path, incoming: Path) -> LocalXorbStore:
    return LocalXorbStore(tmp_path / "xorbs", incoming)


def receive(store: LocalXorbStore, data: bytes, step: int = 2**30) -> tuple[str, int, bytes]:
    received = store.receive(XORB.name)
    try:
        for at in range(0, len(data), step):
            received.write(data[at : at + step])
        return received.finish()
    finally:
        received.discard()


@pytest.mark.parametrize("scheme", [0, 1, 2])
@pytest.mark.parametrize("step", [7, 4096, 2**30])
def test_the_bare_bytes_are_kept(store: LocalXorbStore, incoming: Path, scheme: int, step: int) -> None:
    location, size_bytes, chunks = receive(store, XORB.serialized(scheme), step)
    assert (size_bytes, unpack_chunks(chunks)) == (len(BARE), XORB.chunks)
    with store.open_read(location) as reader:
        assert reader.read() == BARE
        reader.seek(100)
        assert reader.read(50) == BARE[100:150]
    assert [(stored.location, stored.size_bytes) for stored in store.iterate()] == [(location, len(BARE))]
    assert list(incoming.iterdir()) == []


def test_each_upload_has_a_place_of_its_own(store: LocalXorbStore) -> None:
    first, second = (receive(store, XORB.serialized())[0] for _ in range(2))
    assert first != second
    store.delete(first)
    store.delete(first)
    assert [stored.location for stored in store.iterate()] == [second]
    with pytest.raises(NotFound):
        store.open_read(first)


@pytest.mark.parametrize("length", [0, 3, 8, 100, len(XORB.serialized()) - 1])
def test_what_breaks_off_leaves_nothing(store: LocalXorbStore, incoming: Path, length: int) -> None:
    with pytest.raises((MalformedXorb, HashMismatch)):
        receive(store, XORB.serialized()[:length])
    assert list(store.iterate()) == []
    assert list(incoming.iterdir()) == []


def test_another_hash(store: LocalXorbStore, incoming: Path) -> None:
    with pytest.raises(HashMismatch):
        receive(store, Xorb(pieces(2, 5)).serialized())
    assert list(store.iterate()) == []
    assert list(incoming.iterdir()) == []


def test_what_is_given_up_half_way(store: LocalXorbStore, incoming: Path) -> None:
    received = store.receive(XORB.name)
    received.write(XORB.serialized()[:20_000])
    assert len(list(incoming.iterdir())) == 1
    received.discard()
    assert list(incoming.iterdir()) == []


def test_a_xorb_is_readable_by_its_owner_alone(store: LocalXorbStore) -> None:
    location, _, _ = receive(store, XORB.serialized())
    assert (store.root / location).stat().st_mode & 0o077 == 0
    assert (store.root / location).parent.stat().st_mode & 0o077 == 0


def test_other_files_are_not_listed(store: LocalXorbStore) -> None:
    (store.root / "README").write_text("hello")
    (store.root / "ab").mkdir()
    (store.root / "ab" / "dangling").symlink_to("/nowhere")
    assert list(store.iterate()) == []
