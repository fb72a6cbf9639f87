"""Xorbs and shards that say what is not so: each is refused with a code, and nothing of it stays."""

import gc
import hashlib
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from starlette.types import Message

from allmende.xorbs import MAX_SERIALIZED_BYTES, MAX_SHARD_BYTES, Chunk, range_hash
from tests.attack.arena import Arena, build, refused
from tests.unit.xorbs.xet_bytes import compressed, frame, raw_frame
from tests.xet_forge import File, Reply, Store, Xorb, entry, file_of, lines_of, pieces, shard_of

ONE, TWO = Xorb(pieces(1, 6)), Xorb(pieces(2, 6))
FILE = file_of(ONE, (TWO, 1, 5))
API = "/api/models/alice/own"
TERMS = [(xorb.raw, sum(map(len, xorb.pieces[first:end])), first, end) for xorb, first, end in FILE.terms]


@pytest.fixture(scope="module")
def arena(tmp_path_factory) -> Iterator[Arena]:
    with build(tmp_path_factory.mktemp("lies"), max_file_bytes=1024 * 1024, body_timeout_s=0.3) as built:
        built.create("alice/own")
        store = Store.of(built, API, "alice")
        assert store.put_xorb(ONE).status == store.put_xorb(TWO).status == 200
        yield built


@pytest.fixture
def store(arena: Arena) -> Store:
    return Store.of(arena, API, "alice")


def kept(arena: Arena) -> tuple[dict[str, int], list[Path]]:
    """Every row and file that there is, but for the generation of a scope."""
    root = arena.services.settings.contents_dir
    rows = {name: count for name, count in arena.state().items() if name != "xet_scope"}
    return rows, sorted(path for path in root.rglob("*") if path.is_file())


def denied(answer: Reply, code: str, status: int = 400) -> None:
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.headers["x-error-message"]
    assert len(answer.body) < 2000


def changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


XORBS: dict[str, tuple[str, bytes]] = {
    "another hash": ("hash_mismatch", TWO.serialized()),
    "a byte changed": ("hash_mismatch", changed(ONE.serialized(), 500)),
    "a chunk less": ("hash_mismatch", Xorb(ONE.pieces[:-1]).serialized()),
    "a chunk more": ("hash_mismatch", Xorb((*ONE.pieces, b"more")).serialized()),
    "chunks in another order": ("hash_mismatch", Xorb(ONE.pieces[::-1]).serialized()),
    "chunks cut elsewhere": (
        "hash_mismatch", Xorb((ONE.pieces[0] + ONE.pieces[1], *ONE.pieces[2:])).serialized()
    ),
    "nothing": ("xorb_malformed", b""),
    "no xorb": ("xorb_malformed", b"no xorb at all"),
    "the last frame cut short": ("xorb_malformed", ONE.serialized()[:-1]),
    "a header cut short": ("xorb_malformed", ONE.serialized() + b"\x00" * 5),
    "a compressed frame that is damaged": ("xorb_malformed", changed(ONE.serialized(1), 8)),
    "an unknown scheme": ("xorb_malformed", raw_frame(b"x" * 100, 100, 3)),
    "an unknown version": ("xorb_malformed", raw_frame(b"x" * 100, 100, 0, version=1)),
    "a frame that unpacks to more": ("xorb_malformed", raw_frame(compressed(b"x" * 101), 100, 1)),
    "a frame that unpacks to less": ("xorb_malformed", raw_frame(compressed(b"x" * 99), 100, 1)),
    "a bomb": ("xorb_malformed", raw_frame(compressed(bytes(2**24)), 128 * 1024, 1)),
    "a chunk of no bytes": ("xorb_malformed", raw_frame(b"", 0, 0)),
    "too many chunks": ("xorb_malformed", frame(b"x") * 8193),
}  # fmt: skip


@pytest.mark.parametrize("case", XORBS.values(), ids=XORBS.keys())
def test_a_xorb(arena: Arena, store: Store, case: tuple[str, bytes]):
    code, body = case
    before = kept(arena)
    denied(store.put_xorb(ONE, body=body), code)
    assert kept(arena) == before


