"""All objects of all global heaps of an HDF5 file, wherever they lie (specification, III.E).

They are found by their signature, so that nothing has to be understood of what refers to them.
"""

from collections.abc import Iterator
from typing import Final

from allmende.scan.budget import LimitReached
from allmende.scan.source import Source

__all__ = ["objects_of_heaps"]

_SIGNATURE: Final = b"GCOL\x01"
_BLOCK_BYTES: Final = 1024 * 1024
_HEAD_BYTES: Final = 16
_MAX_OBJECTS: Final = 10_000
_MAX_OBJECT_BYTES: Final = 256 * 1024 * 1024


def objects_of_heaps(source: Source) -> Iterator[bytes]:
    """The bytes of each object. Raises LimitReached for too many of them."""
    count = 0
    for start in _heaps(source):
        end = min(start + int.from_bytes(source.read_at(start + 8, 8), "little"), source.size_bytes)
        position = start + _HEAD_BYTES
        while position + _HEAD_BYTES <= end:
            head = source.read_at(position, _HEAD_BYTES)
            size_bytes = int.from_bytes(head[8:16], "little")
            if not int.from_bytes(head[:2], "little") or size_bytes > _MAX_OBJECT_BYTES:
                break
            count += 1
            if count > _MAX_OBJECTS:
                raise LimitReached("objects", f"The file has more than {_MAX_OBJECTS} objects in its heaps.")
            yield source.read_at(position + _HEAD_BYTES, size_bytes)
            position += _HEAD_BYTES + -(-size_bytes // 8) * 8


def _heaps(source: Source) -> Iterator[int]:
    for offset in range(0, source.size_bytes, _BLOCK_BYTES):
        block = source.read_at(offset, _BLOCK_BYTES + len(_SIGNATURE) - 1)
        place = block.find(_SIGNATURE)
        while place >= 0:
            yield offset + place
            place = block.find(_SIGNATURE, place + 1)
