"""The two hashes that a log's tree is made of (RFC 6962, section 2.1).

The byte before what is hashed keeps the two apart: without it, two child hashes would pass for an entry.
"""

from hashlib import sha256

__all__ = ["EMPTY_ROOT", "HASH_BYTES", "leaf_hash", "node_hash"]

HASH_BYTES = 32

EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without entries."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry, 32 bytes."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours, 32 bytes."""
    return sha256(b"\1" + left + right).digest()
