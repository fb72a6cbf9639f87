"""Which models a model is compared with: those that it declares, that share its files, or that are near."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from allmende.facts import (
    PUBLIC,
    FoundEdge,
    HeldWeights,
    Weights,
    holders_declaring,
    holders_in,
    traces_of,
    weights_of,
    weights_of_build,
    weights_of_revision,
    weights_sharing_contents,
)
from allmende.flows.kin_search import LINEAGE_TOOL_VERSION
from allmende.flows.lineage_scopes import Holding, Holdings, holdings_of
from allmende.flows.services import Services
from allmende.ids import WeightsId
from allmende.registry import Repo, heads_of, lookup_repo
from allmende.storage import UnitOfWork, batches

__all__ = ["Candidates", "candidates_of", "neighbours_of", "weights_named"]

_MAX_OPENED = 24
_MAX_NEAREST = 14
_MAX_NEAR = 500
_MAX_NEIGHBOURS = 64
_MAX_OF_BUILD = 16
_MAX_ASKED = 1000
_MAX_NEAR_A_BASE = 6
_MAX_REVISIONS_OF_BASE = 4


@dataclass(frozen=True, slots=True)
class Candidates:
    """Whom weights are compared with in one scope, and how.

    `opened` has for the query (first) and each candidate the holding by which it is opened. `order` has the
    same by who counts as seen first: of two of which only one declares the other as its base, the base.
    `declared` are the candidates that the query declares, by the name that it uses. `by_card` are those that
    only a card puts before or behind the query.
    """

    opened: Mapping[WeightsId, Holding]
    order: tuple[WeightsId, ...]
    declared: Mapping[str, WeightsId]
    by_card: frozenset[WeightsId]


def candidates_of(services: Services, uow: UnitOfWork, weights: Weights, scope: int) -> Candidates | None:
    """The candidates in a scope; None when nobody may ask for these weights there any more."""
    own = holdings_of(uow, [weights.id]).within(weights.id, scope)
    if not own:
        return None
    declared = _declared(uow, own, scope)
    listed = [*declared.values(), *_near_bases(services, uow, declared.values())]
    listed += weights_sharing_contents(uow, weights.id, _MAX_ASKED)
    chosen = _fit(uow, listed, weights.id, scope, _MAX_OPENED)
    chosen += _nearest_and_oldest(services, uow, weights, scope)
    of_build = _of_build(uow, weights, scope)
    if len(of_build) <= _MAX_OF_BUILD:
        chosen += _fit(uow, of_build, weights.id, scope, _MAX_OPENED)
    chosen = list(dict.fromkeys(chosen))[:_MAX_OPENED]
    holdings = holdings_of(uow, [weights.id, *chosen])
    opened = {weights.id: own[0]} | {one: holdings.within(one, scope)[0] for one in chosen}
    certain = _certain_children(uow, weights.id, chosen, scope)
    order, by_card = _ordered(weights.id, holdings, chosen, scope, certain)
    return Candidates(opened, order, {name: one for name, one in declared.items() if one in opened}, by_card)


def neighbours_of(services: Services, uow: UnitOfWork, weights: Weights) -> list[WeightsId]:
    """Whose lineage may change because these weights came, went, or are seen by others; bounded.

    Whoever follows its parents to the bit, or to the rounding, will not find better ones: only those among
    them are told that name these weights or share a file with them.
    """
    holdings = holdings_of(uow, [weights.id])
    names = {found.repo.full_name for found in holdings.by_weights.get(weights.id, ())}
    certain = weights_sharing_contents(uow, weights.id, _MAX_ASKED)
    certain += holders_declaring(uow, names, _MAX_ASKED) if names else []
    likely = _near(services, uow, weights)
    if weights.measured is not None and weights.measured.build is not None:
        of_build = weights_of_build(uow, weights.measured.build, _MAX_OF_BUILD + 1)
        likely += of_build if len(of_build) <= _MAX_OF_BUILD else []
    found: list[WeightsId] = []
    for batch in batches([one for one in dict.fromkeys([*certain, *likely]) if one != weights.id]):
        every = holdings_of(uow, [weights.id, *batch])
        open_ones = {*certain} | _unsettled(uow, batch)
        found += [one for one in batch if one in open_ones and every.may_meet(one, weights.id)]
        if len(found) >= _MAX_NEIGHBOURS:
            break
    return found[:_MAX_NEIGHBOURS]


def _unsettled(uow: UnitOfWork, ids: Iterable[WeightsId]) -> set[WeightsId]:
    """Those of which in some scope no parent is known, or one by distance alone."""
    listed = set(ids)
    traces = traces_of(uow, listed)
    settled = {
        key
        for key, trace in traces.items()
        if trace.edges and trace.edges[0].parents and _is_sure(trace.edges[0])
    }
    return {one for one in listed if not any(key[0] == one for key in settled)} | {
        key[0] for key in traces if key not in settled
    }


def _is_sure(edge: FoundEdge) -> bool:
    return edge.grade in ("proven", "strong")


def weights_named(uow: UnitOfWork, repo: Repo) -> list[HeldWeights]:
    """What the revisions of a repo hold, that at the head of `main` first, then the latest; bounded."""
    head = heads_of(uow, [repo.id]).get(repo.id)
    first = None if head is None else weights_of_revision(uow, repo.id, head)
    others = sorted(holders_in(uow, repo.id), key=lambda held: -held.number)
    every = ([] if first is None else [first]) + others
    return list({held.weights_id: held for held in reversed(every)}.values())[::-1][:_MAX_REVISIONS_OF_BASE]


def _declared(uow: UnitOfWork, own: Sequence[Holding], scope: int) -> dict[str, WeightsId]:
    """The weights that the holders of a model declare as bases, by name."""
    found: dict[str, WeightsId] = {}
    for name in dict.fromkeys(base.name for holding in own for base in holding.held.declared):
        repo = lookup_repo(uow, "model", name) if name.count("/") == 1 else None
        if repo is None or not _is_seen(repo, scope):
            continue
        for held in weights_named(uow, repo)[:1]:
            found[name] = held.weights_id
    return found


def _is_seen(repo: Repo, scope: int) -> bool:
    return not repo.disabled and (not repo.private or int(repo.namespace_id) == scope)


def _near(services: Services, uow: UnitOfWork, weights: Weights) -> list[WeightsId]:
    if weights.measured is None or weights.measured.key is None:
        return []
    return list(services.kin.near(uow, weights.measured.key))


def _near_bases(services: Services, uow: UnitOfWork, bases: Iterable[WeightsId]) -> list[WeightsId]:
    """Models near a declared base: one of them may be the base with this adapter merged in."""
    found: list[WeightsId] = []
    for base in weights_of(uow, bases).values():
        found += _near(services, uow, base)[: _MAX_NEAR_A_BASE + 1]
    return found


def _of_build(uow: UnitOfWork, weights: Weights, scope: int) -> list[WeightsId]:
    if weights.measured is None or weights.measured.build is None:
        return []
    listed = weights_of_build(uow, weights.measured.build, _MAX_ASKED)
    holdings = holdings_of(uow, listed)
    return [one for one in listed if one != weights.id and holdings.within(one, scope)]


def _nearest_and_oldest(services: Services, uow: UnitOfWork, weights: Weights, scope: int) -> list[WeightsId]:
    """Of the models with like keys the nearest, and those seen first.

    Many copies that somebody puts nearer than the origin do not crowd it out.
    """
    near = _fit(uow, _near(services, uow, weights), weights.id, scope, _MAX_NEAR)
    holdings = holdings_of(uow, near)
    oldest = sorted(near, key=lambda one: holdings.within(one, scope)[0].held.number)
    return [*near[:_MAX_NEAREST], *oldest[:_MAX_OPENED]]


def _fit(
    uow: UnitOfWork, listed: Iterable[WeightsId], query: WeightsId, scope: int, most: int
) -> list[WeightsId]:
    """Those that can be compared and are seen in the scope, up to a number."""
    found: list[WeightsId] = []
    for batch in batches([one for one in dict.fromkeys(listed) if one != query]):
        known, holdings = weights_of(uow, batch), holdings_of(uow, batch)
        found += [
            one for one in batch if one in known and _is_read(known[one]) and holdings.within(one, scope)
        ]
        if len(found) >= most:
            break
    return found[:most]


def _is_read(weights: Weights) -> bool:
    measured = weights.measured
    return measured is not None and (measured.tool_version, measured.error) == (LINEAGE_TOOL_VERSION, None)


def _ordered(
    query: WeightsId,
    holdings: Holdings,
    chosen: Sequence[WeightsId],
    scope: int,
    certain: Collection[WeightsId],
) -> tuple[tuple[WeightsId, ...], frozenset[WeightsId]]:
    """Who was seen first, by the repos that are seen in this scope; of a base and who names it, the base.

    `certain` children come behind the query, whoever was seen first and whatever a card says.
    """
    places = {one: holdings.within(one, scope)[0].held.number for one in (query, *chosen)}
    seen = sorted(places, key=lambda one: places[one])
    names = {one: _names(holdings.within(one, scope)) for one in places}
    bases = {one: _bases(holdings.within(one, scope)) for one in places}
    by_card: set[WeightsId] = set()
    for one in chosen:
        up, down = bool(bases[query] & names[one]), bool(bases[one] & names[query])
        before = places[one] < places[query]
        goes_up = up and not down and not before and one not in certain
        goes_down = before and (one in certain or (down and not up))
        if goes_up or goes_down:
            seen.remove(one)
            seen.insert(seen.index(query) + (1 if goes_down else 0), one)
            by_card |= {one} - set(certain)
    return tuple(seen), frozenset(by_card)


def _certain_children(
    uow: UnitOfWork, query: WeightsId, chosen: Iterable[WeightsId], scope: int
) -> set[WeightsId]:
    """Those that were found to come from the query by what cannot be undone."""
    found: set[WeightsId] = set()
    for (one, of_scope), trace in traces_of(uow, chosen).items():
        for edge in trace.edges[:1] if of_scope in (scope, PUBLIC) else ():
            if edge.direction == "irreversible" and query in {parent.id for parent in edge.parents}:
                found.add(one)
    return found


def _names(holding: Iterable[Holding]) -> set[str]:
    return {found.repo.full_name.lower() for found in holding}


def _bases(holding: Iterable[Holding]) -> set[str]:
    return {base.name.lower() for found in holding for base in found.held.declared}
