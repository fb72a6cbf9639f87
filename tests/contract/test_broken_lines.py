"""Lines that break: a download goes on where it was cut, an upload does not send again what has arrived."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.contract.clients import VERSIONS, Client
from tests.contract.conftest import XET_VERSIONS, ClientOf, HubWith
from tests.contract.folders import MIB, Folder, digests, many_small_files, write_noise
from tests.contract.traffic import XORBS, Traffic
from tests.contract.waiting import wait_until
from tests.contract.wire import Relay
from tests.hubs import RunningHub

BIG_FILES = 5
BIG_BYTES = 20 * MIB
SMALL_FILES_BYTES = 3 * MIB
"""More than 2,000 small files take on the wire: a sample of each, then each in the body of the commit."""


def test_a_cut_download_goes_on_where_it_stopped(hub: RunningHub, client_of: ClientOf, large_folder: Folder):
    repo = f"alice/cut-{uuid4().hex[:8]}"
    client_of("alice").hf("upload", repo, str(large_folder.path / "model.safetensors"), "model.safetensors")
    with Relay(hub.url, cut_after_bytes=40 * MIB, cuts=2) as relay:
        client = client_of("alice", endpoint=relay.url).without_xet()
        saw = client.run("download", repo=repo, path="model.safetensors")
        asked = relay.requests("GET", "/model.safetensors")
    assert saw["sha256"] == large_folder.sha256s["model.safetensors"]
    assert relay.cuts == 0
    starts = [range_start(head) for head in asked]
    assert starts[0] == 0
    assert len(starts) == 3, "it asked again after each cut"
    assert 20 * MIB < starts[1] < starts[2], "and for the rest only"


def test_a_cut_download_over_xet_goes_on(hub: RunningHub, client_of: ClientOf, large_folder: Folder):
    """What had arrived of a piece is lost with it, the pieces before it are not."""
    repo, weights = f"alice/cut-{uuid4().hex[:8]}", large_folder.path / "model.safetensors"
    client_of("alice").hf("upload", repo, str(weights), "model.safetensors")
    with Relay(hub.url, cut_after_bytes=20 * MIB, cuts=2) as relay:
        client = client_of("alice", endpoint=relay.url)
        saw = client.run("download", repo=repo, path="model.safetensors")
    assert saw["sha256"] == large_folder.sha256s["model.safetensors"]
    assert relay.cuts == 0
    assert relay.received_bytes < 1.8 * weights.stat().st_size


def range_start(head: str) -> int:
    for line in head.lower().split("\r\n"):
        if line.startswith("range: bytes="):
            first, _, last = line.removeprefix("range: bytes=").partition("-")
            assert not last, "an open range"
            return int(first)
    return 0


def folder_of_2005(path: Path, seed: int) -> Folder:
    """2,000 small files and five large ones."""
    many_small_files(path, 2000)
    for number in range(BIG_FILES):
        write_noise(path / f"weights-{number}.bin", BIG_BYTES, seed + number)
    return Folder(path, digests(path))


@pytest.mark.slow
def test_a_folder_by_lfs_that_was_killed_sends_only_what_is_missing(
    hub: RunningHub, client_of: ClientOf, tmp_path: Path, record_property
):
    """Two of five large files arrive, three are on their way, then the client dies."""
    large_upload = folder_of_2005(tmp_path / "folder", seed=100)
    client, repo = client_of("alice"), f"alice/killed-{uuid4().hex[:8]}"
    command = ("upload", repo, str(large_upload.path), ".")
    with Relay(hub.url, bodies_let_through=2) as relay:
        listening = Traffic.from_now(hub)
        at_work = client_of("alice", endpoint=relay.url).without_xet().start_hf(*command)
        wait_until(
            lambda: len(listening.answered("PUT", "/")) == 2 and len(relay.requests("PUT", "/")) == BIG_FILES
        )
        at_work.kill()
    assert client.run("look_at_files", repo=repo) == [".gitattributes"], "nothing is half there"

    with Relay(hub.url) as relay:
        client_of("alice", endpoint=relay.url).without_xet().hf(*command)
        assert len(relay.requests("PUT", "/")) == BIG_FILES - 2
        assert relay.sent_bytes < (BIG_FILES - 2) * BIG_BYTES + SMALL_FILES_BYTES
        record_property("bytes_sent_by_the_rerun", relay.sent_bytes)

    assert_all_arrived(client, repo, large_upload)

    with Relay(hub.url) as relay:
        client_of("alice", endpoint=relay.url).without_xet().hf(*command)
        assert relay.requests("PUT", "/") == []
        assert relay.sent_bytes < SMALL_FILES_BYTES, "a repeat sends samples and no bytes of files"


@pytest.mark.slow
@pytest.mark.parametrize("version", XET_VERSIONS)
def test_a_folder_by_xet_that_was_killed_sends_only_what_is_missing(
    hub: RunningHub, client_of: ClientOf, version: str, tmp_path: Path, record_property
):
    """The large files lie in xorbs of 40 and 60 MiB. One arrives, one is on its way, then the client dies."""
    upload = folder_of_2005(tmp_path / "folder", seed=200 + 10 * list(VERSIONS).index(version))
    repo = f"alice/killed-xet-{uuid4().hex[:8]}"
    command = ("upload", repo, str(upload.path), ".")
    with Relay(hub.url, bodies_let_through=1) as relay:
        client = client_of("alice", endpoint=relay.url)
        listening = Traffic.from_now(hub)
        at_work = client.start_hf(*command)
        wait_until(
            lambda: bool(listening.answered("POST", XORBS)) and len(relay.requests("POST", XORBS)) >= 2
        )
        at_work.kill()
        relay.bodies_let_through = None
        sent_bytes = relay.sent_by(client.hf, *command)
        record_property("bytes_sent_by_the_rerun", sent_bytes)
        assert sent_bytes < (BIG_FILES - 2) * BIG_BYTES + SMALL_FILES_BYTES
        assert relay.sent_by(client.hf, *command) < SMALL_FILES_BYTES
    assert_all_arrived(client_of("alice"), repo, upload)


@pytest.mark.slow
def test_an_upload_outlives_the_death_of_the_hub(
    hub_of_its_own: HubWith, client_of: ClientOf, tmp_path: Path
):
    """Killed while bytes arrive and started again, the hub gets the rest from the same run of the client."""
    hub, file = hub_of_its_own(), tmp_path / "from" / "weights.bin"
    write_noise(file, 10 * BIG_BYTES, 300)
    client, traffic = client_of("alice", endpoint=hub.url), Traffic.from_now(hub)
    at_work = client.start_hf("upload", "alice/outlived", str(file), file.name)
    wait_until(lambda: bool(traffic.answered("POST", XORBS)))
    hub.kill()
    hub.start()
    traffic = Traffic.from_now(hub)
    done = at_work.wait(100)
    assert done.returncode == 0, done.stderr
    assert traffic.answered("POST", XORBS), "it died in the middle"
    saw = client_of("alice", endpoint=hub.url).run("download", repo="alice/outlived", path=file.name)
    assert saw["sha256"] == digests(file.parent)[file.name]


def assert_all_arrived(client: Client, repo: str, upload: Folder) -> None:
    client.hf("cache", "verify", repo, "--local-dir", str(upload.path), "--fail-on-extra-files")
    client.hf("download", repo, "--include", "weights-*", "--local-dir", str(client.home / "into"))
    weights = {path: sha256 for path, sha256 in upload.sha256s.items() if path.startswith("weights-")}
    assert digests(client.home / "into") == weights


@pytest.mark.clients
@pytest.mark.parametrize("version", ["client-1", "client-1.19"])
def test_the_older_way_of_uploading_a_large_folder(client_of: ClientOf, version: str, tmp_path: Path):
    """Until 2.0 the client had a command for it, which commits in steps and keeps notes in the folder."""
    client, repo = client_of("alice"), f"alice/steps-{uuid4().hex[:8]}"
    folder = many_small_files(tmp_path / "folder", 120)
    write_noise(folder.path / "weights.bin", 2 * MIB, list(VERSIONS).index(version) + 50)
    client.hf(
        "upload-large-folder", repo, str(folder.path), "--type", "model", "--no-bars", "--num-workers", "4"
    )
    client.hf("download", repo, "--local-dir", str(client.home / "into"))
    found = digests(client.home / "into")
    found.pop(".gitattributes")
    assert found == digests(folder.path)
