"""Lineage through the eyes of a viewer: which repos hold weights, and which edges between them may be told.

An edge is told when every parent lies in a repo that the viewer may see. Everything is looked up for many
weights at once, and once.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from allmende.facts import (
    PUBLIC,
    FoundEdge,
    FoundParent,
    HeldWeights,
    Trace,
    TraceKey,
    children_of,
    holders_of,
    traces_of,
)
from allmende.formats import JsonObject, JsonValue
from allmende.ids import RepoId, WeightsId
from allmende.registry import Actor, Repo, visible_among
from allmende.storage import UnitOfWork

__all__ = ["Relative", "Seen", "Sight"]

_MAX_CHILDREN = 10_000
_WEIGHTS_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Seen:
    """Weights in a repo that the viewer may see."""

    held: HeldWeights
    repo: Repo


Relative: TypeAlias = tuple[Seen, FoundEdge]
"""Kin that the viewer may see, and the edge that makes it so."""


@dataclass(slots=True)
class Sight:
    """What a viewer sees, within one transaction."""

    uow: UnitOfWork
    viewer: Actor
    _seen: dict[WeightsId, tuple[Seen, ...]] = field(default_factory=dict)
    _traces: dict[WeightsId, dict[int, Trace]] = field(default_factory=dict)

    def load(self, ids: Iterable[WeightsId]) -> None:
        """Look these up, with the parents that their measurements name."""
        fresh = {one for one in ids if one not in self._traces}
        if not fresh:
            return
        found: Mapping[TraceKey, Trace] = traces_of(self.uow, fresh)
        self._traces |= {one: {} for one in fresh}
        for (one, scope), trace in found.items():
            self._traces[one][scope] = trace
        named: set[WeightsId] = {
            parent.id for trace in found.values() for edge in trace.edges for parent in edge.parents
        }
        self._look(fresh | named)

    def holders(self, weights_id: WeightsId) -> tuple[Seen, ...]:
        """The repos that the viewer may see and that hold these weights, first seen first."""
        self._look([weights_id])
        return self._seen[weights_id]

    def first(self, weights_id: WeightsId) -> Seen | None:
        """The first of them."""
        found = self.holders(weights_id)
        return found[0] if found else None

    def trace(self, weights_id: WeightsId, repo: Repo) -> Trace | None:
        """What was measured of weights in a repo: with the namespace's own models, for those who see them."""
        self.load([weights_id])
        by_scope = self._traces[weights_id]
        namespace = int(repo.namespace_id)
        inside = self.viewer.may_see(repo.namespace_id, repo.type, repo.full_name)
        own = by_scope.get(namespace) if repo.private or inside else None
        if own is not None and self._all_seen(own):
            return own
        return by_scope.get(PUBLIC, own)

    def edges(self, weights_id: WeightsId, repo: Repo) -> list[FoundEdge]:
        """The edges of weights in a repo that may be told, best first."""
        found = self.trace(weights_id, repo)
        return [] if found is None else [edge for edge in found.edges if self._is_told(edge)]

    def best_edge(self, weights_id: WeightsId) -> FoundEdge | None:
        """The best edge with parents of weights, as the first repo has it that holds them."""
        first = self.first(weights_id)
        edges = [] if first is None else self.edges(weights_id, first.repo)
        return edges[0] if edges and edges[0].parents else None

    def children(
        self, ids: Iterable[WeightsId], most: int = _MAX_CHILDREN
    ) -> list[tuple[WeightsId, FoundEdge]]:
        """Weights whose best edge leads to any of these, first seen first; up to so many are looked at."""
        parents = set(ids)
        listed = children_of(self.uow, parents, most)
        self.load(listed)
        found = []
        for child in listed:
            edge = self.best_edge(child)
            if edge is not None and parents & {parent.id for parent in edge.parents}:
                found.append((child, edge))
        return sorted(found, key=lambda item: self.holders(item[0])[0].held.number)

    def count_seen(self, ids: Iterable[WeightsId]) -> int:
        """How many of these lie in a repo that the viewer may see."""
        listed = set(ids)
        self._look(listed)
        return sum(1 for one in listed if self.holders(one))

    def earlier_copy(self, held: HeldWeights, repo: Repo) -> FoundEdge | None:
        """An edge to the first other repo that has the same files, if it had them before this one."""
        others = self.holders(held.weights_id)
        if not others or others[0].repo.id == repo.id:
            return None
        return _same_files(held.weights_id)

    def later_copies(self, held: HeldWeights, repo: Repo) -> list[Relative]:
        """Other repos that have the same files, each once, if this one had them first."""
        others = self.holders(held.weights_id)
        if not others or others[0].repo.id != repo.id:
            return []
        distinct = {found.repo.id: found for found in reversed(others) if found.repo.id != repo.id}
        return [(found, _same_files(held.weights_id)) for found in reversed(distinct.values())]

    def named(self, edge: FoundEdge) -> list[WeightsId]:
        """The weights that the evidence of an edge names, each once."""
        return list(dict.fromkeys(_named(dict(edge.evidence))))

    def evidence(self, edge: FoundEdge) -> JsonObject:
        """The evidence with models named by their repos; what the viewer may not see is left out."""
        ids = set(_named(dict(edge.evidence)))
        self._look(ids)
        names = {str(one): first.repo.full_name for one in ids if (first := self.first(one)) is not None}
        told = _told(dict(edge.evidence), names)
        return told if isinstance(told, dict) else {}

    def _all_seen(self, trace: Trace) -> bool:
        return self.count_seen(trace.compared) == len(trace.compared)

    def _is_told(self, edge: FoundEdge) -> bool:
        return all(self.holders(parent.id) for parent in edge.parents)

    def _look(self, ids: Iterable[WeightsId]) -> None:
        fresh = {one for one in ids if one not in self._seen}
        if not fresh:
            return
        held = holders_of(self.uow, fresh)
        repos = visible_among(self.uow, self.viewer, {RepoId(found.repo_id) for found in held})
        found: dict[WeightsId, list[Seen]] = {one: [] for one in fresh}
        for holder in held:
            repo = repos.get(holder.repo_id)
            if repo is not None:
                found[holder.weights_id].append(Seen(holder, repo))
        self._seen |= {one: tuple(listed) for one, listed in found.items()}


def _same_files(weights_id: WeightsId) -> FoundEdge:
    parents = (FoundParent(weights_id),)
    return FoundEdge(parents, ("identical",), "proven", "first_seen", None, {"same_files": True})


def _named(value: JsonValue) -> list[WeightsId]:
    """Every weights id in evidence."""
    if isinstance(value, str):
        return [WeightsId(value)] if _WEIGHTS_ID.fullmatch(value) else []
    if isinstance(value, list):
        return [one for item in value for one in _named(item)]
    if isinstance(value, dict):
        return [one for key, item in value.items() for one in (*_named(key), *_named(item))]
    return []


def _told(value: JsonValue, names: Mapping[str, str]) -> JsonValue:
    if isinstance(value, list):
        return [
            names[item] if isinstance(item, str) and item in names else _told(item, names)
            for item in value
            if not _is_hidden(item, names)
        ]
    if isinstance(value, dict):
        return {
            names.get(key, key): names[item]
            if isinstance(item, str) and item in names
            else _told(item, names)
            for key, item in value.items()
            if not _is_hidden(key, names) and not _is_hidden(item, names)
        }
    return value


def _is_hidden(value: JsonValue, names: Mapping[str, str]) -> bool:
    return isinstance(value, str) and bool(_WEIGHTS_ID.fullmatch(value)) and value not in names
