"""Where the bytes of uploaded xorbs wait for the files that are made of them: unpacked, verified, durable.

A xorb is verified as it arrives: every chunk is unpacked within its bounds and hashed, and the whole must
have the hash that it was announced with. What is kept are the bare bytes of its chunks, one after another, so
that any range of chunks is one read.
"""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from allmende.errors import NotFound
from allmende.failpoints import reach
from allmende.ids import XetHash
from allmende.storage.content_store import HashMismatch, StoredFile
from allmende.storage.durable import DurableFile, make_durable_directory
from allmende.xorbs import XorbReader, pack_chunks, to_hex, xorb_hash

__all__ = ["LocalXorbStore", "ReceivedXorb", "XorbStore"]


class ReceivedXorb(Protocol):
    """A serialized xorb on its way in."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take in more of it. Raises MalformedXorb."""

    def finish(self) -> tuple[str, int, bytes]:
        """Check the hash, make the bytes durable; returns location, size in bytes, and chunks (packed).

        Raises MalformedXorb, HashMismatch.
        """

    def discard(self) -> None:
        """Give up; leaves nothing behind. Harmless after `finish`."""


class XorbStore(Protocol):
    """A place for the bytes of uploaded xorbs."""

    def receive(self, xorb: XetHash) -> ReceivedXorb:
        """Start to receive a xorb that was announced with this hash."""

    def open_read(self, location: str) -> BinaryIO:
        """A seekable reader of the bytes at `location`. Raises NotFound."""

    def delete(self, location: str) -> None:
        """Remove the bytes; harmless when they are gone already."""

    def iterate(self) -> Iterator[StoredFile]:
        """Everything that is kept, whether or not a row names it."""


class LocalXorbStore:
    """Xorbs as files in a folder; `temporary` is a folder on the same disk for what is still arriving."""

    def __init__(self, root: Path, temporary: Path) -> None:
        self.root = root
        self._temporary = temporary
        make_durable_directory(root)

    def receive(self, xorb: XetHash) -> "_LocalReceivedXorb":
        """See XorbStore."""
        return _LocalReceivedXorb(DurableFile(self._temporary), self.root, xorb)

    def open_read(self, location: str) -> BinaryIO:
        """See XorbStore."""
        try:
            return (self.root / location).open("rb")
        except FileNotFoundError as error:
            raise NotFound(
                f"The bytes of the xorb at {location} are missing from the store.", code="xorb_missing"
            ) from error

    def delete(self, location: str) -> None:
        """See XorbStore."""
        (self.root / location).unlink(missing_ok=True)

    def iterate(self) -> Iterator[StoredFile]:
        """See XorbStore."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            # It may have been removed since the folder was listed.
            with suppress(FileNotFoundError):
                found = path.stat()
                written_at = datetime.fromtimestamp(found.st_mtime, UTC)
                yield StoredFile(path.relative_to(self.root).as_posix(), found.st_size, written_at)


class _LocalReceivedXorb:
    """Unpacks, hashes and writes on the way in, holding one chunk at a time."""

    def __init__(self, file: DurableFile, root: Path, expected: XetHash) -> None:
        self._file = file
        self._root = root
        self._expected = expected
        self._reader = XorbReader()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See ReceivedXorb."""
        self._file.write_all(self._reader.feed(data))
        reach("xorb.receiving")

    def finish(self) -> tuple[str, int, bytes]:
        """See ReceivedXorb."""
        chunks = self._reader.finish()
        found = to_hex(xorb_hash(chunks))
        if found != self._expected:
            raise HashMismatch(
                f"The xorb that arrived has the hash {found}, announced was {self._expected}.",
                hint="It was damaged on the way, or its hash is not what it says; upload it again.",
            )
        location = _location(self._expected)
        self._file.publish(self._root / location, self._root)
        return location, sum(chunk.size_bytes for chunk in chunks), pack_chunks(chunks)

    def discard(self) -> None:
        """See ReceivedXorb."""
        self._file.discard()


def _location(xorb: XetHash) -> str:
    """A place of its own for each upload: whoever removes the bytes of one never meets those of another."""
    return f"{xorb[:2]}/{xorb}.{secrets.token_hex(8)}"
