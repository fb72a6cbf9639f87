"""The jobs `trace` and `retrace`: weights are looked into and compared with others, and what follows is kept.

The payload is `{"weights_id"}`. An examination puts `trace` into the queue; when it is done, those whose
answer may be another now get a `retrace`, behind everything that people wait for. Both may be repeated: what
rests on the same as before is not opened again.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from math import isfinite

from allmende.errors import AllmendeError
from allmende.facts import (
    PUBLIC,
    FoundEdge,
    FoundParent,
    Trace,
    Weights,
    children_of,
    holders_of,
    keep_scopes,
    put_trace,
    trace_bases,
    traces_of,
    weights_of,
)
from allmende.flows.content_packing import enqueue_packing
from allmende.flows.kin_search import LINEAGE_TOOL_VERSION
from allmende.flows.layer_changes import enqueue_layer_changes
from allmende.flows.lineage_candidates import Candidates, candidates_of, neighbours_of
from allmende.flows.lineage_index import index_lineage
from allmende.flows.lineage_scopes import holdings_of
from allmende.flows.own_attestations import enqueue_attesting
from allmende.flows.record_queue import enqueue_record
from allmende.flows.services import Services
from allmende.flows.weights_files import opened
from allmende.flows.weights_measuring import look_into
from allmende.formats import JsonObject, JsonValue
from allmende.ids import Sha256, WeightsId, is_sha256
from allmende.jobs import JobContext, canonical_json
from allmende.storage import UnitOfWork
from allmende.weights import Edge, Lineage, Model, trace

__all__ = ["enqueue_retraces", "enqueue_trace", "retrace", "trace_weights"]

_log = logging.getLogger(__name__)

_TRACE_PRIORITY = 5
_RETRACE_PRIORITY = -5
_MAX_HOLDERS = 1000
_MAX_CHILDREN = 256
_MAX_HOLDERS = 1000
_MAX_SENTENCE_CHARS = 1000


def enqueue_trace(services: Services, uow: UnitOfWork, weights_id: WeightsId) -> None:
    """Have weights traced, and those that may be akin to them after that."""
    services.queue.enqueue(
        uow, "trace", {"weights_id": weights_id}, key=f"trace:{weights_id}", priority=_TRACE_PRIORITY
    )


def enqueue_retraces(services: Services, uow: UnitOfWork, ids: Iterable[WeightsId]) -> None:
    """Have these traced again, once each however often it is asked for meanwhile."""
    for weights_id in ids:
        services.queue.enqueue(
            uow,
            "retrace",
            {"weights_id": weights_id},
            key=f"retrace:{weights_id}",
            priority=_RETRACE_PRIORITY,
        )


def trace_weights(services: Services, context: JobContext) -> None:
    """The job `trace`. Does nothing for weights that are gone. Raises JobInterrupted when it should stop."""
    weights = look_into(services, context, WeightsId(str(context.payload["weights_id"])))
    if weights is None:
        return
    _trace_scopes(services, context, weights)
    with services.database.read() as uow:
        affected = neighbours_of(services, uow, weights)
        affected += [one for one in children_of(uow, [weights.id], _MAX_CHILDREN) if one not in affected]
    with services.database.write() as uow:
        enqueue_retraces(services, uow, affected)


def retrace(services: Services, context: JobContext) -> None:
    """The job `retrace`: the same, and no others follow from it."""
    weights = look_into(services, context, WeightsId(str(context.payload["weights_id"])))
    if weights is not None:
        _trace_scopes(services, context, weights)


def _trace_scopes(services: Services, context: JobContext, weights: Weights) -> None:
    with services.database.read() as uow:
        readable = weights.measured is not None and weights.measured.error is None
        scopes = holdings_of(uow, [weights.id]).scopes(weights.id) if readable else []
    bases: dict[int, str] = {}
    for scope in scopes:
        context.checkpoint()
        basis = _trace_scope(services, weights, scope, bases.get(PUBLIC))
        if basis is not None:
            bases[scope] = basis
    with services.database.write() as uow:
        keep_scopes(uow, weights.id, bases)
        index_lineage(uow, weights.id)
        for found in traces_of(uow, [weights.id]).values():
            enqueue_layer_changes(services, uow, weights.id, found.edges)
        for held in holders_of(uow, [weights.id])[:_MAX_HOLDERS]:
            enqueue_attesting(services, uow, held.repo_id, held.commit_oid)
        for held in holders_of(uow, [weights.id])[:_MAX_HOLDERS]:
            enqueue_record(services, uow, held.repo_id, held.commit_oid)


def _trace_scope(services: Services, weights: Weights, scope: int, public: str | None) -> str | None:
    """Trace in one scope, unless that was done; returns on what it rests, None where nothing need be kept.

    What a namespace sees beside the public is kept only where it makes a difference.
    """
    with services.database.read() as uow:
        candidates = candidates_of(services, uow, weights, scope)
        known = trace_bases(uow, weights.id).get(scope)
    if candidates is None:
        return None
    basis = _basis(candidates)
    if basis == public:
        return None
    if basis != known:
        found = _traced(services, weights, scope, candidates, basis)
        with services.database.write() as uow:
            if weights.id in weights_of(uow, [weights.id]):
                put_trace(uow, found)
                enqueue_retraces(services, uow, _late_parents(found, candidates))
                _pack_anew(services, uow, weights.id)
    return basis


def _pack_anew(services: Services, uow: UnitOfWork, weights_id: WeightsId) -> None:
    """Better bases may be known now than those on which the files are stored."""
    settings = services.settings
    for held in holders_of(uow, [weights_id])[:1]:
        for file in held.files:
            if is_sha256(file.key) and file.size_bytes >= settings.pack_min_bytes:
                enqueue_packing(services, uow, Sha256(file.key), delay_s=settings.pack_quiet_s + 1)


def _late_parents(found: Trace, candidates: Candidates) -> list[WeightsId]:
    """Parents that were seen after this child, though it certainly comes from them: they do not know yet."""
    place = {one: number for number, one in enumerate(candidates.order)}
    certain = [edge for edge in found.edges[:1] if edge.direction == "irreversible"]
    return [
        parent.id for edge in certain for parent in edge.parents if place[parent.id] > place[found.weights_id]
    ]


def _basis(candidates: Candidates) -> str:
    said = [
        LINEAGE_TOOL_VERSION,
        list(candidates.opened),
        list(candidates.order),
        sorted(candidates.declared.items()),
        sorted(candidates.by_card),
    ]
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def _traced(services: Services, weights: Weights, scope: int, candidates: Candidates, basis: str) -> Trace:
    now = services.database.clock()
    try:
        names, lineage = _compare(services, weights, candidates)
    except AllmendeError as error:
        said = error.message[:_MAX_SENTENCE_CHARS]
        # Without a basis a repeat tries again.
        return Trace(weights.id, scope, "", LINEAGE_TOOL_VERSION, now, error=said)
    return Trace(
        weights.id,
        scope,
        basis,
        LINEAGE_TOOL_VERSION,
        now,
        tuple(_edge(edge, names, candidates.by_card) for edge in lineage.edges),
        tuple(one for one in names.values() if one != weights.id),
        tuple(names[name] for name in lineage.relatives),
        tuple(names[name] for name in lineage.descendants),
    )


def _compare(
    services: Services, weights: Weights, candidates: Candidates
) -> tuple[dict[str, WeightsId], Lineage]:
    """The lineage, and whose names it uses. Candidates that cannot be read are left out."""
    called = {one: name for name, one in candidates.declared.items()}
    names: dict[str, WeightsId] = {}
    models: list[Model] = []
    with ExitStack() as stack:
        for one, holding in candidates.opened.items():
            # An adapter's base is found by the name that its configuration uses.
            name = str(one) if one == weights.id else called.get(one, str(one))
            try:
                models.append(stack.enter_context(opened(services, holding.held, name)))
            except AllmendeError as error:
                if one == weights.id:
                    raise
                _log.warning("weights %s were not compared with: %s", one, error.message)
                continue
            names[name] = one
        place = {one: number for number, one in enumerate(candidates.order)}
        seen = {name: place[one] for name, one in names.items()}
        return names, trace(models[0], models[1:], seen)


def _edge(edge: Edge, names: Mapping[str, WeightsId], by_card: frozenset[WeightsId]) -> FoundEdge:
    parents = tuple(FoundParent(names[parent.path], parent.weight) for parent in edge.parents)
    direction: str = edge.direction
    if direction == "first_seen" and any(parent.id in by_card for parent in parents):
        direction = "declared"
    evidence: JsonObject = {
        key: value if key == "declared" else _by_weights(value, names) for key, value in edge.evidence.items()
    }
    return FoundEdge(parents, edge.chain, edge.grade, direction, edge.rank, evidence)


def _by_weights(value: JsonValue, names: Mapping[str, WeightsId]) -> JsonValue:
    """Models in evidence by their weights: names change, and not everybody may see them."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, list):
        return [_by_weights(item, names) for item in value]
    if isinstance(value, dict):
        return {names.get(key, key): _by_weights(item, names) for key, item in value.items()}
    return value
