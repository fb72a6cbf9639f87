"""Reading over Xet is the operator's choice, for the hub or for one repo; else clients load by plain HTTP."""

from pathlib import Path

import pytest

from tests.contract.conftest import ClientOf, HubWith
from tests.contract.folders import MIB, digests, write_noise
from tests.contract.traffic import RECONSTRUCTIONS, XORBS, Traffic
from tests.contract.waiting import wait_until
from tests.hubs import RunningHub

REPO = "alice/read"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "weights.bin"
    write_noise(path, 5 * MIB, 81)
    return path


def assert_read(hub: RunningHub, client_of: ClientOf, file: Path, *, over_xet: bool) -> None:
    """By one file and by a snapshot, each with an empty cache."""
    expected = digests(file.parent)[file.name]
    traffic = Traffic.from_now(hub)
    one, all_of_it = client_of("alice", endpoint=hub.url), client_of("alice", endpoint=hub.url)
    assert one.run("download", repo=REPO, path=file.name)["sha256"] == expected
    all_of_it.hf("download", REPO, "--local-dir", str(all_of_it.home / "into"))
    assert digests(all_of_it.home / "into")[file.name] == expected
    plain = [each for each in traffic.answered("GET", "/resolve/") if each.path.endswith(file.name)]
    assert bool(traffic.answered("GET", "/xet-read-token/")) is over_xet
    assert bool(traffic.answered("GET", RECONSTRUCTIONS)) is over_xet
    assert bool(plain) is not over_xet
    assert (file.name in one.run("xet_hashes", repo=REPO)) is over_xet


def test_switched_off_for_the_hub(hub_of_its_own: HubWith, client_of: ClientOf, version: str, file: Path):
    """Uploads go over Xet all the same."""
    hub = hub_of_its_own({"ALLMENDE_XET_READS": "false"})
    traffic = Traffic.from_now(hub)
    client = client_of("alice", endpoint=hub.url)
    client.hf("upload", REPO, str(file), file.name)
    assert bool(traffic.answered("POST", XORBS)) is client.sends_over_xet
    assert_read(hub, client_of, file, over_xet=False)


@pytest.mark.slow
def test_switched_off_and_on_for_one_repo(
    hub_of_its_own: HubWith, client_of: ClientOf, version: str, file: Path
):
    hub = hub_of_its_own()
    client = client_of("alice", endpoint=hub.url)
    client.hf("upload", REPO, str(file), file.name)
    wait_until(lambda: file.name in client.run("xet_hashes", repo=REPO))  # at once, unless it came by LFS
    assert_read(hub, client_of, file, over_xet=True)
    hub.command("admin", "repo", "xet-reads", "model", REPO, "off")
    assert_read(hub, client_of, file, over_xet=False)
    hub.command("admin", "repo", "xet-reads", "model", REPO, "on")
    assert_read(hub, client_of, file, over_xet=True)


def test_a_client_without_xet_reads_what_came_by_xet(
    hub_of_its_own: HubWith, client_of: ClientOf, version: str, file: Path
):
    hub = hub_of_its_own()
    client_of("alice", endpoint=hub.url).hf("upload", REPO, str(file), file.name)
    traffic = Traffic.from_now(hub)
    reader = client_of("alice", endpoint=hub.url).without_xet()
    assert reader.run("download", repo=REPO, path=file.name)["sha256"] == digests(file.parent)[file.name]
    assert [each for each in traffic.asked() if "xet" in each.path] == []
