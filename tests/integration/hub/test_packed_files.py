"""Packed files through every door: plain HTTP, LFS, Xet, the scan; what is said where they are damaged."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from allmende.facts import content_facts, forget_content_facts
from allmende.flows import start_rescan, verdict_fact
from allmende.flows.worker import handlers
from allmende.jobs import JobContext
from allmende.storage import find_content, list_packs, xet_hashes_of
from tests.integration.conftest import HeldClock
from tests.integration.flows.packed_hub import family, settings_of_packing
from tests.integration.hub.conftest import Hub, application
from tests.xet_forge import Store, frames_in, local

BASE, TUNED = family(20261128, 1e-6)
SHA256 = hashlib.sha256(TUNED).hexdigest()
ADDRESS = "/alice/tuned/resolve/main/model.safetensors"


def work(hub: Hub) -> None:
    """Run every job that is due."""
    kinds = handlers(hub.services)
    while (job := hub.services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
        kinds[job.kind](JobContext(hub.services.queue, job))
        assert hub.services.queue.finish(job)


@pytest.fixture
def packed(hub: Hub, clock: HeldClock, served: Callable[..., object]) -> Hub:
    """The hub with a base and its fine-tune, both packed."""
    hub.services = settings_of_packing(hub.services)
    for name, data in (("base", BASE), ("tuned", TUNED)):
        hub.link(hub.create(f"alice/{name}"), "model.safetensors", data)
    work(hub)
    clock.advance(seconds=2)
    work(hub)
    with hub.services.database.read() as uow:
        found = find_content(uow, SHA256)  # type: ignore[arg-type]
    assert found is not None
    assert found.is_packed
    return hub


def test_a_packed_file_is_given_like_any_other(packed: Hub) -> None:
    answer = packed.get(ADDRESS)
    assert (answer.status_code, answer.content) == (200, TUNED)
    assert answer.headers["content-length"] == str(len(TUNED))
    assert answer.headers["etag"] == f'"{SHA256}"'
    head = packed.call("HEAD", ADDRESS)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "x-request-id": ""} == {**answer.headers, "x-request-id": ""}
    assert packed.get(ADDRESS, headers={"If-None-Match": f'"{SHA256}"'}).status_code == 304


@pytest.mark.parametrize(
    ("first", "last"), [(0, 0), (0, 99), (5, 70_000), (99_999, len(TUNED) - 1), (len(TUNED) - 1, 10**9)]
)
def test_ranges_of_it(packed: Hub, first: int, last: int) -> None:
    answer = packed.get(ADDRESS, headers={"Range": f"bytes={first}-{last}"})
    assert (answer.status_code, answer.content) == (206, TUNED[first : last + 1])
    told = f"bytes {first}-{min(last, len(TUNED) - 1)}/{len(TUNED)}"
    assert answer.headers["content-range"] == told


def test_a_range_beyond_it_is_refused(packed: Hub) -> None:
    assert packed.get(ADDRESS, headers={"Range": f"bytes={len(TUNED)}-"}).status_code == 416


def test_over_lfs(packed: Hub) -> None:
    body = {
        "operation": "download",
        "objects": [{"oid": SHA256, "size": len(TUNED)}],
        "transfers": ["basic"],
    }
    answer = packed.post("/alice/tuned.git/info/lfs/objects/batch", body)
    (link,) = [each["actions"]["download"]["href"] for each in answer.json()["objects"]]
    assert packed.get(local(link)).content == TUNED


def test_over_xet(packed: Hub) -> None:
    # It is cut into chunks only now, as it is read by its recipe.
    with packed.services.database.write() as uow:
        packed.services.queue.enqueue(uow, "chunk_missing", {})
    work(packed)
    with packed.services.database.read() as uow:
        xet_hash = xet_hashes_of(uow, [SHA256])[SHA256]  # type: ignore[list-item, index]
    store = Store.of(packed, "/api/models/alice/tuned", None, write=False)
    assert store.read(xet_hash) == TUNED
    wanted = TUNED[100_000:200_001]
    assert store.read(xet_hash, "bytes=100000-200000")[: len(wanted)] == wanted
    (info,) = next(iter(store.reconstruct(xet_hash).json["fetch_info"].values()))
    assert b"".join(frames_in(store.fetch(info["url"]).body)) == TUNED


def test_an_upload_builds_on_a_packed_file(packed: Hub) -> None:
    again = packed.create("alice/again")
    packed.link(again, "copy.safetensors", TUNED)
    assert packed.get("/alice/again/resolve/main/copy.safetensors").content == TUNED


def test_it_is_scanned_by_its_bytes(packed: Hub) -> None:
    with packed.services.database.write() as uow:
        forget_content_facts(uow, [SHA256])  # type: ignore[list-item]
    start_rescan(packed.services)
    work(packed)
    with packed.services.database.read() as uow:
        facts = content_facts(uow, [SHA256])[SHA256]  # type: ignore[list-item, index]
    verdict = facts[verdict_fact("model.safetensors")].value
    assert isinstance(verdict, dict)
    assert (verdict["rules"], verdict["unread"]) == ({}, False)
    assert facts["safetensors.parameters"].value["tensors"] == 3  # type: ignore[index, call-overload]


def packs_of(hub: Hub) -> list[Path]:
    root = hub.services.settings.packs_dir
    with hub.services.database.read() as uow:
        return [root / pack.location for pack in list_packs(uow, 0, 100)]


class TestDamage:
    def test_of_the_first_bytes_is_told_and_marked(
        self, packed: Hub, says: Callable[[object, int, str], None]
    ) -> None:
        for path in packs_of(packed):
            path.write_bytes(bytes(path.stat().st_size))
        with TestClient(application(packed.services), raise_server_exceptions=False) as client:
            answer = client.get(ADDRESS, headers={"Range": "bytes=200000-200010"})
            says(answer, 500, "content_damaged")
            # It is marked now: nothing of it is given, not even what may be right.
            says(client.get(ADDRESS, headers={"Range": "bytes=0-1"}), 500, "content_damaged")

    def test_further_behind_breaks_the_line_and_nothing_wrong_is_sent(self, packed: Hub) -> None:
        for path in packs_of(packed):
            data = bytearray(path.read_bytes())
            data[-2000:] = bytes(2000)
            path.write_bytes(data)
        got = bytearray()
        with TestClient(application(packed.services), raise_server_exceptions=False) as client:
            try:
                with client.stream("GET", ADDRESS) as answer:
                    status = answer.status_code
                    for block in answer.iter_raw():
                        got += block
            except Exception:  # noqa: BLE001 - however the line breaks
                status = 0
        assert status in (0, 500) or len(got) < len(TUNED)
        assert status == 500 or TUNED.startswith(bytes(got))
        with packed.services.database.read() as uow:
            found = find_content(uow, SHA256)  # type: ignore[arg-type]
        assert found is not None
        assert found.damaged is not None

    def test_an_upload_heals_it(self, packed: Hub) -> None:
        for path in packs_of(packed):
            path.write_bytes(bytes(path.stat().st_size))
        with TestClient(application(packed.services), raise_server_exceptions=False) as client:
            assert client.get(ADDRESS).status_code == 500
        packed.link(packed.create("alice/again"), "copy.safetensors", TUNED)
        assert packed.get(ADDRESS).content == TUNED


def test_what_is_asked_for_often_gets_a_plain_copy(packed: Hub) -> None:
    packed.services = replace(packed.services)
    for _ in range(packed.services.settings.hot_reads):
        assert packed.get(ADDRESS).content == TUNED
    work(packed)
    path = packed.services.hot.find(SHA256)  # type: ignore[arg-type]
    assert path is not None
    assert path.read_bytes() == TUNED
    assert packed.get(ADDRESS).content == TUNED