def test_a_xorb_under_another_name(arena: Arena, store: Store):
    before = kept(arena)
    for name in ("0" * 64, "ab" * 32, TWO.name):
        denied(store.put_xorb(ONE, name=name), "hash_mismatch")
    assert kept(arena) == before


LENGTHS: dict[str, tuple[str | None, str, int]] = {
    "one less": (str(len(ONE.serialized()) - 1), "size_mismatch", 400),
    "one more": (str(len(ONE.serialized()) + 1), "size_mismatch", 400),
    "nothing": ("0", "size_mismatch", 400),
    "none": (None, "length_missing", 400),
    "empty": ("", "length_missing", 400),
    "negative": ("-1", "length_missing", 400),
    "a word": ("many", "length_missing", 400),
    "with a sign": (f"+{len(ONE.serialized())}", "length_missing", 400),
    "with zeros": (f"0{len(ONE.serialized())}", "size_mismatch", 400),
    "other digits": ("\u0663", "length_missing", 400),
    "too large": (str(MAX_SERIALIZED_BYTES + 1), "too_large", 413),
    "endless": ("9" * 5000, "too_large", 413),
}


@pytest.mark.parametrize("case", LENGTHS.values(), ids=LENGTHS.keys())
def test_a_length_that_is_not_so(arena: Arena, store: Store, case):
    length, code, status = case
    before = kept(arena)
    headers: list[tuple[str, str | bytes]] = [("authorization", f"Bearer {store.token}")]
    if length is not None:
        headers.append(("content-length", length.encode()))
    target = f"{store.address}/v1/xorbs/default/{ONE.name}"
    answer = arena.ask("POST", target, headers=headers, body=[ONE.serialized()])
    refused(answer, status, code=code)
    assert kept(arena) == before


@pytest.mark.parametrize("path", [f"/v1/xorbs/default/{ONE.name}", "/v1/shards", "/v2/shards"])
def test_what_is_too_large_is_refused_before_it_is_read(arena: Arena, store: Store, path: str):
    def more() -> bytes:
        raise AssertionError("the body was read")

    most = MAX_SERIALIZED_BYTES if "xorbs" in path else MAX_SHARD_BYTES
    named = [("authorization", f"Bearer {store.token}")]
    answer = arena.ask("POST", store.address + path, headers=named, body=[more], length=most + 1)
    refused(answer, 413, code="too_large")


@pytest.mark.parametrize("path", [f"/v1/xorbs/default/{ONE.name}", "/v1/shards", "/v2/shards"])
def test_whoever_may_not_upload_is_refused_before_it_is_read(arena: Arena, path: str):
    def more() -> bytes:
        raise AssertionError("the body was read")

    reader = Store.of(arena, API, "alice", write=False)
    for token, status in ((reader.token, 403), ("x", 401)):
        named = [("authorization", f"Bearer {token}")]
        answer = arena.ask("POST", reader.address + path, headers=named, body=[more], length=1000)
        refused(answer, status)


@pytest.mark.parametrize("path", [f"/v1/xorbs/default/{ONE.name}", "/v1/shards", "/v2/shards"])
def test_a_body_that_breaks_off_or_stalls(arena: Arena, store: Store, path: str):
    body = ONE.serialized() if "xorbs" in path else shard_of([FILE])
    named = [("authorization", f"Bearer {store.token}")]
    before = kept(arena)
    target = store.address + path
    answer = arena.ask("POST", target, headers=named, body=[body[:10]], length=len(body), cut=True)
    refused(answer, 400, code="body_broken_off")
    status, code = arena.portal.call(stalling, arena, target, store.token, body)
    assert (status, code) == (503, b"sender_stalled")
    assert kept(arena) == before


async def stalling(arena: Arena, target: str, token: str, body: bytes) -> tuple[int, bytes]:
    """Send the beginning of a body, and then nothing for longer than the hub waits."""
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": "POST", "scheme": "http", "path": target, "raw_path": target.encode(), "query_string": b"",
        "root_path": "", "client": ("127.0.0.1", 40000), "server": ("127.0.0.1", 8080), "state": {},
        "headers": [
            (b"host", b"hub.test"),
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-length", str(len(body)).encode()),
        ],
    }  # fmt: skip
    left = [{"type": "http.request", "body": body[:10], "more_body": True}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not left:
            await anyio.sleep(60)
        return left.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    with anyio.fail_after(10):
        await arena.app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"x-error-code", b"")


