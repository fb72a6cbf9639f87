"""Unpacking the compressed chunks of a xorb, never beyond the size that was announced.

Scheme 0 stores the bytes, scheme 1 is one LZ4 frame (LZ4 Frame Format 1.6), scheme 2 an LZ4 frame of the
chunk's bytes regrouped by their place in each four: all first bytes, then all second ones, and so on.
"""

import lz4.frame
import numpy as np

from allmende.xorbs.errors import MalformedXorb

__all__ = ["BYTE_GROUPED", "LZ4", "STORED", "decompress"]

STORED = 0
LZ4 = 1
BYTE_GROUPED = 2

_FRAME_MAGIC = b"\x04\x22\x4d\x18"
_VERSION_BITS = 0b1100_0000
_VERSION = 0b0100_0000
_DICTIONARY_BIT = 0b0000_0001


def decompress(scheme: int, data: bytes | bytearray | memoryview, size_bytes: int) -> bytes | memoryview:
    """The chunk of `size_bytes` that `data` holds under a compression scheme.

    The result of scheme 0 is a view of `data`. Never more than one byte beyond `size_bytes` is produced; the
    decompressor itself needs no more than a few blocks of at most 4 MiB.

    Raises MalformedXorb for an unknown scheme, for anything but one whole frame, and for another size.
    """
    if scheme == STORED:
        if len(data) != size_bytes:
            raise MalformedXorb(f"A stored chunk has {len(data)} bytes, and {size_bytes} by its header.")
        return memoryview(data)
    if scheme == LZ4:
        return _unframed(data, size_bytes)
    if scheme == BYTE_GROUPED:
        return _regrouped(_unframed(data, size_bytes))
    raise MalformedXorb(f"Compression scheme {scheme} is not known; there are 0, 1 and 2.")


def _unframed(data: bytes | bytearray | memoryview, size_bytes: int) -> bytes:
    # The library reads skippable frames and frames with dictionaries, which the clients' one refuses.
    if bytes(data[:4]) != _FRAME_MAGIC or len(data) < 6:
        raise MalformedXorb("A compressed chunk does not begin with an LZ4 frame.")
    if data[4] & _VERSION_BITS != _VERSION or data[4] & _DICTIONARY_BIT:
        raise MalformedXorb("A compressed chunk's LZ4 frame is of another version, or needs a dictionary.")
    decompressor = lz4.frame.LZ4FrameDecompressor()
    try:
        # One byte more than is wanted: with no room left, the decompressor stops before the end mark.
        unpacked: bytes = decompressor.decompress(data, max_length=size_bytes + 1)
    except RuntimeError as error:
        raise MalformedXorb(f"A compressed chunk's LZ4 frame cannot be read: {error}.") from error
    if len(unpacked) != size_bytes:
        beyond = "more than" if len(unpacked) > size_bytes else f"{len(unpacked)} bytes and not"
        raise MalformedXorb(f"A compressed chunk unpacks to {beyond} the {size_bytes} bytes of its header.")
    if not decompressor.eof or decompressor.unused_data:
        raise MalformedXorb("A compressed chunk's LZ4 frame does not end with the chunk.")
    return unpacked


def _regrouped(grouped: bytes) -> memoryview:
    size_bytes = len(grouped)
    planes = np.frombuffer(grouped, np.uint8)
    chunk = np.empty(size_bytes, np.uint8)
    begin = 0
    for place in range(4):
        length = (size_bytes - place + 3) // 4
        chunk[place::4] = planes[begin : begin + length]
        begin += length
    return chunk.data
