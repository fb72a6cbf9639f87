"""What Xet saves: bytes that the hub has are not sent again, whichever way and whenever they came."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.contract.clients import VERSIONS, Client
from tests.contract.conftest import XET_VERSIONS, ClientOf
from tests.contract.folders import MIB, digests, many_binary_files, overwrite, write_noise
from tests.contract.traffic import SHARDS, XORBS, Traffic
from tests.contract.waiting import wait_until
from tests.contract.wire import Relay
from tests.hubs import RunningHub

BIG_BYTES = 200 * 10**6
CHANGED_BYTES = BIG_BYTES // 100
CALLS_BYTES = 300_000
"""More than the calls of an upload take that sends no bytes of files."""


over_xet = pytest.mark.parametrize("version", XET_VERSIONS)
at_length_over_xet = pytest.mark.parametrize(
    "version",
    [
        XET_VERSIONS[0],
        *(
            pytest.param(*older.values, id=older.id, marks=[*older.marks, pytest.mark.campaign])
            for older in XET_VERSIONS[1:]
        ),
    ],
)
"""Hundreds of megabytes a test: older clients chunk and send by the same code, and do these in campaigns."""


@pytest.fixture
def seed(version: str) -> int:
    """No two tests of this file, and no two versions, write the same bytes."""
    return 1000 * (1 + list(VERSIONS).index(version)) + int(uuid4().hex[:6], 16) * 10_000


def upload(client: Client, repo: str, file: Path) -> None:
    client.hf("upload", repo, str(file), file.name)


def sha256_in(client: Client, repo: str, path: str) -> str:
    """What a download into an empty cache gives."""
    loaded: str = client.run("download", repo=repo, path=path)["sha256"]
    return loaded


@at_length_over_xet
@pytest.mark.slow
def test_300_files_in_one_folder(
    hub: RunningHub, client_of: ClientOf, version: str, seed: int, name: str, tmp_path: Path
):
    """They go up in few pieces, and a repeat sends none."""
    folder, repo = many_binary_files(tmp_path / "folder", 300, seed), f"alice/{name}"
    size_bytes = sum(file.stat().st_size for file in folder.path.iterdir())
    traffic = Traffic.from_now(hub)
    with Relay(hub.url) as relay:
        client = client_of("alice", endpoint=relay.url)
        command = ("upload", repo, str(folder.path), "many")
        sent_bytes = relay.sent_by(client.hf, *command)
        assert size_bytes < sent_bytes < 1.1 * size_bytes
        assert 1 <= len(traffic.answered("POST", XORBS)) <= 10
        assert traffic.answered("POST", SHARDS)
        assert relay.sent_by(client.hf, *command) < size_bytes / 10
    reader = client_of("alice")
    reader.hf("download", repo, "--local-dir", str(reader.home / "into"))
    assert digests(reader.home / "into" / "many") == folder.sha256s


@pytest.mark.slow
@at_length_over_xet
def test_one_changed_hundredth_is_all_that_is_sent(
    hub: RunningHub,
    client_of: ClientOf,
    version: str,
    seed: int,
    name: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
):
    """With what the client remembers, and without: then the hub tells it what is there."""
    file, repo = tmp_path / "weights.bin", f"alice/{name}"
    write_noise(file, BIG_BYTES, seed)
    with Relay(hub.url) as relay:
        client = client_of("alice", endpoint=relay.url)
        assert relay.sent_by(upload, client, repo, file) > BIG_BYTES

        overwrite(file, BIG_BYTES // 2, CHANGED_BYTES, seed + 1)
        remembering = relay.sent_by(upload, client, repo, file)
        overwrite(file, BIG_BYTES // 3, CHANGED_BYTES, seed + 2)
        forgetful = client_of("alice", endpoint=relay.url)
        forgotten = relay.sent_by(upload, forgetful, repo, file)
    record_property("share_sent_with_the_cache", remembering / BIG_BYTES)
    record_property("share_sent_with_a_fresh_cache", forgotten / BIG_BYTES)
    assert CHANGED_BYTES < remembering < BIG_BYTES / 10
    assert CHANGED_BYTES < forgotten < BIG_BYTES / 10
    assert sha256_in(client_of("alice"), repo, file.name) == digests(tmp_path)[file.name]


@pytest.mark.slow
@at_length_over_xet
def test_a_killed_upload_goes_on_where_it_was(
    hub: RunningHub,
    client_of: ClientOf,
    version: str,
    seed: int,
    name: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
):
    """Two of the file's three large pieces arrive, the next is on its way, then the client dies."""
    file, repo = tmp_path / "weights.bin", f"alice/{name}"
    write_noise(file, BIG_BYTES, seed)
    with Relay(hub.url, bodies_let_through=2) as relay:
        client, traffic = client_of("alice", endpoint=relay.url), Traffic.from_now(hub)
        at_work = client.start_hf("upload", repo, str(file), file.name)
        wait_until(
            lambda: len(traffic.answered("POST", XORBS)) == 2 and len(relay.requests("POST", XORBS)) > 2
        )
        at_work.kill()
        assert client_of("alice").run("look_at_files", repo=repo) == [".gitattributes"], (
            "nothing is half there"
        )
        relay.bodies_let_through = None
        sent_bytes = relay.sent_by(upload, client, repo, file)
    record_property("share_sent_by_the_rerun", sent_bytes / BIG_BYTES)
    assert sent_bytes < 0.6 * BIG_BYTES
    assert sha256_in(client_of("alice"), repo, file.name) == digests(tmp_path)[file.name]


