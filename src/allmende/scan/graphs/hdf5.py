"""A bounded walk over HDF5 files (HDF5 File Format Specification 3.0): links, attributes, storage, filters.

No data are read, and nothing that needs the library: what is collected is what leads out of the file, and
the texts that programs such as Keras keep in attributes.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from allmende.scan.budget import LimitReached
from allmende.scan.graphs.hdf5_blocks import Blocks, GlobalHeaps, cut
from allmende.scan.graphs.hdf5_heap import dense_messages
from allmende.scan.graphs.hdf5_virtual import virtual_sources
from allmende.scan.scanning import Unreadable
from allmende.scan.source import Source

__all__ = ["SIGNATURE", "Hdf5Contents", "find_superblock", "walk_hdf5"]

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_MAX_OBJECTS: Final = 200_000
_MAX_NAMES_BYTES: Final = 1024 * 1024
_MAX_TEXT_BYTES: Final = 32 * 1024 * 1024
_MAX_MESSAGES: Final = 100_000
_MAX_LEVEL: Final = 32
_LINK_INFO, _LINK, _EXTERNAL_FILES, _LAYOUT, _FILTERS = 0x02, 0x06, 0x07, 0x08, 0x0B
_ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE, _ATTRIBUTE_INFO = 0x0C, 0x10, 0x11, 0x15
_HARD, _SOFT, _EXTERNAL = 0, 1, 64
_DATASPACE, _DATATYPE, _SHARED, _IN_OBJECT = 0x01, 0x03, 2, 2
_FIRST_VIRTUAL, _VIRTUAL = 4, 3
_BYTES: Final = frozenset((3, 5))  # texts and opaque values


@dataclass
class Hdf5Contents:
    """What the walk found: names by which other files are reached, attributes with texts, filter numbers."""

    userblock_bytes: int = 0
    external_links: list[str] = field(default_factory=list)
    external_files: list[str] = field(default_factory=list)
    virtual_files: list[str] = field(default_factory=list)
    foreign_links: list[int] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    pickled: list[tuple[str, bytes]] = field(default_factory=list)
    """Attributes that end as pickles do: PyTables loads them so."""
    filters: set[int] = field(default_factory=set)
    largest_elements: int = 0
    """Elements of the largest data set, as the file has it."""


def find_superblock(source: Source) -> int | None:
    """Where the superblock is: at 0, 512, 1024, and so on; None where it is nowhere."""
    offset = 0
    while offset < source.size_bytes:
        if source.read_at(offset, 8) == SIGNATURE:
            return offset
        offset = offset * 2 or 512
    return None


def walk_hdf5(source: Source) -> Hdf5Contents:
    """Walk all objects. Raises Unreadable for what the specification does not allow, and LimitReached."""
    start = find_superblock(source)
    if start is None:
        raise Unreadable("There is no superblock.")
    return _Walker(source, start).walk()


class _Walker:
    """One walk: where addresses begin, how wide they are, and what was visited."""

    def __init__(self, source: Source, start: int) -> None:
        self._blocks = Blocks(source, start)
        self._heaps = GlobalHeaps(self._blocks)
        self._found = Hdf5Contents(userblock_bytes=start)
        self._visited: set[int] = set()
        self._waiting: list[int] = []
        self._visited_trees: set[int] = set()

    def walk(self) -> Hdf5Contents:
        self._waiting.append(self._superblock())
        while self._waiting:
            address = self._waiting.pop()
            if address in self._visited or self._blocks.is_undefined(address):
                continue
            self._visited.add(address)
            if len(self._visited) > _MAX_OBJECTS:
                raise LimitReached("objects", f"The HDF5 file has more than {_MAX_OBJECTS} objects.")
            for kind, data in self._messages(address):
                self._message(kind, data)
        return self._found

    def _superblock(self) -> int:
        """Sizes of offsets and lengths; returns the address of the root object."""
        head = self._blocks.at(0, 12)
        version = head[8]
        if version in (0, 1):
            block = self._blocks.at(0, 24 + 4 * version + 8 * 6)
            self._sizes(block[13], block[14])
            entry = 24 + 4 * version + 4 * self._blocks.offset_bytes
            return self._blocks.offset(
                self._blocks.at(0, entry + 2 * self._blocks.offset_bytes), entry + self._blocks.offset_bytes
            )
        if version in (2, 3):
            self._sizes(head[9], head[10])
            return self._blocks.offset(
                self._blocks.at(0, 12 + 4 * self._blocks.offset_bytes), 12 + 3 * self._blocks.offset_bytes
            )
        raise Unreadable(f"The superblock has the unknown version {version}.", self._blocks.start)

    def _sizes(self, offset_bytes: int, length_bytes: int) -> None:
        if offset_bytes not in (2, 4, 8, 16) or length_bytes not in (2, 4, 8, 16):
            raise Unreadable("The sizes of addresses are impossible.", self._blocks.start)
        self._blocks.offset_bytes, self._blocks.length_bytes = offset_bytes, length_bytes

    # --- object headers -----------------------------------------------------------------------------------

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        head = self._blocks.at(address, 16)
        if head.startswith(b"OHDR"):
            yield from self._new_messages(address, head)
            return
        if head[0] != 1:
            raise Unreadable(
                f"An object header has the unknown version {head[0]}.", self._blocks.start + address
            )
        blocks = [(address + 16, int.from_bytes(head[8:12], "little"))]
        count = 0
        while blocks:
            start, size_bytes = blocks.pop()
            data = self._blocks.at(start, size_bytes)
            position = 0
            while position + 8 <= len(data):
                kind, length, flags = struct.unpack_from("<HHB", data, position)
                body = cut(data, position + 8, length)
                position += 8 + length
                count = self._count(count, address)
                if kind == _CONTINUATION:
                    blocks.append(
                        (self._blocks.offset(body, 0), self._blocks.length(body, self._blocks.offset_bytes))
                    )
                else:
                    self._refuse_shared(kind, flags, address)
                    yield kind, body

    def _new_messages(self, address: int, head: bytes) -> Iterator[tuple[int, bytes]]:
        flags = head[5]
        position = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size_bytes = int.from_bytes(
            cut(self._blocks.at(address, position + width), position, width), "little"
        )
        blocks = [(address + position + width, size_bytes)]
        count = 0
        while blocks:
            start, size_bytes = blocks.pop()
            data = self._blocks.at(start, size_bytes)
            step = 6 if flags & 4 else 4
            position = 0
            while position + step <= len(data):
                kind, length = data[position], int.from_bytes(data[position + 1 : position + 3], "little")
                if position + step + length > len(data):
                    break  # the gap that the header may leave at the end of a block
                shared = data[position + 3]
                body = data[position + step : position + step + length]
                position += step + length
                count = self._count(count, address)
                if kind == _CONTINUATION:
                    place, total = (
                        self._blocks.offset(body, 0),
                        self._blocks.length(body, self._blocks.offset_bytes),
                    )
                    self._blocks.signed(place, b"OCHK", 4)
                    blocks.append((place + 4, max(0, total - 8)))
                else:
                    self._refuse_shared(kind, shared, address)
                    yield kind, body

    def _refuse_shared(self, kind: int, flags: int, address: int) -> None:
        """Only datatypes are shared by ordinary files; a message of another kind would be passed over."""
        if flags & _SHARED and kind in (_ATTRIBUTE, _FILTERS):
            raise Unreadable("A message is shared, which is not followed.", self._blocks.start + address)

    def _count(self, count: int, address: int) -> int:
        if count >= _MAX_MESSAGES:
            raise Unreadable("An object header has too many messages.", self._blocks.start + address)
        return count + 1

    def _message(self, kind: int, data: bytes) -> None:
        handler = {
            _SYMBOL_TABLE: self._symbol_table, _LINK: self._link, _LINK_INFO: self._link_info,
            _ATTRIBUTE: self._attribute, _ATTRIBUTE_INFO: self._attribute_info, _LAYOUT: self._layout,
            _EXTERNAL_FILES: self._external_storage, _FILTERS: self._filter_pipeline,
            _DATASPACE: self._dataspace,
        }.get(kind)  # fmt: skip
        if handler is not None:
            handler(data)

    # --- groups -------------------------------------------------------------------------------------------

    def _symbol_table(self, data: bytes) -> None:
        self._tree(self._blocks.offset(data, 0), 0)

    def _tree(self, address: int, level: int) -> None:
        if level > _MAX_LEVEL:
            raise Unreadable("A tree is nested too deep.", self._blocks.start + address)
        if self._blocks.is_undefined(address) or address in self._visited_trees:
            return
        self._visited_trees.add(address)
        head = self._blocks.at(address, 8)
        if head.startswith(b"SNOD"):
            self._symbols(address, int.from_bytes(head[6:8], "little"))
            return
        if not head.startswith(b"TREE"):
            raise Unreadable("There is no TREE where one should be.", self._blocks.start + address)
        count = int.from_bytes(head[6:8], "little")
        step = self._blocks.length_bytes + self._blocks.offset_bytes
        body = self._blocks.at(
            address + 8 + 2 * self._blocks.offset_bytes, count * step + self._blocks.length_bytes
        )
        for number in range(count):
            self._tree(self._blocks.offset(body, number * step + self._blocks.length_bytes), level + 1)

    def _symbols(self, address: int, count: int) -> None:
        size_bytes = 2 * self._blocks.offset_bytes + 24
        body = self._blocks.at(address + 8, count * size_bytes)
        for number in range(count):
            self._waiting.append(self._blocks.offset(body, number * size_bytes + self._blocks.offset_bytes))

    def _link(self, data: bytes) -> None:
        """Follow a link. Raises Unreadable."""
        if data[:1] != b"\1":
            raise Unreadable("A link has an unknown version.")
        flags = cut(data, 1, 1)[0]
        position = 2
        kind = _HARD
        if flags & 8:
            kind = cut(data, position, 1)[0]
            position += 1
        position += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(cut(data, position, width), "little")
        position += width
        position += length
        if kind == _HARD:
            self._waiting.append(self._blocks.offset(data, position))
            return
        value = cut(data, position + 2, int.from_bytes(cut(data, position, 2), "little"))
        if kind == _EXTERNAL:
            self._found.external_links.append(value[1:].split(b"\0", 1)[0].decode("utf-8", "replace"))
        elif kind != _SOFT:
            self._found.foreign_links.append(kind)

    def _link_info(self, data: bytes) -> None:
        for message in self._dense(data, 8):
            self._link(message)

    def _attribute_info(self, data: bytes) -> None:
        for message in self._dense(data, 2):
            self._attribute(message)

    def _dense(self, data: bytes, order_bytes: int) -> Iterator[bytes]:
        """The messages in a heap, by the index of names, and by that of their order where there is one."""
        flags, width = cut(data, 1, 1)[0], self._blocks.offset_bytes
        position = 2 + (order_bytes if flags & 1 else 0)
        trees = [self._blocks.offset(data, position + width)]
        if flags & 2:
            trees.append(self._blocks.offset(data, position + 2 * width))
        return dense_messages(self._blocks, self._blocks.offset(data, position), trees)

    # --- attributes and storage ---------------------------------------------------------------------------

    def _attribute(self, data: bytes) -> None:
        """Keep an attribute whose value is a text. Raises Unreadable."""
        version = cut(data, 0, 1)[0]
        if version not in (1, 2, 3):
            raise Unreadable("An attribute has an unknown version.")
        shared = data[1] if version > 1 else 0
        at = 9 if version == 3 else 8
        parts = []
        for size_bytes in struct.unpack("<3H", cut(data, 2, 6)):
            parts.append(cut(data, at, size_bytes))
            at += -(-size_bytes // 8) * 8 if version == 1 else size_bytes
        name = parts[0].rstrip(b"\0").decode("utf-8", "replace")
        datatype = self._shared_datatype(parts[1]) if shared & 1 else parts[1]
        if shared & 2:
            raise Unreadable("The size of an attribute is shared, which is not followed.")
        text = self._text(datatype, parts[2], data[at:])
        if text is not None:
            self._found.attributes.append((name, text))
        value = data[at : at + _MAX_TEXT_BYTES].rstrip(b"\0")
        if datatype[0] & 15 in _BYTES and len(value) > 2 and value.endswith(b"."):
            self._found.pickled.append((name, value))

    def _shared_datatype(self, data: bytes) -> bytes:
        """A datatype that has a name of its own: it stands in another object. Raises Unreadable."""
        version = cut(data, 0, 1)[0]
        if version not in (1, 2, 3) or (version == 3 and data[1] != _IN_OBJECT):
            raise Unreadable("A datatype is shared in a way that is not followed.")
        address = self._blocks.offset(data, 8 if version == 1 else 2)
        for kind, body in self._messages(address):
            if kind == _DATATYPE:
                return body
        raise Unreadable("A shared datatype is missing.", self._blocks.start + address)

    def _text(self, datatype: bytes, dataspace: bytes, value: bytes) -> str | None:
        """The value where it is a text or a list of texts; None for numbers and the rest."""
        if len(datatype) < 8:
            raise Unreadable("A datatype is cut off.")
        kind, size_bytes = datatype[0] & 15, int.from_bytes(datatype[4:8], "little")
        if kind == 3:
            return value[: min(len(value), _MAX_TEXT_BYTES)].rstrip(b"\0").decode("utf-8", "replace")
        if kind != 9 or datatype[1] & 15 != 1 or size_bytes != 8 + self._blocks.offset_bytes:
            return None
        texts = []
        for number in range(min(_elements(dataspace, self._blocks.length_bytes), len(value) // size_bytes)):
            item = value[number * size_bytes : (number + 1) * size_bytes]
            if int.from_bytes(item[:4], "little"):
                texts.append(
                    self._heaps.object_at(self._blocks.offset(item, 4), int.from_bytes(item[-4:], "little"))
                )
        return "\n".join(text.decode("utf-8", "replace") for text in texts)

    def _dataspace(self, data: bytes) -> None:
        elements = _elements(data, self._blocks.length_bytes)
        self._found.largest_elements = max(self._found.largest_elements, elements)

    def _layout(self, data: bytes) -> None:
        if len(data) < 2 or data[0] < _FIRST_VIRTUAL or data[1] != _VIRTUAL:
            return
        address = self._blocks.offset(data, 2)
        if not self._blocks.is_undefined(address):
            index = int.from_bytes(cut(data, 2 + self._blocks.offset_bytes, 4), "little")
            block = self._heaps.object_at(address, index)
            self._found.virtual_files += virtual_sources(block, self._blocks.length_bytes)

    def _external_storage(self, data: bytes) -> None:
        used = int.from_bytes(cut(data, 6, 2), "little")
        heap = self._blocks.signed(
            self._blocks.offset(data, 8),
            b"HEAP",
            8 + 2 * self._blocks.length_bytes + self._blocks.offset_bytes,
        )
        names = self._blocks.at(
            self._blocks.offset(heap, 8 + 2 * self._blocks.length_bytes),
            min(self._blocks.length(heap, 8), _MAX_NAMES_BYTES),
        )
        for number in range(used):
            at = self._blocks.length(
                data, 8 + self._blocks.offset_bytes + 3 * number * self._blocks.length_bytes
            )
            self._found.external_files.append(names[at:].split(b"\0", 1)[0].decode("utf-8", "replace"))

    def _filter_pipeline(self, data: bytes) -> None:
        version, count = cut(data, 0, 2)
        position = 8 if version == 1 else 2
        for _ in range(count):
            number = int.from_bytes(cut(data, position, 2), "little")
            named = version == 1 or number >= 256
            name_bytes = int.from_bytes(cut(data, position + 2, 2), "little") if named else 0
            at = position + (4 if named else 2)
            values = int.from_bytes(cut(data, at + 2, 2), "little")
            name_bytes = -(-name_bytes // 8) * 8 if version == 1 else name_bytes
            position = at + 4 + name_bytes + 4 * values + (4 if version == 1 and values % 2 else 0)
            self._found.filters.add(number)


def _elements(dataspace: bytes, length_bytes: int) -> int:
    """How many elements a dataspace has; one for a scalar."""
    if len(dataspace) < 4:
        return 1
    rank, start = dataspace[1], 8 if dataspace[0] == 1 else 4
    count = 1
    for number in range(rank):
        at = start + number * length_bytes
        count *= int.from_bytes(dataspace[at : at + length_bytes], "little")
    return count
