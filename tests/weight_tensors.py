"""Tensors and models made of arrays, for tests of the weights."""

from collections.abc import Mapping

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import quantize
from numpy.typing import NDArray

from allmende.formats import JsonObject
from allmende.weights.ggml_blocks import GgmlBlocks, ggml_type
from allmende.weights.models import Model
from allmende.weights.places import BytesPlace
from allmende.weights.tensors import PlainWords, Span, WeightTensor

Array = NDArray[np.float32]


def tensor_of(name: str, values: NDArray[np.generic], dtype: str = "F32") -> WeightTensor:
    """A tensor that holds these values, in float32 or float16, or in a quantised type of ggml."""
    kind = ggml_type(dtype)
    if kind is not None and kind.block_elements > 1:
        raw = quantize(values.astype(np.float32), GGMLQuantizationType[dtype]).tobytes()
        return WeightTensor(name, dtype, values.shape, GgmlBlocks(_span(raw), kind))
    raw = values.astype({"F32": np.float32, "F16": np.float16}[dtype]).tobytes()
    return WeightTensor(name, dtype, values.shape, PlainWords(_span(raw), dtype))


def model_of(
    arrays: Mapping[str, NDArray[np.generic]],
    metadata: Mapping[str, str] | None = None,
    config: JsonObject | None = None,
) -> Model:
    """A model of such tensors."""
    tensors = {name: tensor_of(name, values) for name, values in arrays.items()}
    return Model("made", "safetensors", tensors, config or {}, metadata or {})


def array_of(tensor: WeightTensor) -> Array:
    """All values of a tensor in its shape."""
    return tensor.values().reshape(tensor.shape).astype(np.float32)


def _span(raw: bytes) -> Span:
    return Span(BytesPlace("made", b"before" + raw + b"after"), 6, len(raw))