@over_xet
def test_what_came_by_lfs_is_not_sent_again(
    hub: RunningHub, client_of: ClientOf, version: str, seed: int, name: str, tmp_path: Path
):
    """The hub cuts it into chunks in the background; the uploading client has never seen it."""
    file, size_bytes = tmp_path / "weights.bin", 40 * MIB
    write_noise(file, size_bytes, seed)
    first = client_of("alice").without_xet()
    upload(first, f"alice/{name}-lfs", file)
    wait_until(lambda: file.name in first.run("xet_hashes", repo=f"alice/{name}-lfs"))
    with Relay(hub.url) as relay:
        client = client_of("alice", endpoint=relay.url)
        assert relay.sent_by(upload, client, f"alice/{name}-xet", file) < CALLS_BYTES
    assert sha256_in(client_of("alice"), f"alice/{name}-xet", file.name) == digests(tmp_path)[file.name]


@over_xet
def test_what_came_by_xet_is_not_sent_again_by_lfs(
    hub: RunningHub, client_of: ClientOf, version: str, seed: int, name: str, tmp_path: Path
):
    file, size_bytes = tmp_path / "weights.bin", 10 * MIB
    write_noise(file, size_bytes, seed)
    upload(client_of("alice"), f"alice/{name}-xet", file)
    with Relay(hub.url) as relay:
        client = client_of("alice", endpoint=relay.url).without_xet()
        assert relay.sent_by(upload, client, f"alice/{name}-lfs", file) < CALLS_BYTES
        assert sha256_in(client, f"alice/{name}-lfs", file.name) == digests(tmp_path)[file.name]


def test_a_copy_into_another_repo_moves_no_bytes(
    hub: RunningHub, client_of: ClientOf, version: str, seed: int, name: str, tmp_path: Path
):
    file, size_bytes = tmp_path / "weights.bin", 10 * MIB
    source, target = f"alice/{name}", f"alice/{name}-copy"
    write_noise(file, size_bytes, seed)
    upload(client_of("alice"), source, file)
    with Relay(hub.url) as relay:
        client = client_of("alice", endpoint=relay.url)
        client.run("copying_across", source=source, target=target, path=file.name)
        assert relay.requests("POST", f"/api/models/{source}/lfs-files/duplicate")
        assert relay.sent_bytes + relay.received_bytes < CALLS_BYTES
    reader = client_of("alice")
    assert sha256_in(reader, target, file.name) == digests(tmp_path)[file.name]
    assert reader.run("xet_hashes", repo=target) == reader.run("xet_hashes", repo=source)
