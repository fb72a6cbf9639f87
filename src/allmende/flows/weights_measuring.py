"""Looking into weights: what is read from them once, and the facts that follow for who holds them."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from allmende.errors import AllmendeError
from allmende.facts import (
    Fact,
    Measured,
    Weights,
    WeightsFile,
    add_revision_facts,
    forget_weights,
    holders_of,
    put_measured,
    weights_of,
)
from allmende.flows.kin_search import LINEAGE_TOOL, LINEAGE_TOOL_VERSION
from allmende.flows.lineage_scopes import Holding, holdings_of
from allmende.flows.services import Services
from allmende.flows.weights_files import opened, with_paths, without_paths
from allmende.formats import JsonValue
from allmende.ids import WeightsId
from allmende.jobs import JobContext, canonical_json
from allmende.storage import UnitOfWork
from allmende.weights import Model, make_sketch

__all__ = ["LINEAGE", "LINEAGE_ERROR", "is_current", "lineage_facts", "look_into"]

LINEAGE = "lineage"
LINEAGE_ERROR = "weights.error"
"""The facts about a revision: what was read from its weights, or why nothing was. Edges are no part of
them: who may see which differs, and they change when a parent arrives."""

_MAX_SENTENCE_CHARS = 1000
_MAX_PROBLEMS = 100
_NAME = "these files"


def lineage_facts(weights: Weights, files: Sequence[WeightsFile], now: datetime) -> list[Fact]:
    """What a revision with these weights, in these files, is said to have once they were looked into."""
    found = weights.measured
    if found is None:
        return []
    evidence = {"weights": weights.id}
    if found.error is not None:
        value: JsonValue = {"error": with_paths(found.error, files)}
        return [Fact(LINEAGE_ERROR, value, "measured", LINEAGE_TOOL, found.tool_version, now, evidence)]
    value = {
        "weights": weights.id,
        "parameters": found.parameters,
        "layout": found.layout,
        "problems": [with_paths(problem, files) for problem in found.problems],
    }
    return [Fact(LINEAGE, value, "measured", LINEAGE_TOOL, found.tool_version, now, evidence)]


def look_into(services: Services, context: JobContext, weights_id: WeightsId) -> Weights | None:
    """The weights with what this version reads from them; None when they are gone."""
    with services.database.read() as uow:
        weights = weights_of(uow, [weights_id]).get(weights_id)
        holding = holdings_of(uow, [weights_id]).by_weights.get(weights_id, ())
    if weights is None or not holding:
        if weights is not None:
            with services.database.write() as uow:
                forget_weights(uow, [weights_id])
        return None
    if is_current(weights):
        return weights
    context.checkpoint()
    found, sketch = _read_any(services, holding)
    with services.database.write() as uow:
        put_measured(uow, weights_id, found, sketch)
        made = weights_of(uow, [weights_id]).get(weights_id)
        if made is not None:
            _tell(uow, made)
    return made


def is_current(weights: Weights) -> bool:
    """Whether these weights were looked into. What failed is tried again: bytes may have come back."""
    found = weights.measured
    return found is not None and found.tool_version == LINEAGE_TOOL_VERSION and found.error is None


def _read_any(services: Services, holding: Sequence[Holding]) -> tuple[Measured, bytes | None]:
    said = ""
    for found in holding:
        try:
            with opened(services, found.held, _NAME) as model:
                return _read(model, found.held.files)
        except AllmendeError as error:
            said = said or without_paths(error.message, found.held.files)
    said = said[:_MAX_SENTENCE_CHARS]
    return Measured(LINEAGE_TOOL_VERSION, None, None, None, None, (), said), None


def _read(model: Model, files: Sequence[WeightsFile]) -> tuple[Measured, bytes]:
    sketch = make_sketch(model)
    build = [[name, list(tensor.shape)] for name, tensor in sorted(model.tensors.items())]
    found = Measured(
        LINEAGE_TOOL_VERSION,
        sketch.key,
        hashlib.sha256(canonical_json(build).encode()).hexdigest(),
        model.layout,
        model.parameters,
        tuple(
            without_paths(problem, files)[:_MAX_SENTENCE_CHARS] for problem in model.problems[:_MAX_PROBLEMS]
        ),
        None,
    )
    return found, sketch.to_bytes()


def _tell(uow: UnitOfWork, weights: Weights) -> None:
    for held in holders_of(uow, [weights.id]):
        facts = lineage_facts(weights, held.files, uow.now)
        add_revision_facts(uow, held.repo_id, held.commit_oid, facts, (LINEAGE, LINEAGE_ERROR))
