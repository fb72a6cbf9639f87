"""The right edge of a tree: all that is needed to go on appending, in about log2(size) hashes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from allmende.merkle.errors import MalformedTree
from allmende.merkle.hashes import HASH_BYTES, node_hash
from allmende.merkle.strict import MAX_SIZE
from allmende.merkle.tree import fold

__all__ = ["Frontier"]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The complete subtrees of a tree of `size`, largest first; one for each bit that is set in the size.

    Raises MalformedTree for another number of hashes, or hashes of another length.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE or len(self.hashes) != self.size.bit_count():
            raise MalformedTree(f"{len(self.hashes)} hashes are not the edge of a tree of {self.size}.")
        if any(len(each) != HASH_BYTES for each in self.hashes):
            raise MalformedTree(f"A hash has {HASH_BYTES} bytes.")

    def extended(self, leaf_hashes: Iterable[bytes]) -> Self:
        """The edge after these leaves; each costs two hashes on average, and log2(size) at most."""
        hashes, size = list(self.hashes), self.size
        for leaf in leaf_hashes:
            hashed, full = leaf, size
            while full & 1:
                hashed = node_hash(hashes.pop(), hashed)
                full >>= 1
            hashes.append(hashed)
            size += 1
        return type(self)(size, tuple(hashes))

    @property
    def root(self) -> bytes:
        """The root of the tree, 32 bytes."""
        return fold(self.hashes)
