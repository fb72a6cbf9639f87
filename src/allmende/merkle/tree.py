"""The shape of the tree (RFC 6962, section 2.1): which hashes make a root or a proof, and making them.

A tree over n entries splits at the largest power of two below n. Every part of it that a root or a proof
needs is a range of leaves that begins at a multiple of a power of two not below its length; such a range is
a short row of *complete* subtrees, which never change once they are full. Whoever keeps a log keeps those,
and gives them out through a `HashReader`; a proof then needs about log2(n) of them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from allmende.merkle.errors import OutOfTree
from allmende.merkle.hashes import EMPTY_ROOT, node_hash
from allmende.merkle.strict import MAX_SIZE

__all__ = [
    "HashReader",
    "MemoryTree",
    "Node",
    "Range",
    "consistency_proof",
    "consistency_ranges",
    "cover",
    "fold",
    "inclusion_proof",
    "inclusion_ranges",
    "prefix_proof",
    "root_of",
]


class Node(NamedTuple):
    """A complete subtree: the leaves from `number * 2**level` on, `2**level` of them."""

    level: int
    number: int


class Range(NamedTuple):
    """The leaves from `begin` up to and without `end`."""

    begin: int
    end: int


class HashReader(Protocol):
    """Gives hashes of complete subtrees of one log."""

    def hashes(self, nodes: Sequence[Node], /) -> Sequence[bytes]:
        """The hash of each node, 32 bytes, in the order asked; raises OutOfTree for one that is not full."""


def cover(part: Range) -> list[Node]:
    """The complete subtrees that make up a range, largest first; the range is aligned as said above."""
    begin, end = part
    nodes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append(Node(level, begin >> level))
        begin += 1 << level
    return nodes


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash of a range from those of its cover."""
    if not hashes:
        return EMPTY_ROOT
    folded = hashes[-1]
    for left in reversed(hashes[:-1]):
        folded = node_hash(left, folded)
    return folded


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """What stands beside the way from leaf `index` up to the root: PATH of RFC 6962, section 2.1.1.

    The caller has seen to `0 <= index < size`.
    """
    begin, end = 0, size
    ranges = []
    while end - begin > 1:
        middle = _middle(begin, end)
        if index < middle:
            ranges.append(Range(middle, end))
            end = middle
        else:
            ranges.append(Range(begin, middle))
            begin = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, size: int) -> list[Range]:
    """What makes up both the first `old_size` leaves and all `size`, from the bottom to the root.

    It is SUBPROOF of RFC 6962, section 2.1.2, with its first range always named; a consistency proof leaves
    that one out when it is the whole old tree, whose root the reader knows. `0 < old_size <= size`.
    """
    begin, end = 0, size
    ranges = []
    while end != old_size:
        middle = _middle(begin, end)
        if old_size <= middle:
            ranges.append(Range(middle, end))
            end = middle
        else:
            ranges.append(Range(begin, middle))
            begin = middle
    return [Range(begin, end), *ranges[::-1]]


def root_of(reader: HashReader, size: int) -> bytes:
    """The root of the first `size` leaves; raises OutOfTree."""
    _in_tree(0, size)
    return fold(reader.hashes(cover(Range(0, size))))


def inclusion_proof(reader: HashReader, index: int, size: int) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size`, from the leaf to the root; raises OutOfTree."""
    _in_tree(index, size - 1)
    return _hashes(reader, inclusion_ranges(index, size))


def consistency_proof(reader: HashReader, old_size: int, size: int) -> list[bytes]:
    """The proof that the tree of `size` begins with that of `old_size`; raises OutOfTree.

    Empty for an old size of 0 and for equal sizes, where there is nothing to prove.
    """
    _in_tree(old_size, size)
    if old_size in {0, size}:
        return []
    ranges = consistency_ranges(old_size, size)
    return _hashes(reader, ranges[ranges[0].begin == 0 :])


def prefix_proof(reader: HashReader, old_size: int, size: int) -> list[bytes]:
    """What shows which root the first `old_size` leaves of the tree of `size` have; raises OutOfTree.

    A consistency proof that takes nothing for known: it can also show that two trees differ.
    """
    _in_tree(old_size, size)
    _in_tree(1, old_size)
    return _hashes(reader, consistency_ranges(old_size, size))


class MemoryTree:
    """A tree that keeps every hash in memory, about 64 bytes for each leaf: for small logs and for tests."""

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        self.extend(leaf_hashes)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._levels[0])

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Append leaves."""
        self._levels[0].extend(leaf_hashes)
        below = self._levels[0]
        for level in range(1, len(below).bit_length()):
            if level == len(self._levels):
                self._levels.append([])
            here = self._levels[level]
            here.extend(node_hash(below[at], below[at + 1]) for at in range(2 * len(here), len(below) - 1, 2))
            below = here

    def hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        """As `HashReader` asks."""
        if any(number < 0 or (number + 1) << level > self.size for level, number in nodes):
            raise OutOfTree(f"A subtree is not full in a tree of {self.size} leaves.")
        return [self._levels[level][number] for level, number in nodes]

    def root(self, size: int | None = None) -> bytes:
        """The root of the first `size` leaves, or of all; raises OutOfTree."""
        return root_of(self, self.size if size is None else size)


def _middle(begin: int, end: int) -> int:
    return begin + (1 << ((end - begin - 1).bit_length() - 1))


def _in_tree(number: int, at_most: int) -> None:
    if not 0 <= number <= at_most <= MAX_SIZE:
        raise OutOfTree(f"{number} is not within 0 and {at_most}.")


def _hashes(reader: HashReader, ranges: Sequence[Range]) -> list[bytes]:
    """The hash of each range, with one question to the reader, which may have to fetch tiles."""
    covers = [cover(part) for part in ranges]
    hashes = reader.hashes([node for nodes in covers for node in nodes])
    folded, at = [], 0
    for nodes in covers:
        folded.append(fold(hashes[at : at + len(nodes)]))
        at += len(nodes)
    return folded
