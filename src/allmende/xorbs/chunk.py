"""A chunk by its hash and size, and the packed form in which lists of chunks are stored.

The packed form is stored on disk and in rows, so it never changes: for each chunk 36 bytes, its size as a
little-endian 32-bit number and then its 32 bytes of hash; no header, no padding, nothing after the last.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from allmende.xorbs.errors import MalformedChunkList

__all__ = ["PACKED_CHUNK_BYTES", "Chunk", "chunk_count", "pack_chunks", "packed_sizes", "unpack_chunks"]

_PACKED = struct.Struct("<I32s")

PACKED_CHUNK_BYTES = _PACKED.size
"""What one chunk takes in the packed form."""


class Chunk(NamedTuple):
    """A piece of a content as content-defined chunking cuts it: its raw hash, and its size unpacked."""

    hash: bytes
    size_bytes: int


def pack_chunks(chunks: Iterable[Chunk]) -> bytes:
    """The stored form of a list of chunks, which `unpack_chunks` reads back.

    Raises ValueError for a hash of another length than 32 bytes.
    """
    packed = bytearray()
    for chunk_hash, size_bytes in chunks:
        # struct would cut a longer hash and pad a shorter one in silence.
        if len(chunk_hash) != 32:
            raise ValueError(f"A chunk's hash has {len(chunk_hash)} bytes and not 32.")
        packed += _PACKED.pack(size_bytes, chunk_hash)
    return bytes(packed)


def unpack_chunks(packed: bytes) -> list[Chunk]:
    """The chunks of a stored list, in order.

    Raises MalformedChunkList when the length is no multiple of 36 bytes.
    """
    chunk_count(packed)
    return [Chunk(chunk_hash, size_bytes) for size_bytes, chunk_hash in _PACKED.iter_unpack(packed)]


def chunk_count(packed: bytes) -> int:
    """How many chunks a stored list holds, without unpacking it; raises like `unpack_chunks`."""
    count, rest = divmod(len(packed), PACKED_CHUNK_BYTES)
    if rest:
        raise MalformedChunkList(f"A list of chunks takes 36 bytes each; this one has {len(packed)}.")
    return count


def packed_sizes(packed: bytes) -> list[int]:
    """The sizes in bytes of the chunks of a stored list, in order; raises like `unpack_chunks`."""
    chunk_count(packed)
    return [size_bytes for size_bytes, _ in _PACKED.iter_unpack(packed)]