def of_other_chunks() -> bytes:
    return ONE.records([Chunk(TWO.chunks[0].hash, ONE.chunks[0].size_bytes), *ONE.chunks[1:]])


def repeated(times: int) -> File:
    zero = Xorb((bytes(128 * 1024),))
    return file_of(*[zero.whole()] * times)


WRONG = hashlib.sha256(b"other bytes").hexdigest()

SHARDS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "another SHA-256": ("hash_mismatch", lambda: shard_of([entry(FILE, sha256=WRONG)])),
    "no SHA-256": ("shard_mismatch", lambda: shard_of([entry(FILE, sha256=None)])),
    "another file hash": ("shard_mismatch", lambda: shard_of([entry(FILE, raw=TWO.raw)])),
    "the hash of a file with a chunk less": (
        "shard_mismatch", lambda: shard_of([entry(FILE, raw=file_of((ONE, 0, 5), (TWO, 1, 5)).raw)])
    ),
    "the hash of the xorb as that of the file": (
        "shard_mismatch", lambda: shard_of([entry(file_of(ONE), raw=ONE.raw)])
    ),
    "wrong range hashes": (
        "shard_mismatch", lambda: shard_of([entry(FILE, range_hashes=[b"x" * 32, b"y" * 32])])
    ),
    "range hashes exchanged": (
        "shard_mismatch",
        lambda: shard_of(
            [
                entry(
                    file_of((ONE, 0, 2), (ONE, 2, 4)),
                    range_hashes=[
                        range_hash(chunk.hash for chunk in ONE.chunks[first : first + 2]) for first in (2, 0)
                    ],
                )
            ]
        ),
    ),
    "a term of a byte more": (
        "shard_mismatch", lambda: shard_of([entry(FILE, terms=[(ONE.raw, TERMS[0][1] + 1, 0, 6), TERMS[1]])])
    ),
    "a term of a byte less": (
        "shard_mismatch", lambda: shard_of([entry(FILE, terms=[(ONE.raw, TERMS[0][1] - 1, 0, 6), TERMS[1]])])
    ),
    "terms exchanged": ("shard_mismatch", lambda: shard_of([entry(FILE, terms=TERMS[::-1])])),
    "chunks past the end of the xorb": (
        "shard_mismatch", lambda: shard_of([entry(FILE, terms=[(ONE.raw, TERMS[0][1], 0, 7), TERMS[1]])])
    ),
    "chunks far past the end of the xorb": (
        "shard_mismatch", lambda: shard_of([entry(FILE, terms=[(ONE.raw, 9000, 8000, 8001), TERMS[1]])])
    ),
    "a range of no chunks": (
        "shard_malformed", lambda: shard_of([entry(FILE, terms=[(ONE.raw, TERMS[0][1], 3, 3), TERMS[1]])])
    ),
    "a range turned round": (
        "shard_malformed", lambda: shard_of([entry(FILE, terms=[(ONE.raw, TERMS[0][1], 6, 0), TERMS[1]])])
    ),
    "a xorb that nobody uploaded": ("xorb_unknown", lambda: shard_of([file_of(Xorb(pieces(77, 2)))])),
    "another chunk in the xorb's description": (
        "shard_mismatch", lambda: shard_of([FILE], [of_other_chunks(), TWO])
    ),
    "a chunk less in the xorb's description": (
        "shard_mismatch", lambda: shard_of([FILE], [ONE.records(ONE.chunks[:-1]), TWO])
    ),
    "a file over the limit": ("too_large", lambda: shard_of([repeated(9)])),
    "a file far over the limit": (
        "too_large",
        lambda: shard_of(
            [entry(FILE, terms=[(ONE.raw, 2**26, 0, 8192)] * 5000, range_hashes=[b"\0" * 32] * 5000)]
        ),
    ),
    "a good file before a bad one that is malformed": (
        "shard_malformed",
        lambda: shard_of([FILE, entry(FILE, terms=[(ONE.raw, 0, 0, 1), TERMS[1]])]),
    ),
    "the SHA-256 of the empty file": (
        "hash_mismatch", lambda: shard_of([entry(FILE, sha256=hashlib.sha256(b"").hexdigest())])
    ),
    "the empty file under another SHA-256": (
        "hash_mismatch", lambda: shard_of([entry(file_of(), sha256=WRONG)])
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHARDS)
def test_a_shard(arena: Arena, name: str):
    code, forge = SHARDS[name]
    # Each with a fresh token, as its client would come back after the scope was renewed.
    store = Store.of(arena, API, "alice")
    body = forge()
    before = kept(arena)
    denied(store.put_shard(body), code, 413 if code == "too_large" else 400)
    assert kept(arena) == before
    if code == "shard_malformed":
        denied(store.put_shard(body, 2), code)
    else:
        last = lines_of(store.put_shard(body, 2))[-1]
        assert last["type"] == "error"
        assert last["retryable"] is False
        assert last["message"]
    assert kept(arena) == before


