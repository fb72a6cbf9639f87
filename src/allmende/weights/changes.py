"""What kind of training lies between a query and its nearest relative: all of it, a part, a head, an
adapter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allmende.formats import JsonValue
from allmende.weights.comparison import PairedTensor
from allmende.weights.layers import OUTPUT, standing_of
from allmende.weights.low_rank import change_rank
from allmende.weights.number_types import spacing
from allmende.weights.relations import Grade, Relation
from allmende.weights.relatives import Relative
from allmende.weights.tensors import WeightTensor

__all__ = ["Change", "change_between", "only_head_changed"]

_MAX_RANKED = 8
_MAX_SIDE = 384
_CORNER = 160
_FIRST_FEW = 3
_FROZEN_SHARE = 0.15
_LOW_RANK_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Change:
    """The relation that the values show, how sure it is, and why."""

    relation: Relation
    grade: Grade
    evidence: Mapping[str, JsonValue]
    rank: int | None = None
    total_rank: float | None = None


def only_head_changed(relative: Relative, changed: Sequence[PairedTensor]) -> bool:
    """Whether everything but the tensors behind the last layer is the candidate's, and those are not."""
    different = [pair.name for pair in changed] + list(relative.added)
    behind = [name for name in different if standing_of(name).stack == OUTPUT]
    body = [pair for pair in relative.matrices if standing_of(pair.name).stack != OUTPUT]
    return bool(different) and len(behind) == len(different) and bool(body)


def change_between(relative: Relative, changed: Sequence[PairedTensor]) -> Change:
    """The training between a relative and the query, given the tensors that changed."""
    evidence = _measured(relative, changed)
    if only_head_changed(relative, changed):
        return Change("head_only", "strong", evidence)
    moved = [pair for pair in changed if pair.query.matrix and not pair.query.degenerate]
    ranks = _ranks(relative, moved)
    told = sorted(rank for rank in ranks.values() if rank is not None)
    if len(told) >= max(1, _LOW_RANK_SHARE * len(ranks)) and told and _few_vectors(relative, changed):
        rank = _typical(told)
        evidence["ranks"] = dict[str, JsonValue](ranks)
        return Change("lora_merged", "strong", evidence, rank, sum(told) / len(told) * len(moved))
    frozen = evidence["untouched_share"]
    if isinstance(frozen, float) and frozen >= _FROZEN_SHARE:
        return Change("partly_frozen", "strong", evidence)
    return Change("finetune", "likely", evidence)


def _measured(relative: Relative, changed: Sequence[PairedTensor]) -> dict[str, JsonValue]:
    names = {pair.name for pair in changed}
    told = relative.matrices
    size = sum(pair.query.tensor.elements for pair in told)
    untouched = sum(pair.query.tensor.elements for pair in told if pair.name not in names)
    by_count = sum(pair.name not in names for pair in told) / max(1, len(told))
    share = untouched / size if size else 0.0
    # A large vocabulary that was left alone, or many small matrices: either is a part that was frozen.
    return {
        "relative_change": round(float(np.sqrt(relative.distance)), 8),
        "sign_agreement": round(relative.kin.agreement, 4),
        "untouched_share": round(max(share, by_count), 4),
        "changed_tensors": len(names),
        "compared_tensors": len(relative.pairs),
    }


def _few_vectors(relative: Relative, changed: Sequence[PairedTensor]) -> bool:
    vectors = [pair for pair in relative.pairs.values() if not pair.query.matrix]
    moved = [pair for pair in changed if not pair.query.matrix]
    return len(moved) <= 0.1 * max(1, len(vectors))


def _typical(ranks: Sequence[int]) -> int:
    """The rank that most matrices show; of several as frequent the highest, since rounding only lowers it."""
    return max(set(ranks), key=lambda rank: (ranks.count(rank), rank))


def _ranks(relative: Relative, moved: Sequence[PairedTensor]) -> dict[str, int | None]:
    # Embeddings are seldom adapted and always large; they come last.
    ordered = sorted(moved, key=lambda pair: (standing_of(pair.name).layer is None, pair.name))
    step = max(1, len(ordered) // _MAX_RANKED)
    chosen = ordered[::step][:_MAX_RANKED]
    # Full training shows in a corner of the first few; the rest would say the same at more cost.
    if not any(_rank(relative, pair, _CORNER) for pair in chosen[:_FIRST_FEW]):
        return {pair.name: None for pair in chosen[:_FIRST_FEW]}
    return {pair.name: _rank(relative, pair, _MAX_SIDE) for pair in chosen}


def _rank(relative: Relative, pair: PairedTensor, side: int) -> int | None:
    ours, theirs = pair.query.tensor, relative.specimen.tensors[pair.partner]
    if pair.name in relative.moved or ours.shape != theirs.shape:
        return None
    mine, other = _part(ours, side), _part(theirs, side)
    if pair.query.precision == "quantized":
        noise = np.full(mine.shape, float(np.median(pair.query.noise)))
    else:
        noise = spacing(mine, pair.query.precision) / np.sqrt(12)
    change = mine.astype(np.float64) - other
    return change_rank(change, np.asarray(noise, np.float64)).rank if np.isfinite(change).all() else None


def _part(tensor: WeightTensor, side: int) -> np.ndarray:
    """The matrix, or of a large one evenly spread rows and columns: its changes have the same rank."""
    rows, columns = tensor.matrix
    row = np.unique(np.linspace(0, rows - 1, min(rows, side)).astype(np.int64))
    column = np.unique(np.linspace(0, columns - 1, min(columns, side)).astype(np.int64))
    if len(column) == columns:
        return tensor.rows(row)
    return tensor.rows(row)[:, column]
