"""A real hub and raw sockets: what no HTTP client would send, senders that stall, and what is left of it."""

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.hubs import RunningHub

SRC = Path(__file__).resolve().parents[2] / "src"
ALICE = {"Authorization": "Bearer token-of-alice"}
WAIT_S = 60.0
DATA = b"bytes that arrive slowly or never"
OID = hashlib.sha256(DATA).hexdigest()
ANSWER = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[RunningHub]:
    paths = os.pathsep.join(filter(None, [str(SRC), os.environ.get("PYTHONPATH", "")]))
    environment = {
        "ALLMENDE_BODY_TIMEOUT_S": "1",
        "PYTHONPATH": paths,
        "ALLMENDE_MAX_COMMIT_BYTES": "10000000",
    }
    with RunningHub(tmp_path_factory.mktemp("sockets") / "data", environment) as running:
        made = httpx2.post(f"{running.url}/api/repos/create", json={"name": "repo"}, headers=ALICE)
        assert made.status_code == 200, made.text
        yield running


def connect(hub: RunningHub) -> socket.socket:
    parts = urlsplit(hub.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=WAIT_S)


def read_all(line: socket.socket, wait_s: float = WAIT_S) -> bytes:
    """Everything until the hub closes the line or says nothing for so long."""
    line.settimeout(wait_s)
    got = bytearray()
    try:
        while chunk := line.recv(65_536):
            got += chunk
    except (TimeoutError, ConnectionResetError):
        pass
    return bytes(got)


def exchange(hub: RunningHub, data: bytes, wait_s: float = 2.0) -> bytes:
    with closing(connect(hub)) as line:
        with suppress(BrokenPipeError, ConnectionResetError):
            line.sendall(data)
        return read_all(line, wait_s)


def incoming(hub: RunningHub) -> list[Path]:
    return list((hub.data / "contents" / "incoming").iterdir())


def settles(hub: RunningHub) -> None:
    """What was arriving is gone, and the hub answers."""
    deadline = time.monotonic() + WAIT_S
    while incoming(hub):
        assert time.monotonic() < deadline, incoming(hub)
        time.sleep(0.05)
    assert httpx2.get(f"{hub.url}/api/models", timeout=WAIT_S).status_code == 200
    assert httpx2.get(f"{hub.url}/api/models/alice/repo", timeout=WAIT_S).status_code == 200


def upload_target(hub: RunningHub, size: int = len(DATA), oid: str = OID) -> str:
    asked = {"operation": "upload", "objects": [{"oid": oid, "size": size}]}
    url = f"{hub.url}/alice/repo.git/info/lfs/objects/batch"
    answer = httpx2.post(url, json=asked, headers=ALICE, timeout=WAIT_S).json()
    parts = urlsplit(answer["objects"][0]["actions"]["upload"]["href"])
    return f"{parts.path}?{parts.query}"


SMUGGLED = b"DELETE /api/repos/delete HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-alice\r\n"
SMUGGLED += b'Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{"name":"repo"}'

POST = b"POST /api/validate-yaml HTTP/1.1\r\nHost: x\r\n"
CHUNK = b"2\r\n{}\r\n0\r\n\r\n"

