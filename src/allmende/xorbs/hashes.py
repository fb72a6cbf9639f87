"""The hashes of the Xet protocol: of chunks, xorbs, files and ranges of chunks.

All are keyed BLAKE3 (draft-denis-xet, section on hashing). Inside they are 32 raw bytes. Written out, they
are four 64-bit numbers, each read little-endian and printed as 16 hexadecimal digits: the bytes of each
group of eight stand in reverse.
"""

import struct
from collections.abc import Iterable

from blake3 import blake3

from allmende.ids import XetHash, is_xet_hash
from allmende.xorbs.chunk import Chunk
from allmende.xorbs.errors import MalformedXetHash

__all__ = [
    "TreeHasher",
    "chunk_hash",
    "file_hash",
    "from_hex",
    "is_dedup_eligible",
    "keyed_hash",
    "range_hash",
    "to_hex",
    "xorb_hash",
]

_CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_RANGE_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
_NO_SALT = bytes(32)

_MEAN_BRANCHING = 4
_MIN_CUT = 3
_MAX_BRANCHING = 2 * _MEAN_BRANCHING + 1
_DEDUP_MODULUS = 1024

_LITTLE = struct.Struct("<4Q")
_BIG = struct.Struct(">4Q")


def to_hex(raw: bytes) -> XetHash:
    """A hash as the protocol writes it."""
    return XetHash(_BIG.pack(*_LITTLE.unpack(raw)).hex())


def from_hex(text: str) -> bytes:
    """The raw bytes of a written hash; raises MalformedXetHash unless it is 64 lowercase digits."""
    if not is_xet_hash(text):
        raise MalformedXetHash(f"{text[:80]!r} is not a Xet hash, which has 64 lowercase hexadecimal digits.")
    return _LITTLE.pack(*_BIG.unpack(bytes.fromhex(text)))


def chunk_hash(data: bytes | bytearray | memoryview) -> bytes:
    """The hash of one chunk's unpacked bytes."""
    return blake3(data, key=_CHUNK_KEY).digest()


def keyed_hash(hash: bytes, key: bytes) -> bytes:  # noqa: A002 - the word of the protocol
    """A chunk's hash as a shard with a key shows it, so that only who has the chunk recognises it."""
    return blake3(hash, key=key).digest()


def range_hash(hashes: Iterable[bytes]) -> bytes:
    """What proves in an uploaded shard that the client knows the chunks of a term, from their hashes."""
    return blake3(b"".join(hashes), key=_RANGE_KEY).digest()


def is_dedup_eligible(hash: bytes) -> bool:  # noqa: A002 - the word of the protocol
    """Whether clients ask for a chunk with this hash globally: one in 1024, by its last eight bytes."""
    return int.from_bytes(hash[24:], "little") % _DEDUP_MODULUS == 0


class TreeHasher:
    """The aggregated hash over a row of chunks, in memory that grows with its logarithm.

    The tree's shape follows from its hashes: on each level nodes gather in order, and a group ends with its
    third or later node whose hash is a multiple of 4, with its ninth, or with the level. Groups become the
    nodes of the next level, until a level has a single node. No rule looks ahead, so that each level needs
    to remember its open group only.
    """

    def __init__(self) -> None:
        self._open: list[list[tuple[bytes, int]]] = [[]]

    def add(self, hash: bytes, size_bytes: int) -> None:  # noqa: A002 - the word of the protocol
        """Takes in the next chunk."""
        node = (hash, size_bytes)
        for group in self._open:
            group.append(node)
            if not _is_complete(group):
                return
            node = _merged(group)
            group.clear()
        self._open.append([node])

    def xorb_hash(self) -> bytes:
        """The hash of a xorb of the chunks so far; 32 zero bytes when there are none."""
        carried: tuple[bytes, int] | None = None
        # A level exists when the one below has ended a group: only the last can hold the root.
        top = len(self._open) - 1
        for level, group in enumerate(self._open):
            nodes = group if carried is None else [*group, carried]
            if level == top and len(nodes) == 1:
                return nodes[0][0]
            if nodes:
                carried = _merged(nodes)
        return bytes(32) if carried is None else carried[0]

    def file_hash(self) -> bytes:
        """The hash of a file of the chunks so far; 32 zero bytes when there are none."""
        if len(self._open) == 1 and not self._open[0]:
            return bytes(32)
        return blake3(self.xorb_hash(), key=_NO_SALT).digest()


def _is_complete(group: list[tuple[bytes, int]]) -> bool:
    # The last eight bytes are a little-endian number, so the first of them decides whether 4 divides it.
    return len(group) >= _MIN_CUT and (
        group[-1][0][24] % _MEAN_BRANCHING == 0 or len(group) == _MAX_BRANCHING
    )


def _merged(group: list[tuple[bytes, int]]) -> tuple[bytes, int]:
    lines = "".join([f"{to_hex(node)} : {size_bytes}\n" for node, size_bytes in group])
    return blake3(lines.encode(), key=_NODE_KEY).digest(), sum([size_bytes for _, size_bytes in group])


def _tree(chunks: Iterable[Chunk]) -> TreeHasher:
    tree = TreeHasher()
    for chunk in chunks:
        tree.add(chunk.hash, chunk.size_bytes)
    return tree


def xorb_hash(chunks: Iterable[Chunk]) -> bytes:
    """The hash of a xorb that holds these chunks in this order; 32 zero bytes for none."""
    return _tree(chunks).xorb_hash()


def file_hash(chunks: Iterable[Chunk]) -> bytes:
    """The hash of a file that consists of these chunks in this order; 32 zero bytes for none."""
    return _tree(chunks).file_hash()
