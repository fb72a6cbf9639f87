"""What a comparison of two models shows, in words and numbers for people."""

import statistics
from collections import Counter
from collections.abc import Iterator

from allmende.weights.diff import ModelDiff, TensorDiff
from allmende.weights.diff_rows import Cell, Row, rows_of

__all__ = ["cell_text", "findings", "number_text", "shape_text", "share_text"]

_FEWEST_MATRICES = 3
_MOST = 0.8
_NO_ANGLE = 0.1
_MAX_NAMED = 5
_MAX_NAME_CHARS = 200


def number_text(value: float | None) -> str:
    """Two digits of a relative change: `1.2e-3`, `0` for none at all, a dash where it has no meaning."""
    if value is None:
        return "\N{EN DASH}"
    return "0" if value == 0 else f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e+")


def share_text(share: float) -> str:
    """A share in percent. Neither all nor nothing is said where it is not so."""
    if share in {0, 1}:
        return f"{share:.0%}"
    if share < 0.0001:
        return "<0.01%"
    if share > 0.9999:
        return ">99.99%"
    return f"{share:.2%}" if share < 0.01 or share > 0.99 else f"{share:.1%}"


def shape_text(shape: tuple[int, ...]) -> str:
    """Sides with a multiplication sign between them; `scalar` for no dimension."""
    return "\N{MULTIPLICATION SIGN}".join(map(str, shape)) if shape else "scalar"


def cell_text(cell: Cell) -> str:
    """The relative change of the tensors of a cell; where there is none, why: `new`, `gone`, `other`."""
    if cell.compared:
        return number_text(cell.figures.relative)
    if cell.tensors:
        return "0" if all(tensor.status == "same" for tensor in cell.tensors) else "other"
    return "new" if cell.added else "gone"


def findings(diff: ModelDiff) -> list[str]:
    """Sentences about what stands out, the most telling first. Observations, and no verdict on lineage."""
    return [
        *_sameness(diff),
        *_untouched_layers(rows_of(diff)),
        *_zeroed(diff),
        *_low_rank(diff),
        *_unrelated(diff),
        *_types(diff),
        *_rows(diff),
        *_only_in_one(diff),
        *_not_finite(diff),
    ]


def _sameness(diff: ModelDiff) -> Iterator[str]:
    count = len(diff.tensors)
    changed = [tensor for tensor in diff.tensors if tensor.status != "same"]
    total = diff.total
    if not count:
        yield "The two models have no tensor name in common."
    elif not changed:
        yield f"All {_of(count, 'tensor')} in both hold the same values."
    elif not total.changed:
        yield f"{len(changed)} of {_of(count, 'tensor')} in both changed, none of them in weights."
    else:
        yield (
            f"{len(changed)} of {_of(count, 'tensor')} in both changed: "
            f"{share_text(total.share_changed)} of their values, by {number_text(total.relative)} in norm."
        )
        numbers = [tensor for tensor in changed if tensor.figures is not None and tensor.figures.relative]
        if len(numbers) > 1:
            most = max(numbers, key=_relative)
            yield f"Most changed is {most.name[:_MAX_NAME_CHARS]} ({number_text(_relative(most))})."


def _untouched_layers(rows: list[Row]) -> Iterator[str]:
    layers = [row for row in rows if row.layer is not None and row.tensors]
    still = [row.label for row in layers if all(tensor.status == "same" for tensor in row.tensors)]
    if still and len(still) < len(layers):
        yield f"{len(still)} of {_of(len(layers), 'layer')} did not change: {_listed(still)}."


def _zeroed(diff: ModelDiff) -> Iterator[str]:
    total = diff.total
    if total.zeroed >= _MOST * total.changed > 0:
        share = share_text(total.zeroed / total.changed)
        yield f"{share} of the changed values are zero in B, as pruning leaves them."


def _low_rank(diff: ModelDiff) -> Iterator[str]:
    spectra = [tensor.spectrum for tensor in diff.tensors if tensor.spectrum is not None]
    ranks = Counter(spectrum.rank for spectrum in spectra if spectrum.rank is not None)
    if len(spectra) < _FEWEST_MATRICES or not ranks:
        return
    rank, count = ranks.most_common(1)[0]
    if count >= _MOST * len(spectra):
        yield (
            f"The change has rank {rank} in {count} of {len(spectra)} changed matrices, "
            "as a merged low-rank adapter (LoRA) leaves it."
        )


def _unrelated(diff: ModelDiff) -> Iterator[str]:
    angles = [
        tensor.figures.cosine
        for tensor in diff.tensors
        if tensor.spectrum is not None and tensor.figures is not None and tensor.figures.cosine is not None
    ]
    if len(angles) >= _FEWEST_MATRICES and abs(statistics.median(angles)) < _NO_ANGLE:
        yield (
            f"The matrices of both have nothing in common (median cosine {statistics.median(angles):.2f}): "
            "trained apart from each other, or with their neurons in another order."
        )


def _types(diff: ModelDiff) -> Iterator[str]:
    casts = Counter(
        (tensor.dtype_a, tensor.dtype_b) for tensor in diff.tensors if tensor.dtype_a != tensor.dtype_b
    )
    for (old, new), count in casts.most_common(_MAX_NAMED):
        yield f"{_of(count, 'tensor')} went from {old} to {new}."


def _rows(diff: ModelDiff) -> Iterator[str]:
    for tensor in [tensor for tensor in diff.tensors if tensor.rows_added][:_MAX_NAMED]:
        word, name = "more" if tensor.rows_added > 0 else "fewer", tensor.name[:_MAX_NAME_CHARS]
        yield f"{name} has {_of(abs(tensor.rows_added), 'row')} {word}; the common rows were compared."
    reshaped = [tensor.name for tensor in diff.tensors if tensor.status == "reshaped"]
    if reshaped:
        yield f"{_of(len(reshaped), 'tensor')} of another shape could not be compared: {_listed(reshaped)}."


def _only_in_one(diff: ModelDiff) -> Iterator[str]:
    for word, only in (("added in B", diff.added), ("gone in B", diff.removed)):
        if only:
            yield f"{_of(len(only), 'tensor')} {word}: {_listed([tensor.name for tensor in only])}."


def _not_finite(diff: ModelDiff) -> Iterator[str]:
    for side in ("a", "b"):
        count = sum(
            getattr(tensor.figures, f"not_finite_{side}")
            for tensor in diff.tensors
            if tensor.figures is not None
        )
        if count:
            verb = "is" if count == 1 else "are"
            yield f"{_of(count, 'value')} in {side.upper()} {verb} not finite; the figures leave them out."


def _relative(tensor: TensorDiff) -> float:
    return 0.0 if tensor.figures is None else tensor.figures.relative or 0.0


def _of(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(name[:_MAX_NAME_CHARS] for name in names[:_MAX_NAMED]) + (
        f" and {more} more" if more > 0 else ""
    )
