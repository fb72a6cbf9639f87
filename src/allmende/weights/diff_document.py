"""A comparison of two models as JSON: the document of `allmende.diff/1`."""

import json

from allmende.formats import JsonObject, JsonValue
from allmende.weights.diff import ModelDiff, TensorDiff, TensorOnly
from allmende.weights.diff_rows import Cell, Row, rows_of
from allmende.weights.diff_texts import TextsDiff
from allmende.weights.diff_words import findings
from allmende.weights.figures import Figures
from allmende.weights.models import Model
from allmende.weights.vocabularies import VocabularyDiff

__all__ = ["diff_document"]

_MAX_VALUE_CHARS = 2000


def diff_document(diff: ModelDiff, texts: TextsDiff | None, *, with_tensors: bool) -> JsonObject:
    """All figures; a figure that has no meaning is null. Without `with_tensors`, tensors stand in their
    layers' sums alone.
    """
    found: JsonObject = {
        "differs": diff.differs or (texts is not None and texts.differs),
        "a": _model(diff.a),
        "b": _model(diff.b),
        "names": diff.names,
        "findings": list[JsonValue](findings(diff)),
        "total": _figures(diff.total),
        "tensor_counts": _counts(diff),
        "layers": [_row(row) for row in rows_of(diff)],
        "added": [_only(tensor) for tensor in diff.added],
        "removed": [_only(tensor) for tensor in diff.removed],
    }
    if with_tensors:
        found["tensors"] = [_tensor(tensor) for tensor in diff.tensors]
    if texts is not None:
        found["texts"] = _texts(texts)
    return found


def _model(model: Model) -> JsonObject:
    return {
        "name": model.name,
        "layout": model.layout,
        "parameters": model.parameters,
        "tensor_count": len(model.tensors),
        "problems": list[JsonValue](model.problems),
    }


def _counts(diff: ModelDiff) -> JsonObject:
    found: JsonObject = dict.fromkeys(("same", "changed", "rows", "reshaped"), 0)
    for status in found:
        found[status] = sum(tensor.status == status for tensor in diff.tensors)
    retyped = sum(tensor.dtype_a != tensor.dtype_b for tensor in diff.tensors)
    return found | {"retyped": retyped, "added": len(diff.added), "removed": len(diff.removed)}


def _figures(figures: Figures) -> JsonObject:
    return {
        "elements": figures.elements,
        "changed": figures.changed,
        "zeroed": figures.zeroed,
        "share_changed": figures.share_changed,
        "relative": figures.relative,
        "cosine": figures.cosine,
        "largest": figures.largest,
        "not_finite_a": figures.not_finite_a,
        "not_finite_b": figures.not_finite_b,
    }


def _row(row: Row) -> JsonObject:
    return {
        "label": row.label,
        "stack": row.stack,
        "layer": row.layer,
        "rank_share": row.rank_share,
        **_figures(row.figures),
        "kinds": {kind: _cell(cell) for kind, cell in row.cells.items()},
    }


def _cell(cell: Cell) -> JsonObject:
    counts: JsonObject = {
        "tensors": len(cell.tensors),
        "added": len(cell.added),
        "removed": len(cell.removed),
    }
    return counts | ({"figures": _figures(cell.figures)} if cell.compared else {})


def _only(tensor: TensorOnly) -> JsonObject:
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}


def _tensor(tensor: TensorDiff) -> JsonObject:
    spectrum = tensor.spectrum
    return {
        "name": tensor.name,
        "name_a": tensor.name_a,
        "name_b": tensor.name_b,
        "stack": tensor.standing.stack,
        "layer": tensor.standing.layer,
        "kind": tensor.standing.kind,
        "status": tensor.status,
        "dtype_a": tensor.dtype_a,
        "dtype_b": tensor.dtype_b,
        "shape_a": list(tensor.shape_a),
        "shape_b": list(tensor.shape_b),
        "rows_added": tensor.rows_added,
        "exact": tensor.exact,
        "figures": None if tensor.figures is None else _figures(tensor.figures),
        "spectrum": None
        if spectrum is None
        else {
            "effective_rank": spectrum.effective_rank,
            "rank": spectrum.rank,
            "gap": spectrum.gap,
            "of": spectrum.of,
            "sampled": spectrum.sampled,
        },
    }


def _texts(texts: TextsDiff) -> JsonObject:
    return {
        "keys": {
            name: {
                "count": texts.key_counts[name],
                "differences": [
                    {"key": diff.key, "change": diff.change, "a": _bounded(diff.a), "b": _bounded(diff.b)}
                    for diff in diffs
                ],
            }
            for name, diffs in texts.keys.items()
        },
        "vocabulary": None if texts.vocabulary is None else _vocabulary(texts.vocabulary),
        "chat_templates": [
            {
                "name": template.name,
                "whole": template.whole,
                "lines": list[JsonValue](template.lines),
                "left_out": template.left_out,
            }
            for template in texts.templates
        ],
        "problems": list[JsonValue](texts.problems),
    }


def _bounded(value: JsonValue) -> JsonValue:
    """The value; of a very long one the beginning of its JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= _MAX_VALUE_CHARS else text[:_MAX_VALUE_CHARS]


def _vocabulary(found: VocabularyDiff) -> JsonObject:
    return {
        "tokens_a": found.tokens_a,
        "tokens_b": found.tokens_b,
        "added_count": found.added_count,
        "removed_count": found.removed_count,
        "moved_count": found.moved_count,
        "added": list[JsonValue](found.added),
        "removed": list[JsonValue](found.removed),
        "moved": [{"token": token.token, "a": token.a, "b": token.b} for token in found.moved],
        "special_added": list[JsonValue](found.special_added),
        "special_removed": list[JsonValue](found.special_removed),
        "merges_added": found.merges_added,
        "merges_removed": found.merges_removed,
        "merges_reordered": found.merges_reordered,
    }
