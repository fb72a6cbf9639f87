"""Where weights come from, as it was measured: among public models, and in namespaces among their own too.

An edge names weights, not repos: who may see which repo changes, and what was measured does not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, delete, select

from allmende.facts.lineage_tables import lineage_edge, lineage_parent, lineage_trace
from allmende.formats import JsonValue
from allmende.ids import WeightsId
from allmende.storage import UnitOfWork, batches

__all__ = [
    "PUBLIC",
    "FoundEdge",
    "FoundParent",
    "Trace",
    "TraceKey",
    "children_of",
    "keep_scopes",
    "put_trace",
    "trace_bases",
    "traces_of",
]

PUBLIC = 0
"""The scope of what was measured among public models alone; any other is the id of a namespace."""

TraceKey = tuple[WeightsId, int]
"""Weights and a scope."""


@dataclass(frozen=True, slots=True)
class FoundParent:
    """Weights that others descend from."""

    id: WeightsId
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class FoundEdge:
    """See `allmende.weights.Edge`; models in the evidence are named by the ids of their weights."""

    parents: tuple[FoundParent, ...]
    chain: tuple[str, ...]
    grade: str
    direction: str
    rank: int | None = None
    evidence: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def relation(self) -> str:
        """The last that was done."""
        return self.chain[0]


@dataclass(frozen=True, slots=True)
class Trace:
    """One measurement. `basis` names all that it rests on: the same basis gives the same answer."""

    weights_id: WeightsId
    scope: int
    basis: str
    tool_version: str
    at: datetime
    edges: tuple[FoundEdge, ...] = ()
    compared: tuple[WeightsId, ...] = ()
    relatives: tuple[WeightsId, ...] = ()
    descendants: tuple[WeightsId, ...] = ()
    error: str | None = None


def put_trace(uow: UnitOfWork, found: Trace) -> None:
    """Record a measurement in place of the one before, with an event if its edges are others."""
    before = traces_of(uow, [found.weights_id]).get((found.weights_id, found.scope))
    if (() if before is None else before.edges) != found.edges:
        digest = sha256(repr(found.edges).encode("utf-8", "surrogatepass")).hexdigest()
        told = {"weights": found.weights_id, "edges": len(found.edges), "digest": digest}
        uow.emit("lineage.changed", told)
    at_place = (lineage_edge.c.weights_id == found.weights_id) & (lineage_edge.c.scope == found.scope)
    uow.execute(delete(lineage_edge).where(at_place))
    uow.upsert(
        lineage_trace,
        {
            "weights_id": found.weights_id,
            "scope": found.scope,
            "basis": found.basis,
            "tool_version": found.tool_version,
            "at": found.at,
            "compared": list(found.compared),
            "relatives": list(found.relatives),
            "descendants": list(found.descendants),
            "error": found.error,
        },
    )
    for ordinal, edge in enumerate(found.edges):
        _put_edge(uow, found, ordinal, edge)


def keep_scopes(uow: UnitOfWork, weights_id: WeightsId, scopes: Iterable[int]) -> None:
    """Forget what was measured in other scopes than these: nobody may ask for it any more."""
    wanted = sorted(set(scopes))
    for table in (lineage_edge, lineage_trace):
        uow.execute(delete(table).where(table.c.weights_id == weights_id, table.c.scope.not_in(wanted)))


def trace_bases(uow: UnitOfWork, weights_id: WeightsId) -> dict[int, str]:
    """On what the measurements of these weights rest, by scope."""
    query = select(lineage_trace.c.scope, lineage_trace.c.basis).where(
        lineage_trace.c.weights_id == weights_id
    )
    return {int(row.scope): row.basis for row in uow.all(query)}


def traces_of(uow: UnitOfWork, ids: Iterable[WeightsId]) -> dict[TraceKey, Trace]:
    """Every measurement of these weights."""
    found: dict[TraceKey, Trace] = {}
    for batch in batches(sorted(set(ids)), 200):
        edges = _edges_of(uow, batch)
        for row in uow.all(select(lineage_trace).where(lineage_trace.c.weights_id.in_(batch))):
            key = (WeightsId(row.weights_id), int(row.scope))
            found[key] = _trace(row, edges.get(key, ()))
    return found


def children_of(uow: UnitOfWork, ids: Iterable[WeightsId], limit: int) -> set[WeightsId]:
    """Weights that have an edge to any of these, in whatever scope; bounded."""
    found: set[WeightsId] = set()
    for batch in batches(sorted(set(ids)), 200):
        query = (
            select(lineage_edge.c.weights_id)
            .join(lineage_parent, lineage_parent.c.edge_id == lineage_edge.c.id)
            .where(lineage_parent.c.parent_id.in_(batch))
            .distinct()
            .order_by(lineage_edge.c.weights_id)
            .limit(limit)
        )
        found |= {WeightsId(row.weights_id) for row in uow.all(query)}
    return found


def _put_edge(uow: UnitOfWork, found: Trace, ordinal: int, edge: FoundEdge) -> None:
    inserted = uow.execute(
        lineage_edge.insert().values(
            weights_id=found.weights_id,
            scope=found.scope,
            ordinal=ordinal,
            chain=list(edge.chain),
            grade=edge.grade,
            direction=edge.direction,
            rank=edge.rank,
            evidence=dict(edge.evidence),
        )
    ).inserted_primary_key
    if inserted is None:
        raise RuntimeError("the database gave an edge no id")
    rows = [
        {"edge_id": int(inserted[0]), "ordinal": place, "parent_id": parent.id, "weight": parent.weight}
        for place, parent in enumerate(edge.parents)
    ]
    if rows:
        uow.execute(lineage_parent.insert(), rows)


def _edges_of(uow: UnitOfWork, ids: Iterable[WeightsId]) -> dict[TraceKey, list[FoundEdge]]:
    query = (
        select(lineage_edge, lineage_parent.c.parent_id, lineage_parent.c.weight)
        .join(lineage_parent, lineage_parent.c.edge_id == lineage_edge.c.id, isouter=True)
        .where(lineage_edge.c.weights_id.in_(list(ids)))
        .order_by(lineage_edge.c.weights_id, lineage_edge.c.scope, lineage_edge.c.ordinal)
        .order_by(lineage_parent.c.ordinal)
    )
    rows: dict[int, list[Row[Any]]] = {}
    for row in uow.all(query):
        rows.setdefault(int(row.id), []).append(row)
    found: dict[TraceKey, list[FoundEdge]] = {}
    for parts in rows.values():
        first = parts[0]
        parents = tuple(
            FoundParent(WeightsId(row.parent_id), row.weight) for row in parts if row.parent_id is not None
        )
        edge = FoundEdge(
            parents, tuple(first.chain), first.grade, first.direction, first.rank, first.evidence
        )
        found.setdefault((WeightsId(first.weights_id), int(first.scope)), []).append(edge)
    return found


def _trace(row: Row[Any], edges: Iterable[FoundEdge]) -> Trace:
    return Trace(
        WeightsId(row.weights_id),
        int(row.scope),
        row.basis,
        row.tool_version,
        row.at,
        tuple(edges),
        _ids(row.compared),
        _ids(row.relatives),
        _ids(row.descendants),
        row.error,
    )


def _ids(listed: Iterable[str]) -> tuple[WeightsId, ...]:
    return tuple(WeightsId(one) for one in listed)
