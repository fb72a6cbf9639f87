"""`allmende pull` of what a hub stores as what is new: the base is here, and little has to come."""

import json
import struct
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contract.clients import Client
from tests.contract.conftest import ClientOf
from tests.contract.test_pull import pulled
from tests.hubs import RunningHub

SETTINGS = {"ALLMENDE_PACK_MIN_BYTES": "10000", "ALLMENDE_PACK_QUIET_S": "0"}
ROWS, WIDTH, LAYERS = 384, 512, 4


def bf16(values: np.ndarray) -> np.ndarray:
    bits = values.astype("<f4").view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def family() -> tuple[bytes, bytes]:
    """A base in bf16, and a fine-tune that has moved by a thousandth, with one layer left alone."""
    random = np.random.default_rng(11)
    base = {f"model.layers.{n}.up.weight": random.normal(0, 0.05, (ROWS, WIDTH)) for n in range(LAYERS)}
    tuned = {
        name: values if number == 0 else values + random.normal(0, 5e-5, values.shape)
        for number, (name, values) in enumerate(base.items())
    }
    return safetensors_of(base), safetensors_of(tuned)


def safetensors_of(arrays: dict[str, np.ndarray]) -> bytes:
    size = ROWS * WIDTH * 2
    header = {
        name: {"dtype": "BF16", "shape": [ROWS, WIDTH], "data_offsets": [number * size, (number + 1) * size]}
        for number, name in enumerate(arrays)
    }
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(bf16(one).tobytes() for one in arrays.values())


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, bytes, bytes]]:
    """A hub with a base and its fine-tune, published by the stock client and packed."""
    base, tuned = family()
    place = tmp_path_factory.mktemp("packed")
    with RunningHub(place / "data", SETTINGS) as hub:
        programs = Path(sys.executable).parent
        publisher = Client("newest", programs, place / "home", hub.url, "token-of-alice")
        for name, data in (("base", base), ("tuned", tuned)):
            folder = place / name
            folder.mkdir()
            (folder / "model.safetensors").write_bytes(data)
            publisher.hf("upload", f"alice/{name}", str(folder), ".")
        said: dict[str, int] = {}
        for _ in range(30):
            said = json.loads(hub.command("admin", "pack", "now", "--wait", "--json"))
            if said["packed_bytes"] == len(base) + len(tuned):
                break
        assert said["packed_bytes"] == len(base) + len(tuned), said
        yield hub, base, tuned


def test_little_comes_when_the_base_is_here(
    packed: tuple[RunningHub, bytes, bytes], client_of: ClientOf, tmp_path: Path
) -> None:
    hub, base, tuned = packed
    client = client_of("bob", endpoint=hub.url)
    # A model without a base here comes as it is stored, too: smaller than it is.
    assert 0.5 * len(base) < pulled(client, "alice/base")["moved_bytes"] < 0.8 * len(base)
    said = pulled(client, "alice/tuned")
    assert said["moved_bytes"] < 0.15 * len(tuned), said
    assert said["copied_bytes"] == ROWS * WIDTH * 2
    assert said["decoded_bytes"] == (LAYERS - 1) * ROWS * WIDTH * 2
    assert (Path(said["folder"]) / "model.safetensors").read_bytes() == tuned
    assert client.run("offline", repo="alice/tuned")
    # A base that an earlier pull wrote into a folder will do as well.
    other = client_of("bob", endpoint=hub.url)
    pulled(other, "alice/base", "--into", str(tmp_path / "a"))
    again = pulled(other, "alice/tuned", "--into", str(tmp_path / "b"))
    assert again["moved_bytes"] < 0.15 * len(tuned), again
    assert (tmp_path / "b" / "model.safetensors").read_bytes() == tuned


def test_what_is_saved_is_told_of_each_repo(packed: tuple[RunningHub, bytes, bytes]) -> None:
    hub, _, tuned = packed
    with urllib.request.urlopen(
        f"{hub.url}/api/allmende/v1/models/alice/tuned/storage", timeout=20
    ) as answer:
        said = json.load(answer)
    assert said["content_bytes"] == said["packed_bytes"] == len(tuned)
    assert said["saved_by_prediction_bytes"] > 0.5 * len(tuned)
    means = ("sharing", "prediction", "compression")
    saved = sum(said[f"saved_by_{one}_bytes"] for one in means)
    assert saved + said["stored_bytes"] == len(tuned)


def test_a_base_that_was_changed_here_is_not_built_upon(
    packed: tuple[RunningHub, bytes, bytes], client_of: ClientOf, tmp_path: Path
) -> None:
    hub, _, tuned = packed
    client = client_of("bob", endpoint=hub.url)
    pulled(client, "alice/base", "--into", str(tmp_path / "a"))
    path = tmp_path / "a" / "model.safetensors"
    path.write_bytes(bytes(path.stat().st_size))
    said = pulled(client, "alice/tuned", "--into", str(tmp_path / "b"))
    # Only the layer that rests on nothing is decoded; the others are fetched as they are.
    assert said["decoded_bytes"] == ROWS * WIDTH * 2
    assert (tmp_path / "b" / "model.safetensors").read_bytes() == tuned


def test_a_residual_is_only_for_who_may_read_its_base(
    packed: tuple[RunningHub, bytes, bytes], client_of: ClientOf
) -> None:
    """The base becomes private: at that moment nothing that rests on it is offered to others."""
    hub, _, _ = packed

    def offers(token: str) -> Any:
        request = urllib.request.Request(
            f"{hub.url}/api/allmende/v1/models/alice/tuned/objects/main/model.safetensors",
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    before = offers("token-of-bob")
    residuals = [offer["number"] for one in before["objects"] for offer in one["offers"] if offer["bases"]]
    assert residuals
    hub.command("admin", "pack", "pause")
    owner = client_of("alice", endpoint=hub.url)
    owner.run("make_private", repo="alice/base")
    hidden = offers("token-of-bob")
    assert not [offer for one in hidden["objects"] for offer in one["offers"] if offer["bases"]]
    own = before["sha256"]
    assert all(set(one["places"]) <= {own} for one in hidden["elsewhere"])
    request = urllib.request.Request(
        f"{hub.url}/api/allmende/v1/models/alice/tuned/encodings/main/model.safetensors",
        data=json.dumps({"numbers": residuals}).encode(),
        headers={"Authorization": "Bearer token-of-bob", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.read() == b"\xff" * 8 * len(residuals)
