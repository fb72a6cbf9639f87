"""Uploads that lie, break off or never end: nothing of them stays, in the store or in the database."""

import hashlib

import pytest

from tests.attack.arena import Arena, build, formed, refused, sha256, target_of

API = "/api/models/alice/repo"
DATA = b"the bytes of a file" * 100
PART = 1024**2


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    limits = {"multipart_threshold_bytes": PART, "multipart_part_bytes": PART, "body_timeout_s": 0.3}
    with build(tmp_path_factory.mktemp("uploads"), **limits) as built:
        built.create("alice/repo")
        yield built


def link(arena: Arena, data: bytes = DATA, size: int | None = None) -> str:
    entry = arena.batch(API, sha256(data), len(data) if size is None else size)
    return entry["actions"]["upload"]["href"]


LIES = {
    "other bytes": {"body": b"x" * len(DATA)},
    "one bit other": {"body": DATA[:-1] + bytes([DATA[-1] ^ 1])},
    "one byte fewer": {"body": DATA[:-1]},
    "one byte more": {"body": DATA + b"x"},
    "nothing": {"body": b""},
    "nothing, and says so": {"body": b"", "length": 0},
    "one byte more in pieces": {"body": [DATA, b"x"]},
    "one byte fewer in pieces": {"body": [DATA[:-1]]},
    "endless": {"body": [b"x" * 65_536] * 200},
    "says more, sends the truth": {"body": DATA, "length": len(DATA) + 1},
    "says less, sends the truth": {"body": DATA, "length": len(DATA) - 1},
    "says a negative number": {"body": DATA, "length": -1},
    "says no number": {"body": DATA, "length": "many"},
    "says too many digits": {"body": DATA, "length": "9" * 5000},
    "says it with a plus": {"body": DATA, "length": f"+{len(DATA)}"},
}


@pytest.mark.parametrize("request_", LIES.values(), ids=LIES.keys())
def test_bytes_that_are_not_what_was_announced(arena: Arena, request_: dict):
    href = link(arena)
    before = arena.state()
    refused(arena.ask("PUT", target_of(href), **request_), 400, code=None)
    assert arena.state() == before
    refused(arena.commit(API, ("lfsFile", {"path": "x", "oid": sha256(DATA)})), 400)


BREAKS = {
    "before the first byte": [b""],
    "after a byte": [b"x"],
    "in the middle": [DATA[:500], DATA[500:700]],
    "before the last byte": [DATA[:-1]],
}


@pytest.mark.parametrize("pieces", BREAKS.values(), ids=BREAKS.keys())
@pytest.mark.parametrize("length", [None, len(DATA)])
def test_a_client_that_goes_away(arena: Arena, pieces: list[bytes], length: int | None):
    href = link(arena)
    before = arena.state()
    answer = arena.ask("PUT", target_of(href), body=pieces, length=length, cut=True)
    refused(answer, 400, code="body_broken_off")
    assert arena.state() == before


def test_ten_gigabytes_announced_and_ten_bytes_sent(arena: Arena):
    size = 10 * 1024**3
    entry = arena.batch(API, sha256(b"huge"), size)
    href = entry["actions"]["upload"]["href"]
    before = arena.state()
    answer = arena.ask("PUT", target_of(href), body=[b"0123456789"], length=size, cut=True)
    refused(answer, 400, code="body_broken_off")
    assert arena.state() == before
    refused(arena.ask("PUT", target_of(href), body=b"0123456789"), 400, code="size_mismatch")
    assert arena.state() == before
    assert not arena.incoming()


SIZES = {
    "negative": (-1, 422),
    "very negative": (-(2**63), 422),
    "too large": (2**40 + 1, 413),
    "beyond 64 bits": (2**64, 413),
    "a hundred digits": (10**100, 413),
}


