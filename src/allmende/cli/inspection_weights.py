"""What `inspect` says of weights beyond the headers of safetensors and GGUF: other files, whole models."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from allmende.errors import AllmendeError
from allmende.formats import JsonObject, JsonValue

if TYPE_CHECKING:
    from allmende.weights import Model

__all__ = ["LISTED_FORMATS", "WEIGHT_FORMATS", "list_tensors", "summarise_weights"]

LISTED_FORMATS = frozenset({"torch_zip", "npz", "npy", "onnx"})
"""Formats whose tensors are listed by the readers of weights."""

WEIGHT_FORMATS = LISTED_FORMATS | {"safetensors", "gguf"}

_MAX_ODD = 100


def list_tensors(path: Path, *, with_tensors: bool) -> JsonObject | None:
    """What a file holds, in the form that `inspect` has for safetensors; None where it holds no tensors.

    Raises AllmendeError where it cannot be read.
    """
    from allmende.weights import NoWeights, open_model

    try:
        model = open_model(path)
    except NoWeights:
        return None
    found: JsonObject = {
        "total": model.parameters,
        "parameters": _parameters(model),
        "tensor_count": len(model.tensors),
    }
    if with_tensors:
        found["tensors"] = [
            {"name": name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
            for name, tensor in model.tensors.items()
        ]
    return found


def summarise_weights(
    path: Path, *, values: bool, tell: Callable[[int, int], None] | None = None
) -> JsonObject | None:
    """The model that lies at a path: its size, types and layers; with `values`, what is odd about them.

    None where there are no weights; `error` and `code` where they cannot be read. Never raises for what is in
    the files.
    """
    from allmende.weights import NoWeights, oddities_of, open_model

    try:
        model = open_model(path)
        found: JsonObject = {
            "layout": model.layout,
            "parameters": model.parameters,
            "tensor_count": len(model.tensors),
            "dtypes": _parameters(model),
            "layers": _layers(model),
            "problems": list[JsonValue](model.problems),
        }
        if values:
            odd = oddities_of(model, tell)
            found["odd_counts"] = dict(Counter(oddity.what for oddity in odd))
            found["odd"] = [
                {"tensor": oddity.tensor, "what": oddity.what, "count": oddity.count}
                for oddity in odd[:_MAX_ODD]
            ]
    except NoWeights:
        return None
    except AllmendeError as error:
        return {"error": error.message, "code": error.code}
    return found


def _parameters(model: "Model") -> JsonObject:
    counts: Counter[str] = Counter()
    for tensor in model.tensors.values():
        counts[tensor.dtype] += tensor.elements
    return dict(counts)


def _layers(model: "Model") -> JsonObject:
    """How many layers each stack has; a stack is told by what stands before the number in its names."""
    from allmende.weights import standing_of

    places = {
        (found.stack, found.layer) for found in map(standing_of, model.tensors) if found.layer is not None
    }
    return dict(sorted(Counter(stack for stack, _ in places).items()))
