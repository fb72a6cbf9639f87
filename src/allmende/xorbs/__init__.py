"""Chunks, xorbs and shards of the Xet protocol: bytes in, facts out, and the few bytes that a hub writes.

Follows draft-denis-xet and, where that is silent, the open client. Hashes are 32 raw bytes here, and
`XetHash` where they are written out. Whatever reads uploaded bytes is bounded in memory and time, and raises
`MalformedXorb` or `MalformedShard`.
"""

from allmende.xorbs.chunk import (
    PACKED_CHUNK_BYTES,
    Chunk,
    chunk_count,
    pack_chunks,
    packed_sizes,
    unpack_chunks,
)
from allmende.xorbs.chunker import MIN_CHUNK_BYTES, Chunker, chunks_of
from allmende.xorbs.compression import decompress
from allmende.xorbs.errors import MalformedChunkList, MalformedShard, MalformedXetHash, MalformedXorb
from allmende.xorbs.hashes import (
    TreeHasher,
    chunk_hash,
    file_hash,
    from_hex,
    is_dedup_eligible,
    keyed_hash,
    range_hash,
    to_hex,
    xorb_hash,
)
from allmende.xorbs.shard import MAX_SHARD_BYTES, Shard, ShardFile, ShardXorb, Term, read_shard
from allmende.xorbs.shard_writer import write_shard
from allmende.xorbs.xorb import (
    FRAME_HEADER_BYTES,
    MAX_CHUNK_BYTES,
    MAX_SERIALIZED_BYTES,
    MAX_XORB_BYTES,
    MAX_XORB_CHUNKS,
    XorbReader,
    frame_header,
)

__all__ = [
    "FRAME_HEADER_BYTES",
    "MAX_CHUNK_BYTES",
    "MAX_SERIALIZED_BYTES",
    "MAX_SHARD_BYTES",
    "MAX_XORB_BYTES",
    "MAX_XORB_CHUNKS",
    "MIN_CHUNK_BYTES",
    "PACKED_CHUNK_BYTES",
    "Chunk",
    "Chunker",
    "MalformedChunkList",
    "MalformedShard",
    "MalformedXetHash",
    "MalformedXorb",
    "Shard",
    "ShardFile",
    "ShardXorb",
    "Term",
    "TreeHasher",
    "XorbReader",
    "chunk_count",
    "chunk_hash",
    "chunks_of",
    "decompress",
    "file_hash",
    "frame_header",
    "from_hex",
    "is_dedup_eligible",
    "keyed_hash",
    "pack_chunks",
    "packed_sizes",
    "range_hash",
    "read_shard",
    "to_hex",
    "unpack_chunks",
    "write_shard",
    "xorb_hash",
]
