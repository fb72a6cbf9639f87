"""Tiles and entry bundles of a log (C2SP tlog-tiles): their names, their bytes, and which a size needs.

A tile holds up to 256 neighbouring hashes of one level; a hash one level up is the root of a *full* tile.
An entry bundle holds the entries under one tile of level 0, each behind its length in two bytes. What is not
full yet is partial, has its width in its name, and never changes under that name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from allmende.merkle.errors import EntryTooLarge, MalformedTile, OutOfTree
from allmende.merkle.hashes import HASH_BYTES
from allmende.merkle.strict import MAX_SIZE

__all__ = [
    "MAX_BUNDLE_BYTES",
    "MAX_ENTRY_BYTES",
    "TILE_HEIGHT",
    "TILE_WIDTH",
    "BundleName",
    "TileName",
    "bundle_at",
    "bundle_names",
    "pack_bundle",
    "pack_tile",
    "parse_path",
    "tile_at",
    "tile_names",
    "unpack_bundle",
    "unpack_tile",
]

TILE_HEIGHT = 8
"""How many levels of the tree one tile spans."""

TILE_WIDTH = 1 << TILE_HEIGHT

MAX_ENTRY_BYTES = 0xFFFF
MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)

_MAX_TILE_LEVEL = 63
_GROUP = 1000
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True, order=True)
class TileName:
    """`width` hashes of tile level `level`, from number `256 * index` on; raises MalformedTile."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not 0 <= self.level <= _MAX_TILE_LEVEL:
            raise MalformedTile(f"There is no tile level {self.level}.")
        _check(self.index, self.width)

    @property
    def path(self) -> str:
        """Where the tile lies under the log's address."""
        return f"tile/{self.level}/{_number(self.index)}{_partial(self.width)}"

    @property
    def full(self) -> "TileName":
        """The tile that this one grows into; itself when it is full."""
        return TileName(self.level, self.index)


@dataclass(frozen=True, slots=True, order=True)
class BundleName:
    """`width` entries from number `256 * index` on; raises MalformedTile."""

    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        _check(self.index, self.width)

    @property
    def path(self) -> str:
        """Where the bundle lies under the log's address."""
        return f"tile/entries/{_number(self.index)}{_partial(self.width)}"

    @property
    def full(self) -> "BundleName":
        """The bundle that this one grows into; itself when it is full."""
        return BundleName(self.index)


def parse_path(path: str) -> TileName | BundleName:
    """What a path names; raises MalformedTile unless it is exactly the path of that name."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise MalformedTile(f"{path[:80]!r} is not the path of a tile.")
    level, groups, partial = found.groups()
    index = int(groups.replace("x", "").replace("/", ""))
    width = TILE_WIDTH if partial is None else int(partial)
    name = BundleName(index, width) if level == "entries" else TileName(int(level), index, width)
    if name.path != path:
        raise MalformedTile(f"{path[:80]!r} is written {name.path!r}.")
    return name


def tile_at(size: int, level: int, index: int) -> TileName:
    """The tile as a tree of `size` has it, full or partial; raises OutOfTree where there is none."""
    there = (_sized(size) >> (TILE_HEIGHT * level)) - index * TILE_WIDTH
    if index < 0 or there <= 0:
        raise OutOfTree(f"A tree of {size} has no tile {index} on level {level}.")
    return TileName(level, index, min(there, TILE_WIDTH))


def bundle_at(size: int, index: int) -> BundleName:
    """The bundle as a log of `size` has it, full or partial; raises OutOfTree where there is none."""
    return BundleName(index, tile_at(size, 0, index).width)


def tile_names(size: int, old_size: int = 0) -> Iterator[TileName]:
    """Every tile that a tree of `size` needs and that of `old_size` did not have, by level and index."""
    _grown(old_size, size)
    level = 0
    while hashes := size >> (TILE_HEIGHT * level):
        old_hashes = old_size >> (TILE_HEIGHT * level)
        for index in range(old_hashes // TILE_WIDTH, -(-hashes // TILE_WIDTH)):
            if hashes > old_hashes:
                yield tile_at(size, level, index)
        level += 1


def bundle_names(size: int, old_size: int = 0) -> Iterator[BundleName]:
    """Every bundle that a log of `size` needs and that of `old_size` did not have, by index."""
    _grown(old_size, size)
    if size > old_size:
        for index in range(old_size // TILE_WIDTH, -(-size // TILE_WIDTH)):
            yield bundle_at(size, index)


def pack_tile(hashes: Sequence[bytes]) -> bytes:
    """The bytes of a tile of 1 to 256 hashes; raises MalformedTile."""
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(each) != HASH_BYTES for each in hashes):
        raise MalformedTile(f"A tile has 1 to {TILE_WIDTH} hashes of {HASH_BYTES} bytes.")
    return b"".join(hashes)


def unpack_tile(data: bytes, width: int) -> list[bytes]:
    """The hashes of a tile of that width; raises MalformedTile for any other length of the bytes."""
    if len(data) != width * HASH_BYTES:
        raise MalformedTile(f"A tile of {width} hashes has {width * HASH_BYTES} bytes, not {len(data)}.")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def pack_bundle(entries: Sequence[bytes]) -> bytes:
    """The bytes of a bundle of 1 to 256 entries; raises MalformedTile, or EntryTooLarge."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise MalformedTile(f"A bundle has 1 to {TILE_WIDTH} entries.")
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise EntryTooLarge(f"An entry has at most {MAX_ENTRY_BYTES} bytes.")
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def unpack_bundle(data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle of that width; raises MalformedTile when there are fewer or more bytes."""
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin])
        if begin > len(data) or at > len(data):
            raise MalformedTile(f"The bundle ends within entry {len(entries)} of {width}.")
        entries.append(data[begin:at])
    if at != len(data):
        raise MalformedTile(f"The bundle has {len(data) - at} bytes after its {width} entries.")
    return entries


def _number(index: int) -> str:
    groups = [f"{index % _GROUP:03d}"]
    while index := index // _GROUP:
        groups.append(f"x{index % _GROUP:03d}")
    return "/".join(reversed(groups))


def _partial(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"


def _check(index: int, width: int) -> None:
    if not 0 <= index <= MAX_SIZE // TILE_WIDTH:
        raise MalformedTile(f"There is no tile {index}.")
    if not 1 <= width <= TILE_WIDTH:
        raise MalformedTile(f"A tile is not {width} wide.")


def _sized(size: int) -> int:
    if not 0 <= size <= MAX_SIZE:
        raise OutOfTree(f"No tree has {size} leaves.")
    return size


def _grown(old_size: int, size: int) -> None:
    if not 0 <= old_size <= _sized(size):
        raise OutOfTree(f"A tree of {size} does not grow out of one of {old_size}.")
