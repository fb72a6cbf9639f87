"""Lines that break: a download goes on where it was cut, an upload does not send again what has arrived."""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.contract.clients import VERSIONS
from tests.contract.conftest import ClientOf
from tests.contract.folders import MIB, Folder, digests, many_small_files, write_noise
from tests.contract.traffic import Asked, Traffic
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
        client = client_of("alice", endpoint=relay.url)
        saw = client.run("download", repo=repo, path="model.safetensors")
        asked = relay.requests("GET", "/model.safetensors")
    assert saw["sha256"] == large_folder.sha256s["model.safetensors"]
    assert relay.cuts == 0
    starts = [range_start(head) for head in asked]
    assert starts[0] == 0
    assert len(starts) == 3, "it asked again after each cut"
    assert 20 * MIB < starts[1] < starts[2], "and for the rest only"


def range_start(head: str) -> int:
    for line in head.lower().split("\r\n"):
        if line.startswith("range: bytes="):
            first, _, last = line.removeprefix("range: bytes=").partition("-")
            assert not last, "an open range"
            return int(first)
    return 0


@pytest.fixture(scope="module")
def large_upload(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """2,000 small files and five large ones."""
    path = tmp_path_factory.mktemp("upload")
    many_small_files(path, 2000)
    for number in range(BIG_FILES):
        write_noise(path / f"weights-{number}.bin", BIG_BYTES, 100 + number)
    return Folder(path, digests(path))


@pytest.mark.slow
def test_an_upload_that_was_killed_sends_only_what_is_missing(
    hub: RunningHub, client_of: ClientOf, large_upload: Folder, record_property
):
    """Two of five large files arrive, three are on their way, then the client dies."""
    client, repo = client_of("alice"), f"alice/killed-{uuid4().hex[:8]}"
    command = ("upload", repo, str(large_upload.path), ".")
    with Relay(hub.url, puts_let_through=2) as relay:
        listening = Traffic.from_now(hub)
        at_work = client_of("alice", endpoint=relay.url).start_hf(*command)
        wait_until(
            lambda: len(finished_puts(listening)) == 2 and len(relay.requests("PUT", "/")) == BIG_FILES
        )
        at_work.kill()
    assert client.run("look_at_files", repo=repo) == [".gitattributes"], "nothing is half there"

    with Relay(hub.url) as relay:
        client_of("alice", endpoint=relay.url).hf(*command)
        assert len(relay.requests("PUT", "/")) == BIG_FILES - 2
        assert relay.sent_bytes < (BIG_FILES - 2) * BIG_BYTES + SMALL_FILES_BYTES
        record_property("bytes_sent_by_the_rerun", relay.sent_bytes)

    client.hf("cache", "verify", repo, "--local-dir", str(large_upload.path), "--fail-on-extra-files")
    client.hf("download", repo, "--include", "weights-*", "--local-dir", str(client.home / "into"))
    weights = {path: sha256 for path, sha256 in large_upload.sha256s.items() if path.startswith("weights-")}
    assert digests(client.home / "into") == weights

    with Relay(hub.url) as relay:
        client_of("alice", endpoint=relay.url).hf(*command)
        assert relay.requests("PUT", "/") == []
        assert relay.sent_bytes < SMALL_FILES_BYTES, "a repeat sends samples and no bytes of files"


def finished_puts(listening: Traffic) -> list[Asked]:
    return [each for each in listening.asked() if each.method == "PUT" and each.status == 200]


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


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
