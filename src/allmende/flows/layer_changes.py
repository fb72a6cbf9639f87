"""The job `layers`: by how much each layer of a model changed from its parent, kept for the pages.

It follows from a trace that found a parent, behind all that people wait for. What is found is a fact about
the child's bytes, named by both weights, and tells nothing but sums by layer and kind of tensor: no names of
files or tensors. Whoever asks must have come to both models through repos that they may see.
"""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from math import isfinite

from allmende.errors import AllmendeError
from allmende.facts import (
    ContentKey,
    Fact,
    FoundEdge,
    HeldWeights,
    content_fact_value,
    holders_of,
    put_content_facts,
    weights_of_revision,
)
from allmende.flows.lineage_scopes import Holding, holdings_of
from allmende.flows.services import Services
from allmende.flows.weights_files import opened
from allmende.formats import JsonObject, JsonValue
from allmende.ids import GitOid, RepoId, WeightsId
from allmende.jobs import JobContext
from allmende.storage import UnitOfWork
from allmende.weights import Figures, ModelDiff, Row, compare_models, rows_of

__all__ = [
    "LAYERS_JOB",
    "change_between",
    "enqueue_layer_changes",
    "has_layer_change",
    "measure_layer_changes",
]

LAYERS_JOB = "layers"

_TOOL = "allmende.layers"
_TOOL_VERSION = "1"
_PRIORITY = -8
_MAX_BYTES = 64 * 10**9
"""Of both models together: comparing reads every value. Beyond, anyone can compare with `allmende diff`."""
_MAX_PARENTS = 4
_MAX_ROWS = 320
_SHARED = ("renamed", "cast", "finetune", "partly_frozen", "head_only", "lora_merged", "merge", "quantized")
_RESHAPED = ("pruned", "vocab_extended", "vocab_cut", "layers_dropped", "layers_duplicated", "permuted")


def has_layer_change(relation: str) -> bool:
    """Whether models of this relation have tensors in common that may differ."""
    return relation in _SHARED or relation in _RESHAPED


def enqueue_layer_changes(
    services: Services, uow: UnitOfWork, child: WeightsId, edges: Iterable[FoundEdge]
) -> None:
    """Have the best edge of a trace measured layer by layer, towards each of its first parents."""
    held = next(iter(holders_of(uow, [child])), None)
    best = next((edge for edge in edges if edge.parents), None)
    if held is None or best is None or not has_layer_change(best.relation):
        return
    for parent in best.parents[:_MAX_PARENTS]:
        if not _is_done(uow, held, parent.id):
            services.queue.enqueue(
                uow,
                LAYERS_JOB,
                {"child": child, "parent": parent.id},
                key=f"layers:{_pair(child, parent.id)}",
                priority=_PRIORITY,
            )


def measure_layer_changes(services: Services, context: JobContext) -> None:
    """The job. Does nothing where it was done, or where no repo holds one of both any more.

    Raises JobInterrupted when it should stop; a repeat begins anew.
    """
    child, parent = (WeightsId(str(context.payload[side])) for side in ("child", "parent"))
    with services.database.read() as uow:
        holdings = holdings_of(uow, [child, parent]).by_weights
        pairs = holdings.get(child, ())[:1], holdings.get(parent, ())[:1]
        if not pairs[0] or not pairs[1] or _is_done(uow, pairs[0][0].held, parent):
            return
    key = _key(pairs[0][0].held)
    value = _measured(services, context, pairs[1][0], pairs[0][0])
    with services.database.write() as uow:
        if holdings_of(uow, [child, parent]).by_weights.keys() == {child, parent}:
            evidence: Mapping[str, JsonValue] = {"child": child, "parent": parent}
            fact = Fact(_name(child, parent), value, "measured", _TOOL, _TOOL_VERSION, uow.now, evidence)
            put_content_facts(uow, {key: [fact]})


def change_between(
    uow: UnitOfWork, child: tuple[RepoId, GitOid], parent: tuple[RepoId, GitOid]
) -> JsonObject | None:
    """What was measured between two revisions, both of which the viewer may see; None where nothing was yet.

    `{"rows": [{"label", "layer", "kinds": {kind: cell}, "all": cell}], "all": cell, "rows_left_out"}`, a cell
    being `{"relative", "share", "elements", "tensors", "added", "removed", "reshaped"}`; `relative` is null
    where nothing could be compared. Or `{"error": "size" | "unreadable"}`.
    """
    of_child, of_parent = weights_of_revision(uow, *child), weights_of_revision(uow, *parent)
    if of_child is None or of_parent is None:
        return None
    return _known(uow, of_child, of_parent.weights_id)


def _is_done(uow: UnitOfWork, child: HeldWeights, parent: WeightsId) -> bool:
    """What could not be read is tried again: bytes may have come back."""
    known = _known(uow, child, parent)
    return known is not None and known.get("error") != "unreadable"


def _known(uow: UnitOfWork, child: HeldWeights, parent: WeightsId) -> JsonObject | None:
    value = content_fact_value(uow, _key(child), _name(child.weights_id, parent))
    return value if isinstance(value, dict) else None


def _key(held: HeldWeights) -> ContentKey:
    """The content that the fact is kept with: the same wherever these weights lie."""
    return min(file.key for file in held.files)


def _name(child: WeightsId, parent: WeightsId) -> str:
    return f"change.{_TOOL_VERSION}.{_pair(child, parent)}"


def _pair(child: WeightsId, parent: WeightsId) -> str:
    return hashlib.sha256(f"{child} {parent}".encode()).hexdigest()[:40]


def _measured(services: Services, context: JobContext, parent: Holding, child: Holding) -> JsonObject:
    size_bytes = sum(file.size_bytes for one in (parent, child) for file in one.held.files)
    if size_bytes > _MAX_BYTES:
        return {"error": "size"}
    try:
        with ExitStack() as stack:
            a = stack.enter_context(opened(services, parent.held, "parent"))
            b = stack.enter_context(opened(services, child.held, "child"))
            return _document(compare_models(a, b, tell=_Telling(context).tell))
    except AllmendeError:
        return {"error": "unreadable"}


class _Telling:
    """Says how far a comparison is, and gives way when the job should stop."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def tell(self, done: int, of: int) -> None:
        """See `allmende.weights.compare_models`."""
        self._context.checkpoint()
        self._context.progress(done / of if of else 1.0, f"{done} of {of} values")


def _document(diff: ModelDiff) -> JsonObject:
    rows = rows_of(diff)
    return {
        "rows": [_row(row) for row in rows[:_MAX_ROWS]],
        "rows_left_out": max(0, len(rows) - _MAX_ROWS),
        "all": _cell(diff.total, len(diff.tensors), len(diff.added), len(diff.removed), 0),
    }


def _row(row: Row) -> JsonObject:
    kinds: JsonObject = {}
    for kind, cell in row.cells.items():
        reshaped = sum(tensor.status == "reshaped" for tensor in cell.tensors)
        kinds[kind] = _cell(cell.figures, len(cell.tensors), len(cell.added), len(cell.removed), reshaped)
    return {
        "label": row.label,
        "layer": row.layer,
        "kinds": kinds,
        "all": _cell(row.figures, len(row.tensors), 0, 0, 0),
    }


def _cell(figures: Figures, tensors: int, added: int, removed: int, reshaped: int) -> JsonObject:
    relative = figures.relative if figures.elements else None
    return {
        "relative": relative if relative is not None and isfinite(relative) else None,
        "share": figures.share_changed,
        "elements": figures.elements,
        "tensors": tensors,
        "added": added,
        "removed": removed,
        "reshaped": reshaped,
    }
