"""Objects as rows: which there are in which scope, where their encodings lie, and what those rest on.

The rule that everything else leans on: an encoding rests only on objects of its own scope or public ones,
never on its own object, however far down, and not on more than three levels. `add_encoding` holds it, inside
the transaction that adds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, exists, func, select, update

from allmende.codecs import ObjectId, Piece
from allmende.errors import Conflict
from allmende.storage.contents import batches
from allmende.storage.object_tables import (
    chunk_place,
    encoding_base,
    object_encoding,
    object_pack,
    stored_object,
)
from allmende.storage.unit_of_work import UnitOfWork

__all__ = [
    "PUBLIC_SCOPE",
    "KeptEncoding",
    "KeptObject",
    "NewEncoding",
    "ObjectsChanged",
    "add_chunk_places",
    "add_encoding",
    "add_pack",
    "bases_below",
    "encoding_from_row",
    "encodings_down_from",
    "encodings_of",
    "find_chunk_places",
    "find_objects",
    "forget_encoding",
    "mark_encoding_damaged",
    "select_encodings",
]

PUBLIC_SCOPE = 0
_MAX_LEVELS = 3


class ObjectsChanged(Conflict):
    """What an encoding rests on has gone or changed its place while it was made."""

    code = "objects_changed"


@dataclass(frozen=True, slots=True)
class KeptObject:
    """An object in a scope with at least one encoding that is not known to be damaged."""

    number: int
    scope: int
    id: ObjectId
    size_bytes: int
    stored_bytes: int
    depth: int
    is_base: bool


@dataclass(frozen=True, slots=True)
class KeptEncoding:
    """Where an encoding of an object lies."""

    number: int
    object_number: int
    object_id: ObjectId
    scope: int
    pack_id: int
    location: str
    offset_bytes: int
    size_bytes: int
    digest: bytes
    depth: int
    damaged: str | None


@dataclass(frozen=True, slots=True)
class NewEncoding:
    """An encoding that was written into a pack and is to be recorded."""

    object_id: ObjectId
    plain_bytes: int
    offset_bytes: int
    size_bytes: int
    digest: bytes
    bases: frozenset[ObjectId]


def find_objects(uow: UnitOfWork, scope: int, ids: Iterable[ObjectId]) -> dict[ObjectId, KeptObject]:
    """Those of `ids` that a scope has, of its own or public; of two the scope's own.

    Objects of which every encoding is damaged are not there: who stores their bytes again heals them.
    """
    found: dict[ObjectId, KeptObject] = {}
    is_base = exists().where(encoding_base.c.base_number == stored_object.c.number).label("is_base")
    for batch in batches(sorted(set(ids))):
        query = (
            select(
                stored_object,
                object_encoding.c.size_bytes.label("stored_bytes"),
                object_encoding.c.depth,
                is_base,
            )
            .join(object_encoding, object_encoding.c.object_number == stored_object.c.number)
            .where(stored_object.c.id.in_(batch), _in_sight(scope), object_encoding.c.damaged.is_(None))
            # The scope's own come last and so are kept; of several encodings the one that is preferred.
            .order_by(stored_object.c.scope, object_encoding.c.size_bytes.desc())
        )
        for row in uow.all(query):
            found[ObjectId(row.id)] = KeptObject(
                row.number, row.scope, ObjectId(row.id), row.size_bytes, row.stored_bytes, row.depth,
                bool(row.is_base),
            )  # fmt: skip
    return found


def encodings_of(uow: UnitOfWork, scope: int, object_id: ObjectId) -> list[KeptEncoding]:
    """The encodings of an object that a scope has, its own or public: sound ones first, then small ones."""
    return _encodings(uow, _SEEN, scope, [object_id]).get(object_id, [])


def encodings_down_from(
    uow: UnitOfWork, scope: int, ids: Iterable[ObjectId]
) -> dict[ObjectId, list[KeptEncoding]]:
    """The same of many objects, and of all on which they rest, at once."""
    return _encodings(uow, _SEEN_DOWN, scope, ids)


def _encodings(
    uow: UnitOfWork, query: Select[Any], scope: int, ids: Iterable[ObjectId]
) -> dict[ObjectId, list[KeptEncoding]]:
    rows: dict[int, Row[Any]] = {}
    for batch in batches(sorted(set(ids))):
        found_rows = uow.execute(query, {"ids": batch, "scopes": _scopes_in_sight(scope)})
        rows.update((row.number, row) for row in found_rows)
    found: dict[ObjectId, list[KeptEncoding]] = {}
    for row in rows.values():
        found.setdefault(ObjectId(row.id), []).append(encoding_from_row(row))
    for some in found.values():
        some.sort(key=lambda one: (one.damaged is not None, one.size_bytes, one.number))
    return found


def bases_below(uow: UnitOfWork, scope: int, ids: Iterable[ObjectId]) -> set[ObjectId]:
    """All objects on which encodings of these rest, however deep."""
    found: set[ObjectId] = set()
    waiting = set(ids)
    base = stored_object.alias()
    while waiting:
        below: set[ObjectId] = set()
        for batch in batches(sorted(waiting)):
            query = (
                select(base.c.id)
                .join(encoding_base, encoding_base.c.base_number == base.c.number)
                .join(object_encoding, object_encoding.c.number == encoding_base.c.encoding_number)
                .join(stored_object, stored_object.c.number == object_encoding.c.object_number)
                .where(stored_object.c.id.in_(batch), _in_sight(scope))
                .distinct()
            )
            below.update(ObjectId(row.id) for row in uow.all(query))
        waiting = below - found
        found |= below
    return found


def add_pack(uow: UnitOfWork, location: str, size_bytes: int) -> int:
    """Record a pack that is durable; returns its id."""
    key = uow.execute(
        object_pack.insert().values(location=location, size_bytes=size_bytes, created_at=uow.now)
    ).inserted_primary_key
    if key is None:
        raise RuntimeError("a pack got no id")
    return int(key[0])


def add_encoding(uow: UnitOfWork, scope: int, pack_id: int, new: NewEncoding) -> int:
    """Record an encoding, and its object if that is new to the scope; returns the object's number.

    It takes the place of other encodings of that object. Raises ObjectsChanged where a base is not there, or
    the object would come to rest on itself or on too many levels.
    """
    bases = find_objects(uow, scope, new.bases)
    if len(bases) != len(new.bases):
        raise ObjectsChanged("An object on which an encoding rests has gone.", hint="Pack the content again.")
    if new.object_id in new.bases or new.object_id in bases_below(uow, scope, new.bases):
        raise ObjectsChanged("An object would come to rest on itself.", hint="Pack the content again.")
    depth = max((base.depth + 1 for base in bases.values()), default=0)
    if depth > _MAX_LEVELS:
        raise ObjectsChanged("An encoding would rest on too many levels.", hint="Pack the content again.")
    _check_lower(uow, scope, new.object_id, depth)
    uow.insert_new(stored_object, [{"scope": scope, "id": new.object_id, "size_bytes": new.plain_bytes}])
    of_scope = (stored_object.c.id == new.object_id) & (stored_object.c.scope == scope)
    object_number = int(uow.execute(select(stored_object.c.number).where(of_scope)).scalar_one())
    uow.execute(delete(object_encoding).where(object_encoding.c.object_number == object_number))
    added = uow.execute(
        object_encoding.insert().values(
            object_number=object_number,
            pack_id=pack_id,
            offset_bytes=new.offset_bytes,
            size_bytes=new.size_bytes,
            digest=new.digest,
            depth=depth,
            created_at=uow.now,
        )
    ).inserted_primary_key
    if added is None:
        raise RuntimeError("an encoding got no number")
    uow.insert_new(
        encoding_base,
        [{"encoding_number": int(added[0]), "base_number": base.number} for base in bases.values()],
    )
    return object_number


def forget_encoding(uow: UnitOfWork, number: int) -> None:
    """Remove an encoding; its bytes go with the pack."""
    uow.execute(delete(object_encoding).where(object_encoding.c.number == number))


def mark_encoding_damaged(uow: UnitOfWork, encoding: KeptEncoding, problem: str) -> bool:
    """Record what is wrong with an encoding, unless it lies elsewhere by now; returns whether it does not."""
    same = (object_encoding.c.number == encoding.number) & (object_encoding.c.pack_id == encoding.pack_id)
    return uow.execute(update(object_encoding).where(same).values(damaged=problem)).rowcount == 1


def add_chunk_places(uow: UnitOfWork, scope: int, places: Mapping[bytes, Piece]) -> None:
    """Record where chunks lie; objects that the scope has not itself are left out."""
    ids = {piece.object_id for piece in places.values() if piece.object_id is not None}
    own = {one.id: one.number for one in find_objects(uow, scope, ids).values() if one.scope == scope}
    uow.insert_new(
        chunk_place,
        [
            {
                "hash": chunk,
                "object_number": own[piece.object_id],
                "start_bytes": piece.start,
                "size_bytes": piece.size_bytes,
            }
            for chunk, piece in places.items()
            if piece.object_id in own
        ],
    )


def find_chunk_places(uow: UnitOfWork, scope: int, hashes: Iterable[bytes]) -> dict[bytes, Piece]:
    """Those of these chunks that lie in objects of the scope, its own or public."""
    found: dict[bytes, Piece] = {}
    sound = exists().where(
        object_encoding.c.object_number == stored_object.c.number, object_encoding.c.damaged.is_(None)
    )
    for batch in batches(sorted(set(hashes))):
        query = (
            select(chunk_place, stored_object.c.id)
            .join(stored_object, stored_object.c.number == chunk_place.c.object_number)
            .where(chunk_place.c.hash.in_(batch), _in_sight(scope), sound)
        )
        for row in uow.all(query):
            found[row.hash] = Piece(ObjectId(row.id), row.start_bytes, row.size_bytes)
    return found


def encoding_from_row(row: Row[Any]) -> KeptEncoding:
    """The encoding that a row of `select_encodings` describes."""
    return KeptEncoding(
        row.number,
        row.object_number,
        ObjectId(row.id),
        row.scope,
        row.pack_id,
        row.location,
        row.offset_bytes,
        row.size_bytes,
        bytes(row.digest),
        row.depth,
        row.damaged,
    )


def select_encodings() -> Select[Any]:
    """Encodings with their objects and packs."""
    return (
        select(
            object_encoding.c.number,
            object_encoding.c.object_number,
            object_encoding.c.pack_id,
            object_encoding.c.offset_bytes,
            object_encoding.c.size_bytes,
            object_encoding.c.digest,
            object_encoding.c.depth,
            object_encoding.c.damaged,
            stored_object.c.id,
            stored_object.c.scope,
            object_pack.c.location,
        )
        .join(stored_object, stored_object.c.number == object_encoding.c.object_number)
        .join(object_pack, object_pack.c.id == object_encoding.c.pack_id)
    )


def _scopes_in_sight(scope: int) -> list[int]:
    return sorted({PUBLIC_SCOPE, scope})


def _in_sight(scope: int) -> ColumnElement[bool]:
    return stored_object.c.scope.in_(_scopes_in_sight(scope))


def _check_lower(uow: UnitOfWork, scope: int, object_id: ObjectId, depth: int) -> None:
    """What rests on an object counted on its depth: it may become less, and not more."""
    query = (
        select(func.min(object_encoding.c.depth))
        .join(stored_object, stored_object.c.number == object_encoding.c.object_number)
        .where(
            stored_object.c.id == object_id,
            stored_object.c.scope == scope,
            exists().where(encoding_base.c.base_number == stored_object.c.number),
        )
    )
    former = uow.execute(query).scalar_one()
    if former is not None and depth > former:
        raise ObjectsChanged("An object came to be the base of others meanwhile.", hint="Pack it again.")


# --- asked whenever packed bytes are read: made once, since making a query costs more than asking it ------


def _given(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.in_(bindparam(name, expanding=True))


def _ids_down() -> Select[Any]:
    """The ids of objects in sight, and of all on which their encodings rest, however deep."""
    seen = stored_object.alias()
    base = stored_object.alias()
    down = (
        select(stored_object.c.id)
        .where(_given(stored_object.c.id, "ids"), _given(stored_object.c.scope, "scopes"))
        .cte("down", recursive=True)
    )
    below = (
        select(base.c.id)
        .join(encoding_base, encoding_base.c.base_number == base.c.number)
        .join(object_encoding, object_encoding.c.number == encoding_base.c.encoding_number)
        .join(seen, seen.c.number == object_encoding.c.object_number)
        .join(down, down.c.id == seen.c.id)
        .where(_given(seen.c.scope, "scopes"))
    )
    # Not "union all": each object once, so that it ends whatever rests on what.
    return select(down.union(below).c.id)


_SEEN = select_encodings().where(_given(stored_object.c.id, "ids"), _given(stored_object.c.scope, "scopes"))
_SEEN_DOWN = select_encodings().where(
    stored_object.c.id.in_(_ids_down()), _given(stored_object.c.scope, "scopes")
)
