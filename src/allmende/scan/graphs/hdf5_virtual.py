"""Virtual datasets of HDF5 (specification, III.E: global heap block for virtual datasets): their sources."""

from typing import Final

from allmende.scan.graphs.hdf5_blocks import cut
from allmende.scan.scanning import Unreadable

__all__ = ["virtual_sources"]

_MAX_SOURCES: Final = 100_000
_NONE, _POINTS, _HYPERSLAB, _ALL = 0, 1, 2, 3


def virtual_sources(block: bytes, length_bytes: int) -> list[str]:
    """The names of the files that a virtual dataset is put together from; `.` is the file itself.

    Raises Unreadable for versions that are not known.
    """
    version = cut(block, 0, 1)[0]
    if version > 1:
        raise Unreadable(f"A virtual dataset has the unknown version {version}.")
    count = int.from_bytes(cut(block, 1, length_bytes), "little")
    if count > _MAX_SOURCES:
        raise Unreadable("A virtual dataset has too many sources.")
    position = 1 + length_bytes
    names: list[str] = []
    for _ in range(count):
        flags = 0
        if version == 1:
            flags = cut(block, position, 1)[0]
            position += 1
        if flags & 4:
            names.append(".")
        elif flags & 1:
            position += length_bytes
        else:
            name, position = _text(block, position)
            names.append(name)
        if flags & 2:
            position += length_bytes
        else:
            _, position = _text(block, position)
        position = _selection_end(block, _selection_end(block, position))
    return names


def _text(block: bytes, position: int) -> tuple[str, int]:
    end = block.find(b"\0", position)
    if end < 0:
        raise Unreadable("A name of a virtual dataset does not end.")
    return block[position:end].decode("utf-8", "replace"), end + 1


def _number(block: bytes, position: int, count: int) -> int:
    return int.from_bytes(cut(block, position, count), "little")


def _selection_end(block: bytes, position: int) -> int:
    """Where a serialised selection ends. Raises Unreadable."""
    kind, version = _number(block, position, 4), _number(block, position + 4, 4)
    if kind in (_NONE, _ALL):
        return position + 16
    if kind in (_POINTS, _HYPERSLAB) and version == 1:
        return position + 16 + _number(block, position + 12, 4)
    if kind == _HYPERSLAB and version == 2:
        return position + 13 + _number(block, position + 9, 4)
    if kind == _HYPERSLAB and version == 3:
        flags, width, rank = cut(block, position + 8, 1)[0], cut(block, position + 9, 1)[0], 0
        rank = _number(block, position + 10, 4)
        if flags & 1:
            return position + 14 + 4 * rank * width
        return position + 14 + width + 2 * rank * width * _number(block, position + 14, width)
    if kind == _POINTS and version == 2:
        width, rank = cut(block, position + 8, 1)[0], _number(block, position + 9, 4)
        return position + 13 + width + rank * width * _number(block, position + 13, width)
    raise Unreadable("A virtual dataset has a selection of an unknown kind.")
