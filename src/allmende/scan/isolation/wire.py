"""Messages between the scanner and its server: JSON behind its length, with open files."""

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["receive", "send"]

_LENGTH = struct.Struct("!I")
_MAX_MESSAGE_BYTES = 1024 * 1024
_MAX_FILES = 128


def send(line: socket.socket, message: Mapping[str, Any], files: Sequence[int] = ()) -> None:
    """Send a message and, with it, open descriptors. Raises OSError when nobody is there."""
    data = json.dumps(message).encode()
    head = _LENGTH.pack(len(data))
    if files:
        socket.send_fds(line, [head], list(files))
    else:
        line.sendall(head)
    line.sendall(data)


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The next message and the descriptors that came with it, which are the caller's now.

    Raises EOFError when the other side has gone, and OSError (TimeoutError among them).
    """
    head, files, _flags, _address = socket.recv_fds(line, _LENGTH.size, _MAX_FILES)
    if not head:
        raise EOFError
    head += _exactly(line, _LENGTH.size - len(head))
    (length,) = _LENGTH.unpack(head)
    if length > _MAX_MESSAGE_BYTES:
        raise EOFError(f"a message of {length} bytes")
    message = json.loads(_exactly(line, length))
    if not isinstance(message, dict):
        raise EOFError("a message that is no object")  # noqa: TRY004  # what came is the other side's fault
    return message, list(files)


def _exactly(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = line.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
