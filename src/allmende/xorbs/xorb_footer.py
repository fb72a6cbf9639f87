"""The footer of a serialized xorb, which repeats what its frames already say and must agree with them.

Current clients upload none. Version 1 is `XETBLOB`, the version and the xorb's hash; a section `XBLBHSH` of
the chunks' hashes; a section `XBLBBND` of where each frame and each unpacked chunk ends; the number of
chunks and how far from the end the two sections begin; 16 free bytes. Version 0 has neither sections nor
unpacked ends. Both are followed by their own length. Everything but the free bytes follows from the frames,
so the footer is not parsed: the one that must stand there is written and compared.
"""

import struct
from collections.abc import Sequence
from itertools import accumulate

from allmende.xorbs.chunk import Chunk
from allmende.xorbs.errors import MalformedXorb
from allmende.xorbs.hashes import xorb_hash

__all__ = ["FOOTER_IDENT", "check_footer", "footer_bytes"]

FOOTER_IDENT = b"XETBLOB"

_HASHES_IDENT = b"XBLBHSH\x00"
_BOUNDARIES_IDENT = b"XBLBBND\x01"
_FREE_BYTES = 16
_LENGTH_BYTES = 4
_HEAD_BYTES = 8 + 32
_SECTION_HEAD_BYTES = 8 + 4


def footer_bytes(version: int, count: int) -> int:
    """The length of the footer of a xorb of `count` chunks, with the four bytes that hold its length."""
    if version == 0:
        return _HEAD_BYTES + 4 + count * (4 + 32) + _FREE_BYTES + _LENGTH_BYTES
    sections = 2 * _SECTION_HEAD_BYTES + count * (32 + 4 + 4)
    return _HEAD_BYTES + sections + 3 * 4 + _FREE_BYTES + _LENGTH_BYTES


def check_footer(footer: bytes, chunks: Sequence[Chunk], frame_ends: Sequence[int]) -> None:
    """Raises MalformedXorb unless `footer` is that of a xorb of these chunks, in frames that end there."""
    version = footer[7] if len(footer) > 7 else None
    if version not in {0, 1}:
        raise MalformedXorb(f"The footer of the xorb has version {version}; there are 0 and 1.")
    if len(footer) != footer_bytes(version, len(chunks)):
        raise MalformedXorb(f"The footer of the xorb has {len(footer)} bytes, which does not fit its chunks.")
    free = len(footer) - _LENGTH_BYTES - _FREE_BYTES
    described = _described_v1(chunks, frame_ends) if version else _described_v0(chunks, frame_ends)
    length = struct.pack("<I", len(footer) - _LENGTH_BYTES)
    if footer[:free] != described or footer[free + _FREE_BYTES :] != length:
        raise MalformedXorb("The footer of the xorb does not agree with its chunks.")


def _described_v0(chunks: Sequence[Chunk], frame_ends: Sequence[int]) -> bytes:
    head = FOOTER_IDENT + b"\x00" + xorb_hash(chunks)
    return head + struct.pack("<I", len(chunks)) + _numbers(frame_ends) + _hashes(chunks)


def _described_v1(chunks: Sequence[Chunk], frame_ends: Sequence[int]) -> bytes:
    count = struct.pack("<I", len(chunks))
    hashes = _HASHES_IDENT + count + _hashes(chunks)
    unpacked_ends = list(accumulate(chunk.size_bytes for chunk in chunks))
    boundaries = _BOUNDARIES_IDENT + count + _numbers(frame_ends) + _numbers(unpacked_ends)
    boundaries_from_end = len(boundaries) + 3 * 4 + _FREE_BYTES
    offsets = struct.pack("<II", len(hashes) + boundaries_from_end, boundaries_from_end)
    return FOOTER_IDENT + b"\x01" + xorb_hash(chunks) + hashes + boundaries + count + offsets


def _hashes(chunks: Sequence[Chunk]) -> bytes:
    return b"".join([chunk.hash for chunk in chunks])


def _numbers(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)
