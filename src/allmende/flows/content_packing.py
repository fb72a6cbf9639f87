"""The job `pack`: a stored content becomes a recipe, on the best base that its scope sees.

The payload is `{"sha256"}`; `now` passes over the quiet time, `as_base` over the least saving: others are to
be stored on it. The plain file is safe and examined before; what was written is decoded and compared before
the one transaction that switches; only then the plain file goes. A crash anywhere leaves the one or the
other, and packs that no row names.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from allmende.codecs import DamagedObject
from allmende.facts import content_facts
from allmende.flows.lost_bytes import mark_damaged
from allmende.flows.maintenance import find_damage
from allmende.flows.packing_bases import BaseGroup, bases_to_try
from allmende.flows.packing_pace import PackingPace
from allmende.flows.packing_steps import NotWorthPacking, PackingTask, go_back, retire, write_recipe_in
from allmende.flows.services import Services
from allmende.ids import Sha256
from allmende.jobs import JobContext, canonical_json
from allmende.registry import scopes_of
from allmende.storage import (
    PUBLIC_SCOPE,
    Attempt,
    Content,
    KeptRecipe,
    UnitOfWork,
    find_attempts,
    find_content,
    find_recipes,
    is_packing_paused,
    put_attempt,
)

__all__ = ["enqueue_packing", "enqueue_settling", "pack_content"]

PACKING_VERSION = "1"
"""Raise it when packing finds what it did not find before: everything is then tried once more."""
_PRIORITY = -20
_BASE_PRIORITY = -19
"""Bases before what is stored on them."""
_SETTLING_PRIORITY = -21
"""Behind what may still find a base among what is on its way out."""
_FACTS_OF_EXAMINATION = "allmende.formats"


def enqueue_packing(
    services: Services,
    uow: UnitOfWork,
    sha256: Sha256,
    *,
    delay_s: float = 0.0,
    now: bool = False,
    as_base: bool = False,
    waited: bool = False,
) -> None:
    """Have a content packed, after a while."""
    flags = {"now": now, "as_base": as_base, "waited": waited}
    said = "".join(f":{name}" for name, given in flags.items() if given)
    services.queue.enqueue(
        uow,
        "pack",
        {"sha256": sha256, **{name: True for name, given in flags.items() if given}},
        key=f"pack:{sha256}{said}",
        priority=_BASE_PRIORITY if as_base else _PRIORITY,
        delay_s=delay_s,
    )


def enqueue_settling(services: Services, uow: UnitOfWork) -> None:
    """Have objects put in order that something let go of."""
    services.queue.enqueue(uow, "settle", {}, key="settle", priority=_SETTLING_PRIORITY)


def pack_content(services: Services, context: JobContext) -> None:
    """The job `pack`. Does nothing while packing is off, and for what is not to be packed.

    Raises JobInterrupted when it should stop, and ObjectsChanged where another run was faster: a repeat finds
    what is new.
    """
    with services.database.read() as uow:
        paused = is_packing_paused(uow)
    task = None if paused else _begin(services, context)
    if task is None:
        return
    if services.settings.packing:
        _pack_everywhere(task)
    if retire(task):
        with services.database.write() as uow:
            enqueue_settling(services, uow)


def _pack_everywhere(task: PackingTask) -> None:
    """Pack the content in each of its scopes; or its bases first, and then it."""
    services, context = task.services, task.context
    with services.database.read() as uow:
        groups = {scope: bases_to_try(services, uow, task.sha256, scope) for scope in sorted(task.wanted)}
        waiting = _to_be_packed_first(services, uow, task, groups)
    if waiting and not context.payload.get("waited"):
        with services.database.write() as uow:
            for sha256 in waiting:
                enqueue_packing(services, uow, sha256, now=True, as_base=True)
            flags = {name: bool(context.payload.get(name)) for name in ("now", "as_base")}
            enqueue_packing(services, uow, task.sha256, waited=True, **flags)
        return
    for scope, tried in groups.items():
        # Where it is read from changes with the first.
        with services.database.read() as uow:
            content = find_content(uow, task.sha256)
        if content is not None:
            _pack_in(replace(task, content=content), scope, tried)


def _begin(services: Services, context: JobContext) -> PackingTask | None:
    sha256 = Sha256(str(context.payload["sha256"]))
    with services.database.read() as uow:
        content = find_content(uow, sha256)
        wanted = scopes_of(uow, [sha256]).get(sha256, frozenset())
        facts = content_facts(uow, [sha256]).get(sha256, {})
    if content is None or content.damaged is not None or not wanted:
        return None
    examined = any(fact.tool == _FACTS_OF_EXAMINATION for fact in facts.values())
    if not examined or (not context.payload.get("now") and _is_young(services, content)):
        return None
    pace = PackingPace(services, context)
    return PackingTask(services, context, pace, content, wanted, bool(context.payload.get("as_base")))


def _is_young(services: Services, content: Content) -> bool:
    quiet = timedelta(seconds=services.settings.pack_quiet_s)
    return services.database.clock() - content.created_at < quiet


def _to_be_packed_first(
    services: Services, uow: UnitOfWork, task: PackingTask, groups: dict[int, list[BaseGroup]]
) -> list[Sha256]:
    """Bases that were not tried yet: what is stored on them would not find their objects."""
    found: dict[Sha256, None] = {}
    for scope, tried in groups.items():
        for group in tried:
            for sha256 in () if group.kin else group.contents:
                content = find_content(uow, sha256)
                sound = content is not None and content.damaged is None
                large = content is not None and content.size_bytes >= services.settings.pack_min_bytes
                if sound and large and not _recipes_seen(uow, sha256, scope):
                    found[sha256] = None
    return [sha256 for sha256 in found if sha256 != task.sha256]


def _recipes_seen(uow: UnitOfWork, sha256: Sha256, scope: int) -> list[KeptRecipe]:
    """The recipes of a content that a scope may see, its own first."""
    recipes = [one for one in find_recipes(uow, sha256) if one.scope in (PUBLIC_SCOPE, scope)]
    return sorted(recipes, key=lambda one: one.scope != scope)


def _pack_in(task: PackingTask, scope: int, groups: Sequence[BaseGroup]) -> None:
    """Pack the content in a scope, or try once more on other bases, or find that nothing is new."""
    services = task.services
    with services.database.read() as uow:
        known = {one.scope: one for one in find_recipes(uow, task.sha256)}.get(scope)
        attempt = find_attempts(uow, task.sha256).get(scope)
        bases = [
            [seen[0] for sha256 in group.contents if (seen := _recipes_seen(uow, sha256, scope))]
            for group in groups
        ]
    basis = _basis([one.sha256 for base in bases for one in base])
    if attempt is not None and attempt.basis == basis:
        if known is not None:
            go_back(task, known)
            return
        if not task.as_base:
            return
    try:
        write_recipe_in(task, scope, [base for base in bases if base], basis, improve=known is not None)
    except NotWorthPacking as error:
        with services.database.write() as uow:
            if find_content(uow, task.sha256) is not None:
                put_attempt(uow, Attempt(task.sha256, scope, basis, error.message))
    except DamagedObject:
        damage = find_damage(services, task.content, task.context)
        if damage is None:
            raise  # it is not the content that is damaged
        mark_damaged(services, task.content, damage)


def _basis(bases: Iterable[Sha256]) -> str:
    return hashlib.sha256(canonical_json([PACKING_VERSION, *bases]).encode()).hexdigest()
