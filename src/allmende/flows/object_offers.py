"""What a reader of a packed file can be spared: how its objects are stored, and where else their bytes are.

A residual and the child give the base away, so an encoding is offered only to who may read all that it rests
on, and it is offered with the contents in which that is found: the reader looks whether it has one of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from allmende.codecs import DamagedObject, ObjectId, Recipe, Stretch, read_recipe
from allmende.flows.services import Services
from allmende.ids import Sha256
from allmende.registry import Actor, Repo, usable
from allmende.storage import (
    PUBLIC_SCOPE,
    KeptEncoding,
    OfferedEncoding,
    UnitOfWork,
    contents_with,
    encodings_with_bases,
    find_recipes,
)

__all__ = [
    "FileOffers",
    "FileStretch",
    "ObjectPlaces",
    "Offer",
    "OfferedObject",
    "find_offers",
    "offered",
    "stored_bytes_of",
]

_MAX_OBJECTS = 50_000
_MAX_CONTENTS = 12
"""Most other contents that are named as places of bases: a reader has one of them or, mostly, none."""


@dataclass(frozen=True, slots=True)
class FileStretch:
    """Bytes that a file and an object share."""

    file_start: int
    object_start: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Offer:
    """An encoding that may be asked for by its number."""

    number: int
    size_bytes: int
    bases: frozenset[ObjectId]


@dataclass(frozen=True, slots=True)
class OfferedObject:
    """An object of the file."""

    id: ObjectId
    size_bytes: int
    stretches: tuple[FileStretch, ...]
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class ObjectPlaces:
    """In which contents, that the reader may read, an object lies whole, and where."""

    id: ObjectId
    size_bytes: int
    places: Mapping[Sha256, tuple[FileStretch, ...]]


@dataclass(frozen=True, slots=True)
class FileOffers:
    """All of a packed file; what its objects do not hold are bytes to be fetched as they are."""

    sha256: Sha256
    size_bytes: int
    objects: tuple[OfferedObject, ...]
    elsewhere: tuple[ObjectPlaces, ...]
    """Where objects of the file, and those that they rest on, lie in other contents."""


def find_offers(uow: UnitOfWork, actor: Actor, repo: Repo, sha256: Sha256) -> FileOffers | None:
    """What is offered of a content that the repo holds; None where it is stored plain."""
    kept = _recipe_of(uow, repo, sha256)
    if kept is None:
        return None
    recipe, scope = kept
    if len(recipe.objects) > _MAX_OBJECTS:
        return None
    encodings = encodings_with_bases(uow, scope, recipe.objects)
    wanted = set(recipe.objects).union(*(one.bases for one in encodings))
    elsewhere = _elsewhere(uow, actor, repo, sha256, wanted)
    readable = {places.id for places in elsewhere} | set(recipe.objects)
    by_object: dict[ObjectId, list[Offer]] = {}
    for one in encodings:
        if one.bases <= readable:
            offer = Offer(one.encoding.number, one.encoding.size_bytes, one.bases)
            by_object.setdefault(one.encoding.object_id, []).append(offer)
    stretches = _stretches(recipe)
    objects = tuple(
        OfferedObject(object_id, _extent(found), tuple(found), tuple(by_object.get(object_id, ())))
        for object_id, found in stretches.items()
    )
    return FileOffers(sha256, recipe.size_bytes, objects, tuple(elsewhere))


def offered(
    uow: UnitOfWork, actor: Actor, repo: Repo, sha256: Sha256, numbers: Sequence[int]
) -> list[KeptEncoding | None]:
    """The encodings of these numbers, each None where it is not on offer (any more)."""
    kept = _recipe_of(uow, repo, sha256)
    if kept is None:
        return [None] * len(numbers)
    recipe, scope = kept
    asked = set(numbers)
    encodings = [
        one for one in encodings_with_bases(uow, scope, recipe.objects) if one.encoding.number in asked
    ]
    readable = _readable(uow, actor, repo, sha256, recipe, encodings)
    by_number = {one.encoding.number: one.encoding for one in encodings if one.bases <= readable}
    return [by_number.get(number) for number in numbers]


def stored_bytes_of(services: Services, encoding: KeptEncoding) -> memoryview | None:
    """An encoding as it is stored; None where it cannot be read, which fsck reports."""
    try:
        packed = services.packs.read(encoding.location, encoding.offset_bytes, encoding.size_bytes)
        return packed.read_at(0, encoding.size_bytes)
    except DamagedObject:
        return None


def _recipe_of(uow: UnitOfWork, repo: Repo, sha256: Sha256) -> tuple[Recipe, int] | None:
    """The content's recipe in a scope that is the repo's, the public one first."""
    scopes = {PUBLIC_SCOPE} | ({int(repo.namespace_id)} if repo.private else set())
    kept = next((one for one in find_recipes(uow, sha256) if one.scope in scopes), None)
    return None if kept is None else (read_recipe(kept.body), kept.scope)


def _readable(
    uow: UnitOfWork,
    actor: Actor,
    repo: Repo,
    sha256: Sha256,
    recipe: Recipe,
    encodings: Iterable[OfferedEncoding],
) -> set[ObjectId]:
    """Of the objects that these encodings rest on, those that lie in contents which the actor may read."""
    own = set(recipe.objects)
    bases = set[ObjectId]().union(*(one.bases for one in encodings)) - own
    holding = contents_with(uow, bases)
    allowed = set(usable(uow, actor, repo, {one for held in holding.values() for one in held} | {sha256}))
    return own | {object_id for object_id, held in holding.items() if held & allowed}


def _elsewhere(
    uow: UnitOfWork, actor: Actor, repo: Repo, sha256: Sha256, wanted: set[ObjectId]
) -> list[ObjectPlaces]:
    """Where objects lie in other contents: in as few as hold them all, and those that hold the most first."""
    holding = contents_with(uow, wanted)
    others = {one for held in holding.values() for one in held} - {sha256}
    allowed = set(usable(uow, actor, repo, others))
    count = dict.fromkeys(sorted(allowed), 0)
    for held in holding.values():
        for one in held & allowed:
            count[one] += 1
    chosen = sorted(count, key=lambda one: (-count[one], one))[:_MAX_CONTENTS]
    places: dict[ObjectId, dict[Sha256, tuple[FileStretch, ...]]] = {}
    for other in chosen:
        for object_id, stretches in _all_stretches(uow, other).items():
            if object_id in wanted and _is_whole(stretches):
                places.setdefault(object_id, {})[other] = tuple(stretches)
    # What lies only in contents beyond the chosen is readable all the same, and found by nobody: left out.
    return [
        ObjectPlaces(object_id, _extent(next(iter(found.values()))), found)
        for object_id, found in sorted(places.items())
    ]


def _all_stretches(uow: UnitOfWork, sha256: Sha256) -> dict[ObjectId, list[FileStretch]]:
    recipes = find_recipes(uow, sha256)
    return _stretches(read_recipe(recipes[0].body)) if recipes else {}


def _stretches(recipe: Recipe) -> dict[ObjectId, list[FileStretch]]:
    found: dict[ObjectId, list[FileStretch]] = {object_id: [] for object_id in recipe.objects}
    at = 0
    for segment in recipe.segments:
        if isinstance(segment, Stretch):
            found[recipe.objects[segment.number]].append(FileStretch(at, segment.start, segment.size_bytes))
        at += segment.size_bytes
    return found


def _extent(stretches: Sequence[FileStretch]) -> int:
    return max((one.object_start + one.size_bytes for one in stretches), default=0)


def _is_whole(stretches: Sequence[FileStretch]) -> bool:
    """Whether the stretches cover an object without a hole, so that its name can be checked."""
    end = 0
    for one in sorted(stretches, key=lambda one: one.object_start):
        if one.object_start > end:
            return False
        end = max(end, one.object_start + one.size_bytes)
    return end > 0
