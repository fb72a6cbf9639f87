"""Blocks of an HDF5 file by their addresses (HDF5 File Format Specification 3.0): bounded, and counted."""

from typing import Final

from allmende.scan.budget import LimitReached
from allmende.scan.scanning import Unreadable
from allmende.scan.source import Source

__all__ = ["Blocks", "GlobalHeaps", "cut"]

_MAX_BLOCK_BYTES: Final = 64 * 1024 * 1024
_FREE_BYTES: Final = 256 * 1024 * 1024
_READ_TIMES: Final = 4


class Blocks:
    """What lies at an address. Addresses count from `start`; their width is told by the superblock.

    All bytes that are read are counted, so that blocks which lie over one another cost no more than
    a few readings of the file.
    """

    def __init__(self, source: Source, start: int) -> None:
        self._source = source
        self._left = _FREE_BYTES + _READ_TIMES * source.size_bytes
        self.start = start
        self.offset_bytes = 8
        self.length_bytes = 8

    def at(self, address: int, count: int) -> bytes:
        """Exactly so many bytes. Raises Unreadable where they are not there, LimitReached."""
        if count > _MAX_BLOCK_BYTES:
            raise Unreadable("A block is larger than any that is read.", self.start + address)
        self._left -= count
        if self._left < 0:
            raise LimitReached("blocks", "The HDF5 file refers to the same bytes over and over.")
        data = self._source.read_at(self.start + address, count)
        if len(data) < count:
            raise Unreadable("An address leads beyond the end of the file.", self.start + address)
        return data

    def signed(self, address: int, signature: bytes, count: int) -> bytes:
        """A block that begins with its signature. Raises Unreadable."""
        data = self.at(address, count)
        if not data.startswith(signature):
            raise Unreadable(f"There is no {signature.decode()} where one should be.", self.start + address)
        return data

    def offset(self, data: bytes, position: int) -> int:
        """The address at a position of the data."""
        return int.from_bytes(cut(data, position, self.offset_bytes), "little")

    def length(self, data: bytes, position: int) -> int:
        """The length at a position of the data."""
        return int.from_bytes(cut(data, position, self.length_bytes), "little")

    def is_undefined(self, address: int) -> bool:
        """Whether the address says that there is nothing."""
        return address == (1 << (8 * self.offset_bytes)) - 1


class GlobalHeaps:
    """Objects of global heap collections; the last collection is kept, since neighbours ask for it."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._address = -1
        self._objects: dict[int, bytes] = {}

    def object_at(self, address: int, index: int) -> bytes:
        """One object. Raises Unreadable where there is none."""
        if address != self._address:
            self._objects = self._collection(address)
            self._address = address
        if index not in self._objects:
            raise Unreadable("A text in the global heap is missing.", self._blocks.start + address)
        return self._objects[index]

    def _collection(self, address: int) -> dict[int, bytes]:
        head_bytes = 8 + self._blocks.length_bytes
        total = self._blocks.length(self._blocks.signed(address, b"GCOL", head_bytes), 8)
        data = self._blocks.at(address, total)
        objects: dict[int, bytes] = {}
        position = head_bytes
        while position + head_bytes <= len(data):
            number = int.from_bytes(data[position : position + 2], "little")
            size_bytes = self._blocks.length(data, position + 8)
            start = position + head_bytes
            if number == 0:
                break
            objects.setdefault(number, cut(data, start, size_bytes))
            position = start + -(-size_bytes // 8) * 8
        return objects


def cut(data: bytes, position: int, count: int) -> bytes:
    """So many bytes of a message. Raises Unreadable where it has fewer."""
    part = data[position : position + count]
    if len(part) < count or position < 0:
        raise Unreadable("A message is cut off.")
    return part
