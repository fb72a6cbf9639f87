"""A tree that lies in tiles: reading hashes out of them, and growing them by what was appended.

Neither holds more than it is asked for: a proof in a tree of 10^9 leaves opens about eight tiles, and
appending a batch touches the tiles at the right edge and those that the batch fills.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from allmende.merkle.errors import OutOfTree, TileRefused
from allmende.merkle.hashes import node_hash
from allmende.merkle.strict import MAX_SIZE
from allmende.merkle.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    BundleName,
    TileName,
    pack_bundle,
    pack_tile,
    tile_at,
    unpack_tile,
)
from allmende.merkle.tree import HashReader, Node, Range, cover, fold

__all__ = [
    "EntrySource",
    "Growth",
    "OpenTile",
    "TiledTree",
    "grow",
    "make_bundle",
    "make_tile",
    "open_edge",
    "open_tile",
]


class EntrySource(Protocol):
    """Gives the entries of a log."""

    def entries(self, begin: int, end: int, /) -> Sequence[bytes]:
        """The entries from `begin` up to and without `end`."""


class OpenTile:
    """A tile with all the hashes that follow from it: level 0 is what it holds, level 8 its root if full."""

    __slots__ = ("_levels", "name")

    def __init__(self, name: TileName, hashes: Sequence[bytes]) -> None:
        self.name = name
        self._levels = [list(hashes)]
        while len(below := self._levels[-1]) > 1:
            self._levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])

    @property
    def hashes(self) -> list[bytes]:
        """What the tile holds."""
        return self._levels[0]

    def hash(self, level: int, number: int) -> bytes:
        """The hash of the complete subtree `number` of `2**level` hashes of the tile; raises OutOfTree."""
        try:
            return self._levels[level][number]
        except IndexError:
            raise OutOfTree(f"{self.name.path} is too narrow for what is asked of it.") from None

    @property
    def edge(self) -> list[bytes]:
        """The complete subtrees that make up the tile, largest first; of a full tile its root alone."""
        return [self.hash(level, number) for level, number in cover(Range(0, len(self.hashes)))]


class TiledTree:
    """The hashes of a tree of `size`, read from tiles; a `HashReader`.

    `open_named` gives an open tile for a name. The last `kept_tiles` stay open, each some 40 KiB. Not for use
    by several threads at once.
    """

    def __init__(
        self, size: int, open_named: Callable[[TileName], OpenTile], *, kept_tiles: int = 256
    ) -> None:
        self.size = size
        self._open = open_named
        self._kept_tiles = kept_tiles
        self._kept: OrderedDict[tuple[int, int], OpenTile] = OrderedDict()

    def tile(self, level: int, index: int) -> OpenTile:
        """The tile as this tree has it; raises OutOfTree, and what `open_named` raises."""
        place = (level, index)
        if (kept := self._kept.get(place)) is not None:
            self._kept.move_to_end(place)
            return kept
        opened = self._open(tile_at(self.size, level, index))
        self._kept[place] = opened
        if len(self._kept) > self._kept_tiles:
            self._kept.popitem(last=False)
        return opened

    def hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        """As `HashReader` asks; raises OutOfTree, and what `open_named` raises."""
        return [self._hash(level, number) for level, number in nodes]

    def _hash(self, level: int, number: int) -> bytes:
        if number < 0 or (number + 1) << level > self.size:
            raise OutOfTree(f"A subtree is not full in a tree of {self.size} leaves.")
        tile_level, inside = divmod(level, TILE_HEIGHT)
        tile_index, place = divmod(number, TILE_WIDTH >> inside)
        return self.tile(tile_level, tile_index).hash(inside, place)


@dataclass(frozen=True, slots=True)
class Growth:
    """A tree after a batch: its size, its root, and every tile that is new, by name."""

    size: int
    root: bytes
    tiles: dict[TileName, bytes]


def open_tile(name: TileName, data: bytes) -> OpenTile:
    """A tile from its bytes; raises MalformedTile when they are not as long as the name says."""
    return OpenTile(name, unpack_tile(data, name.width))


def open_edge(size: int, root: bytes, open_named: Callable[[TileName], OpenTile]) -> dict[TileName, OpenTile]:
    """The partial tiles of a tree, at most eight, which make up its root together.

    Raises TileRefused when they make up another, OutOfTree for an impossible size, and what `open_named`
    raises.
    """
    if not 0 <= size <= MAX_SIZE:
        raise OutOfTree(f"No tree has {size} leaves.")
    opened: dict[TileName, OpenTile] = {}
    hashes: list[bytes] = []
    level = 0
    while here := size >> (TILE_HEIGHT * level):
        index, width = divmod(here, TILE_WIDTH)
        if width:
            tile = open_named(TileName(level, index, width))
            opened[tile.name] = tile
            hashes = tile.edge + hashes
        level += 1
    if fold(hashes) != root:
        raise TileRefused(f"The tiles at the edge of the tree of {size} do not make up its root.")
    return opened


def make_tile(name: TileName, reader: HashReader) -> bytes:
    """The bytes of any tile of a log; raises OutOfTree when the reader's tree does not reach that far."""
    level, begin = name.level * TILE_HEIGHT, name.index * TILE_WIDTH
    return pack_tile(reader.hashes([Node(level, begin + at) for at in range(name.width)]))


def make_bundle(name: BundleName, source: EntrySource) -> bytes:
    """The bytes of any bundle of a log; raises OutOfTree when the source has not so many entries."""
    begin = name.index * TILE_WIDTH
    entries = source.entries(begin, begin + name.width)
    if len(entries) != name.width:
        raise OutOfTree(f"The log has {begin + len(entries)} entries; {name.path} needs more.")
    return pack_bundle(entries)


def grow(
    size: int, root: bytes, read_tile: Callable[[TileName], bytes], leaf_hashes: Iterable[bytes]
) -> Growth:
    """What a tree of `size` with `root` becomes with these leaves.

    `read_tile` is asked for the partial tiles of the old size and for nothing else. They are checked against
    the root, so that no damaged tile makes a log contradict itself: raises TileRefused, MalformedTile, and
    OutOfTree for an impossible size.
    """
    old = open_edge(size, root, lambda name: open_tile(name, read_tile(name)))
    held = {name.level: tile.hashes for name, tile in old.items()}
    fresh = list(leaf_hashes)
    new_size = size + len(fresh)
    tiles: dict[TileName, bytes] = {}
    edge: list[bytes] = []
    level = 0
    while new_size >> (TILE_HEIGHT * level):
        first = (size >> (TILE_HEIGHT * level)) // TILE_WIDTH
        row = [*held.get(level, []), *fresh]
        grown = [
            OpenTile(tile_at(new_size, level, first + at // TILE_WIDTH), row[at : at + TILE_WIDTH])
            for at in range(0, len(row), TILE_WIDTH)
        ]
        if fresh:
            tiles |= {tile.name: pack_tile(tile.hashes) for tile in grown}
        if grown and grown[-1].name.width < TILE_WIDTH:
            edge = grown.pop().edge + edge
        fresh = [tile.hash(TILE_HEIGHT, 0) for tile in grown]
        level += 1
    return Growth(new_size, fold(edge), tiles)