ODDITIES = {
    "length and chunks": POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + SMUGGLED,
    "a list of lengths": POST + b"Content-Length: 2, 40\r\n\r\n{}" + SMUGGLED,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n{}" + SMUGGLED,
    "a length with a plus": POST + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED,
    "a length in hexadecimal": POST + b"Content-Length: 0x2\r\n\r\n{}" + SMUGGLED,
    "a length beyond 64 bits": POST + b"Content-Length: 18446744073709551618\r\n\r\n{}" + SMUGGLED,
    "a length of five thousand digits": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "a blank before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNK + SMUGGLED,
    "a folded header": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNK + SMUGGLED,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNK + SMUGGLED,
    "chunked and then more": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNK + SMUGGLED,
    "a chunk of no number": POST + b"Transfer-Encoding: chunked\r\n\r\nxx\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "a negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "a chunk beyond 64 bits": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n{}" + SMUGGLED,
    "a chunk that is longer than it says": POST
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"
    + SMUGGLED,
    "an endless extension of a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"a" * 200_000,
    "nul in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n" + SMUGGLED,
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n" + SMUGGLED,
    "a header without a name": b"GET / HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n" + SMUGGLED,
    "a carriage return alone": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\rX-B: b\r\n\r\n" + SMUGGLED,
    "a version that is none": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n" + SMUGGLED,
    "a version of a word": b"GET / HTTP/one\r\n\r\n" + SMUGGLED,
    "the first version": b"GET /\r\n" + SMUGGLED,
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    "a later protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 50,
    "noise": bytes(range(256)) * 10 + b"\r\n\r\n",
    "blanks in the target": b"GET / x HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "a method that is none": b"G=T / HTTP/1.1\r\nHost: x\r\n\r\n" + b"",
    "too many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n",
    "a header of four megabytes": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 4_000_000 + b"\r\n\r\n",
    "a target of four megabytes": b"GET /" + b"a" * 4_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "headers without end": b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 500_000,
}


@pytest.mark.parametrize("data", ODDITIES.values(), ids=ODDITIES.keys())
def test_oddities_are_refused_and_carry_nothing_in(hub: RunningHub, data: bytes):
    """A 4xx or a closed line; above all the request that hides behind it is never done."""
    got = exchange(hub, data)
    statuses = [int(status) for status in ANSWER.findall(got)]
    assert all(status < 500 for status in statuses), got[:500]
    assert len(statuses) <= 1, got[:2000]
    settles(hub)


