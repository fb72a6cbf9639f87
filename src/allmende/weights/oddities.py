"""What is odd about the values of a model: tensors that are zero or all equal, values that are not finite.

None of it is a fault by itself: fresh biases are zero and fresh norms are one. It tells what was never
trained, what was cut off, and where training broke.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from allmende.weights.models import Model
from allmende.weights.tensors import WeightTensor

__all__ = ["Oddity", "oddities_of"]

_PIECE = 1 << 18

Tell = Callable[[int, int], None]
"""Called with the values read so far and all that are to be."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """`what` is `zero` or `constant` (all values are), `nan` or `infinite` (`count` values are)."""

    tensor: str
    what: str
    count: int


def oddities_of(model: Model, tell: Tell | None = None) -> list[Oddity]:
    """All of a model, in the order of its tensors. Reads every value once. Raises BytesMissing."""
    found: list[Oddity] = []
    done, of = 0, model.parameters
    for name, tensor in model.tensors.items():
        found += _of_tensor(name, tensor)
        done += tensor.elements
        if tell is not None:
            tell(done, of)
    return found


def _of_tensor(name: str, tensor: WeightTensor) -> list[Oddity]:
    nan = infinite = 0
    lowest, highest = np.inf, -np.inf
    for _, values in tensor.pieces(_PIECE):
        not_a_number = np.isnan(values)
        nan += int(np.count_nonzero(not_a_number))
        infinite += int(np.count_nonzero(np.isinf(values)))
        lowest = min(lowest, float(np.min(values, initial=np.inf, where=~not_a_number)))
        highest = max(highest, float(np.max(values, initial=-np.inf, where=~not_a_number)))
    found = [Oddity(name, what, count) for what, count in (("nan", nan), ("infinite", infinite)) if count]
    # A single value equals itself, which says nothing.
    if not found and tensor.elements > 1 and lowest == highest:
        found.append(Oddity(name, "zero" if lowest == 0 else "constant", tensor.elements))
    return found
