"""Dense storage of HDF5 (specification, III.A.2 and III.G): links and attributes of large groups.

They lie in a fractal heap and are listed by a B-tree of version 2. The records of the tree are followed one
one, as the library does, so that an object is found wherever the heap keeps it: in a managed block, apart as
a huge object, or in the record itself.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from allmende.scan.graphs.hdf5_blocks import Blocks, cut
from allmende.scan.scanning import Unreadable

__all__ = ["dense_messages"]

_HUGE_RECORDS: Final = 1
_ID_PLACE: Final = {5: 4, 6: 8, 8: 0, 9: 0}
_ATTRIBUTE_RECORDS: Final = frozenset((8, 9))
_SHARED: Final = 2
_MANAGED, _HUGE, _TINY = 0, 1, 2
_MAX_DEPTH: Final = 16
_MAX_RECORDS: Final = 1_000_000
_MAX_BLOCKS: Final = 200_000
_MAX_ROWS: Final = 64
_NODE_FRAME_BYTES: Final = 10


def dense_messages(blocks: Blocks, heap_address: int, tree_addresses: list[int]) -> Iterator[bytes]:
    """The messages that the trees list, out of the heap. Raises Unreadable, LimitReached."""
    if blocks.is_undefined(heap_address):
        return
    heap = _FractalHeap(blocks, heap_address)
    seen: set[bytes] = set()
    for address in tree_addresses:
        if blocks.is_undefined(address):
            continue
        for kind, record in _records(blocks, address):
            if kind not in _ID_PLACE:
                raise Unreadable(f"A tree lists records of the unknown kind {kind}.", blocks.start + address)
            name = cut(record, _ID_PLACE[kind], heap.id_bytes)
            if kind in _ATTRIBUTE_RECORDS and record[heap.id_bytes] & _SHARED:
                raise Unreadable("An attribute is shared, which is not followed.", blocks.start + address)
            if name not in seen:
                seen.add(name)
                yield heap.object_of(name)


def _width(limit: int) -> int:
    """How many bytes the library takes for numbers up to the limit."""
    return (max(limit, 1).bit_length() - 1) // 8 + 1


def _records(blocks: Blocks, address: int) -> Iterator[tuple[int, bytes]]:
    """The kind of a tree's records, with each of them."""
    head = blocks.signed(address, b"BTHD", 18 + blocks.offset_bytes + blocks.length_bytes)
    kind, node_bytes = head[5], int.from_bytes(head[6:10], "little")
    record_bytes, depth = int.from_bytes(head[10:12], "little"), int.from_bytes(head[12:14], "little")
    root = blocks.offset(head, 16)
    count = int.from_bytes(head[16 + blocks.offset_bytes : 18 + blocks.offset_bytes], "little")
    if depth > _MAX_DEPTH or not record_bytes or node_bytes < _NODE_FRAME_BYTES + record_bytes:
        raise Unreadable("A tree has an impossible shape.", blocks.start + address)
    tree = _Tree(blocks, node_bytes, record_bytes, depth)
    if count:
        for record in tree.records(root, count, depth):
            yield kind, record


class _Tree:
    """The shape of a B-tree of version 2, and the walk down it."""

    def __init__(self, blocks: Blocks, node_bytes: int, record_bytes: int, depth: int) -> None:
        self._blocks = blocks
        self._node_bytes = node_bytes
        self._record_bytes = record_bytes
        self._left = _MAX_RECORDS
        most = (node_bytes - _NODE_FRAME_BYTES) // record_bytes
        self._count_bytes = _width(most)
        self._total_bytes = [0]
        total = most
        for level in range(1, depth + 1):
            pointer = self._pointer_bytes(level)
            most = max(0, node_bytes - _NODE_FRAME_BYTES - pointer) // (record_bytes + pointer)
            total = (most + 1) * total + most
            self._total_bytes.append(_width(total))

    def _pointer_bytes(self, level: int) -> int:
        return self._blocks.offset_bytes + self._count_bytes + self._total_bytes[level - 1]

    def records(self, address: int, count: int, level: int) -> Iterator[bytes]:
        """All records below a node. Raises Unreadable."""
        self._left -= count + 1
        if self._left < 0:
            raise Unreadable("A tree has too many records.", self._blocks.start + address)
        node = self._blocks.signed(address, b"BTIN" if level else b"BTLF", self._node_bytes)
        for number in range(count):
            yield cut(node, 6 + number * self._record_bytes, self._record_bytes)
        if not level:
            return
        position = 6 + count * self._record_bytes
        for number in range(count + 1):
            at = position + number * self._pointer_bytes(level)
            child = self._blocks.offset(node, at)
            inner = cut(node, at + self._blocks.offset_bytes, self._count_bytes)
            yield from self.records(child, int.from_bytes(inner, "little"), level - 1)


