"""Where the bytes of weights are read from: a mapped file, an open stream, or anything that answers ranges.

All reading goes through `read_at`, so a model of any size is looked into without being loaded; what a mapped
file answers is a view of the map and no copy.
"""

import mmap
import os
import stat
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from allmende.errors import BadRequest
from allmende.weights.errors import BytesMissing

__all__ = ["BytesPlace", "MappedFile", "Place", "RangedPlace", "ReadFile", "StreamPlace"]

_BLOCK_BYTES = 64 * 1024
_KEPT_BLOCKS = 256
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
"""Opening a named pipe would wait for a writer that may never come."""


class Place(Protocol):
    """Bytes that can be read anywhere."""

    @property
    def name(self) -> str:
        """What a person calls it: the path within its folder or repo."""
        ...

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        ...

    def read_at(self, start: int, count: int) -> memoryview:
        """Exactly `count` bytes from `start` on. Raises BytesMissing where they end before."""
        ...


class MappedFile:
    """A local file, mapped read-only. The map lives as long as views of it do."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            self.size_bytes = os.fstat(file.fileno()).st_size
            # An empty file cannot be mapped.
            empty = self.size_bytes == 0
            self._view = memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))

    def read_at(self, start: int, count: int) -> memoryview:
        """See Place."""
        return _exactly(self.name, self._view[start : start + count], start, count)


class ReadFile:
    """A local file that is read and not mapped, for who goes through all of it: what was read takes no memory
    any more, and a file that shrinks meanwhile ends in an error. Several threads may read.

    Opening it raises BadRequest for what is no ordinary file.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._descriptor = os.open(path, _FLAGS)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise BadRequest(f"{path} is no ordinary file, and only those are stored.")
        self.size_bytes = found.st_size

    def __del__(self) -> None:
        # Where opening failed there is nothing to close.
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def read_at(self, start: int, count: int) -> memoryview:
        """See Place."""
        found = os.pread(self._descriptor, count, start) if start >= 0 else b""
        while len(found) < count and (
            more := os.pread(self._descriptor, count - len(found), start + len(found))
        ):
            found += more
        return _exactly(self.name, memoryview(found), start, count)


class BytesPlace:
    """Bytes that are in memory already."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.size_bytes = len(data)
        self._view = memoryview(data)

    def read_at(self, start: int, count: int) -> memoryview:
        """See Place."""
        return _exactly(self.name, self._view[max(start, 0) : start + count], start, count)


class StreamPlace:
    """An open binary file; its position is moved. Not for use by two threads at once."""

    def __init__(self, name: str, reader: BinaryIO, size_bytes: int) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self._reader = reader

    def read_at(self, start: int, count: int) -> memoryview:
        """See Place."""
        self._reader.seek(start)
        found = bytearray()
        while len(found) < count and (read := self._reader.read(count - len(found))):
            found += read
        return _exactly(self.name, memoryview(found), start, count)


class RangedPlace:
    """A file elsewhere, of which ranges can be asked: `fetch(start, end)` answers the bytes in between.

    Small reads are served from blocks of 64 KiB, of which the last 256 are kept (16 MiB); larger ones are
    asked for as they are.
    """

    def __init__(self, name: str, size_bytes: int, fetch: Callable[[int, int], bytes]) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self._fetch = fetch
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def read_at(self, start: int, count: int) -> memoryview:
        """See Place."""
        if count > _BLOCK_BYTES or start < 0 or start + count > self.size_bytes:
            end = min(start + count, self.size_bytes)
            found = self._fetch(start, end) if 0 <= start < end else b""
            return _exactly(self.name, memoryview(found), start, count)
        first, last = start // _BLOCK_BYTES, (start + max(count, 1) - 1) // _BLOCK_BYTES
        joined = b"".join(self._block(number) for number in range(first, last + 1))
        begin = start - first * _BLOCK_BYTES
        return _exactly(self.name, memoryview(joined)[begin : begin + count], start, count)

    def _block(self, number: int) -> bytes:
        known = self._blocks.get(number)
        if known is None:
            start = number * _BLOCK_BYTES
            known = self._fetch(start, min(start + _BLOCK_BYTES, self.size_bytes))
            self._blocks[number] = known
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return known


def _exactly(name: str, found: memoryview, start: int, count: int) -> memoryview:
    if len(found) != count or start < 0:
        raise BytesMissing(f"{name} was to give {count} bytes at {start}, and gave {len(found)}.")
    return found
