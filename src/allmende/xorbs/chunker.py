"""Cutting a content into chunks by what it holds, exactly as Xet clients cut it.

A chunk ends where the gear hash says so (`gear_scan`), but not before its 8,192nd byte and at the latest
with its 131,072nd; what is left at the end is the last chunk. The same bytes get the same chunks wherever
they stand, which is what de-duplication lives on (draft-denis-xet, section on chunking).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from allmende.xorbs.chunk import Chunk
from allmende.xorbs.gear_scan import GearScanner
from allmende.xorbs.hashes import chunk_hash
from allmende.xorbs.xorb import MAX_CHUNK_BYTES

__all__ = ["MIN_CHUNK_BYTES", "Chunker", "Readable", "chunks_of"]

MIN_CHUNK_BYTES = 8 * 1024
"""The shortest chunk, unless it is the last of its content."""

# Large enough that the calls of numpy cost little, and small enough for the caches.
_SCAN_BYTES = 256 * 1024
_READ_BYTES = 4 * 1024 * 1024
_FEW_BYTES = 64 * 1024


class Readable(Protocol):
    """All that cutting needs of a reader."""

    def read(self, size_bytes: int, /) -> bytes:
        """Up to so many bytes; none at the end."""


class _Cuts:
    """Says, for a chunk that begins a buffer, where it ends; remembers what it has already looked through."""

    def __init__(self) -> None:
        self._scanner = GearScanner(_SCAN_BYTES)
        self._ends: list[int] = []
        self._scanned = 0

    def next(self, data: npt.NDArray[np.uint8], begin: int) -> int | None:
        """Where the chunk that begins at `begin` ends, or None when more bytes are needed to know."""
        at_most = begin + MAX_CHUNK_BYTES
        first = begin + MIN_CHUNK_BYTES
        known = bisect_left(self._ends, first)
        while known == len(self._ends):
            self._ends, known = [], 0
            at = max(first, self._scanned + 1)
            until = min(at + _SCAN_BYTES - 1, len(data))
            if at > at_most:
                return at_most
            if at > until:
                return None
            self._ends = self._scanner.ends(data, at, until)
            self._scanned = until
        del self._ends[:known]
        return min(self._ends[0], at_most)

    def move(self, by: int) -> None:
        """Tells that the buffer's first bytes have been dropped."""
        self._ends = [end - by for end in self._ends]
        self._scanned = max(0, self._scanned - by)


class Chunker:
    """Cuts bytes into chunks as they arrive, and keeps no more than a few hundred KiB of them."""

    def __init__(self) -> None:
        self._cuts = _Cuts()
        self._held = bytearray()
        self._fresh_bytes = 0

    def feed(self, data: bytes | bytearray | memoryview) -> list[memoryview]:
        """Takes the next bytes, however they are cut, and gives chunks that have ended, in order.

        Small pieces are gathered first, so a chunk may come some pieces after the one that it ends in.
        """
        if self._fresh_bytes + len(data) < _FEW_BYTES:
            self._held += data
            self._fresh_bytes += len(data)
            return []
        return self._cut(b"".join((self._held, data)))

    def finish(self) -> list[memoryview]:
        """The chunks that are left: mostly one, and none when the content has ended with a chunk."""
        chunks = self._cut(bytes(self._held))
        if self._held:
            chunks.append(memoryview(self._held))
        self._held = bytearray()
        self._cuts = _Cuts()
        return chunks

    def _cut(self, data: bytes) -> list[memoryview]:
        view = memoryview(data)
        array = np.frombuffer(data, np.uint8)
        chunks = []
        begin = 0
        while (end := self._cuts.next(array, begin)) is not None:
            chunks.append(view[begin:end])
            begin = end
        self._held = bytearray(view[begin:])
        self._fresh_bytes = 0
        self._cuts.move(begin)
        return chunks


def chunks_of(reader: Readable, checkpoint: Callable[[int], None] | None = None) -> Iterator[Chunk]:
    """The chunks of a content, in order, read from the reader's present position to its end.

    Reads a few MiB at a time, whatever the length, and calls `checkpoint` with the number of bytes read so
    far after each block; what that raises ends the work.
    """
    chunker = Chunker()
    read_bytes = 0
    while block := reader.read(_READ_BYTES):
        for chunk in chunker.feed(block):
            yield Chunk(chunk_hash(chunk), len(chunk))
        read_bytes += len(block)
        if checkpoint is not None:
            checkpoint(read_bytes)
    for chunk in chunker.finish():
        yield Chunk(chunk_hash(chunk), len(chunk))
