"""Queries for keeping objects and packs in order: what nothing leads to, what must be stored anew first.

An object is *held* when a recipe of its own scope consists of it. What is not held but still the base of
another, or part of a recipe of another scope, is on its way out: what rests on it is stored anew, and then it
goes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, func, select, update

from allmende.codecs import ObjectId
from allmende.ids import Sha256
from allmende.storage.contents import batches
from allmende.storage.object_tables import (
    encoding_base,
    object_encoding,
    object_pack,
    recipe_object,
    stored_object,
)
from allmende.storage.objects import PUBLIC_SCOPE, KeptEncoding, encoding_from_row, select_encodings
from allmende.storage.unit_of_work import UnitOfWork

__all__ = [
    "ObjectKey",
    "PackUse",
    "delete_unneeded_objects",
    "encodings_in_pack",
    "forget_pack",
    "known_packs",
    "list_encodings",
    "list_packs",
    "move_encoding",
    "outgoing_objects",
    "recipes_with",
    "relink_recipe",
    "resting_on",
    "substitute_base",
]


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """An object in a scope."""

    number: int
    scope: int
    id: ObjectId


@dataclass(frozen=True, slots=True)
class PackUse:
    """A pack, and how many of its bytes are encodings that are recorded."""

    id: int
    location: str
    size_bytes: int
    live_bytes: int


def outgoing_objects(uow: UnitOfWork, limit: int) -> list[ObjectKey]:
    """Objects that are not held, and on which something rests all the same."""
    query = select(stored_object).where(~_held(), _needed()).order_by(stored_object.c.number).limit(limit)
    return [ObjectKey(row.number, row.scope, ObjectId(row.id)) for row in uow.all(query)]


def resting_on(uow: UnitOfWork, numbers: Iterable[int]) -> list[ObjectKey]:
    """Objects of which an encoding rests directly on one of these."""
    found: dict[int, ObjectKey] = {}
    for batch in batches(sorted(set(numbers))):
        query = (
            select(stored_object)
            .join(object_encoding, object_encoding.c.object_number == stored_object.c.number)
            .join(encoding_base, encoding_base.c.encoding_number == object_encoding.c.number)
            .where(encoding_base.c.base_number.in_(batch))
        )
        for row in uow.all(query):
            found[row.number] = ObjectKey(row.number, row.scope, ObjectId(row.id))
    return list(found.values())


def recipes_with(uow: UnitOfWork, number: int) -> list[tuple[Sha256, int]]:
    """The recipes, by content and scope, that consist of an object among others."""
    query = select(recipe_object.c.sha256, recipe_object.c.scope).where(
        recipe_object.c.object_number == number
    )
    return [(Sha256(row.sha256), row.scope) for row in uow.all(query)]


def relink_recipe(uow: UnitOfWork, scope: int, before: int, after: int) -> None:
    """Let the recipes of a scope consist of another object with the same bytes."""
    same = (recipe_object.c.object_number == before) & (recipe_object.c.scope == scope)
    uow.execute(update(recipe_object).where(same).values(object_number=after))


def substitute_base(uow: UnitOfWork, gone: ObjectKey, child: ObjectKey) -> bool:
    """Let the encodings of `child` rest on the same bytes as they are held in another scope, if they are.

    That has to be a scope that the child's sees, and no more levels than before. Returns whether it was done.
    """
    depth = select(func.min(object_encoding.c.depth)).where(object_encoding.c.damaged.is_(None))
    former = depth.where(object_encoding.c.object_number == gone.number)
    found = uow.all(
        select(stored_object.c.number)
        .where(
            stored_object.c.id == gone.id,
            stored_object.c.number != gone.number,
            stored_object.c.scope.in_({PUBLIC_SCOPE, child.scope}),
            _held(),
            depth.where(object_encoding.c.object_number == stored_object.c.number).scalar_subquery()
            <= former.scalar_subquery(),
        )
        .order_by(stored_object.c.scope.desc())
    )
    if not found:
        return False
    of_child = select(object_encoding.c.number).where(object_encoding.c.object_number == child.number)
    same = (encoding_base.c.base_number == gone.number) & encoding_base.c.encoding_number.in_(of_child)
    uow.execute(update(encoding_base).where(same).values(base_number=found[0].number))
    return True


def delete_unneeded_objects(uow: UnitOfWork, limit: int) -> int:
    """Remove objects on which nothing rests, and their encodings; returns how many.

    What they rest on may be unneeded then: repeat until none is.
    """
    doomed = select(stored_object.c.number).where(~_needed()).limit(limit)
    numbers = [row.number for row in uow.all(doomed)]
    for batch in batches(numbers):
        uow.execute(delete(stored_object).where(stored_object.c.number.in_(batch)))
    return len(numbers)


def list_packs(uow: UnitOfWork, after: int, limit: int) -> list[PackUse]:
    """Packs in the order of their ids, from the one after `after` on."""
    live = (
        select(func.coalesce(func.sum(object_encoding.c.size_bytes), 0))
        .where(object_encoding.c.pack_id == object_pack.c.id)
        .scalar_subquery()
    )
    query = select(object_pack, live.label("live_bytes")).where(object_pack.c.id > after)
    rows = uow.all(query.order_by(object_pack.c.id).limit(limit))
    return [PackUse(row.id, row.location, row.size_bytes, int(row.live_bytes)) for row in rows]


def encodings_in_pack(uow: UnitOfWork, pack_id: int) -> list[KeptEncoding]:
    """The encodings that lie in a pack, in their order."""
    query = select_encodings().where(object_encoding.c.pack_id == pack_id)
    return [encoding_from_row(row) for row in uow.all(query.order_by(object_encoding.c.offset_bytes))]


def move_encoding(uow: UnitOfWork, encoding: KeptEncoding, pack_id: int, offset_bytes: int) -> bool:
    """The bytes of an encoding lie elsewhere too, and are read there; False when it is not what it was."""
    same = (object_encoding.c.number == encoding.number) & (object_encoding.c.pack_id == encoding.pack_id)
    moved = update(object_encoding).where(same).values(pack_id=pack_id, offset_bytes=offset_bytes)
    return uow.execute(moved).rowcount == 1


def forget_pack(uow: UnitOfWork, pack_id: int) -> bool:
    """Remove a pack in which no encoding lies; the caller removes its bytes after the commit."""
    used = exists().where(object_encoding.c.pack_id == pack_id)
    return uow.execute(delete(object_pack).where(object_pack.c.id == pack_id, ~used)).rowcount == 1


def known_packs(uow: UnitOfWork, locations: Sequence[str]) -> set[str]:
    """Those locations at which a pack is kept."""
    found: set[str] = set()
    for batch in batches(locations):
        query = select(object_pack.c.location).where(object_pack.c.location.in_(batch))
        found.update(row.location for row in uow.all(query))
    return found


def list_encodings(uow: UnitOfWork, after: int, limit: int) -> list[KeptEncoding]:
    """Encodings in the order of their numbers, from the one after `after` on."""
    query = select_encodings().where(object_encoding.c.number > after)
    return [encoding_from_row(row) for row in uow.all(query.order_by(object_encoding.c.number).limit(limit))]


def _held() -> ColumnElement[bool]:
    return exists().where(
        recipe_object.c.object_number == stored_object.c.number,
        recipe_object.c.scope == stored_object.c.scope,
    )


def _needed() -> ColumnElement[bool]:
    return exists().where(encoding_base.c.base_number == stored_object.c.number) | exists().where(
        recipe_object.c.object_number == stored_object.c.number
    )
