"""Where the bytes of a shard stand: what its reader and its writer must agree on.

A shard (draft-denis-xet, section on shards) is a header of 48 bytes, the file section, the xorb section and,
unless the header says that there is none, lookup tables and a footer of 200 bytes. Both sections are rows of
48-byte records, each of a hash and 16 bytes more, closed by a record whose hash has all bits set. Numbers
are little-endian.
"""

import struct

import numpy as np

__all__ = [
    "BOOKEND",
    "CHUNK_LOOKUP",
    "DEDUP_FLAG",
    "FILE_LOOKUP_BYTES",
    "FOOTER",
    "FOOTER_VERSION",
    "HEADER",
    "HEADER_VERSION",
    "METADATA_FLAG",
    "RECORD",
    "RECORD_BYTES",
    "RECORD_FIELDS",
    "TAG",
    "VERIFICATION_FLAG",
    "XORB_LOOKUP",
]

TAG = b"HFRepoMetaData\x00" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
HEADER = struct.Struct("<32sQQ")
"""The tag, the version, the length of the footer (0: none)."""

HEADER_VERSION = 2

RECORD = struct.Struct("<32sIIII")
"""A hash and four numbers. They are

- of a file: flags, terms, unused, unused;
- of a term: flags, unpacked bytes, first chunk, chunk after the last;
- of a term's proof and of a file's SHA-256: unused;
- of a xorb: flags, chunks, unpacked bytes, serialized bytes;
- of a chunk: where it begins in the unpacked xorb, unpacked bytes, flags, unused.
"""

RECORD_BYTES = RECORD.size
RECORD_FIELDS = np.dtype([("hash", "V32"), ("numbers", "<u4", (4,))])
BOOKEND = b"\xff" * 32

VERIFICATION_FLAG = 1 << 31
METADATA_FLAG = 1 << 30
DEDUP_FLAG = 1 << 31

FILE_LOOKUP_BYTES = 12
XORB_LOOKUP = np.dtype([("key", "<u8"), ("record", "<u4")])
"""First eight bytes of the hash, and the xorb's record in its section; sorted."""

CHUNK_LOOKUP = np.dtype([("key", "<u8"), ("record", "<u4"), ("index", "<u4")])
"""First eight bytes of the (keyed) hash, the xorb's record, and the chunk's place in that xorb; sorted."""

FOOTER = struct.Struct("<9Q32sQQ48x4Q")
"""Version; where the file section, the xorb section and, each with its number of entries, the lookup tables
of files, xorbs and chunks begin; the key of the chunk hashes; when it was made and until when it holds, in
seconds of the epoch; sums of serialized, referenced and unpacked bytes; where the footer begins."""

FOOTER_VERSION = 1
