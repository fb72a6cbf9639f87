"""A shelf in memory, which counts and can be damaged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from allmende.codecs import BytesPlain, EncodedObject, ObjectId, ObjectMissing, Piece, Plain, Recipe
from allmende.packing import Shelved


@dataclass
class MemoryShelf:
    """See packing.Shelf; `stored` holds the encodings of each object, the preferred first."""

    stored: dict[ObjectId, list[bytearray]] = field(default_factory=dict)
    sizes: dict[ObjectId, int] = field(default_factory=dict)
    parents: dict[ObjectId, frozenset[ObjectId]] = field(default_factory=dict)
    chunks: dict[bytes, Piece] = field(default_factory=dict)
    reports: list[tuple[ObjectId, int]] = field(default_factory=list)
    recipes: list[Recipe] = field(default_factory=list)

    @property
    def stored_bytes(self) -> int:
        return sum(len(one) for encodings in self.stored.values() for one in encodings)

    def depth(self, object_id: ObjectId) -> int:
        return max((1 + self.depth(one) for one in self.parents[object_id]), default=0)

    def find(self, ids: Iterable[ObjectId]) -> Mapping[ObjectId, Shelved]:
        bases = frozenset[ObjectId]().union(*self.parents.values())
        return {
            one: Shelved(one, self.sizes[one], len(self.stored[one][0]), self.depth(one), one in bases)
            for one in ids
            if one in self.stored
        }

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        if object_id not in self.stored:
            raise ObjectMissing(object_id)
        return [BytesPlain(one) for one in self.stored[object_id]]

    def bases_of(self, object_id: ObjectId) -> frozenset[ObjectId]:
        found = self.parents.get(object_id, frozenset())
        return found.union(*(self.bases_of(one) for one in found))

    def find_chunks(self, hashes: Iterable[bytes]) -> Mapping[bytes, Piece]:
        return {one: self.chunks[one] for one in hashes if one in self.chunks}

    def report_damage(self, object_id: ObjectId, stored: Plain, problem: str) -> None:
        whole = bytearray(stored.read_at(0, stored.size_bytes))
        if whole in self.stored[object_id]:
            self.reports.append((object_id, self.stored[object_id].index(whole)))

    def intake(self) -> "MemoryIntake":
        return MemoryIntake(self)


class MemoryIntake:
    """See packing.Intake."""

    def __init__(self, shelf: MemoryShelf) -> None:
        self._shelf = shelf
        self._new: dict[ObjectId, EncodedObject] = {}
        self._chunks: dict[bytes, Piece] = {}

    def add(self, encoded: EncodedObject) -> None:
        self._new[encoded.object_id] = encoded

    def encodings(self, object_id: ObjectId) -> Sequence[Plain]:
        if object_id in self._new:
            return [BytesPlain(b"".join(self._new[object_id].parts))]
        return self._shelf.encodings(object_id)

    def add_chunks(self, chunks: Mapping[bytes, Piece]) -> None:
        self._chunks.update(chunks)

    def commit(self, recipe: Recipe | None) -> None:
        shelf = self._shelf
        for one, encoded in self._new.items():
            shelf.stored.setdefault(one, []).insert(0, bytearray(b"".join(encoded.parts)))
            shelf.sizes[one] = encoded.plain_bytes
            shelf.parents[one] = encoded.parents
        shelf.chunks.update(self._chunks)
        if recipe is not None:
            shelf.recipes.append(recipe)

    def discard(self) -> None:
        self._new.clear()
