"""Figures of packed contents: how many bytes they have, how many are stored, and by which means fewer."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, exists, func, select

from allmende.ids import Sha256
from allmende.storage.contents import RECIPE, batches
from allmende.storage.object_tables import (
    content_recipe,
    encoding_base,
    object_encoding,
    object_pack,
    recipe_object,
    stored_object,
)
from allmende.storage.objects import PUBLIC_SCOPE
from allmende.storage.schema import content
from allmende.storage.unit_of_work import UnitOfWork

__all__ = ["PackedObject", "StorageFigures", "hub_figures", "packed_objects", "recipe_sizes"]


@dataclass(frozen=True, slots=True)
class StorageFigures:
    """Bytes of contents, each counted once however many repos hold it.

    `packed_bytes` is the part of `content_bytes` that is read by recipes; their objects have `object_bytes`
    in plain, of which `predicted_bytes` are predicted from others. `object_stored_bytes` and
    `predicted_stored_bytes` is what is kept of these two, `recipe_bytes` what the recipes take themselves,
    and `pack_bytes` what the packs take on the disk, with what is dead in them.
    """

    content_bytes: int
    packed_bytes: int
    recipe_bytes: int
    object_bytes: int
    object_stored_bytes: int
    predicted_bytes: int
    predicted_stored_bytes: int
    pack_bytes: int

    @property
    def stored_bytes(self) -> int:
        """What all contents take: plain files, recipes, encodings."""
        return self.content_bytes - self.packed_bytes + self.recipe_bytes + self.object_stored_bytes

    @property
    def saved_by_sharing_bytes(self) -> int:
        """What need not be kept as it is part of several contents, or several times of one."""
        return max(0, self.packed_bytes - self.recipe_bytes - self.object_bytes)

    @property
    def saved_by_prediction_bytes(self) -> int:
        """What need not be kept as it follows from other objects."""
        return self.predicted_bytes - self.predicted_stored_bytes

    @property
    def saved_by_compression_bytes(self) -> int:
        """What coding saves where nothing is predicted."""
        return (
            self.object_bytes - self.object_stored_bytes - self.predicted_bytes + self.predicted_stored_bytes
        )


@dataclass(frozen=True, slots=True)
class PackedObject:
    """An object of some contents; `is_shared`: other contents that its scope sees consist of it too."""

    number: int
    size_bytes: int
    stored_bytes: int
    is_predicted: bool
    is_shared: bool


def hub_figures(uow: UnitOfWork) -> StorageFigures:
    """The figures of the whole hub: for its operator, as they tell of private contents too."""
    of_packed = func.sum(content.c.size_bytes).filter(content.c.representation == RECIPE)
    contents = uow.execute(
        select(_sum(content.c.size_bytes).label("every"), func.coalesce(of_packed, 0).label("packed"))
    ).one()
    plain = uow.execute(
        select(
            _sum(stored_object.c.size_bytes).label("every"),
            func.coalesce(func.sum(stored_object.c.size_bytes).filter(_is_predicted()), 0).label("predicted"),
        ).select_from(stored_object)
    ).one()
    stored = uow.execute(
        select(
            _sum(object_encoding.c.size_bytes).label("every"),
            func.coalesce(func.sum(object_encoding.c.size_bytes).filter(_has_base()), 0).label("predicted"),
        ).select_from(object_encoding)
    ).one()
    return StorageFigures(
        content_bytes=int(contents.every),
        packed_bytes=int(contents.packed),
        recipe_bytes=_number(uow, select(_sum(func.length(content_recipe.c.body)))),
        object_bytes=int(plain.every),
        object_stored_bytes=int(stored.every),
        predicted_bytes=int(plain.predicted),
        predicted_stored_bytes=int(stored.predicted),
        pack_bytes=_number(uow, select(_sum(object_pack.c.size_bytes))),
    )


def packed_objects(uow: UnitOfWork, scope: int, hashes: Iterable[Sha256]) -> list[PackedObject]:
    """The objects of which the recipes of these contents in a scope consist, each once."""
    wanted = sorted(set(hashes))
    if not wanted:
        return []
    uses: dict[int, int] = {}
    rows: dict[int, tuple[int, int, bool, int]] = {}
    others = recipe_object.alias()
    in_scope = (
        select(func.count(func.distinct(others.c.sha256)))
        .where(others.c.object_number == stored_object.c.number, others.c.scope.in_({PUBLIC_SCOPE, scope}))
        .scalar_subquery()
    )
    for batch in batches(wanted):
        query = (
            select(
                stored_object.c.number,
                stored_object.c.size_bytes,
                func.min(object_encoding.c.size_bytes).label("stored_bytes"),
                _is_predicted().label("is_predicted"),
                func.count(func.distinct(recipe_object.c.sha256)).label("uses"),
                in_scope.label("every_use"),
            )
            .join(recipe_object, recipe_object.c.object_number == stored_object.c.number)
            .join(object_encoding, object_encoding.c.object_number == stored_object.c.number)
            .where(recipe_object.c.sha256.in_(batch), recipe_object.c.scope == scope)
            .group_by(stored_object.c.number, stored_object.c.size_bytes)
        )
        for row in uow.all(query):
            uses[row.number] = uses.get(row.number, 0) + row.uses
            rows[row.number] = (row.size_bytes, row.stored_bytes, bool(row.is_predicted), row.every_use)
    return [
        PackedObject(number, size_bytes, stored_bytes, predicted, every_use > uses[number])
        for number, (size_bytes, stored_bytes, predicted, every_use) in sorted(rows.items())
    ]


def recipe_sizes(uow: UnitOfWork, scope: int, hashes: Iterable[Sha256]) -> dict[Sha256, int]:
    """How many bytes the recipes of these contents take themselves in a scope; others are absent."""
    found: dict[Sha256, int] = {}
    for batch in batches(sorted(set(hashes))):
        query = select(content_recipe.c.sha256, func.length(content_recipe.c.body).label("size_bytes")).where(
            content_recipe.c.sha256.in_(batch), content_recipe.c.scope == scope
        )
        found.update({Sha256(row.sha256): int(row.size_bytes) for row in uow.all(query)})
    return found


def _has_base() -> ColumnElement[bool]:
    return exists().where(encoding_base.c.encoding_number == object_encoding.c.number)


def _is_predicted() -> ColumnElement[bool]:
    encoding = object_encoding.alias()
    return exists().where(
        encoding.c.object_number == stored_object.c.number,
        encoding_base.c.encoding_number == encoding.c.number,
    )


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)


def _number(uow: UnitOfWork, query: Select[tuple[int]]) -> int:
    return int(uow.execute(query).scalar_one())
