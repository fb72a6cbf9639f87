"""Many connections at once: idle ones, senders that stall, readers that do not read.

What is asked is that none of them stops anybody else. The bounds are those of a hub that still lives, on a
busy machine; how quick it is, the bench says.
"""

import asyncio
import json
import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hubs import RunningHub
from tests.system.wire_client import Publication, WireClient, sha256_of

IDLE = 2000
OPENED_AT_ONCE = 100
REUSED = 100
STALLING = 60
SLOW_READERS = 200
LARGE_BYTES = 16 * 1024 * 1024
BODY_TIMEOUT_S = 2
LIVELY_S = 60.0
"""Within this time a request is answered by a hub that lives."""
SPARE_FILES = 500

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Let this process open as many files as the machine allows: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < IDLE + SPARE_FILES:
        pytest.fail(f"the machine allows {hard} open files, too few for {IDLE} connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def hub(tmp_path) -> Iterator[RunningHub]:
    environment = {"ALLMENDE_BODY_TIMEOUT_S": str(BODY_TIMEOUT_S), "ALLMENDE_LOG_LEVEL": "warning"}
    with RunningHub(tmp_path / "data", environment=environment) as running:
        yield running


def resident_bytes(hub: RunningHub) -> int:
    """Memory of the process that answers requests."""
    (serving,) = Path(f"/proc/{hub.pid}/task/{hub.pid}/children").read_text().split()
    pages = int(Path(f"/proc/{serving}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def head_of(hub: RunningHub, method: str, target: str, **headers: str) -> bytes:
    fields = {"Host": urlsplit(hub.url).netloc, "Authorization": "Bearer token-of-alice", **headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


async def connect(hub: RunningHub, *, window_bytes: int | None = None) -> Connection:
    address = urlsplit(hub.url)
    end = socket.socket()
    end.setblocking(False)
    if window_bytes is not None:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
    await asyncio.get_running_loop().sock_connect(end, (str(address.hostname), address.port))
    return await asyncio.open_connection(sock=end, limit=64 * 1024)


async def answer_on(connection: Connection, request: bytes) -> tuple[int, bytes]:
    """One request and its answer, on a connection that stays open."""
    reader, writer = connection
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split()[1])
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    return status, await reader.readexactly(int(length.partition(":")[2]))


@asynccontextmanager
async def opened(hub: RunningHub, count: int, *, window_bytes: int | None = None):
    """So many connections, closed in the end."""
    connections: list[Connection] = []
    try:
        while len(connections) < count:
            some = min(OPENED_AT_ONCE, count - len(connections))
            connections += await asyncio.gather(
                *(connect(hub, window_bytes=window_bytes) for _ in range(some))
            )
        yield connections
    finally:
        for _reader, writer in connections:
            writer.transport.abort()


async def check_lively(hub: RunningHub) -> float:
    """A newcomer is served, also where a thread and the database are needed; returns the seconds it took."""
    started = time.monotonic()
    async with asyncio.timeout(LIVELY_S), opened(hub, 1) as (connection,):
        status, body = await answer_on(connection, head_of(hub, "GET", "/api/whoami-v2"))
    assert status == 200
    assert json.loads(body)["name"] == "alice"
    return time.monotonic() - started


async def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIVELY_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {LIVELY_S} s: {what}"
        await asyncio.sleep(0.01)


def test_two_thousand_idle_connections_hold(hub, record_property):
    request = head_of(hub, "GET", "/healthz")

    async def scenario() -> float:
        async with opened(hub, IDLE) as connections:
            for start in range(0, IDLE, OPENED_AT_ONCE):
                some = connections[start : start + OPENED_AT_ONCE]
                answers = await asyncio.gather(*(answer_on(each, request) for each in some))
                assert {status for status, _body in answers} == {200}
            taken_s = await check_lively(hub)
            record_property("memory_bytes_with_idle", resident_bytes(hub))
            assert not any(reader.at_eof() for reader, _writer in connections)
            sampled = connections[:: IDLE // REUSED]
            answers = await asyncio.gather(*(answer_on(each, request) for each in sampled))
            assert {status for status, _body in answers} == {200}
        return taken_s

    before = resident_bytes(hub)
    taken_s = asyncio.run(asyncio.wait_for(scenario(), 100))
    record_property("memory_bytes_before", before)
    record_property("newcomer_s", taken_s)
    print(f"{IDLE} idle connections; {before} bytes of memory before, {resident_bytes(hub)} after")


def test_senders_that_stall_are_given_up_and_leave_nothing(hub):
    data = os.urandom(200_000)
    with WireClient(hub.url) as client:
        client.create_repo()
        upload = client.wanted({sha256_of(data): len(data)})[sha256_of(data)]["upload"]["href"]
        parts = urlsplit(upload)
    put = head_of(hub, "PUT", f"{parts.path}?{parts.query}", **{"Content-Length": str(len(data))})
    commit = head_of(hub, "POST", f"{client.api}/commit/main", **{"Content-Length": "5000"})
    incoming = hub.data / "contents" / "incoming"

    async def stall(connection: Connection, head: bytes, sent: bytes) -> bytes:
        reader, writer = connection
        writer.write(head + sent)
        return await reader.readuntil(b"\r\n")

    async def scenario() -> None:
        async with opened(hub, STALLING) as connections:
            stalled = [
                asyncio.create_task(
                    stall(each, put, data[:100_000]) if number % 2 else stall(each, commit, b"{")
                )
                for number, each in enumerate(connections)
            ]
            await until(lambda: any(incoming.iterdir()), "an upload has begun")
            await check_lively(hub)
            statuses = {line.split()[1] for line in await asyncio.gather(*stalled)}
            assert statuses == {b"503"}
            await until(lambda: not any(incoming.iterdir()), "nothing of them is left")

    asyncio.run(asyncio.wait_for(scenario(), 100))
    with WireClient(hub.url) as client:
        client.upload(data)
        assert client.commit(Publication("whole", large={"whole.bin": data})).status == 200
        assert client.read("whole.bin") == data


def test_readers_that_do_not_read_stop_nobody(hub):
    data = os.urandom(LARGE_BYTES)
    with WireClient(hub.url) as client:
        client.create_repo()
        client.upload(data)
        assert client.commit(Publication("large", large={"large.bin": data})).status == 200
    whole = head_of(hub, "GET", "/alice/model/resolve/main/large.bin")
    part = head_of(hub, "GET", "/alice/model/resolve/main/large.bin", Range="bytes=1-")

    async def begin(number: int, connection: Connection) -> None:
        reader, writer = connection
        writer.write(part if number % 2 else whole)
        assert (await reader.readuntil(b"\r\n")).split()[1] in (b"200", b"206")
        writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def scenario() -> None:
        async with opened(hub, SLOW_READERS, window_bytes=4096) as connections:
            await asyncio.gather(*(begin(number, each) for number, each in enumerate(connections)))
            for _ in range(5):
                await check_lively(hub)
            async with opened(hub, 1) as (reader,):
                assert await answer_on(reader, whole) == (200, data)
                status, body = await answer_on(reader, part)
                assert (status, body) == (206, data[1:])

    asyncio.run(asyncio.wait_for(scenario(), 100))
