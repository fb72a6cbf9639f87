"""Recipes as rows: of what packed contents consist, one for each scope that has the content."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, tuple_

from allmende.codecs import ObjectId
from allmende.ids import Sha256
from allmende.storage.contents import batches
from allmende.storage.object_tables import content_recipe, packing_attempt, packing_switch, recipe_object
from allmende.storage.objects import ObjectsChanged, find_objects
from allmende.storage.unit_of_work import UnitOfWork

__all__ = [
    "Attempt",
    "KeptRecipe",
    "attempted_scopes",
    "find_attempts",
    "find_recipes",
    "forget_recipe",
    "is_packing_paused",
    "list_recipes",
    "pause_packing",
    "put_attempt",
    "put_recipe",
    "recipe_scopes",
]


@dataclass(frozen=True, slots=True)
class KeptRecipe:
    """A recipe as it is stored; `body` is in the format of `allmende.codecs`."""

    sha256: Sha256
    scope: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """What packing a content in a scope came to; `kept_plain` says why it was not packed, if so."""

    sha256: Sha256
    scope: int
    basis: str
    kept_plain: str | None


def put_recipe(uow: UnitOfWork, sha256: Sha256, scope: int, body: bytes, objects: Iterable[ObjectId]) -> None:
    """Record of what a content consists, in place of what was recorded in this scope.

    Raises ObjectsChanged where one of the objects is not in sight of the scope.
    """
    wanted = set(objects)
    found = find_objects(uow, scope, wanted)
    if len(found) != len(wanted):
        raise ObjectsChanged("An object of which a content consists has gone.", hint="Pack it again.")
    forget_recipe(uow, sha256, scope)
    uow.execute(content_recipe.insert().values(sha256=sha256, scope=scope, body=body, created_at=uow.now))
    uow.insert_new(
        recipe_object,
        [{"sha256": sha256, "scope": scope, "object_number": one.number} for one in found.values()],
    )


def find_recipes(uow: UnitOfWork, sha256: Sha256) -> list[KeptRecipe]:
    """The recipes of a content, that of the public scope first."""
    rows = uow.execute(_RECIPES, {"sha256": sha256})
    return [KeptRecipe(sha256, row.scope, bytes(row.body)) for row in rows]


def recipe_scopes(uow: UnitOfWork, hashes: Iterable[Sha256]) -> dict[Sha256, frozenset[int]]:
    """In which scopes these contents have recipes."""
    found: dict[Sha256, set[int]] = {}
    for batch in batches(sorted(set(hashes))):
        query = select(content_recipe.c.sha256, content_recipe.c.scope).where(
            content_recipe.c.sha256.in_(batch)
        )
        for row in uow.all(query):
            found.setdefault(Sha256(row.sha256), set()).add(row.scope)
    return {sha256: frozenset(scopes) for sha256, scopes in found.items()}


def list_recipes(uow: UnitOfWork, after: tuple[Sha256, int] | None, limit: int) -> list[tuple[Sha256, int]]:
    """Contents and scopes that have recipes, in order, from the one after `after` on."""
    key = tuple_(content_recipe.c.sha256, content_recipe.c.scope)
    query = select(content_recipe.c.sha256, content_recipe.c.scope).order_by(
        content_recipe.c.sha256, content_recipe.c.scope
    )
    if after is not None:
        query = query.where(key > tuple_(*after))
    return [(Sha256(row.sha256), row.scope) for row in uow.all(query.limit(limit))]


def forget_recipe(uow: UnitOfWork, sha256: Sha256, scope: int) -> None:
    """Remove a recipe; its objects go with `delete_unneeded_objects`."""
    same = (content_recipe.c.sha256 == sha256) & (content_recipe.c.scope == scope)
    uow.execute(delete(content_recipe).where(same))


def put_attempt(uow: UnitOfWork, attempt: Attempt) -> None:
    """Record what packing came to."""
    uow.upsert(
        packing_attempt,
        {
            "sha256": attempt.sha256,
            "scope": attempt.scope,
            "basis": attempt.basis,
            "at": uow.now,
            "kept_plain": attempt.kept_plain,
        },
    )


def find_attempts(uow: UnitOfWork, sha256: Sha256) -> dict[int, Attempt]:
    """What packing a content came to, by scope."""
    query = select(packing_attempt).where(packing_attempt.c.sha256 == sha256)
    return {
        row.scope: Attempt(Sha256(row.sha256), row.scope, row.basis, row.kept_plain) for row in uow.all(query)
    }


def attempted_scopes(uow: UnitOfWork, hashes: Iterable[Sha256]) -> dict[Sha256, frozenset[int]]:
    """In which scopes packing these contents was tried."""
    found: dict[Sha256, set[int]] = {}
    for batch in batches(sorted(set(hashes))):
        query = select(packing_attempt.c.sha256, packing_attempt.c.scope).where(
            packing_attempt.c.sha256.in_(batch)
        )
        for row in uow.all(query):
            found.setdefault(Sha256(row.sha256), set()).add(row.scope)
    return {sha256: frozenset(scopes) for sha256, scopes in found.items()}


def is_packing_paused(uow: UnitOfWork) -> bool:
    """Whether an operator has paused the packing."""
    return bool(uow.execute(select(packing_switch.c.paused)).scalar_one_or_none())


def pause_packing(uow: UnitOfWork, *, paused: bool) -> None:
    """Pause the packing, or let it go on."""
    uow.upsert(packing_switch, {"id": 1, "paused": paused, "at": uow.now})


# Asked whenever packed bytes are read: made once, since making a query costs more than asking it.
_RECIPES = (
    select(content_recipe.c.scope, content_recipe.c.body)
    .where(content_recipe.c.sha256 == bindparam("sha256"))
    .order_by(content_recipe.c.scope)
)
