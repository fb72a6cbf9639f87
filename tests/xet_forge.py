"""What a client of the Xet transfer makes and does: xorbs and shards, true and false, and calls to the store.

Nothing here asks the hub's readers what they would accept: bytes follow the published formats, and answers
are taken apart as strictly as a client could wish.
"""

import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import lz4.frame

from allmende.ids import AccountId, Sha256, XetHash
from allmende.storage import XorbKey, add_uploaded_xorb
from allmende.xorbs import (
    Chunk,
    Shard,
    chunk_hash,
    file_hash,
    from_hex,
    range_hash,
    read_shard,
    to_hex,
    xorb_hash,
)
from tests.unit.xorbs.xet_bytes import file_records, frame, shard, xorb_records

__all__ = [
    "Ask",
    "File",
    "Reply",
    "Store",
    "Xorb",
    "asking",
    "chunks_in",
    "claim",
    "entry",
    "file_of",
    "frames_in",
    "numbers_of",
    "parts_of",
    "pieces",
    "shard_of",
    "stage",
]

KIB = 1024
Term = tuple["Xorb", int, int]


def pieces(seed: int, count: int, size_bytes: int = 9 * KIB) -> tuple[bytes, ...]:
    """Chunks of made-up bytes, no two alike, of about `size_bytes` each; they shrink a little when packed."""
    source = random.Random(seed)
    return tuple(
        source.randbytes(size_bytes - 1024 + source.randrange(16)) + b"\x00" * 1024 for _ in range(count)
    )


@dataclass(frozen=True)
class Xorb:
    """A xorb of these chunks."""

    pieces: tuple[bytes, ...]

    @cached_property
    def chunks(self) -> list[Chunk]:
        return [Chunk(chunk_hash(piece), len(piece)) for piece in self.pieces]

    @cached_property
    def raw(self) -> bytes:
        return xorb_hash(self.chunks)

    @property
    def name(self) -> XetHash:
        return to_hex(self.raw)

    def serialized(self, scheme: int = 0) -> bytes:
        return b"".join(frame(piece, scheme) for piece in self.pieces)

    def whole(self) -> Term:
        return (self, 0, len(self.pieces))

    def records(self, chunks: list[Chunk] | None = None) -> bytes:
        """Its entry in a shard; `chunks` are those that it is said to have."""
        return xorb_records(self.raw, self.chunks if chunks is None else chunks)


@dataclass(frozen=True)
class File:
    """A file made of runs of chunks: of each xorb, from `first` up to but without `end`."""

    terms: tuple[Term, ...]

    @cached_property
    def data(self) -> bytes:
        return b"".join(b"".join(xorb.pieces[first:end]) for xorb, first, end in self.terms)

    @cached_property
    def chunks(self) -> list[Chunk]:
        return [chunk for xorb, first, end in self.terms for chunk in xorb.chunks[first:end]]

    @cached_property
    def raw(self) -> bytes:
        return file_hash(self.chunks)

    @property
    def name(self) -> XetHash:
        return to_hex(self.raw)

    @cached_property
    def sha256(self) -> Sha256:
        return Sha256(hashlib.sha256(self.data).hexdigest())

    @property
    def xorbs(self) -> list[Xorb]:
        return list(dict.fromkeys(xorb for xorb, _first, _end in self.terms))


def file_of(*terms: Term | Xorb) -> File:
    """A file of these runs of chunks; a xorb alone stands for the whole of it."""
    return File(tuple(term.whole() if isinstance(term, Xorb) else term for term in terms))


def entry(
    file: File,
    *,
    raw: bytes | None = None,
    sha256: str | None = "",
    terms: list[tuple[bytes, int, int, int]] | None = None,
    range_hashes: list[bytes] | None = None,
) -> bytes:
    """A file's entry in a shard. What is given is said instead of the truth; `sha256=None` leaves it out."""
    if terms is None:
        terms = [
            (xorb.raw, sum(map(len, xorb.pieces[first:end])), first, end) for xorb, first, end in file.terms
        ]
    if range_hashes is None:
        range_hashes = [
            range_hash(chunk.hash for chunk in xorb.chunks[first:end]) for xorb, first, end in file.terms
        ]
    said = file.sha256 if sha256 == "" else sha256
    digest = None if said is None else from_hex(XetHash(said))
    return file_records(file.raw if raw is None else raw, terms, range_hashes, digest)


def shard_of(files: Sequence[File | bytes], xorbs: Sequence[Xorb | bytes] | None = None) -> bytes:
    """A shard as it is uploaded, without a footer; unless they are given, it lists the files' xorbs."""
    if xorbs is None:
        xorbs = list(dict.fromkeys(xorb for file in files if isinstance(file, File) for xorb in file.xorbs))
    entries = [file if isinstance(file, bytes) else entry(file) for file in files]
    described = [xorb if isinstance(xorb, bytes) else xorb.records() for xorb in xorbs]
    return shard(b"".join(entries), b"".join(described))


