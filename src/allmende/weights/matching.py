"""Which tensor of one model is which of another: by name, and by content where names do not tell.

Layers get dropped, repeated and spliced, and tensors renamed at will. What a matrix holds then says more than
what it is called; vectors go where the matrices beside them went.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from allmende.weights.sign_codes import MIN_SAMPLES, Options, agreement, best_options, needed, sign_codes
from allmende.weights.tensors import WeightTensor

__all__ = ["match"]

_SETTLED = 0.9
"""Where same-named matrices agree so well, no better one is looked for."""

_CLEARLY_BETTER = 0.15
_MAX_NAME_CHARS = 512
_MAX_RESIZED = 256
_MIN_VECTOR = 16
_MAX_VECTORS = 1024
_MAX_VECTOR_VALUES = 256
_LAYER = re.compile(r"^(.*?\.\d{1,6})\.(.+)$", re.DOTALL)

Tensors = Mapping[str, WeightTensor]


@dataclass(frozen=True, slots=True)
class _Found:
    """Pairs so far, and where the layers of the query went: counts of candidate layers by query layer."""

    pairs: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    moves: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, name: str, other: str) -> None:
        self.pairs[name] = other
        self.used.add(other)
        here, there = _layer(name), _layer(other)
        if here and there:
            self.moves[here][there] += 1

    def layer_of(self, name: str) -> str:
        """The candidate's layer to which most matrices of this tensor's layer went; empty if none did."""
        counts = self.moves.get(_layer(name))
        return counts.most_common(1)[0][0] if counts else ""


def match(query: Tensors, candidate: Tensors) -> dict[str, str]:
    """For tensors of the query the tensor of the candidate that each should be compared with, by name.

    Names alike and shapes that fit (equal, or but for the first dimension) make a pair, unless the values
    disagree and those of another tensor of the same shape agree. One tensor of the candidate may serve
    several of the query. Tensors without a counterpart are left out. Raises BytesMissing.
    """
    found = _Found()
    unsure: dict[str, tuple[str, ...]] = {}
    candidates = _by_shape(candidate)
    for shape, names in _by_shape(query).items():
        others = candidates.get(shape, [])
        if others and _is_matrix(query[names[0]]):
            _match_shape(query, candidate, names, others, found, unsure)
    for name, options in unsure.items():
        found.add(name, _preferred(name, options, found))
    _match_resized(query, candidate, found)
    for name in query:
        if name not in found.pairs and (other := _follower(name, query, candidate, found)):
            found.pairs[name] = other
    _match_vectors(query, candidate, found)
    return {name: found.pairs[name] for name in query if name in found.pairs}


def _match_shape(
    query: Tensors, candidate: Tensors, names: list[str], others: list[str],
    found: _Found, unsure: dict[str, tuple[str, ...]],
) -> None:  # fmt: skip
    """Pairs of matrices of one shape; those that could be several go to `unsure`."""
    box = query[names[0]].matrix
    here = sign_codes([query[name] for name in names], box)
    there = sign_codes([candidate[name] for name in others], box)
    place = {name: number for number, name in enumerate(others)}
    named = [place.get(name, -1) for name in names]
    share, samples = agreement(here, there[named])
    told = (np.array(named) >= 0) & (samples >= MIN_SAMPLES)
    open_rows = [
        row for row in range(len(names)) if here[row].any() and not (told[row] and share[row] >= _SETTLED)
    ]
    options = dict(zip(open_rows, best_options(here[open_rows], there), strict=True))
    for row, name in enumerate(names):
        best = options.get(row)
        if named[row] >= 0 and not _is_better(best, float(share[row]) if told[row] else 0.0):
            # A matrix that tells nothing goes where its layer goes: see _follower.
            if told[row]:
                found.add(name, name)
        elif best is not None:
            _add_option(name, [others[number] for number in best.places], found, unsure)


def _add_option(name: str, options: list[str], found: _Found, unsure: dict[str, tuple[str, ...]]) -> None:
    if len(options) == 1:
        found.add(name, options[0])
    else:
        unsure[name] = tuple(options)


def _is_better(best: Options | None, share: float) -> bool:
    return best is not None and best.agreement >= share + _CLEARLY_BETTER


def _preferred(name: str, options: tuple[str, ...], found: _Found) -> str:
    """Of equal candidates the one in the layer where the others went, and one that serves nobody yet."""
    counts = found.moves.get(_layer(name), Counter())
    return max(options, key=lambda other: (counts[_layer(other)], other == name, other not in found.used))


def _match_resized(query: Tensors, candidate: Tensors, found: _Found) -> None:
    """Matrices under other names with more or fewer rows: an embedding whose vocabulary changed."""
    free: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, tensor in candidate.items():
        if name not in found.used and _is_matrix(tensor):
            free[tensor.shape[1:]].append(name)
    left = (
        name
        for name, tensor in query.items()
        if name not in found.pairs and _is_matrix(tensor) and not _fits(tensor, candidate.get(name))
    )
    tries = ((name, other) for name in left for other in free.get(query[name].shape[1:], ()))
    for name, other in islice(tries, _MAX_RESIZED):
        if name not in found.pairs and _agree(query[name], candidate[other]):
            found.add(name, other)


def _agree(tensor: WeightTensor, resized: WeightTensor) -> bool:
    """Whether two matrices agree in the rows that both have."""
    box = (min(tensor.shape[0], resized.shape[0]), tensor.matrix[1])
    if box[0] * box[1] < MIN_SAMPLES:
        return False
    share, samples = agreement(sign_codes([tensor], box), sign_codes([resized], box))
    return bool(share[0] >= needed(samples)[0])


def _follower(name: str, query: Tensors, candidate: Tensors, found: _Found) -> str | None:
    """The counterpart of a tensor whose values tell nothing: beside what its neighbours were matched with."""
    module, _, last = name.rpartition(".")
    weight = found.pairs.get(f"{module}.weight")
    layer = found.layer_of(name)
    rest = _rest(name)
    told = (
        f"{weight.rpartition('.')[0]}.{last}" if weight else None,
        f"{layer}.{rest}" if layer and rest else None,
        name,
    )
    return next((other for other in told if other and _fits(query[name], candidate.get(other))), None)


def _match_vectors(query: Tensors, candidate: Tensors, found: _Found) -> None:
    """Vectors of other names: by their values, among those of the layer where their matrices went."""
    candidates = _by_shape(candidate)
    left: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, tensor in query.items():
        if name not in found.pairs and not _is_matrix(tensor) and tensor.shape in candidates:
            left[tensor.shape].append(name)
    for shape, names in left.items():
        others = candidates[shape][:_MAX_VECTORS]
        read = np.stack([_values(candidate[other]) for other in others])
        layers = np.array([_layer(other) for other in others])
        for name in names[:_MAX_VECTORS]:
            layer = found.layer_of(name)
            near = np.flatnonzero(layers == layer) if layer else layers[:0]
            near = near if near.size else np.arange(len(others))
            chosen = _nearest(_values(query[name]), read[near])
            if chosen is not None:
                found.pairs[name] = others[int(near[chosen])]


def _nearest(values: NDArray[np.float64], others: NDArray[np.float64]) -> int | None:
    """The vector that goes together with this one and lies nearer than any other by far: None if in doubt."""
    likeness = _correlations(values, others)
    unlike = np.stack([np.linalg.norm(others - values, axis=1), 1 - likeness])
    for measure in unlike:
        order = np.argsort(measure, kind="stable")
        alone = len(order) == 1 or 2 * measure[order[0]] < measure[order[1]]
        if alone and likeness[order[0]] >= 0.8:
            return int(order[0])
    return None


def _correlations(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """With each of the others about the means; 0 for vectors too short or too even to say."""
    values, others = values - values.mean(), others - others.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(others, axis=1) * np.linalg.norm(values)
    told = (sizes > 0) & (len(values) >= _MIN_VECTOR)
    return np.where(told, others @ values / np.where(sizes > 0, sizes, 1), 0)


def _values(tensor: WeightTensor) -> NDArray[np.float64]:
    found = tensor.values(0, min(tensor.elements, _MAX_VECTOR_VALUES)).astype(np.float64)
    return np.clip(np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0), -1e30, 1e30)


def _by_shape(tensors: Tensors) -> dict[tuple[int, ...], list[str]]:
    found: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, tensor in tensors.items():
        found[tensor.shape].append(name)
    return found


def _is_matrix(tensor: WeightTensor) -> bool:
    return len(tensor.shape) > 1 and tensor.elements >= MIN_SAMPLES


def _fits(tensor: WeightTensor, other: WeightTensor | None) -> bool:
    """Whether shapes are equal, or but for the first of several dimensions."""
    if other is None:
        return False
    if tensor.shape == other.shape:
        return True
    return len(tensor.shape) > 1 and len(other.shape) > 1 and tensor.shape[1:] == other.shape[1:]


def _layer(name: str) -> str:
    found = _LAYER.match(name[:_MAX_NAME_CHARS])
    return found[1] if found else ""


def _rest(name: str) -> str:
    found = _LAYER.match(name)
    return found[2] if found else ""
