"""transformers load without a network what `allmende pull` built from a base here and what is new."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import ClientOf
from tests.contract.test_pull import pulled
from tests.hubs import RunningHub

pytestmark = [pytest.mark.torch, pytest.mark.timeout(300)]

SETTINGS = {"ALLMENDE_PACK_MIN_BYTES": "10000", "ALLMENDE_PACK_QUIET_S": "0"}
SLOW_S = 280.0


@pytest.fixture
def packing_hub(tmp_path: Path) -> Iterator[RunningHub]:
    with RunningHub(tmp_path / "hub" / "data", SETTINGS) as hub:
        yield hub


def pack_all(hub: RunningHub) -> None:
    """Have it packed, once what it stands on is known."""
    packed: dict[str, Any] = {}
    for _ in range(30):
        packed = json.loads(hub.command("admin", "pack", "now", "--wait", "--json"))
        if packed["packed_bytes"] == packed["content_bytes"] > 0 and not packed["jobs"].get("failed"):
            return
    raise AssertionError(packed)


def test_a_fine_tune_that_was_built_here_has_the_very_tensors(
    packing_hub: RunningHub, client_of: ClientOf
) -> None:
    publisher = client_of("alice", endpoint=packing_hub.url, timeout_s=SLOW_S)
    published = publisher.run("push_tuned", base="alice/base", tuned="alice/tuned", seed=5)
    pack_all(packing_hub)
    reader = client_of("bob", endpoint=packing_hub.url, timeout_s=SLOW_S)
    pulled(reader, "alice/base")
    said = pulled(reader, "alice/tuned")
    assert said["decoded_bytes"] > 0.9 * said["size_bytes"], said
    assert said["moved_bytes"] < 0.2 * said["size_bytes"], said
    # Nobody answers there: nothing but what was pulled can be loaded.
    loaded = replace(reader, endpoint="http://127.0.0.1:9").run("load_offline", repo="alice/tuned")
    assert len(published) > 30
    assert loaded == published
