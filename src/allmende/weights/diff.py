"""What differs between the weights of two models, tensor by tensor, in one pass and bounded memory.

Tensors are matched by name; where the names differ and their layouts are known, by canonical names. Of
tensors that differ in their number of rows alone (a vocabulary that grew) the common rows are compared.
Tensors of integers are compared exactly; all others as the values that they stand for, so that a cast or a
quantisation shows as the change that it makes.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.figures import NOTHING_COMPARED, Figures, figures_of
from allmende.weights.layers import Standing, standing_of
from allmende.weights.models import Model
from allmende.weights.names import canonical_names
from allmende.weights.number_types import number_type
from allmende.weights.spectra import Spectrum, spectrum_of_change
from allmende.weights.tensors import PlainWords, WeightTensor

__all__ = ["ModelDiff", "TensorDiff", "TensorOnly", "compare_models", "sum_of"]

_PIECE = 1 << 18
"""Values compared at a time: 2 MiB as float64, which stays in the cache of a processor."""

_INTEGERS = frozenset({"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"})

Tell = Callable[[int, int], None]
"""Called with the values compared so far and all that are to be."""


@dataclass(frozen=True, slots=True)
class TensorOnly:
    """A tensor that one of both models has."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    standing: Standing

    @property
    def elements(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class TensorDiff:
    """A tensor of both. `figures` are over `rows` rows that both have; None where the shapes do not fit.

    `exact` marks tensors of integers, of which only the count of changes and the largest mean something.
    """

    name: str
    name_a: str
    name_b: str
    standing: Standing
    dtype_a: str
    dtype_b: str
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    figures: Figures | None
    spectrum: Spectrum | None
    exact: bool

    @property
    def rows_added(self) -> int:
        """Rows that B has more than A, negative where it has fewer; 0 where the shapes do not fit at all."""
        if self.figures is None or self.shape_a == self.shape_b:
            return 0
        return self.shape_b[0] - self.shape_a[0]

    @property
    def status(self) -> str:
        """`same` (values), `changed`, `rows` (another number of rows), or `reshaped` (not to be compared)."""
        if self.figures is None:
            return "reshaped"
        if self.shape_a != self.shape_b:
            return "rows"
        return "changed" if self.figures.changed else "same"

    @property
    def differs(self) -> bool:
        """Whether values, shape or type are other ones."""
        return self.status != "same" or self.dtype_a != self.dtype_b


@dataclass(frozen=True, slots=True)
class ModelDiff:
    """All of it. `names` is `plain`, or `canonical` where tensors were matched by canonical names."""

    a: Model
    b: Model
    names: str
    tensors: tuple[TensorDiff, ...]
    removed: tuple[TensorOnly, ...]
    added: tuple[TensorOnly, ...]

    @property
    def differs(self) -> bool:
        """Whether the weights are not the same: values, names, shapes, types, or what could not be read."""
        return bool(
            self.added
            or self.removed
            or self.a.problems
            or self.b.problems
            or any(tensor.differs for tensor in self.tensors)
        )

    @property
    def total(self) -> Figures:
        """Over all tensors that were compared as numbers."""
        return sum_of(self.tensors)


def sum_of(tensors: Iterable[TensorDiff]) -> Figures:
    """The figures of several tensors together; those of integers and of other shapes are left out."""
    found = NOTHING_COMPARED
    for tensor in tensors:
        if tensor.figures is not None and not tensor.exact:
            found += tensor.figures
    return found


def compare_models(a: Model, b: Model, tell: Tell | None = None) -> ModelDiff:
    """Compare B with A. Reads all values of both once. Raises BytesMissing."""
    names, of_a, of_b = _matched(a, b)
    common = [name for name in of_a if name in of_b]
    of = sum(min(of_a[name].elements, of_b[name].elements) for name in common)
    done = 0
    tensors: list[TensorDiff] = []
    for name in common:
        for found in _compare(name, of_a[name], of_b[name]):
            if isinstance(found, TensorDiff):
                tensors.append(found)
            elif tell is not None:
                tell(done + found, of)
        done += min(of_a[name].elements, of_b[name].elements)
    removed = tuple(_only(name, tensor) for name, tensor in of_a.items() if name not in of_b)
    added = tuple(_only(name, tensor) for name, tensor in of_b.items() if name not in of_a)
    return ModelDiff(a, b, names, tuple(tensors), removed, added)


def _only(name: str, tensor: WeightTensor) -> TensorOnly:
    return TensorOnly(name, tensor.dtype, tensor.shape, standing_of(name))


def _matched(a: Model, b: Model) -> tuple[str, Mapping[str, WeightTensor], Mapping[str, WeightTensor]]:
    """How names were matched, and the tensors of both under the names to match by."""
    if a.tensors.keys() != b.tensors.keys():
        of_a, of_b = canonical_names(a), canonical_names(b)
        if len(of_a.keys() & of_b.keys()) > len(a.tensors.keys() & b.tensors.keys()):
            return "canonical", of_a, of_b
    return "plain", a.tensors, b.tensors


def _compare(name: str, a: WeightTensor, b: WeightTensor) -> Iterator["int | TensorDiff"]:
    """How many values are compared so far, now and then; at the end the outcome."""
    rows = _rows_in_common(a.shape, b.shape)
    exact = _is_integers(a) and _is_integers(b)
    figures: Figures | None = None
    spectrum: Spectrum | None = None
    if rows is not None:
        figures = NOTHING_COMPARED
        count = min(a.elements, b.elements)
        for first in range(0, count, _PIECE):
            figures += _piece(a, b, first, min(_PIECE, count - first), exact=exact)
            yield first
        if figures.squares_change > 0 and not exact:
            spectrum = spectrum_of_change(a, b, rows)
    yield TensorDiff(
        name, a.name, b.name, standing_of(name), a.dtype, b.dtype, a.shape, b.shape, figures, spectrum, exact
    )


def _rows_in_common(a: tuple[int, ...], b: tuple[int, ...]) -> int | None:
    if a == b:
        return a[0] if a else 1
    return min(a[0], b[0]) if a and b and a[1:] == b[1:] else None


def _is_integers(tensor: WeightTensor) -> bool:
    return isinstance(tensor.source, PlainWords) and tensor.source.dtype in _INTEGERS


def _piece(a: WeightTensor, b: WeightTensor, first: int, count: int, *, exact: bool) -> Figures:
    differs = _words(a, first, count) != _words(b, first, count) if exact else None
    return figures_of(a.values(first, count), b.values(first, count), differs)


def _words(tensor: WeightTensor, first: int, count: int) -> NDArray[np.generic]:
    """The integers themselves: float64 does not hold those beyond 2**53."""
    assert isinstance(tensor.source, PlainWords)
    words = number_type(tensor.source.dtype)
    assert words is not None
    return np.frombuffer(tensor.source.span.read(first * words.itemsize, count * words.itemsize), words)
