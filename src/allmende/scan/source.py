"""Bytes to scan: random access to a file, to a part of one, or to what was unpacked in memory."""

import io
import os
from collections.abc import Iterable
from typing import BinaryIO

__all__ = ["Source", "gathered"]

_IN_MEMORY_BYTES = 8 * 1024 * 1024


class Source:
    """Read-only bytes of known length. Reading at one place does not move another reader.

    The file below is read by `seek` and `read` alone, so that anything seekable will do. It should not be
    buffered: the readers ask for what they need in large pieces.
    """

    def __init__(self, file: BinaryIO, size_bytes: int, start: int = 0) -> None:
        self._file = file
        self._start = start
        self.size_bytes = size_bytes

    @classmethod
    def of_bytes(cls, data: bytes) -> "Source":
        """Bytes that are in memory."""
        return cls(io.BytesIO(data), len(data))

    @property
    def place(self) -> tuple[int, int]:
        """Where the bytes lie in the file below: what is nested can be told from what is the same."""
        return self._start, self.size_bytes

    def read_at(self, offset: int, count: int) -> bytes:
        """The bytes from `offset` on; fewer than `count` only at the end.

        Raises EOFError where the file below has become shorter.
        """
        wanted = min(count, self.size_bytes - offset)
        if wanted <= 0 or offset < 0:
            return b""
        self._file.seek(self._start + offset)
        data = self._file.read(wanted)
        while len(data) < wanted:
            more = self._file.read(wanted - len(data))
            if not more:
                raise EOFError(f"the file ends at byte {self._start + offset + len(data)}")
            data += more
        return data

    def read_all(self, limit_bytes: int) -> bytes:
        """All bytes, where they are not more than `limit_bytes`. Raises ValueError where they are."""
        if self.size_bytes > limit_bytes:
            raise ValueError(f"{self.size_bytes} bytes are more than {limit_bytes}")
        return self.read_at(0, self.size_bytes)

    def window(self, offset: int, size_bytes: int) -> "Source":
        """The part from `offset` on, cut to what is there."""
        start = min(max(offset, 0), self.size_bytes)
        return Source(self._file, max(0, min(size_bytes, self.size_bytes - start)), self._start + start)

    def stream(self, offset: int = 0, buffer_bytes: int = 64 * 1024) -> BinaryIO:
        """A buffered, seekable reader of its own, at `offset`."""
        stream = io.BufferedReader(_RawView(self), buffer_bytes)
        stream.seek(offset)
        return stream


class _RawView(io.RawIOBase):
    """A `Source` as the raw part of a buffered reader."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size_bytes}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]  # typeshed: WriteableBuffer
        data = self._source.read_at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def gathered(pieces: Iterable[bytes]) -> Source:
    """What `pieces` give, as a source. The caller bounds them, by the budget.

    What is large goes into an unnamed file in memory and not into this process's own memory, which is
    limited; where the platform has none, into memory.
    """
    buffer: BinaryIO = io.BytesIO()
    size_bytes = 0
    for piece in pieces:
        if isinstance(buffer, io.BytesIO) and size_bytes + len(piece) > _IN_MEMORY_BYTES:
            buffer = _moved(buffer)
        buffer.write(piece)
        size_bytes += len(piece)
    return Source(buffer, size_bytes)


def _moved(buffer: io.BytesIO) -> BinaryIO:
    if not hasattr(os, "memfd_create"):
        return buffer
    file = open(os.memfd_create("unpacked"), "w+b", buffering=0)  # noqa: PTH123, SIM115  # a descriptor; it lives as long as the source
    file.write(buffer.getbuffer())
    return file
