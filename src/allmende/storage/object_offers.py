"""What of packed contents can be given away as it is stored: encodings with their bases, and who has them."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from allmende.codecs import ObjectId
from allmende.ids import Sha256
from allmende.storage.contents import batches
from allmende.storage.object_tables import encoding_base, recipe_object, stored_object
from allmende.storage.objects import PUBLIC_SCOPE, KeptEncoding, encoding_from_row, select_encodings
from allmende.storage.unit_of_work import UnitOfWork

__all__ = ["OfferedEncoding", "contents_with", "encodings_with_bases"]


@dataclass(frozen=True, slots=True)
class OfferedEncoding:
    """An encoding that is not known to be damaged, and the objects that it rests on."""

    encoding: KeptEncoding
    bases: frozenset[ObjectId]


def encodings_with_bases(uow: UnitOfWork, scope: int, ids: Iterable[ObjectId]) -> list[OfferedEncoding]:
    """The sound encodings of these objects that a scope has, of its own or public, by number."""
    found: list[KeptEncoding] = []
    for batch in batches(sorted(set(ids))):
        query = select_encodings().where(
            stored_object.c.id.in_(batch), stored_object.c.scope.in_({PUBLIC_SCOPE, scope})
        )
        found += [one for one in map(encoding_from_row, uow.all(query)) if one.damaged is None]
    bases = _bases_of(uow, [one.number for one in found])
    found.sort(key=lambda one: one.number)
    return [OfferedEncoding(one, frozenset(bases.get(one.number, ()))) for one in found]


def contents_with(uow: UnitOfWork, ids: Iterable[ObjectId]) -> dict[ObjectId, frozenset[Sha256]]:
    """Which packed contents hold these objects, in whatever scope: the caller sees to who may know."""
    found: dict[ObjectId, set[Sha256]] = {}
    for batch in batches(sorted(set(ids))):
        query = (
            select(stored_object.c.id, recipe_object.c.sha256)
            .join(recipe_object, recipe_object.c.object_number == stored_object.c.number)
            .where(stored_object.c.id.in_(batch))
            .distinct()
        )
        for row in uow.all(query):
            found.setdefault(ObjectId(row.id), set()).add(Sha256(row.sha256))
    return {object_id: frozenset(contents) for object_id, contents in found.items()}


def _bases_of(uow: UnitOfWork, numbers: list[int]) -> dict[int, set[ObjectId]]:
    found: dict[int, set[ObjectId]] = {}
    for batch in batches(sorted(numbers)):
        query = (
            select(encoding_base.c.encoding_number, stored_object.c.id)
            .join(stored_object, stored_object.c.number == encoding_base.c.base_number)
            .where(encoding_base.c.encoding_number.in_(batch))
        )
        for row in uow.all(query):
            found.setdefault(row.encoding_number, set()).add(ObjectId(row.id))
    return found
