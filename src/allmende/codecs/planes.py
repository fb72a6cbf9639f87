"""Byte planes: the first bytes of all words, then the second, and so on; compressed singly or together.

Words of floats are turned left by one bit before they are split, so that their exponent is a byte of its own
(for BF16 and F32) and the sign joins the mantissa, which nothing compresses.
"""

import threading

import numpy as np
import zstandard
from numpy.typing import NDArray

from allmende.codecs.errors import MalformedEncoding
from allmende.codecs.rans import coder, decode_planes
from allmende.codecs.rans_numpy import PLANE_CODED, PLANE_CONSTANT, PLANE_RAW
from allmende.codecs.word_types import WordType

__all__ = [
    "coded_planes",
    "compressed",
    "decompressed",
    "join_planes",
    "planes_bytes",
    "planes_coded",
    "room",
    "split_planes",
]

_STATES_BYTES = 140
"""About what a coded plane takes beside its table and tokens."""


class _Own(threading.local):
    """What a thread keeps for itself: making it takes as long as a short frame."""

    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


_OWN = _Own()


def split_planes(plain: memoryview | bytes | bytearray, words: WordType) -> memoryview:
    """The planes of whole words, lowest bytes first; as many bytes as before."""
    out = bytearray(len(plain))
    coder.split(plain, out, words.size_bytes, int(words.is_float))
    return memoryview(out)


def join_planes(planes: memoryview | bytes, words: WordType) -> memoryview:
    """The reverse of `split_planes`."""
    out = room(len(planes))
    coder.join(planes, out, words.size_bytes, int(words.is_float))
    return out


def room(size_bytes: int) -> memoryview:
    """Bytes that the coder fills, every one: clearing them first would hold up other threads."""
    return np.empty(size_bytes, np.uint8).data


def compressed(data: memoryview | bytes, level: int) -> bytes:
    """A zstd frame that says how long its content is."""
    return zstandard.ZstdCompressor(level=level).compress(data)


def decompressed(frame: memoryview | bytes, size_bytes: int) -> memoryview:
    """The content of a zstd frame that has to be this long. Raises MalformedEncoding.

    The length that the frame claims is compared before anything is allocated.
    """
    try:
        claimed = zstandard.get_frame_parameters(frame).content_size
        if claimed != size_bytes:
            raise MalformedEncoding(f"A frame claims {claimed} bytes where {size_bytes} belong.")
        content = _OWN.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as wrong:
        raise MalformedEncoding("A frame cannot be decompressed.") from wrong
    if len(content) != size_bytes:
        raise MalformedEncoding(f"A frame holds {len(content)} bytes where {size_bytes} belong.")
    return memoryview(content)


def coded_planes(planes: memoryview, count: int) -> bytes:
    """Each plane of `count` bytes in the shortest of three forms: raw, one byte for all, entropy coded.

    Stored as u8 form, u32 length and the bytes, plane after plane.
    """
    written: list[bytes | memoryview] = []
    for first in range(0, len(planes), count):
        plane = planes[first : first + count]
        form, data = _coded(plane)
        written += (bytes([form]), len(data).to_bytes(4, "little"), data)
    return b"".join(written)


def planes_coded(payload: memoryview, size_bytes: int, words: WordType) -> memoryview:
    """The words, of so many bytes, whose planes `coded_planes` stored. Raises MalformedEncoding."""
    out = room(size_bytes)
    decode_planes(payload, out, words.size_bytes, int(words.is_float))
    return out


def planes_bytes(planes: memoryview, count: int) -> int:
    """About how many bytes `coded_planes` would take."""
    found = (coder.plan(_counts(planes[first : first + count]))[1] for first in range(0, len(planes), count))
    return sum(min(count, bits // 8 + _STATES_BYTES) for bits in found)


def _counts(plane: memoryview) -> NDArray[np.uint32]:
    counts = np.zeros((1, 256), dtype=np.uint32)
    coder.histogram(plane, counts)
    return counts


def _coded(plane: memoryview) -> tuple[int, bytes | memoryview]:
    counts = _counts(plane)
    if np.count_nonzero(counts) == 1:
        return PLANE_CONSTANT, plane[:1]
    tables, bits = coder.plan(counts)
    if bits < 8 * 0.99 * len(plane):
        coded = coder.encode_plane(tables, plane)
        if len(coded) < len(plane):
            return PLANE_CODED, coded
    return PLANE_RAW, plane