HOSTS = {
    "none": b"",
    "empty": b"Host:\r\n",
    "a path": b"Host: x/y\r\n",
    "two": b"Host: x\r\nHost: y\r\n",
    "a user": b"Host: a@b\r\n",
}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS.keys())
def test_hosts(hub: RunningHub, host: bytes):
    got = exchange(hub, b"GET /api/models HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    statuses = [int(status) for status in ANSWER.findall(got)]
    assert statuses == [400] or not got or host == HOSTS["two"], got[:300]
    assert all(status in {200, 400} for status in statuses)


TARGETS = {
    "up": b"/../../../../etc/passwd",
    "up below": b"/alice/repo/resolve/main/../../../../../../etc/passwd",
    "up in the statics": b"/static/../../../app.py",
    "up encoded": b"/static/%2e%2e%2f%2e%2e%2fapp.py",
    "up in the store": b"/lfs/objects/..%2f..%2fsecret.key?token=a.b",
    "overlong": b"/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "nul": b"/static/x%00.css",
    "bytes": b"/\xff\xfe/\x80",
    "two slashes": b"//etc/passwd",
    "absolute": b"http://evil.example/alice/repo/",
    "another authority": b"evil.example:80",
    "a star": b"*",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@pytest.mark.parametrize("accept", [b"*/*", b"text/html"], ids=["program", "person"])
def test_targets(hub: RunningHub, target: bytes, accept: bytes):
    request = (
        b"GET "
        + target
        + b" HTTP/1.1\r\nHost: hub.test\r\nAccept: "
        + accept
        + b"\r\nConnection: close\r\n\r\n"
    )
    got = exchange(hub, request)
    statuses = [int(status) for status in ANSWER.findall(got)]
    assert not statuses or statuses[0] in {307, 400, 403, 404, 405}, got[:500]
    for word in (b"root:x", b"Traceback", b"evil.example", b"import ", str(hub.data).encode()):
        assert word not in got, got[:1000]


HEADS = (
    "/",
    "/api/models",
    "/api/models/alice/repo",
    "/api/models/alice/repo/tree/main",
    "/api/models/alice/absent",
    "/api/models/alice/repo/tree/absent",
    "/api/whoami-v2",
    "/api/nothing",
    "/api/collections",
    "/alice/repo",
    "/alice/absent",
    "/alice/repo/resolve/main/.gitattributes",
    "/alice/repo/resolve/main/absent",
    "/alice/repo/resolve/absent/x",
    "/lfs/objects/" + "0" * 64,
    "/static/absent.css",
    "/robots.txt",
    "/%ff",
)


@pytest.mark.parametrize("target", HEADS)
def test_head_says_the_same_and_sends_nothing(hub: RunningHub, target: str):
    """The next answer on the same line begins right after the headers of the one before."""
    head = f"HEAD {target} HTTP/1.1\r\nHost: hub.test\r\n".encode()
    got = exchange(hub, head + b"\r\n" + head + b"Connection: close\r\n\r\n")
    assert re.fullmatch(rb"(HTTP/1\.1 [0-9]{3} [^\r\n]*\r\n(?:[^\r\n]+\r\n)+\r\n){2}", got), got
    plain = httpx2.get(f"{hub.url}{target}", headers={"Host": "hub.test"}, timeout=WAIT_S)
    assert int(ANSWER.findall(got)[0]) == plain.status_code
    headers = dict(re.findall(rb"\r\n([a-z-]+): ([^\r\n]*)", got.partition(b"\r\n\r\n")[0].lower() + b"\r\n"))
    for name in (
        "x-error-code",
        "x-error-message",
        "etag",
        "content-length",
        "content-type",
        "x-repo-commit",
    ):
        assert headers.get(name.encode(), b"") == plain.headers.get(name, "").lower().encode(), name


def put(target: str, length: int | None, body: bytes, *headers: bytes) -> bytes:
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    lines = [b"PUT " + target.encode() + b" HTTP/1.1", b"Host: hub.test", framing, *headers, b"", b""]
    return b"\r\n".join(lines) + body


def test_ten_gigabytes_announced_ten_bytes_sent_and_gone(hub: RunningHub):
    size = 10 * 1024**3
    target = upload_target(hub, size, hashlib.sha256(b"huge").hexdigest())
    for _ in range(3):
        with closing(connect(hub)) as line:
            line.sendall(put(target, size, b"0123456789"))
            time.sleep(0.2)
        settles(hub)
    assert not list((hub.data / "contents").glob("[0-9a-f]?/*/*"))


@pytest.mark.parametrize("length", [len(DATA), None], ids=["with a length", "in chunks"])
def test_a_sender_that_stops_is_given_up(hub: RunningHub, length: int | None):
    body = DATA[:10] if length is not None else b"a\r\n" + DATA[:10] + b"\r\n"
    with closing(connect(hub)) as line:
        line.sendall(put(upload_target(hub), length, body))
        got = read_all(line, WAIT_S)
        assert not line.recv(1), "the line was left open"
        assert ANSWER.findall(got) in ([b"503"], []), got
    settles(hub)


def test_a_sender_that_stops_in_a_commit_is_given_up(hub: RunningHub):
    head = (
        b"POST /api/models/alice/repo/commit/main HTTP/1.1\r\nHost: hub.test\r\nContent-Length: 1000000\r\n"
    )
    head += b"Authorization: Bearer token-of-alice\r\n\r\n"
    with closing(connect(hub)) as line:
        line.sendall(head + b'{"key":"header","value":{"summary":"s"}}\n')
        assert ANSWER.findall(read_all(line, WAIT_S)) in ([b"503"], [])
    settles(hub)


def test_slow_senders_leave_room_for_others(hub: RunningHub):
    """A hundred lines that stand still, some in their headers and some in their bodies."""
    target = upload_target(hub)
    lines = [connect(hub) for _ in range(100)]
    try:
        for number, line in enumerate(lines):
            whole = put(target, len(DATA), DATA[:5])
            line.sendall(whole if number % 2 else whole[:60])
        for _ in range(5):
            assert httpx2.get(f"{hub.url}/api/models/alice/repo", timeout=WAIT_S).status_code == 200
    finally:
        for line in lines:
            line.close()
    settles(hub)


def test_a_slow_sender_that_goes_on_is_served(hub: RunningHub):
    """Slow is not wrong: each byte begins the patience anew."""
    with closing(connect(hub)) as line:
        line.sendall(put(upload_target(hub), len(DATA), b"", b"Connection: close"))
        for byte in DATA[:10]:
            line.sendall(bytes([byte]))
            time.sleep(0.15)
        line.sendall(DATA[10:])
        assert ANSWER.findall(read_all(line)) == [b"200"]
    settles(hub)


def test_chunks_beyond_what_was_announced_are_refused(hub: RunningHub):
    oid = hashlib.sha256(b"short").hexdigest()
    chunks = b"".join(b"2710\r\n" + b"x" * 10_000 + b"\r\n" for _ in range(200)) + b"0\r\n\r\n"
    got = exchange(hub, put(upload_target(hub, 5, oid), None, chunks))
    assert ANSWER.findall(got) in ([b"400"], []), got[:300]
    settles(hub)


def test_a_body_that_is_refused_need_not_be_sent(hub: RunningHub):
    """The answer comes although the announced body never does."""
    for path, status in (
        ("/api/models/alice/repo/commit/main", b"413"),
        ("/api/repos/create", b"413"),
        ("/api/models/alice/absent/commit/main", b"413"),
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: hub.test\r\nContent-Length: 10000000000\r\n\r\n".encode()
        with closing(connect(hub)) as line:
            line.sendall(head)
            line.settimeout(WAIT_S)
            assert ANSWER.findall(line.recv(65_536)) == [status], path
    settles(hub)


def test_whoever_expects_to_be_asked_is_asked_or_refused(hub: RunningHub):
    oid = hashlib.sha256(b"asked first").hexdigest()
    head = put(upload_target(hub, 11, oid), 11, b"", b"Expect: 100-continue", b"Connection: close")
    with closing(connect(hub)) as line:
        line.sendall(head)
        line.settimeout(WAIT_S)
        assert line.recv(65_536).startswith(b"HTTP/1.1 100 ")
        line.sendall(b"asked first")
        assert ANSWER.findall(read_all(line)) == [b"200"]
    settles(hub)


def test_a_reader_that_stops_reading_stops_nobody(hub: RunningHub):
    data = os.urandom(8 * 1024**2)
    oid = hashlib.sha256(data).hexdigest()
    with httpx2.Client(base_url=hub.url, timeout=WAIT_S) as client:
        assert client.put(upload_target(hub, len(data), oid), content=data).status_code == 200
        lines = [
            {"key": "header", "value": {"summary": "large"}},
            {"key": "lfsFile", "value": {"path": "large.bin", "algo": "sha256", "oid": oid}},
        ]
        body = b"\n".join(json.dumps(line).encode() for line in lines)
        done = client.post("/api/models/alice/repo/commit/main", content=body, headers=ALICE)
        assert done.status_code == 200, done.text
        lines_open = []
        for _ in range(30):
            line = connect(hub)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.sendall(b"GET /alice/repo/resolve/main/large.bin HTTP/1.1\r\nHost: hub.test\r\n\r\n")
            lines_open.append(line)
        assert client.get("/alice/repo/resolve/main/large.bin").content == data
        for line in lines_open:
            line.close()
    settles(hub)


def test_the_log_shows_no_token_and_no_forged_line(hub: RunningHub):
    forged = "/nowhere%0A2026-01-01%20ERROR%20forged%20line%1B%5B2J"
    assert httpx2.get(f"{hub.url}{forged}", timeout=WAIT_S).status_code == 404
    time.sleep(0.3)
    assert "token-of-alice" not in hub.log
    assert not re.search(r"[?&]token=", hub.log)
    assert not any(line.startswith("2026-01-01") for line in hub.log.splitlines())
    assert "\x1b" not in hub.log
    assert "Traceback" not in hub.log, hub.log[hub.log.index("Traceback") - 500 :][:3000]