@pytest.mark.parametrize(("size", "code"), SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("transfer", ["basic", "multipart"])
def test_impossible_sizes_in_a_batch(arena: Arena, size: int, code: int, transfer: str):
    before = arena.state()
    entry = arena.batch(API, sha256(b"x"), size, transfers=[transfer])
    assert entry["error"]["code"] == code
    assert "actions" not in entry
    assert arena.state() == before


@pytest.mark.parametrize("oid", ["", "x", "0" * 63, "0" * 65, "A" * 64, "../" * 21 + "x", "0" * 63 + "\n"])
@pytest.mark.parametrize("operation", ["upload", "download"])
def test_hashes_that_are_none(arena: Arena, oid: str, operation: str):
    entry = arena.batch(API, oid, 1, operation=operation)
    assert entry["error"]["code"] in {404, 422}
    answer = arena.ask(
        "POST", "/alice/repo.git/info/lfs/objects/verify", by="alice", json={"oid": oid, "size": 1}
    )
    refused(answer, 400, 404)


def objects(arena: Arena, entries: list, **more):
    asked = {"operation": "upload", "objects": entries, **more}
    return arena.ask("POST", "/alice/repo.git/info/lfs/objects/batch", by="alice", json=asked)


def test_the_same_object_many_times(arena: Arena):
    same = {"oid": sha256(b"again"), "size": 5}
    answer = objects(arena, [same] * 50)
    assert answer.status == 200
    assert len(answer.json["objects"]) == 50
    other = objects(arena, [same, {**same, "size": 6}], transfers=["basic", "multipart"])
    formed(other)
    large = {"oid": sha256(b"again"), "size": 2 * PART}
    before = arena.state()["upload"]
    assert objects(arena, [large] * 50, transfers=["multipart"]).status == 200
    assert arena.state()["upload"] == before + 1


def test_too_many_objects(arena: Arena):
    before = arena.state()
    many = [{"oid": sha256(str(number).encode()), "size": 2 * PART} for number in range(10_001)]
    refused(objects(arena, many, transfers=["multipart"]), 413, code="too_many_objects")
    assert arena.state() == before


def test_no_answer_names_more_parts_than_a_client_can_hold(tmp_path):
    with build(tmp_path, multipart_threshold_bytes=1, multipart_part_bytes=PART) as arena:
        arena.create("alice/repo")
        entry = arena.batch(API, sha256(b"x"), 2**40, transfers=["multipart"])
        assert len(entry["actions"]["upload"]["header"]) <= 1001


class Parts:
    """An upload in three parts, two of full size."""

    def __init__(self, arena: Arena, seed: bytes) -> None:
        self.arena = arena
        self.data = hashlib.sha256(seed).digest() * (PART // 16) + seed
        entry = arena.batch(API, sha256(self.data), len(self.data), transfers=["multipart"])
        self.action = entry["actions"]["upload"]

    def send(self, number: int, data: bytes | list[bytes] | None = None, **more):
        own = self.data[(number - 1) * PART : number * PART] if data is None else data
        return self.arena.ask("PUT", target_of(self.action["header"][str(number)]), body=own, **more)

    def complete(self, etags: dict[int, str], **more):
        parts: object = [{"partNumber": number, "etag": etag} for number, etag in etags.items()]
        body = {"oid": sha256(self.data), "parts": parts, **more}
        return self.arena.ask("POST", target_of(self.action["href"]), json=body)

    def send_all(self) -> dict[int, str]:
        return {number: self.send(number).headers["etag"] for number in (1, 2, 3)}


def test_parts_that_are_not_what_was_announced(arena: Arena):
    upload = Parts(arena, b"wrong parts")
    for data in (b"", b"x", upload.data[: PART + 1], upload.data[: PART - 1]):
        refused(upload.send(1, data), 400, code="size_mismatch")
    refused(upload.send(1, [b"x"] * 3, cut=True), 400, code="body_broken_off")
    before = arena.state()
    refused(upload.complete({1: "x"}), 400, code="part_missing")
    assert arena.state() == before


@pytest.mark.parametrize("number", ["0", "4", "-1", "1.5", "x", "9" * 5000, "%D9%A1", "%C2%B2", "1%2F2"])
def test_parts_of_no_number(arena: Arena, number: str):
    upload = Parts(arena, b"numbers")
    target = target_of(upload.action["header"]["1"]).replace("/parts/1", f"/parts/{number}")
    refused(arena.ask("PUT", target, body=b"x"), 400, 404)


def test_parts_that_do_not_fit_together(arena: Arena):
    upload = Parts(arena, b"mixed")
    etags = upload.send_all()
    for wrong in ({}, {1: etags[1]}, {**etags, 4: "x"}, {1: etags[2], 2: etags[1], 3: etags[3]}):
        refused(upload.complete(wrong), 400, code="part_mismatch")
    refused(upload.complete(etags, oid="0" * 64), 400, code="oid_mismatch")
    nonsense: list[object] = [7, None, {}, [7], [{"partNumber": 10**30, "etag": "x"}], [{"partNumber": 1}]]
    for parts in nonsense:
        refused(upload.complete({}, parts=parts), 400)
    assert upload.complete(etags).status == 200


def test_a_whole_of_other_bytes_is_forgotten(arena: Arena):
    upload = Parts(arena, b"bad whole")
    etags = upload.send_all()
    etags[2] = upload.send(2, b"x" * PART).headers["etag"]
    before = arena.state()
    refused(upload.complete(etags), 400, code="hash_mismatch")
    after = arena.state()
    assert after["upload"] == before["upload"] - 1
    assert after["upload_part"] == before["upload_part"] - 3
    assert after["incoming"] == before["incoming"] - 1
    assert after["content"] == before["content"]
    refused(upload.complete(etags), 404, code="upload_unknown")
    refused(upload.send(1), 404, code="upload_unknown")


def test_a_completed_upload_takes_no_more_parts(arena: Arena):
    upload = Parts(arena, b"finished")
    etags = upload.send_all()
    assert upload.complete(etags).status == 200
    refused(upload.send(1, b"y" * PART), 404, code="upload_unknown")
    assert upload.complete(etags).status == 200
    with arena.services.contents.open_read(f"{upload_path(upload.data)}") as file:
        assert file.read() == upload.data


def upload_path(data: bytes) -> str:
    oid = sha256(data)
    return f"{oid[:2]}/{oid[2:4]}/{oid}"
