"""Models of a few values, held in memory, for the tests of comparisons."""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from allmende.weights import Model, StreamPlace, WeightTensor
from allmende.weights.tensors import PlainWords, Span

DTYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "uint64": "U64", "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip


def tensor(name: str, values: NDArray[np.generic]) -> WeightTensor:
    """A tensor as safetensors would hold it."""
    raw = np.ascontiguousarray(values).tobytes()
    dtype = DTYPES[values.dtype.name]
    place = StreamPlace(name, io.BytesIO(raw), len(raw))
    return WeightTensor(name, dtype, values.shape, PlainWords(Span(place, 0, len(raw)), dtype))


def model(name: str, tensors: Mapping[str, NDArray[np.generic]], **more: object) -> Model:
    """A model of these tensors, in the layout of safetensors."""
    return Model(name, "safetensors", {key: tensor(key, values) for key, values in tensors.items()}, **more)  # type: ignore[arg-type]