class _FractalHeap:
    """One heap: where its direct blocks are, and its objects by their ids."""

    def __init__(self, blocks: Blocks, address: int) -> None:
        self._blocks = blocks
        self._address = address
        offset, length = blocks.offset_bytes, blocks.length_bytes
        head = blocks.signed(address, b"FRHP", 26 + 12 * length + 3 * offset)
        self.id_bytes = int.from_bytes(head[5:7], "little")
        largest_object = int.from_bytes(head[10:14], "little")
        self._huge_tree = blocks.offset(head, 14 + length)
        at = 14 + 10 * length + 2 * offset
        self._columns = int.from_bytes(head[at : at + 2], "little")
        self._first = blocks.length(head, at + 2)
        self._largest = blocks.length(head, at + 2 + length)
        heap_bits = int.from_bytes(head[at + 2 + 2 * length : at + 4 + 2 * length], "little")
        self._place_bytes = -(-heap_bits // 8)
        root = blocks.offset(head, at + 6 + 2 * length)
        rows = int.from_bytes(head[at + 6 + 2 * length + offset : at + 8 + 2 * length + offset], "little")
        filtered = head[7:9] != b"\0\0"
        if filtered or not self._columns or not self._first or self._largest < self._first:
            raise Unreadable("A heap is compressed or impossible.", blocks.start + address)
        self._size_bytes = min(_width(self._largest), _width(largest_object))
        self._direct: list[tuple[int, int, int]] = []
        if not blocks.is_undefined(root):
            if rows:
                self._indirect(root, rows, 0, 0)
            else:
                self._direct.append((0, root, self._first))
        self._direct.sort()
        self._huge: dict[int, tuple[int, int]] | None = None

    def _indirect(self, address: int, rows: int, place: int, level: int) -> None:
        """Note all direct blocks below an indirect one, with the place in the heap where each begins."""
        if level > _MAX_DEPTH or rows > _MAX_ROWS:
            raise Unreadable("A heap is nested too deep.", self._blocks.start + address)
        head = 5 + self._blocks.offset_bytes + self._place_bytes
        width = self._blocks.offset_bytes
        block = self._blocks.signed(address, b"FHIB", head + rows * self._columns * width)
        for number in range(rows * self._columns):
            row = number // self._columns
            size_bytes = self._first if row < 2 else self._first << (row - 1)
            child = self._blocks.offset(block, head + number * width)
            if not self._blocks.is_undefined(child):
                if size_bytes <= self._largest:
                    self._direct.append((place, child, size_bytes))
                else:
                    inner = (size_bytes // (self._first * self._columns)).bit_length()
                    self._indirect(child, inner, place, level + 1)
            if len(self._direct) > _MAX_BLOCKS:
                raise Unreadable("A heap has too many blocks.", self._blocks.start + address)
            place += size_bytes

    def object_of(self, name: bytes) -> bytes:
        """The object with this id. Raises Unreadable where there is none."""
        kind = name[0] >> 4
        if kind == _MANAGED:
            place = int.from_bytes(name[1 : 1 + self._place_bytes], "little")
            at = 1 + self._place_bytes
            return self._managed(place, int.from_bytes(name[at : at + self._size_bytes], "little"))
        if kind == _HUGE:
            address, size_bytes = self._huge_place(name)
            return self._blocks.at(address, size_bytes)
        if kind == _TINY:
            extended = len(name) - 1 > 16
            count = ((name[0] & 15) << 8 | name[1]) + 1 if extended else (name[0] & 15) + 1
            return cut(name, 2 if extended else 1, count)
        raise Unreadable(
            f"An object of a heap has the unknown kind {kind}.", self._blocks.start + self._address
        )

    def _managed(self, place: int, size_bytes: int) -> bytes:
        number = bisect_right(self._direct, place, key=lambda block: block[0]) - 1
        if number >= 0:
            begin, address, block_bytes = self._direct[number]
            if place + size_bytes <= begin + block_bytes:
                return self._blocks.at(address + place - begin, size_bytes)
        raise Unreadable("An object lies in no block of its heap.", self._blocks.start + self._address)

    def _huge_place(self, name: bytes) -> tuple[int, int]:
        offset, length = self._blocks.offset_bytes, self._blocks.length_bytes
        if len(name) - 1 >= offset + length:
            return self._blocks.offset(name, 1), self._blocks.length(name, 1 + offset)
        if self._huge is None:
            self._huge = {}
            for kind, record in _records(self._blocks, self._huge_tree):
                if kind != _HUGE_RECORDS:
                    raise Unreadable("Huge objects are compressed.", self._blocks.start + self._huge_tree)
                number = self._blocks.length(record, offset + length)
                self._huge[number] = self._blocks.offset(record, 0), self._blocks.length(record, offset)
        wanted = int.from_bytes(name[1 : 1 + min(length, len(name) - 1)], "little")
        if wanted not in self._huge:
            raise Unreadable("A huge object is missing.", self._blocks.start + self._address)
        return self._huge[wanted]
