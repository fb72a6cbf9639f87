"""Fetching one file over plain HTTP: on from where an interrupted fetch stopped, and verified before use."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from allmende.client.connection import Connection
from allmende.client.errors import BytesDiffer, HubUnreachable, UnexpectedAnswer
from allmende.client.listing import RemoteFile, Snapshot, quoted

__all__ = ["Moved", "fetch_file", "verify_file"]

_READ_BYTES = 1024 * 1024
_TRIES = 4

Moved = Callable[[int], None]
"""Is told of bytes as they arrive."""


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


def fetch_file(
    hub: Connection, snapshot: Snapshot, file: RemoteFile, into: Path, moved: Moved, stop: threading.Event
) -> None:
    """Put the file's bytes at `into`, which may hold the beginning of them already.

    Raises BytesDiffer, HubUnreachable, InterruptedError when `stop` is set, and what the hub refuses.
    """
    for number in range(1, _TRIES + 1):
        try:
            _fetch_rest(hub, snapshot, file, into, moved, stop)
            break
        except HubUnreachable:
            # The connection broke in the middle: what has arrived stays, the rest is asked for again.
            if number == _TRIES or stop.is_set():
                raise
    try:
        verify_file(file, into)
    except BytesDiffer:
        into.unlink()
        raise


def verify_file(file: RemoteFile, path: Path) -> None:
    """Compare bytes with the hash that the listing gave them. Raises BytesDiffer."""
    digest = _hash_of(file)
    size_bytes = 0
    with path.open("rb") as reader:
        while block := reader.read(_READ_BYTES):
            digest.update(block)
            size_bytes += len(block)
    if size_bytes != file.size_bytes or digest.hexdigest() != file.etag:
        raise BytesDiffer(
            f"{file.path} arrived with other bytes than the hub lists.",
            hint="Pull again; if it repeats, tell the operator of the hub.",
        )


def _hash_of(file: RemoteFile) -> _Hash:
    if file.sha256 is not None:
        return hashlib.sha256()
    # Small files are named as git names them.
    return hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)


def _fetch_rest(
    hub: Connection, snapshot: Snapshot, file: RemoteFile, into: Path, moved: Moved, stop: threading.Event
) -> None:
    into.touch()
    have = into.stat().st_size
    if have > file.size_bytes:
        into.write_bytes(b"")
        have = 0
    if have == file.size_bytes:
        return
    address = f"{snapshot.repo.files}/resolve/{snapshot.commit}/{quoted(file.path)}"
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with hub.open("GET", address, headers=headers) as answer, into.open("ab") as writer:
        if have and answer.status != 206:
            # The whole comes: what is there is of no use.
            writer.truncate(0)
            have = 0
        _copy(answer, writer, file.size_bytes - have, file.path, moved, stop)


def _copy(
    answer: "_Stream", writer: BinaryIO, most: int, path: str, moved: Moved, stop: threading.Event
) -> None:
    while block := answer.read(_READ_BYTES):
        if stop.is_set():
            raise InterruptedError
        most -= len(block)
        if most < 0:
            raise UnexpectedAnswer(f"The hub sends more bytes of {path} than it lists.")
        writer.write(block)
        moved(len(block))
    if most:
        raise HubUnreachable(f"The hub ended {path} {most} bytes before its end.")


class _Stream(Protocol):
    def read(self, amt: int, /) -> bytes: ...
