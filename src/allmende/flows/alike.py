"""Models like one: its nearest kin by what was measured; where there is none, those of its task and size.

Kin is what lies one or two steps away along edges that the viewer may be told. What is hidden from the
viewer is neither in the list nor counted, and moves nothing in it: nearness is of two models that are seen.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from allmende.facts import FoundEdge, HeldWeights, keys_of
from allmende.flows.kin_search import LINEAGE_TOOL_VERSION
from allmende.flows.lineage_sight import Relative, Seen, Sight
from allmende.flows.lineage_view import AlikeView, LineageView, Standing
from allmende.flows.services import Services
from allmende.ids import RepoId, WeightsId
from allmende.registry import Actor, Repo
from allmende.search import similar_repos
from allmende.storage import UnitOfWork
from allmende.weights import GRADES, Grade, Relation, SketchIndex

__all__ = ["models_like", "nearest_kin"]

_MAX_OF_A_KIND = 200
"""Of more children than that those which were seen first are held against the model."""


@dataclass(frozen=True, slots=True)
class _Kin:
    """A relative, and the edges that lead to it: the first tells what was done."""

    seen: Seen
    why: Standing
    edges: tuple[FoundEdge, ...]
    weight: float | None = None
    through: Seen | None = None

    @property
    def id(self) -> WeightsId:
        return self.seen.held.weights_id


def models_like(
    services: Services, uow: UnitOfWork, viewer: Actor, repo: Repo, view: LineageView, most: int
) -> tuple[AlikeView, ...]:
    """The kin that `view` tells; where it tells none, models of the same task and library by size."""
    if view.alike:
        return view.alike[:most]
    found = similar_repos(uow, services.loaded, viewer, repo, most)
    return tuple(AlikeView(other.full_name, None, "task", parameters=size) for other, size in found)


def nearest_kin(
    sight: Sight,
    held: HeldWeights,
    repo: Repo,
    edges: Sequence[FoundEdge],
    children: Sequence[Relative],
    siblings: Sequence[Relative],
    most: int,
) -> tuple[AlikeView, ...]:
    """The nearest relatives of a revision, each repo once: those of one step before those of two.

    Within a step first whose keys agree in more bits with the model's, then by name. `edges` are those of the
    model that may be told, best first; children and siblings come with their own.
    """
    known = {repo.id}
    near = [*_above(sight, held, edges), *_below(held, children[:_MAX_OF_A_KIND])]
    steps = [_new(near, known)]
    if len(steps[0]) < most:
        parents = [kin for kin in steps[0] if kin.why == "parent"]
        beyond = [
            *_beside(parents, siblings),
            *_merged_with(sight, held, children[:_MAX_OF_A_KIND]),
            *_above_parents(sight, parents),
            *_below_children(sight, [kin for kin in steps[0] if kin.why == "child"]),
        ]
        steps.append(_new(beyond, known))
    agreements = _agreements(sight.uow, held, [kin.id for step in steps for kin in step])
    ordered = [kin for step in steps for kin in sorted(step, key=lambda one: _order(one, agreements))]
    return tuple(_view(kin, agreements.get(kin.id)) for kin in ordered[:most])


def _new(found: Iterable[_Kin], known: set[RepoId]) -> list[_Kin]:
    """Those of repos that are not known yet. A base that the weights contradict is no kin."""
    listed = []
    for kin in found:
        sure = all(edge.grade != "contradicted" for edge in kin.edges)
        if sure and kin.seen.repo.id not in known:
            known.add(kin.seen.repo.id)
            listed.append(kin)
    return listed


def _above(sight: Sight, held: HeldWeights, edges: Sequence[FoundEdge]) -> Iterator[_Kin]:
    """Who had the same files earlier, and the parents by the best edge."""
    listed = [edge for edge in edges if edge.parents]
    copied = [edge for edge in listed if edge.parents[0].id == held.weights_id][:1]
    best = [edge for edge in listed if edge not in copied][:1]
    for edge in (*copied, *best):
        for parent in edge.parents:
            first = sight.first(parent.id)
            if first is not None:
                why: Standing = "copy" if parent.id == held.weights_id else "parent"
                yield _Kin(first, why, (edge,), parent.weight)


def _below(held: HeldWeights, children: Sequence[Relative]) -> Iterator[_Kin]:
    for seen, edge in children:
        why: Standing = "copy" if seen.held.weights_id == held.weights_id else "child"
        weight = next((parent.weight for parent in edge.parents if parent.id == held.weights_id), None)
        yield _Kin(seen, why, (edge,), weight)


def _beside(parents: Sequence[_Kin], siblings: Sequence[Relative]) -> Iterator[_Kin]:
    """Other children of the same parents, and relatives whose common start is not here."""
    by_id = {parent.id: parent for parent in parents}
    for seen, edge in siblings:
        parent = next((by_id[one.id] for one in edge.parents if one.id in by_id), None)
        shared = () if parent is None else parent.edges
        yield _Kin(seen, "sibling", (edge, *shared), None, None if parent is None else parent.seen)


def _merged_with(sight: Sight, held: HeldWeights, children: Sequence[Relative]) -> Iterator[_Kin]:
    """The other parents of children."""
    for child, edge in children:
        for parent in edge.parents:
            first = sight.first(parent.id)
            if parent.id != held.weights_id and first is not None:
                yield _Kin(first, "merged_with", (edge,), None, child)


def _above_parents(sight: Sight, parents: Sequence[_Kin]) -> Iterator[_Kin]:
    sight.load(parent.id for parent in parents)
    for parent in parents:
        edge = sight.best_edge(parent.id)
        for above in () if edge is None else edge.parents:
            first = sight.first(above.id)
            if edge is not None and first is not None:
                yield _Kin(first, "grandparent", (edge, *parent.edges), None, parent.seen)


def _below_children(sight: Sight, children: Sequence[_Kin]) -> Iterator[_Kin]:
    by_id = {child.id: child for child in children}
    for one, edge in sight.children(by_id, _MAX_OF_A_KIND) if by_id else ():
        first = sight.first(one)
        child = next(by_id[parent.id] for parent in edge.parents if parent.id in by_id)
        if first is not None:
            yield _Kin(first, "grandchild", (edge, *child.edges), None, child.seen)


def _agreements(uow: UnitOfWork, held: HeldWeights, ids: Sequence[WeightsId]) -> Mapping[WeightsId, float]:
    """The shares of bits of keys that agree with the model's; of what has no key nothing is said."""
    keys = keys_of(uow, [held.weights_id, *ids], LINEAGE_TOOL_VERSION) if ids else {}
    own = keys.get(held.weights_id)
    if own is None:
        return {}
    listed = list(keys)
    index = SketchIndex()
    index.add(enumerate(keys.values()))
    return {listed[near.number]: near.agreement for near in index.near(own, least=0.0, most=len(listed))}


def _order(kin: _Kin, agreements: Mapping[WeightsId, float]) -> tuple[bool, float, str]:
    return kin.why != "copy", -agreements.get(kin.id, 0.0), kin.seen.repo.full_name


def _view(kin: _Kin, agreement: float | None) -> AlikeView:
    """What is told of it; two edges are as sure as the less sure of them."""
    edge = kin.edges[0]
    return AlikeView(
        kin.seen.repo.full_name,
        kin.seen.held.commit_oid,
        kin.why,
        relation=cast(Relation, edge.relation),
        grade=max((cast(Grade, one.grade) for one in kin.edges), key=GRADES.index),
        rank=edge.rank,
        weight=kin.weight,
        agreement=agreement,
        through=None if kin.through is None else kin.through.repo.full_name,
    )
