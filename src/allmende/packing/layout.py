"""Where the tensors of a file lie: their stretches of bytes, under names that a family shares.

What does not parse, lies in another place, or overlaps what came before it is simply no tensor here: it is
stored as bytes like any other. So nothing that a file says of itself can make a recipe wrong, only larger.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.formats import Malformed
from allmende.weights import (
    BytesMissing,
    GgmlBlocks,
    Model,
    NoWeights,
    Place,
    PlainWords,
    RowsMoved,
    Source,
    Span,
    UnreadableWeights,
    WeightTensor,
    canonical_names,
    read_tensors,
)

__all__ = ["PlacedTensor", "tensors_in"]


@dataclass(frozen=True, slots=True, eq=False)
class PlacedTensor:
    """A tensor in a file: `size_bytes` from `start` on, in the row-major order of `shape`.

    `rows_from` is there where a converter moved rows: row `i` of the tensor that the name means is row
    `rows_from[i]` of what lies here.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size_bytes: int
    rows_from: NDArray[np.int64] | None = None

    @property
    def values(self) -> int:
        """How many values it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def columns(self) -> int:
        """The length of a row, in values; 1 for what has no rows."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) if len(self.shape) > 1 else 1

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.size_bytes


def tensors_in(place: Place) -> list[PlacedTensor]:
    """The tensors of a file in the order of their bytes, none overlapping another; none where there are
    none.
    """
    try:
        layout, listed, metadata = read_tensors(place)
        model = Model(place.name, layout, {tensor.name: tensor for tensor in listed}, metadata=metadata)
        named = canonical_names(model)
    except (Malformed, NoWeights, UnreadableWeights, BytesMissing):
        return []
    return list(_apart(sorted(_placed(place, named), key=lambda one: (one.start, -one.size_bytes))))


def _placed(place: Place, named: "dict[str, WeightTensor]") -> Iterator[PlacedTensor]:
    for name, tensor in named.items():
        source: Source = tensor.source
        rows_from = None
        if isinstance(source, RowsMoved):
            rows_from, source = source.rows_from, source.source
        span = source.span if isinstance(source, PlainWords | GgmlBlocks) else None
        if span is not None and _is_within(span, place):
            yield PlacedTensor(name, tensor.dtype, tensor.shape, span.start, span.size_bytes, rows_from)


def _is_within(span: Span, place: Place) -> bool:
    inside = span.start >= 0 and span.start + span.size_bytes <= place.size_bytes
    return span.place is place and inside and span.size_bytes > 0


def _apart(ordered: list[PlacedTensor]) -> Iterator[PlacedTensor]:
    end = 0
    for one in ordered:
        if one.start >= end:
            yield one
            end = one.end
