"""Bytes over a real connection, where the server reads files itself and clients go away in the middle."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.hubs import RunningHub

DATA = os.urandom(20 * 1024 * 1024 + 3)
OID = hashlib.sha256(DATA).hexdigest()
FILE = "/alice/mm/resolve/main/m.bin"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with RunningHub(tmp_path_factory.mktemp("served") / "hub") as hub:
        with client_of(hub) as client:
            assert client.post("/api/repos/create", json={"name": "mm"}).is_success
            upload = upload_action(client, OID, len(DATA))
            assert httpx2.put(upload, content=DATA).is_success
            lines = [
                {"key": "header", "value": {"summary": "a model"}},
                {
                    "key": "lfsFile",
                    "value": {"path": "m.bin", "algo": "sha256", "oid": OID, "size": len(DATA)},
                },
            ]
            body = "\n".join(json.dumps(line) for line in lines)
            assert client.post("/api/models/alice/mm/commit/main", content=body).is_success
        yield hub


@pytest.fixture
def client(running: RunningHub) -> Iterator[httpx2.Client]:
    with client_of(running) as opened:
        yield opened


def client_of(hub: RunningHub) -> httpx2.Client:
    return httpx2.Client(base_url=hub.url, headers={"Authorization": "Bearer token-of-alice"}, timeout=60)


def upload_action(client: httpx2.Client, oid: str, size_bytes: int) -> str:
    body = {"operation": "upload", "objects": [{"oid": oid, "size": size_bytes}]}
    told = client.post("/alice/mm.git/info/lfs/objects/batch", json=body).json()["objects"][0]
    return str(told["actions"]["upload"]["href"])


def open_contents(hub: RunningHub) -> int:
    """How many files of the store the hub's processes have open."""
    return sum(
        str(hub.data) in target and "/contents/" in target
        for process in Path("/proc").glob("[0-9]*")
        for target in open_files(process, hub.pid)
    )


def open_files(process: Path, group: int) -> Iterator[str]:
    """What a process of the group has open; what ends while it is looked at is passed over."""
    with suppress(FileNotFoundError, ProcessLookupError):
        if os.getpgid(int(process.name)) != group:
            return
        for descriptor in (process / "fd").iterdir():
            with suppress(FileNotFoundError):
                yield str(descriptor.readlink())


def incoming(hub: RunningHub) -> int:
    return len(list((hub.data / "contents" / "incoming").iterdir()))


def becomes(value: Callable[[], int], expected: int) -> bool:
    deadline = time.monotonic() + 60
    while value() != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return value() == expected


def send(hub: RunningHub, head: str, body: bytes = b"") -> socket.socket:
    place = urlsplit(hub.url)
    connection = socket.create_connection((place.hostname, place.port), timeout=30)
    connection.sendall(f"{head}Host: {place.netloc}\r\n\r\n".encode() + body)
    return connection


def test_whole_and_in_ranges(client: httpx2.Client) -> None:
    assert client.get(FILE).content == DATA
    for asked, cut in (
        ("bytes=0-", slice(None)),
        ("bytes=7-", slice(7, None)),
        ("bytes=-5", slice(-5, None)),
    ):
        part = client.get(FILE, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, DATA[cut])


def test_head_tells_the_length(client: httpx2.Client) -> None:
    for path in (FILE, "/alice/mm/resolve/main/.gitattributes"):
        head, whole = client.head(path), client.get(path)
        assert head.headers["content-length"] == whole.headers["content-length"] == str(len(whole.content))
        assert head.headers["etag"] == whole.headers["etag"]
        assert "content-encoding" not in whole.headers


def test_readers_that_go_away_leave_no_file_open(running: RunningHub) -> None:
    readers = [send(running, f"GET {FILE} HTTP/1.1\r\n{more}") for more in ("", "Range: bytes=5-\r\n") * 10]
    for reader in readers:
        assert reader.recv(1000)
    assert open_contents(running) > 0
    for reader in readers:
        reader.close()
    assert becomes(lambda: open_contents(running), 0)


def test_senders_that_go_away_leave_nothing(running: RunningHub, client: httpx2.Client) -> None:
    path = upload_action(client, "ab" * 32, 2**30).removeprefix(running.url)
    head = f"PUT {path} HTTP/1.1\r\nContent-Length: {2**30}\r\n"
    senders = [send(running, head, b"x" * 5_000_000) for _ in range(5)]
    assert becomes(lambda: incoming(running), 5)
    for sender in senders:
        sender.close()
    assert becomes(lambda: incoming(running), 0)
    assert becomes(lambda: open_contents(running), 0)


def test_a_refusal_reaches_who_still_sends(running: RunningHub) -> None:
    big = b'{"key": "header", "value": {"summary": "s"}}\n' + b"x" * 30_000_000
    for token, status in (("token-of-bob", 403), ("none", 401)):
        answer = httpx2.post(
            f"{running.url}/api/models/alice/mm/commit/main",
            content=big,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        assert (answer.status_code, bool(answer.headers["x-error-code"])) == (status, True)