def test_a_false_description_of_a_xorb_that_no_file_names_is_of_no_consequence(arena: Arena, store: Store):
    before = kept(arena)
    assert store.put_shard(shard_of([], [of_other_chunks(), Xorb(pieces(78, 2))])).status == 200
    assert kept(arena) == before


def test_the_limit_is_of_each_file_and_reaching_it_is_allowed(tmp_path):
    with build(tmp_path, max_file_bytes=1024 * 1024) as arena:
        arena.create("alice/own")
        store = Store.of(arena, API, "alice")
        store.upload(repeated(8))
        denied(store.put_shard(shard_of([repeated(9)])), "too_large", 413)


def test_the_same_file_twice_in_a_shard(tmp_path):
    with build(tmp_path) as arena:
        arena.create("alice/own")
        store = Store.of(arena, API, "alice")
        store.upload(FILE, FILE, FILE)
        assert arena.state()["stored"] == 1
        store = Store.of(arena, API, "alice")
        for xorb in FILE.xorbs:
            store.put_xorb(xorb)
        # The second entry lies, the first one was true and stays.
        denied(store.put_shard(shard_of([FILE, entry(FILE, sha256=WRONG)])), "hash_mismatch")
        assert arena.state()["content"] == 1


def test_a_file_in_chunks_of_one_byte(arena: Arena, store: Store):
    """What is kept of a chunk takes more than a byte: such a file would cost a multiple of its size."""
    small = Xorb(tuple(struct.pack("<H", number) for number in range(8192)))
    assert store.put_xorb(small).status == 200
    before = kept(arena)
    answer = store.put_shard(shard_of([file_of(*[small] * 4)]))
    assert (answer.status, answer.code) == (400, "shard_mismatch")
    assert kept(arena) == before


def test_a_shard_of_very_many_terms_takes_bounded_memory(arena: Arena, store: Store):
    """Fifty thousand terms of a file that is over the limit: refused without looking at each."""
    terms = [(ONE.raw, len(ONE.pieces[0]), 0, 1)] * 50_000
    body = shard_of([entry(FILE, terms=terms, range_hashes=[b"\0" * 32] * 50_000)], [])
    gc.collect()
    tracemalloc.start()
    try:
        denied(store.put_shard(body), "too_large", 413)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(body)


def test_a_false_name_does_not_take_the_place_of_a_true_file(tmp_path):
    """Alice's content is not touched by what bob says of it, nor is the Xet hash of her file."""
    with build(tmp_path) as arena:
        for name in ("alice", "bob"):
            arena.create(f"{name}/own", by=name)
        file = file_of(ONE)
        Store.of(arena, API, "alice").upload(file)
        bob = Store.of(arena, "/api/models/bob/own", "bob")
        bob.put_xorb(TWO)
        other = file_of(TWO)
        denied(bob.put_shard(shard_of([entry(other, sha256=file.sha256)])), "hash_mismatch")
        denied(bob.put_shard(shard_of([entry(other, raw=file.raw)])), "shard_mismatch")
        link = ("lfsFile", {"path": "w.bin", "algo": "sha256", "oid": file.sha256})
        assert arena.commit(API, link).status == 200
        assert arena.ask("GET", "/alice/own/resolve/main/w.bin").body == file.data
        assert Store.of(arena, API, None, write=False).read(file.name) == file.data
