"""Damage that is met while files are given to clients: nothing wrong is sent, and the content is marked."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from starlette.testclient import TestClient

from allmende.storage import LocalContentStore, add_content, find_content
from tests.integration.hub.conftest import Hub, application
from tests.xet_forge import Store, Xorb, file_of, local, pieces, shard_of

MIB = 1024 * 1024
XORB = Xorb(pieces(1, 40, 120 * 1024))
"""So large that it is sent in several blocks."""
FILE = file_of(XORB)
SERIALIZED = XORB.serialized()


@pytest.fixture
def repo(hub):
    api = hub.create("alice/mm")
    Store.of(hub, api, "alice").upload(FILE)
    hub.link(api, "w.bin", FILE.data)
    return api


@pytest.fixture
def path(hub, repo) -> Path:
    (stored,) = hub.services.contents.iterate()
    return hub.services.contents.root / stored.location


@pytest.fixture
def address(hub, repo):
    store = Store.of(hub, repo, None, write=False)
    (info,) = next(iter(store.reconstruct(FILE.name).json["fetch_info"].values()))
    return local(info["url"])


def received(services, address: str, asked: str | None = None) -> bytes:
    """What a client gets before the connection breaks off."""
    got = bytearray()
    headers = {} if asked is None else {"Range": asked}
    with TestClient(application(services), raise_server_exceptions=False) as client:
        try:
            with client.stream("GET", address, headers=headers) as answer:
                for block in answer.iter_raw():
                    got += block
        except Exception:  # noqa: BLE001 - however the line breaks
            return bytes(got)
    return bytes(got)


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        before = file.read(1)
        file.seek(at)
        file.write(bytes([before[0] ^ 1]))


def damage_of(hub) -> str | None:
    with hub.services.database.read() as uow:
        content = find_content(uow, FILE.sha256)
    assert content is not None
    return content.damaged


@pytest.mark.parametrize("number", [0, 20, 39])
def test_a_damaged_chunk_is_not_sent(hub, repo, path, address, number, says):
    offset = sum(chunk.size_bytes for chunk in FILE.chunks[:number])
    flip(path, offset + 7)
    got = received(hub.services, address)
    frames_before = offset + 8 * number
    assert len(got) <= frames_before
    assert SERIALIZED.startswith(got)
    assert len(got) >= frames_before - 2 * MIB, "what came before it is sent"
    assert damage_of(hub)
    reader = Store.of(hub, repo, None, write=False)
    assert (reader.reconstruct(FILE.name).status, reader.reconstruct(FILE.name).code) == (
        500,
        "content_damaged",
    )
    assert reader.ask("GET", address).status == 500
    says(hub.call("GET", "/alice/mm/resolve/main/w.bin"), 500, "content_damaged")


def test_sound_chunks_beside_a_damaged_one_are_sent(hub, path, address):
    flip(path, len(FILE.data) - 1)
    assert received(hub.services, address, "bytes=0-1000") == SERIALIZED[:1001]
    assert damage_of(hub) is None


def test_a_few_bytes_of_a_damaged_chunk_are_not_sent_either(hub, path, address):
    """The damage lies elsewhere in the chunk than what is asked for."""
    flip(path, FILE.chunks[0].size_bytes - 1)
    assert received(hub.services, address, "bytes=8-20") == b""
    assert damage_of(hub)


def test_bytes_that_are_cut_off(hub, path, address):
    path.write_bytes(FILE.data[:-1])
    got = received(hub.services, address)
    assert SERIALIZED.startswith(got)
    assert len(got) < len(SERIALIZED)
    assert damage_of(hub)


def test_bytes_that_are_missing_are_noticed(hub, path, address):
    path.unlink()
    assert received(hub.services, address) == b""
    assert damage_of(hub)


def test_a_new_upload_heals_it(hub, repo, path, address):
    flip(path, 5)
    received(hub.services, address)
    client = Store.of(hub, repo, "alice")
    # Its client believes that the xorb is here. It hears that it is not, and comes back with an empty memory.
    assert client.put_shard(shard_of([FILE], [])).code == "xorb_unknown"
    again = Store.of(hub, repo, "alice")
    assert again.address != client.address
    again.upload(FILE)
    assert damage_of(hub) is None
    assert path.read_bytes() == FILE.data
    reader = Store.of(hub, repo, None, write=False)
    assert reader.read(FILE.name) == FILE.data
    assert reader.ask("GET", address).body == SERIALIZED


class HealedMeanwhile(LocalContentStore):
    """Gives the reader the old, damaged bytes, and has the content healed before they are read."""

    heal = staticmethod(lambda: None)

    def open_read(self, location: str) -> BinaryIO:
        with super().open_read(location) as reader:
            damaged = reader.read()
        self.heal()
        return BytesIO(damaged)


def test_a_content_that_was_healed_while_it_was_read_stays_sound(hub: Hub, repo, path, address):
    flip(path, 5)
    contents = hub.services.contents
    assert isinstance(contents, LocalContentStore)
    store = HealedMeanwhile(contents.root)

    def heal() -> None:
        hub.services.database.clock.advance(seconds=1)  # type: ignore[attr-defined]
        path.write_bytes(FILE.data)
        with hub.services.database.write() as uow:
            add_content(uow, FILE.sha256, len(FILE.data), path.relative_to(contents.root).as_posix())

    store.heal = heal
    assert received(replace(hub.services, contents=store), address) == b""
    assert damage_of(hub) is None
    assert received(hub.services, address) == SERIALIZED
