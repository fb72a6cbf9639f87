"""Stock clients and packed files: the same bytes, over Xet and plain HTTP, whole and in ranges."""

import json
import urllib.request
from pathlib import Path

import pytest

from tests.contract.clients import NO_XET
from tests.contract.conftest import ClientOf, HubWith
from tests.hubs import RunningHub
from tests.integration.flows.packed_hub import family

SETTINGS = {"ALLMENDE_PACK_MIN_BYTES": "10000", "ALLMENDE_PACK_QUIET_S": "0"}


@pytest.fixture
def packed(hub_of_its_own: HubWith, client_of: ClientOf, tmp_path: Path) -> tuple[RunningHub, bytes]:
    """A hub with a base and its fine-tune, published by the stock client and packed."""
    hub = hub_of_its_own(SETTINGS)
    publisher = client_of("alice", endpoint=hub.url)
    base, tuned = family(5, 1e-6)
    for name, data in (("base", base), ("tuned", tuned)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(data)
        publisher.hf("upload", f"alice/{name}", str(folder), ".")
    said: dict[str, int] = {}
    for _ in range(30):
        said = json.loads(hub.command("admin", "pack", "now", "--wait", "--json"))
        if said["packed_bytes"] == len(base) + len(tuned):
            break
    assert said["packed_bytes"] == len(base) + len(tuned), said
    assert said["stored_bytes"] < 0.8 * said["content_bytes"]
    return hub, tuned


@pytest.mark.parametrize("how", ["xet", "http"])
def test_the_stock_client_gets_the_same_bytes(
    packed: tuple[RunningHub, bytes], client_of: ClientOf, tmp_path: Path, how: str
) -> None:
    hub, tuned = packed
    client = client_of("bob", endpoint=hub.url, extra=NO_XET if how == "http" else None)
    client.hf("download", "alice/tuned", "--local-dir", str(tmp_path / "got"))
    assert (tmp_path / "got" / "model.safetensors").read_bytes() == tuned
    request = urllib.request.Request(
        f"{hub.url}/alice/tuned/resolve/main/model.safetensors", headers={"Range": "bytes=1000-200000"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 206
        assert answer.read() == tuned[1000:200_001]


def test_an_operator_pauses_it_and_lets_it_go_on(packed: tuple[RunningHub, bytes]) -> None:
    hub, _tuned = packed
    assert json.loads(hub.command("admin", "pack", "pause", "--json"))["paused"]
    assert json.loads(hub.command("admin", "pack", "status", "--json"))["paused"]
    assert not json.loads(hub.command("admin", "pack", "resume", "--json"))["paused"]
    assert json.loads(hub.command("admin", "fsck", "--deep", "--json"))["sound"]