@dataclass(frozen=True)
class Reply:
    """What came back; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.headers.get("x-error-code", "")


Ask = Callable[..., Reply]
"""`ask(method, target, headers, body)`; the target has no host."""


def asking(hub: Any) -> Ask:
    """Requests to a hub in this process: that of the integration tests, or an arena."""

    def ask(method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        given = headers or {}
        if hasattr(hub, "call"):
            more = {"content": body} if body or method == "POST" else {}
            answer = hub.call(method, target, headers=dict(given), **more)
            return Reply(answer.status_code, answer.headers, answer.content)
        length = len(body) if method == "POST" else None
        said = hub.ask(method, target, headers=list(given.items()), body=body, length=length)
        return Reply(said.status, said.headers, said.body)

    return ask


def local(address: str) -> str:
    """The part of an absolute address behind the host."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@dataclass
class Store:
    """The Xet store as one client sees it: at its address, with its token."""

    ask: Ask
    address: str
    token: str
    remembered: set[XetHash] = field(default_factory=set)

    @classmethod
    def of(cls, hub: Any, api: str, by: str | None, *, write: bool = True, revision: str = "main") -> "Store":
        """Ask a hub for a token as somebody."""
        ask = asking(hub)
        kind = "write" if write else "read"
        given = {} if by is None else {"authorization": f"Bearer token-of-{by}"}
        answer = ask("GET", f"{api}/xet-{kind}-token/{revision}", given)
        assert answer.status == 200, answer
        return cls(ask, local(answer.json["casUrl"]), answer.json["accessToken"])

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """A request with the token; `path` begins behind the store's address."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(method, self.address + path, {"authorization": f"Bearer {self.token}", **named}, body)

    def put_xorb(
        self, xorb: Xorb, scheme: int = 0, *, name: str | None = None, body: bytes | None = None
    ) -> Reply:
        sent = xorb.serialized(scheme) if body is None else body
        return self.call("POST", f"/v1/xorbs/default/{name or xorb.name}", sent)

    def put_shard(self, body: bytes, version: int = 1) -> Reply:
        return self.call("POST", f"/v{version}/shards", body)

    def upload(self, *files: File, scheme: int = 0, version: int = 1) -> None:
        """Send what a client would: every xorb that it has not sent before, then the shard."""
        for file in files:
            for xorb in file.xorbs:
                if xorb.name not in self.remembered:
                    answer = self.put_xorb(xorb, scheme)
                    assert answer.json == {"was_inserted": True}, answer
                    self.remembered.add(xorb.name)
        answer = self.put_shard(shard_of(files), version)
        assert answer.status == 200, answer
        if version == 2:
            assert lines_of(answer)[-1] == {"type": "result"}, answer
        else:
            assert answer.json == {"result": 1}

    def reconstruct(self, xet_hash: str, asked: str | None = None, version: int = 1) -> Reply:
        path = f"/v{version}/reconstructions/{xet_hash}"
        return self.call("GET", path) if asked is None else self.call("GET", path, range=asked)

    def fetch(self, url: str, asked: str | None = None) -> Reply:
        """As clients do: by the address alone, without the token."""
        return self.ask("GET", local(url), {} if asked is None else {"range": asked})

    def read(self, xet_hash: str, asked: str | None = None, version: int = 1) -> bytes:
        """The bytes of a file from where the range begins to the end of the last term."""
        told = self.reconstruct(xet_hash, asked, version)
        assert told.status == 200, told
        chunks = self.fetched(told.json)
        data = b"".join(
            chunks[term["hash"], number]
            for term in told.json["terms"]
            for number in range(term["range"]["start"], term["range"]["end"])
        )
        assert len(data) == sum(term["unpacked_length"] for term in told.json["terms"])
        return data[told.json["offset_into_first_range"] :]

    def fetched(self, told: Any) -> dict[tuple[str, int], bytes]:
        """Every chunk that a reconstruction says is to be had, by xorb and number."""
        found: dict[tuple[str, int], bytes] = {}
        for xorb, infos in told.get("fetch_info", {}).items():
            for info in infos:
                span = info["url_range"]
                answer = self.fetch(info["url"], f"bytes={span['start']}-{span['end']}")
                assert (answer.status, len(answer.body)) == (206, span["end"] - span["start"] + 1)
                _keep(found, xorb, info["range"], answer.body)
        for xorb, infos in told.get("xorbs", {}).items():
            for info in infos:
                spans = [(each["bytes"]["start"], each["bytes"]["end"]) for each in info["ranges"]]
                answer = self.fetch(info["url"], "bytes=" + ",".join(f"{a}-{b}" for a, b in spans))
                got = parts_of(answer)
                assert [(start, end) for start, end, _body in got] == spans
                for each, (_start, _end, body) in zip(info["ranges"], got, strict=True):
                    _keep(found, xorb, each["chunks"], body)
        return found


def _keep(found: dict[tuple[str, int], bytes], xorb: str, span: Mapping[str, int], body: bytes) -> None:
    unpacked = frames_in(body)
    assert len(unpacked) == span["end"] - span["start"]
    found.update({(xorb, span["start"] + place): piece for place, piece in enumerate(unpacked)})


def frames_in(body: bytes) -> list[bytes]:
    """The chunks of a run of whole frames, as a client unpacks them."""
    found = []
    at = 0
    while at < len(body):
        head = body[at : at + 8]
        packed_bytes, size_bytes = int.from_bytes(head[1:4], "little"), int.from_bytes(head[5:8], "little")
        packed = body[at + 8 : at + 8 + packed_bytes]
        assert (len(head), head[0], len(packed)) == (8, 0, packed_bytes), "the frames do not end with a whole"
        piece = packed if head[4] == 0 else lz4.frame.decompress(packed)
        assert head[4] in {0, 1}
        assert len(piece) == size_bytes
        found.append(piece)
        at += 8 + packed_bytes
    return found


_PART_HEAD = re.compile(
    rb"--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes (\d+)-(\d+)/(\d+)\r\n\r\n"
)


def parts_of(answer: Reply) -> list[tuple[int, int, bytes]]:
    """First and last byte, and the bytes, of each part of a partial answer (RFC 9110, section 14.6)."""
    assert answer.status == 206, answer
    kind = answer.headers["content-type"]
    if not kind.startswith("multipart/"):
        said = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers["content-range"])
        assert said is not None
        assert int(answer.headers["content-length"]) == len(answer.body)
        return [(int(said[1]), int(said[2]), answer.body)]
    assert "content-range" not in answer.headers
    named = re.fullmatch(r"multipart/byteranges; boundary=([0-9A-Za-z]{1,70})", kind)
    assert named is not None, kind
    boundary = named[1].encode()
    at = 2 if answer.body.startswith(b"\r\n") else 0
    found = []
    totals = set()
    head = re.compile(_PART_HEAD.pattern % boundary)
    while (said_of := head.match(answer.body, at)) is not None:
        first, last, total = map(int, said_of.groups())
        end = said_of.end() + last - first + 1
        found.append((first, last, answer.body[said_of.end() : end]))
        totals.add(total)
        assert answer.body[end : end + 2] == b"\r\n", "a part is longer than it says"
        at = end + 2
    assert answer.body[at:] in {b"--" + boundary + b"--\r\n", b"--" + boundary + b"--"}
    assert len(totals) == 1
    return found


def lines_of(answer: Reply) -> list[dict[str, Any]]:
    """The frames of a shard's second version, each a line of JSON."""
    assert answer.headers["content-type"].partition(";")[0] == "application/x-ndjson"
    assert answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.splitlines()]


