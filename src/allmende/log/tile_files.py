"""The tiles and bundles of the log as files: one for each, which holds as much of it as there is.

A tile that is not full is the beginning of what it grows into, so one file answers for every width that is
asked for. A file is replaced whole, and durable before the checkpoint that needs it is signed. All of them
follow from the entries in the database: what is lost or damaged is written again.
"""

from collections.abc import Iterable
from pathlib import Path

from allmende.merkle import (
    HASH_BYTES,
    BundleName,
    OpenTile,
    TileMissing,
    TileName,
    open_tile,
    pack_bundle,
    unpack_bundle,
)
from allmende.storage import replace_durably

__all__ = ["TileFiles"]

_LENGTH_BYTES = 2


class TileFiles:
    """The files under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: TileName | BundleName) -> bytes:
        """The bytes of a tile or bundle at its width; raises TileMissing where there are not so many."""
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            raise TileMissing(f"The log has no {name.path}.") from None
        end = name.width * HASH_BYTES if isinstance(name, TileName) else _end_of(data, name.width)
        if end is None or end > len(data):
            raise TileMissing(f"The log has no {name.path}.")
        return data[:end]

    def open(self, name: TileName) -> OpenTile:
        """A tile, opened; raises TileMissing."""
        return open_tile(name, self.read(name))

    def write(self, name: TileName | BundleName, data: bytes) -> None:
        """Make the bytes of a tile or bundle durable, in place of a narrower one."""
        replace_durably(self._path(name), data)

    def extend_bundle(self, name: BundleName, fresh: Iterable[bytes]) -> None:
        """Write a bundle that begins as its file does and ends with `fresh`; raises TileMissing."""
        added = list(fresh)
        width = name.width - len(added)
        begun = unpack_bundle(self.read(BundleName(name.index, width)), width) if width else []
        self.write(name, pack_bundle([*begun, *added]))

    def clear_leftovers(self) -> None:
        """Remove what a killed process left half written."""
        for part in self.folder.glob("tile/**/*.part"):
            part.unlink(missing_ok=True)

    def _path(self, name: TileName | BundleName) -> Path:
        return self.folder / name.full.path


def _end_of(data: bytes, width: int) -> int | None:
    """Where the first `width` entries of a bundle end; None when there are fewer."""
    at = 0
    for _ in range(width):
        length = data[at : at + _LENGTH_BYTES]
        if len(length) < _LENGTH_BYTES:
            return None
        at += _LENGTH_BYTES + int.from_bytes(length)
    return at if at <= len(data) else None
