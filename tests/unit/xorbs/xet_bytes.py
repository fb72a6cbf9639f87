"""A writer of xorbs and shards for the tests, made from the published formats and not from our readers."""

import struct
from itertools import accumulate

import lz4.frame

from allmende.xorbs import Chunk, chunk_hash, xorb_hash

BOOKEND = b"\xff" * 32 + bytes(16)
TAG = bytes.fromhex("48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9")


def compressed(data: bytes) -> bytes:
    return lz4.frame.compress(data, block_size=lz4.frame.BLOCKSIZE_MAX64KB, store_size=False)


def grouped(data: bytes) -> bytes:
    return b"".join(data[place::4] for place in range(4))


def frame(data: bytes, scheme: int = 0) -> bytes:
    packed = (data, compressed(data), compressed(grouped(data)))[scheme]
    return raw_frame(packed, len(data), scheme)


def raw_frame(packed: bytes, size_bytes: int, scheme: int, version: int = 0) -> bytes:
    lengths = len(packed).to_bytes(3, "little"), size_bytes.to_bytes(3, "little")
    return bytes([version]) + lengths[0] + bytes([scheme]) + lengths[1] + packed


def chunk(data: bytes) -> Chunk:
    return Chunk(chunk_hash(data), len(data))


def footer_v0(frames: list[bytes], chunks: list[Chunk], free: bytes = bytes(16)) -> bytes:
    parts = [b"XETBLOB\x00", xorb_hash(chunks), struct.pack("<I", len(chunks))]
    parts += [struct.pack("<I", end) for end in accumulate(map(len, frames))]
    parts += [chunk.hash for chunk in chunks]
    body = b"".join(parts) + free
    return body + struct.pack("<I", len(body))


def footer_v1(frames: list[bytes], chunks: list[Chunk], free: bytes = bytes(16)) -> bytes:
    count = struct.pack("<I", len(chunks))
    hashes = b"XBLBHSH\x00" + count + b"".join(chunk.hash for chunk in chunks)
    ends = [*accumulate(map(len, frames)), *accumulate(chunk.size_bytes for chunk in chunks)]
    boundaries = b"XBLBBND\x01" + count + b"".join(struct.pack("<I", end) for end in ends)
    toes = len(boundaries) + 28
    body = b"XETBLOB\x01" + xorb_hash(chunks) + hashes + boundaries
    body += count + struct.pack("<II", len(hashes) + toes, toes) + free
    return body + struct.pack("<I", len(body))


def record(raw_hash: bytes, *numbers: int) -> bytes:
    return raw_hash + struct.pack("<4I", *numbers, *[0] * (4 - len(numbers)))


def file_records(
    xet_hash: bytes,
    terms: list[tuple[bytes, int, int, int]],
    range_hashes: list[bytes] | None = None,
    sha256: bytes | None = None,
) -> bytes:
    flags = (range_hashes is not None) << 31 | (sha256 is not None) << 30
    records = [record(xet_hash, flags, len(terms))]
    records += [record(xorb, 0, size_bytes, first, end) for xorb, size_bytes, first, end in terms]
    records += [record(range_hash) for range_hash in range_hashes or []]
    if sha256 is not None:
        records.append(record(sha256))
    return b"".join(records)


def xorb_records(raw_hash: bytes, chunks: list[Chunk]) -> bytes:
    begins = [0, *accumulate(chunk.size_bytes for chunk in chunks)]
    records = [record(raw_hash, 0, len(chunks), begins[-1], begins[-1])]
    records += [
        record(chunk.hash, begin, chunk.size_bytes) for chunk, begin in zip(chunks, begins, strict=False)
    ]
    return b"".join(records)


def shard(files: bytes, xorbs: bytes, version: int = 2, footer_bytes: int = 0) -> bytes:
    header = TAG + struct.pack("<QQ", version, footer_bytes)
    return header + files + BOOKEND + xorbs + BOOKEND


def footer(
    files: bytes,
    xorbs: bytes,
    *,
    version: int = 1,
    lookups: tuple[int, int, int] = (0, 0, 0),
    key: bytes = bytes(32),
    shift: int = 0,
) -> bytes:
    """The footer of `shard(files, xorbs)`, after lookup tables with these numbers of entries."""
    xorbs_at = 48 + len(files) + 48
    at = xorbs_at + len(xorbs) + 48
    numbers = [version, 48, xorbs_at + shift]
    for count, size in zip(lookups, (12, 12, 16), strict=True):
        numbers += [at, count]
        at += count * size
    return struct.pack("<9Q", *numbers) + key + bytes(16 + 48) + struct.pack("<4Q", 0, 0, 0, at)
