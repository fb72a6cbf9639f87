"""A model under examination: its tensors under canonical names, and samples of their values, read once.

A matrix is sampled in runs of 64 values along its rows; a vector is read whole, up to a bound. Two models
are compared at the positions that fit the query's shapes, so samples are kept by tensor and shape.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from allmende.weights.models import Model
from allmende.weights.names import canonical_names
from allmende.weights.number_types import Floats
from allmende.weights.positions import run_positions
from allmende.weights.tensors import WeightTensor

__all__ = ["MIN_SIDE", "Specimen", "is_matrix", "sample_positions", "specimen_of", "telling_tensors"]

MIN_SIDE = 8
"""A matrix carries its descent only with both sides this long; anything else is a vector here."""

_RUN = 64
_MAX_VECTOR = 1024
_MAX_VALUES = 400_000
_MAX_TENSORS = 2_000
_MIN_RUNS, _MAX_RUNS = 8, 64


def is_matrix(tensor: WeightTensor) -> bool:
    """Whether a tensor is one of those that kinship is read from."""
    rows, columns = tensor.matrix
    return min(rows, columns) >= MIN_SIDE


def sample_positions(tensor: WeightTensor, runs: int) -> NDArray[np.int64]:
    """The flat positions that are looked at in a tensor, one-dimensional."""
    if not is_matrix(tensor):
        return np.arange(min(tensor.elements, _MAX_VECTOR), dtype=np.int64)
    rows, columns = tensor.matrix
    wanted = max(runs, runs * _RUN // columns) if columns < _RUN else runs
    if rows * columns <= wanted * _RUN:
        return np.arange(rows * columns, dtype=np.int64)
    return run_positions(rows, columns, wanted, 0, _RUN).ravel()


def telling_tensors(model: Model) -> dict[str, WeightTensor]:
    """The tensors that are looked at, under canonical names: of a model with more than 2,000 the largest."""
    names = model.tensors
    if len(names) > _MAX_TENSORS:
        kept = sorted(names, key=lambda name: (-names[name].elements, name))[:_MAX_TENSORS]
        model = replace(model, tensors={name: names[name] for name in sorted(kept)})
    return canonical_names(model)


def specimen_of(model: Model) -> "Specimen":
    """A model, ready to be compared."""
    return Specimen(model, telling_tensors(model))


@dataclass
class Specimen:
    """One model with what was read of it."""

    model: Model
    tensors: Mapping[str, WeightTensor]
    _samples: dict[tuple[str, tuple[int, ...], int], Floats] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @cached_property
    def runs(self) -> int:
        """How many runs of each matrix are read, so that all of them together stay within a bound."""
        matrices = max(1, sum(map(is_matrix, self.tensors.values())))
        return int(np.clip(_MAX_VALUES // (_RUN * matrices), _MIN_RUNS, _MAX_RUNS))

    def sample(self, name: str, like: WeightTensor, runs: int) -> Floats:
        """The values of a tensor at the positions of another, `like`, which it is compared with.

        The two have the same columns; where this one has fewer rows, NaN stands for what it lacks.
        """
        key = (name, like.shape, runs)
        known = self._samples.get(key)
        if known is None:
            known = self._samples[key] = _sampled(self.tensors[name], sample_positions(like, runs))
        return known

    def forget(self) -> None:
        """Let go of what was read."""
        self._samples.clear()


def _sampled(tensor: WeightTensor, positions: NDArray[np.int64]) -> Floats:
    inside = positions < tensor.elements
    if inside.all():
        return tensor.at(positions)
    found = np.full(positions.shape, np.nan, np.float32)
    found[inside] = tensor.at(positions[inside])
    return found
