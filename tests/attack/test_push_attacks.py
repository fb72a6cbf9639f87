"""Deltas that lie: nothing of them is kept, and none of them tells what others have here."""

import hashlib
import struct
from typing import Any

import numpy as np
import pytest

from allmende.codecs import BytesPlain, word_type, write_encoding
from allmende.packing.delta_format import BaseObject, DeltaBase, Kind, write_delta_head
from tests.attack.arena import Answer, Arena, build, refused, sha256, target_of
from tests.unit.packing.deltas import delta_of, safetensors

API = "/api/models/bob/own"
TYPE = "application/vnd.allmende.delta"


def weights(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {f"layers.{n}.weight": random.normal(0, 0.05, (64, 512)) for n in range(3)}


def family(seed: int) -> tuple[bytes, bytes]:
    base = weights(seed)
    random = np.random.default_rng(seed + 100)
    tuned = {name: value + random.normal(0, 5e-5, value.shape) for name, value in base.items()}
    return safetensors(base), safetensors(tuned)


BASE, TUNED = family(1)
HIDDEN, OF_HIDDEN = family(2)
ABSENT, OF_ABSENT = family(3)


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    with build(tmp_path_factory.mktemp("push"), body_timeout_s=0.3) as built:
        built.hide("alice/hidden", data=HIDDEN)
        built.create("bob/own", by="bob")
        built.upload(API, BASE, by="bob")
        yield built


def link(arena: Arena, data: bytes, size: int | None = None) -> str:
    size = len(data) if size is None else size
    entry = arena.batch(API, sha256(data), size, by="bob", transfers=["allmende-delta-1", "basic"])
    return str(entry["actions"]["upload"]["href"])


def send(arena: Arena, href: str, body: bytes, kind: str = TYPE, **more: Any) -> Answer:
    return arena.ask("PUT", target_of(href), body=body, headers=[("content-type", kind)], **more)


def nothing_kept(arena: Arena, href: str, body: bytes, *statuses: int, code: str | None, **more: Any):
    before = arena.state()
    answer = send(arena, href, body, **more)
    refused(answer, *statuses, code=code)
    assert arena.state() == before
    return answer


def test_an_honest_one_is_an_upload(arena: Arena) -> None:
    body = delta_of(TUNED, [BASE])
    assert len(body) < 0.3 * len(TUNED)
    href = link(arena, TUNED)
    assert send(arena, href, body).status == 200
    assert "actions" not in arena.batch(API, sha256(TUNED), len(TUNED), by="bob")
    # Again: it is there, and that is no fault.
    assert send(arena, href, body).status == 200
    value = {"path": "m.safetensors", "algo": "sha256", "oid": sha256(TUNED)}
    assert arena.commit(API, ("lfsFile", value), by="bob").status == 200
    answer = arena.ask("GET", "/bob/own/resolve/main/m.safetensors", by="bob")
    assert hashlib.sha256(answer.body).hexdigest() == sha256(TUNED)


def test_a_base_that_is_hidden_and_one_that_is_not_here_are_one_answer(arena: Arena) -> None:
    hidden = nothing_kept(
        arena, link(arena, OF_HIDDEN), delta_of(OF_HIDDEN, [HIDDEN]), 409, code="delta_base_not_here"
    )
    absent = nothing_kept(
        arena, link(arena, OF_ABSENT), delta_of(OF_ABSENT, [ABSENT]), 409, code="delta_base_not_here"
    )
    varying = {"x-request-id", "date"}
    assert hidden.status == absent.status
    assert hidden.body == absent.body
    assert {k: v for k, v in hidden.headers.items() if k not in varying} == {
        k: v for k, v in absent.headers.items() if k not in varying
    }


def test_a_hidden_base_of_another_size_says_no_more(arena: Arena) -> None:
    bodies = set()
    for name in (sha256(HIDDEN), sha256(ABSENT), sha256(BASE)):
        body = copying(name, len(HIDDEN) + 5, 10)
        bodies.add(
            nothing_kept(arena, link(arena, b"0123456789"), body, 409, code="delta_base_not_here").body
        )
    assert len(bodies) == 1


def copying(base: str, base_bytes: int, count: int, start: int = 0) -> bytes:
    """A delta that takes some bytes of a base, and is nothing else."""
    one = BaseObject("1" * 64, 0, ((start, count),))  # type: ignore[arg-type]
    return write_delta_head([DeltaBase(base, base_bytes)], [one], [(Kind.OBJECTS, 0, count)], b"", [])  # type: ignore[arg-type]


def test_bytes_that_hash_otherwise_are_not_kept(arena: Arena) -> None:
    body = copying(sha256(BASE), len(BASE), 1000)
    nothing_kept(arena, link(arena, b"x" * 1000), body, 400, code="delta_refused")


LIES = {
    "next to nothing": b"A",
    "another magic": b"AllmDlt2" + bytes(100),
    "half a head": b"AllmDlt1\1\0",
    "counts beyond all": struct.pack("<8sIIIIIQ", b"AllmDlt1", *[2**32 - 1] * 5, 2**64 - 1),
    "literals that are not there": struct.pack("<8sIIIIIQ", b"AllmDlt1", 0, 0, 0, 0, 0, 2**20),
    "no segments": struct.pack("<8sIIIIIQ", b"AllmDlt1", 0, 0, 0, 0, 0, 0),
    "noise": hashlib.shake_256(b"noise").digest(5000),
}


@pytest.mark.parametrize("body", LIES.values(), ids=LIES.keys())
def test_what_is_no_delta_is_refused(arena: Arena, body: bytes) -> None:
    nothing_kept(arena, link(arena, b"y" * 1000), body, 400, code="delta_refused")


@pytest.mark.parametrize("cut", [40, 300, 1000, -1])
def test_what_is_cut_off_is_refused(arena: Arena, cut: int) -> None:
    base, tuned = BASE, family(1)[1][:-2] + b"zz"
    body = delta_of(tuned, [base])
    href = link(arena, tuned)
    nothing_kept(arena, href, body[:cut], 400, code="delta_refused")
    nothing_kept(arena, href, body[:cut], 400, code="size_mismatch", length=len(body))


def test_a_bomb_is_refused_before_it_goes_off(arena: Arena) -> None:
    class Zeros:
        size_bytes = 128 * 1024 * 1024

        def read_at(self, start: int, count: int) -> memoryview:
            return memoryview(bytes(count))

    bomb = write_encoding(Zeros(), word_type("U8"), None, lambda _: BytesPlain(b""))
    encoding = b"".join(bytes(part) for part in bomb.parts)
    assert len(encoding) < 64 * 1024
    body = write_delta_head([], [], [(Kind.OBJECTS, 0, 1000)], b"", [len(encoding)]) + encoding
    nothing_kept(arena, link(arena, b"z" * 1000), body, 400, code="delta_refused")


def test_a_delta_is_not_larger_than_its_content(arena: Arena) -> None:
    data = b"w" * 100_000
    nothing_kept(arena, link(arena, data), bytes(100_001), 413, code=None)


def test_its_length_and_type_are_said_first(arena: Arena) -> None:
    href = link(arena, b"v" * 1000)
    nothing_kept(arena, href, b"v" * 1000, 400, code="not_a_delta", kind="application/octet-stream")
    for length in ("many", "-1", "9" * 5000, "+5"):
        nothing_kept(arena, href, b"v" * 1000, 400, code="length_required", length=length)


def test_a_link_is_for_its_purpose_and_content_alone(arena: Arena) -> None:
    delta = link(arena, b"u" * 1000)
    plain = str(arena.batch(API, sha256(b"u" * 1000), 1000, by="bob")["actions"]["upload"]["href"])
    body = copying(sha256(BASE), len(BASE), 1000)
    for href in (
        delta.replace("/lfs/deltas/", "/lfs/objects/"),
        plain.replace("/lfs/objects/", "/lfs/deltas/"),
        delta.replace(sha256(b"u" * 1000), sha256(b"t")),
        delta.partition("?")[0],
    ):
        nothing_kept(arena, href, body, 400, 401, 403, 404, code=None)


def test_a_link_ends_with_the_right_to_push(arena: Arena) -> None:
    arena.token("bob", "write", "short")
    asked = {"operation": "upload", "objects": [{"oid": sha256(b"s" * 10), "size": 10}]}
    asked["transfers"] = ["allmende-delta-1"]
    said = arena.ask("POST", "/bob/own.git/info/lfs/objects/batch", by="short", json=asked).json
    assert said["transfer"] == "allmende-delta-1"
    arena.revoke("bob", "short")
    href = said["objects"][0]["actions"]["upload"]["href"]
    nothing_kept(arena, href, copying(sha256(BASE), len(BASE), 10), 401, 403, code=None)
