"""Writing the shard that answers a query for a chunk: the xorbs that have it, for the client to build upon.

The client stores the bytes as they are, finds chunks through the lookup table, compares its own chunk
hashes under the shard's key with those of the entry found, and stops using the shard when it expires.
"""

import struct
from collections.abc import Sequence

import numpy as np

from allmende.xorbs import shard_layout as layout
from allmende.xorbs.chunk import Chunk
from allmende.xorbs.hashes import is_dedup_eligible, keyed_hash
from allmende.xorbs.xorb import FRAME_HEADER_BYTES

__all__ = ["write_shard"]

_NO_KEY = bytes(32)
_ORDER = struct.Struct("<4Q")


def write_shard(
    xorbs: Sequence[tuple[bytes, Sequence[Chunk]]], created_at: int, expires_at: int, key: bytes = _NO_KEY
) -> bytes:
    """A whole shard with these xorbs and no files, valid between two times in seconds of the epoch.

    Unless `key` is 32 zero bytes, chunk hashes are shown under it, so that the shard tells nothing of chunks
    to a client that does not have them. Sizes of serialized xorbs are those of uncompressed frames.
    """
    # Xorbs and their lookup table go by hash, compared as the client compares: as four numbers.
    ordered = sorted(xorbs, key=lambda xorb: _ORDER.unpack(xorb[0]))
    section = b"".join([_xorb_records(xorb_hash, chunks, key) for xorb_hash, chunks in ordered])
    bookend = layout.RECORD.pack(layout.BOOKEND, 0, 0, 0, 0)
    xorbs_at = layout.HEADER.size + layout.RECORD_BYTES
    tables_at = xorbs_at + len(section) + layout.RECORD_BYTES
    xorb_table, chunk_table = _lookup_tables(section, [len(chunks) for _, chunks in ordered])
    chunks_at = tables_at + xorb_table.nbytes
    footer_at = chunks_at + chunk_table.nbytes
    unpacked_bytes = sum(chunk.size_bytes for _, chunks in ordered for chunk in chunks)
    serialized_bytes = unpacked_bytes + FRAME_HEADER_BYTES * len(chunk_table)
    # fmt: off
    footer = layout.FOOTER.pack(
        layout.FOOTER_VERSION, layout.HEADER.size, xorbs_at,
        tables_at, 0, tables_at, len(xorb_table), chunks_at, len(chunk_table),
        key, created_at, expires_at, serialized_bytes, 0, unpacked_bytes, footer_at,
    )
    # fmt: on
    header = layout.HEADER.pack(layout.TAG, layout.HEADER_VERSION, layout.FOOTER.size)
    return b"".join([header, bookend, section, bookend, xorb_table.tobytes(), chunk_table.tobytes(), footer])


def _xorb_records(xorb_hash: bytes, chunks: Sequence[Chunk], key: bytes) -> bytes:
    records = bytearray()
    begin = 0
    for chunk_hash, size_bytes in chunks:
        # Under a key the hash no longer shows that the chunk is one to ask for; the flag still does.
        flags = layout.DEDUP_FLAG if is_dedup_eligible(chunk_hash) else 0
        shown = chunk_hash if key == _NO_KEY else keyed_hash(chunk_hash, key)
        records += layout.RECORD.pack(shown, begin, size_bytes, flags, 0)
        begin += size_bytes
    serialized_bytes = begin + FRAME_HEADER_BYTES * len(chunks)
    return layout.RECORD.pack(xorb_hash, 0, len(chunks), begin, serialized_bytes) + bytes(records)


def _lookup_tables(section: bytes, counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    keys = np.frombuffer(section, np.dtype([("key", "<u8"), ("rest", "V40")]))["key"]
    chunks_of = np.array(counts, np.int64)
    heads = np.cumsum(chunks_of + 1) - chunks_of - 1
    xorb_table = np.empty(len(heads), layout.XORB_LOOKUP)
    xorb_table["key"], xorb_table["record"] = keys[heads], heads
    is_chunk = np.ones(len(keys), np.bool_)
    is_chunk[heads] = False
    records = np.flatnonzero(is_chunk)
    head_of = np.repeat(heads, chunks_of)
    order = np.argsort(keys[records], kind="stable")
    chunk_table = np.empty(len(records), layout.CHUNK_LOOKUP)
    chunk_table["key"] = keys[records][order]
    chunk_table["record"] = head_of[order]
    chunk_table["index"] = (records - head_of - 1)[order]
    return xorb_table, chunk_table
