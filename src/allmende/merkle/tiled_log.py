"""Reading a tiled log from outside, without trusting whoever serves it (C2SP tlog-tiles).

Nothing is believed before it is tied to the root that a checkpoint names. The partial tiles at the right
edge make up that root together, so they are fetched first and checked against it; every other tile is full,
and its root stands in the tile above. An entry is checked against the tile that holds its hash.
"""

from collections.abc import Iterator
from typing import Protocol, Self

from allmende.merkle.checkpoints import Checkpoint
from allmende.merkle.errors import OutOfTree, TileMissing, TileRefused
from allmende.merkle.hashes import HASH_BYTES, leaf_hash
from allmende.merkle.known_logs import KnownLog, SignedCheckpoint
from allmende.merkle.notes import MAX_NOTE_BYTES
from allmende.merkle.proofs import verify_consistency
from allmende.merkle.tiled_tree import OpenTile, TiledTree, open_edge
from allmende.merkle.tiles import (
    MAX_BUNDLE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    BundleName,
    TileName,
    bundle_at,
    unpack_bundle,
    unpack_tile,
)
from allmende.merkle.tree import Node, consistency_proof, inclusion_proof

__all__ = ["Fetch", "TiledLog", "fetch_checkpoint"]


class Fetch(Protocol):
    """Gets a file of a log, over HTTP or from a folder."""

    def __call__(self, path: str, at_most_bytes: int, /) -> bytes:
        """The bytes at a path under the log's address; of a longer file one byte more than so many.

        Raises TileMissing where there is no such file.
        """


def fetch_checkpoint(fetch: Fetch, log: KnownLog) -> SignedCheckpoint:
    """The newest checkpoint that a log serves; raises what `KnownLog.open` raises."""
    return log.open(fetch("checkpoint", MAX_NOTE_BYTES))


class TiledLog:
    """A log as one checkpoint has it; every answer is tied to the checkpoint's root.

    Raises TileRefused, here and from every method, when what the log serves does not belong to that tree, and
    TileMissing when it does not serve what the tree needs. Not for use by several threads at once.
    """

    def __init__(self, fetch: Fetch, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._fetch = fetch
        self._tree = TiledTree(checkpoint.size, self._checked_tile)
        self._edge = open_edge(checkpoint.size, checkpoint.root, self._opened)
        self._bundle: tuple[int, list[bytes]] = (-1, [])

    @classmethod
    def newest(cls, fetch: Fetch, log: KnownLog) -> Self:
        """The log at the newest checkpoint that it serves; raises also what `KnownLog.open` raises."""
        return cls(fetch, fetch_checkpoint(fetch, log).checkpoint)

    def entry(self, index: int) -> bytes:
        """One entry; raises OutOfTree, MalformedTile."""
        return next(self.entries(index, index + 1))

    def entries(self, begin: int, end: int) -> Iterator[bytes]:
        """The entries from `begin` up to and without `end`, fetched bundle by bundle as they are asked for.

        Raises OutOfTree at once, MalformedTile on the way.
        """
        if not 0 <= begin <= end <= self.checkpoint.size:
            raise OutOfTree(f"A log of {self.checkpoint.size} has no entries {begin} to {end}.")
        firsts = range(begin - begin % TILE_WIDTH, end, TILE_WIDTH) if begin < end else ()
        return (
            entry
            for first in firsts
            for entry in self._checked_bundle(first // TILE_WIDTH)[max(begin - first, 0) : end - first]
        )

    def leaf(self, index: int) -> bytes:
        """The leaf hash at an index; raises OutOfTree."""
        return self._tree.hashes([Node(0, index)])[0]

    def inclusion_proof(self, index: int) -> list[bytes]:
        """The proof that an entry is in this tree; raises OutOfTree."""
        return inclusion_proof(self._tree, index, self.checkpoint.size)

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """The proof from an older tree of this log; raises OutOfTree."""
        return consistency_proof(self._tree, old_size, self.checkpoint.size)

    def check_extends(self, old: Checkpoint) -> None:
        """Return when this tree begins with the one of an older checkpoint; raises ProofRefused.

        Where it does not, and the log signed both, `find_equivocation` makes evidence of it.
        """
        proof = self.consistency_proof(old.size) if old.size <= self.checkpoint.size else []
        verify_consistency(old.size, old.root, self.checkpoint.size, self.checkpoint.root, proof)

    @property
    def tree(self) -> TiledTree:
        """The checked hashes, as a `HashReader`."""
        return self._tree

    def _checked_tile(self, name: TileName) -> OpenTile:
        if (edge := self._edge.get(name)) is not None:
            return edge
        tile = self._opened(name)
        above = Node(TILE_HEIGHT * (name.level + 1), name.index)
        if tile.edge != self._tree.hashes([above]):
            raise TileRefused(f"{name.path} does not hash to what stands above it.")
        return tile

    def _checked_bundle(self, index: int) -> list[bytes]:
        if self._bundle[0] == index:
            return self._bundle[1]
        name = bundle_at(self.checkpoint.size, index)
        data, width = self._data(name, MAX_BUNDLE_BYTES, MAX_BUNDLE_BYTES)
        entries = unpack_bundle(data, width)[: name.width]
        if [leaf_hash(entry) for entry in entries] != self._tree.tile(0, index).hashes:
            raise TileRefused(f"{name.path} does not hold the entries that its tile has hashes of.")
        self._bundle = (index, entries)
        return entries

    def _opened(self, name: TileName) -> OpenTile:
        data, width = self._data(name, name.width * HASH_BYTES, TILE_WIDTH * HASH_BYTES)
        return OpenTile(name, unpack_tile(data, width)[: name.width])

    def _data(self, name: TileName | BundleName, at_most: int, at_most_full: int) -> tuple[bytes, int]:
        """The bytes of a tile or bundle and how many it holds: the full one where the partial one is gone."""
        try:
            return self._fetch(name.path, at_most), name.width
        except TileMissing:
            if name.width == TILE_WIDTH:
                raise
            return self._fetch(name.full.path, at_most_full), TILE_WIDTH