def numbers_of(asked: str) -> tuple[int, int]:
    """First and last byte of a range."""
    first, _, last = asked.removeprefix("bytes=").partition("-")
    return int(first), int(last)


def chunks_in(answered: bytes) -> dict[XetHash, list[Chunk]]:
    """The xorbs of a shard that answers a query for a chunk, read with the published layout alone."""
    assert answered[:32] == shard(b"", b"")[:32]
    assert answered[48:80] == b"\xff" * 32, "it lists files"
    at = 96
    found: dict[XetHash, list[Chunk]] = {}
    while answered[at : at + 32] != b"\xff" * 32:
        raw, count = answered[at : at + 32], int.from_bytes(answered[at + 36 : at + 40], "little")
        at += 48
        found[to_hex(raw)] = [
            Chunk(answered[here : here + 32], int.from_bytes(answered[here + 36 : here + 40], "little"))
            for here in range(at, at + 48 * count, 48)
        ]
        at += 48 * count
    return found


def stage(services: Any, account_id: int, xorb: Xorb) -> str:
    """Put a xorb into the hub as an account's upload, past the edge; returns its location."""
    received = services.xorbs.receive(xorb.name)
    received.write(xorb.serialized())
    location, size_bytes, chunks = received.finish()
    key = XorbKey(AccountId(account_id), xorb.name)
    with services.database.write() as uow:
        before = add_uploaded_xorb(uow, key, size_bytes, chunks, location)
    if before is not None:
        services.xorbs.delete(before)
    return str(location)


def claim(*files: File | bytes, xorbs: Sequence[Xorb | bytes] | None = None) -> Shard:
    """A shard as the hub reads it."""
    return read_shard(shard_of(files, xorbs))
