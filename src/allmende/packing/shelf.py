"""The port behind which objects are kept: a hub's database and packs, or a folder.

A shelf is bound to a *scope*: it finds only objects that whoever stores through it may build upon. So a base
is always at least as visible as what is built on it, or has the same owner, and nothing else has to check it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from allmende.codecs import EncodedObject, ObjectId, Piece, Plain, Recipe

__all__ = ["MAX_DEPTH", "Intake", "Shelf", "Shelved"]

MAX_DEPTH = 3
"""How many objects, one predicted from the next, may have to be decoded for one."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """What a shelf knows of an object: of its preferred encoding, and whether others are predicted from it.

    `depth` is 0 for an object that is stored without a base, else one more than that of its deepest base.
    """

    object_id: ObjectId
    size_bytes: int
    stored_bytes: int
    depth: int
    is_base: bool


class Intake(Protocol):
    """New things on their way onto a shelf: all of them come to be there at once, or none."""

    def add(self, encoded: EncodedObject) -> None:
        """Write an encoding of an object; of what is there already it is one more, or takes its place.

        The encoding can be read through `encodings` of this intake before it is committed.
        """

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        """As Shelf.encodings; of what this intake has written, that first, and no others that it replaces."""

    def add_chunks(self, chunks: Mapping[bytes, Piece]) -> None:
        """Record where chunks lie (by their Xet hash), so that the next file with them finds them."""

    def commit(self, recipe: Recipe | None) -> None:
        """Make everything durable, with the recipe that holds it (none when objects are only stored anew)."""

    def discard(self) -> None:
        """Give up; leaves nothing behind. Harmless after `commit`."""


class Shelf(Protocol):
    """Objects that were stored, as far as this shelf's scope reaches."""

    def find(self, ids: Iterable[ObjectId]) -> Mapping[ObjectId, Shelved]:
        """Those of `ids` that are there."""

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        """The stored bytes of each encoding of an object, the preferred first. Raises ObjectMissing."""

    def bases_of(self, object_id: ObjectId) -> frozenset[ObjectId]:
        """All objects that have to be decoded for this one, however deep."""

    def find_chunks(self, hashes: Iterable[bytes]) -> Mapping[bytes, Piece]:
        """Those of these chunks (Xet hashes, 32 bytes) that lie in objects that are there."""

    def report_damage(self, object_id: ObjectId, stored: Plain, problem: str) -> None:
        """Record that an encoding of the object, one that `encodings` gave, is damaged; others are preferred
        from now. Nothing is recorded of bytes that are not this shelf's.
        """

    def intake(self) -> Intake:
        """Begin to store."""
