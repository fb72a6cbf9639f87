"""Messages between scanner and server: they come over whole, with their files, or not at all."""

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from allmende.scan.isolation.wire import receive, send

Line = tuple[socket.socket, socket.socket]


@pytest.fixture
def line() -> Iterator[Line]:
    ours, theirs = socket.socketpair()
    ours.settimeout(2)
    theirs.settimeout(2)
    with ours, theirs:
        yield ours, theirs


def test_a_message_and_its_files_come_over(line: Line) -> None:
    reading, writing = os.pipe()
    send(line[0], {"name": "ü\udcff", "size_bytes": 7}, [writing])
    message, (received,) = receive(line[1])
    assert message == {"name": "ü\udcff", "size_bytes": 7}
    os.write(received, b"x")
    assert os.read(reading, 1) == b"x"
    for descriptor in (reading, writing, received):
        os.close(descriptor)


def test_messages_come_one_by_one(line: Line) -> None:
    send(line[0], {"a": 1})
    send(line[0], {"a": 2})
    assert [receive(line[1])[0]["a"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        struct.pack("!I", 5) + b"{}",
        struct.pack("!I", 2**31),
        struct.pack("!I", 2) + b"[]",
    ],
)
def test_what_is_no_message_ends_the_line(line: Line, data: bytes) -> None:
    line[0].sendall(data)
    line[0].close()
    with pytest.raises(EOFError):
        receive(line[1])


def test_silence_is_not_waited_out(line: Line) -> None:
    line[1].settimeout(0.05)
    with pytest.raises(TimeoutError):
        receive(line[1])
