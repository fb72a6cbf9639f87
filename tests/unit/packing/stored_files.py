"""Files of weights in memory, stored on a shelf and read again."""

import hashlib
import io
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from allmende.codecs import Recipe, read_recipe, write_recipe
from allmende.ids import Sha256
from allmende.packing import build, open_recipe
from allmende.weights import Place, StreamPlace
from tests.unit.packing.memory_shelf import MemoryShelf

_DTYPES = {"float32": "F32", "float16": "F16", "uint16": "BF16"}


def place_of(data: bytes) -> Place:
    return StreamPlace("content", io.BytesIO(data), len(data))


def stored(shelf: MemoryShelf, data: bytes, bases: Sequence[Sequence[Recipe]] = (), **how: Any) -> Recipe:
    """Store bytes, and check that they come back through the stored form of their recipe."""
    recipe = build(place_of(data), shelf, Sha256(hashlib.sha256(data).hexdigest()), bases, **how)
    assert read_recipe(write_recipe(recipe)) == recipe
    with open_recipe(recipe, shelf) as reader:
        assert reader.read() == data
    return recipe


def safetensors(tensors: Mapping[str, tuple[str, list[int], bytes]], gap: bytes = b"") -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + body + gap


def weights(seed: int, names: Sequence[str] = ("a", "b")) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return {name: random.standard_normal((64, 256)).astype(np.float32) for name in names}


def near(values: NDArray[np.float32], seed: int = 9, drift: float = 1e-4) -> NDArray[np.float32]:
    """Values that moved a little."""
    step = np.random.default_rng(seed).standard_normal(values.shape) * drift
    return (values + step).astype(np.float32)


def file_of(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    return safetensors(
        {name: (_DTYPES[a.dtype.name], list(a.shape), a.tobytes()) for name, a in sorted(arrays.items())}
    )
