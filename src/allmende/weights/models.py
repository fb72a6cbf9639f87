"""A model as lineage sees it: named tensors, its configuration, and what is wrong with its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from allmende.formats import JsonObject
from allmende.weights.tensors import WeightTensor

__all__ = ["Model"]


@dataclass(frozen=True, slots=True)
class Model:
    """The tensors of one model, by name in the order of its files.

    `layout` says whose names they are: `safetensors`, `gguf`, `torch`, `npz`, `onnx`. `problems` are
    sentences about files that could not be read while others could, and about tensors that carry no
    information.
    """

    name: str
    layout: str
    tensors: Mapping[str, WeightTensor]
    config: JsonObject = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """The number of values in all tensors."""
        return sum(tensor.elements for tensor in self.tensors.values())
