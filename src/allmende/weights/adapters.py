"""Adapters (LoRA in the layout of PEFT): which models they fit, and of which they are known to be.

An adapter holds two thin factors for each matrix that it changes and nothing of the base itself, so weights
alone seldom tell the base. What can be measured: whether the shapes fit, and whether some model is the base
plus the adapter. What can be declared stands in its configuration.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from allmende.formats import JsonValue
from allmende.weights.models import Model
from allmende.weights.names import canonical_names
from allmende.weights.relations import Edge, Grade, Parent
from allmende.weights.tensors import WeightTensor

__all__ = ["adapter_edges", "is_adapter"]

_FACTOR = re.compile(r"^(.*)\.lora_([AB])(?:\.[^.]+)?(?:\.weight)?$")
_MERGED_FIT = 0.3
_MAX_TESTED = 4
_ROWS = 64


@dataclass(frozen=True, slots=True)
class _Factors:
    a: WeightTensor
    b: WeightTensor

    @property
    def shape(self) -> tuple[int, int]:
        return self.b.matrix[0], self.a.matrix[1]


def is_adapter(model: Model) -> bool:
    """Whether a model holds the factors of an adapter and little else."""
    named = [name for name in model.tensors if _FACTOR.match(name)]
    return len(named) >= 2 and len(named) * 2 > len(model.tensors)


def adapter_edges(query: Model, candidates: Sequence[Model]) -> list[Edge]:
    """For an adapter its edge to the base, if one can be told; an empty list for other models.

    A base that the configuration names is `declared` where the shapes fit, and `contradicted` where they do
    not. It is `strong` where another candidate is, within its rounding, the base plus the adapter.
    """
    if not is_adapter(query):
        return []
    factors = _factors(query)
    rank = max((pair.a.matrix[0] for pair in factors.values()), default=0)
    fitting = [model for model in candidates if model.name != query.name and _fits(factors, model)]
    evidence: dict[str, JsonValue] = {
        "adapted_modules": len(factors),
        "fits": list[JsonValue]([model.name for model in fitting][:50]),
    }
    merged = _merged_pair(factors, fitting)
    if merged is not None:
        base, whole = merged
        evidence["merged_in"] = whole.name
        return [_edge(base.name, "strong", evidence, rank)]
    declared = query.config.get("base_model_name_or_path")
    if isinstance(declared, str) and declared:
        evidence["declared"] = declared[:500]
        named = [model for model in candidates if _is_named(model.name, declared)]
        if named:
            grade: Grade = "declared" if named[0] in fitting else "contradicted"
            return [_edge(named[0].name, grade, evidence, rank)]
    return [Edge((), ("adapter",), "declared", "undetermined", evidence, rank)]


def _edge(base: str, grade: Grade, evidence: Mapping[str, JsonValue], rank: int) -> Edge:
    return Edge((Parent(base),), ("adapter",), grade, "irreversible", evidence, rank)


def _is_named(name: str, declared: str) -> bool:
    ends = declared.replace("\\", "/").rstrip("/").split("/")
    return name in {declared, ends[-1], "/".join(ends[-2:])}


def _factors(model: Model) -> dict[str, _Factors]:
    found: dict[str, dict[str, WeightTensor]] = {}
    for name, tensor in model.tensors.items():
        match = _FACTOR.match(name)
        if match and len(tensor.shape) == 2:
            found.setdefault(match[1], {})[match[2]] = tensor
    return {
        name: _Factors(pair["A"], pair["B"])
        for name, pair in found.items()
        if len(pair) == 2 and pair["A"].matrix[0] == pair["B"].matrix[1]
    }


def _target(name: str, tensors: Mapping[str, WeightTensor]) -> WeightTensor | None:
    """The matrix that a module's factors are for: the longest ending of its name that the model has."""
    parts = name.split(".")
    for first in range(len(parts)):
        found = tensors.get(".".join(parts[first:]) + ".weight")
        if found is not None:
            return found
    ending = "." + ".".join(parts[-3:]) + ".weight"
    return next((tensor for other, tensor in tensors.items() if other.endswith(ending)), None)


def _fits(factors: Mapping[str, _Factors], model: Model) -> bool:
    tensors = canonical_names(model) | dict(model.tensors)
    targets = {name: _target(name, tensors) for name in factors}
    return bool(factors) and all(
        target is not None and target.matrix == factors[name].shape for name, target in targets.items()
    )


def _merged_pair(factors: Mapping[str, _Factors], fitting: Sequence[Model]) -> tuple[Model, Model] | None:
    """A base and a model that is this base plus the adapter, if both are among the candidates."""
    tested = sorted(factors)[:_MAX_TESTED]
    tables = {model.name: canonical_names(model) | dict(model.tensors) for model in fitting}
    found: list[tuple[float, Model, Model]] = []
    for base, whole in permutations(fitting, 2):
        left = [
            _left(factors[name], _target(name, tables[base.name]), _target(name, tables[whole.name]))
            for name in tested
        ]
        if max(left) < _MERGED_FIT:
            found.append((max(left), base, whole))
    best = min(found, key=lambda one: one[0], default=None)
    return best[1:] if best is not None else None


def _left(pair: _Factors, base: WeightTensor | None, whole: WeightTensor | None) -> float:
    """What of the difference of two models the scaled product of the factors does not explain, as a share."""
    if base is None or whole is None:
        return 1.0
    rows = np.arange(min(_ROWS, base.matrix[0]))
    added = pair.b.rows(rows).astype(np.float64) @ pair.a.values().reshape(pair.a.matrix).astype(np.float64)
    moved = whole.rows(rows).astype(np.float64) - base.rows(rows)
    size, whole_size = float((added * added).sum()), float((moved * moved).sum())
    if not (np.isfinite(size) and np.isfinite(whole_size) and size > 0 and whole_size > 0):
        return 1.0
    scale = float((added * moved).sum()) / size
    return float(((moved - scale * added) ** 2).sum()) / whole_size if scale > 0 else 1.0
