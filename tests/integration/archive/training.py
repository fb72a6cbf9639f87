"""A training run that never was: weights in bfloat16 that drift a little from one checkpoint to the next."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import TensorSpec, serialize

SHAPES = {
    "model.embed_tokens.weight": (256, 96),
    "model.layers.0.self_attn.q_proj.weight": (96, 96),
    "model.layers.0.mlp.up_proj.weight": (256, 96),
    "model.layers.0.input_layernorm.weight": (96,),
    "model.layers.1.self_attn.q_proj.weight": (96, 96),
    "model.layers.1.mlp.up_proj.weight": (256, 96),
    "model.layers.1.input_layernorm.weight": (96,),
    "model.norm.weight": (96,),
}


class Training:
    """Weights that a seed fixes; each `step` moves them, by a share of their size."""

    def __init__(self, seed: int, drift: float = 1e-3) -> None:
        self._generator = np.random.default_rng(seed)
        self._drift = drift
        self.weights: dict[str, NDArray[np.float32]] = {
            name: self._generator.normal(0, 0.05, shape).astype(np.float32) for name, shape in SHAPES.items()
        }

    def step(self, generator: np.random.Generator | None = None) -> None:
        """Move every weight a little."""
        chosen = generator or self._generator
        for values in self.weights.values():
            moves = chosen.normal(0, 0.05 * self._drift, values.shape)
            np.add(values, moves, out=values, casting="same_kind")

    def checkpoint(self, dtype: str = "bfloat16") -> bytes:
        """The weights as a file of safetensors, written by the library of that name."""
        return safetensors_file(self.weights, dtype)


def safetensors_file(weights: Mapping[str, NDArray[np.float32]], dtype: str = "bfloat16") -> bytes:
    """A file of safetensors with these values in a type of words."""
    # The library reads the words where they lie: they must live until it has.
    kept = {name: words(values, dtype) for name, values in weights.items()}
    specs = {
        name: TensorSpec(
            dtype=dtype, shape=weights[name].shape, data_ptr=array.ctypes.data, data_len=array.nbytes
        )
        for name, array in kept.items()
    }
    return bytes(serialize(specs, {"format": "pt"}))


def words(values: NDArray[np.float32], dtype: str) -> NDArray[np.generic]:
    """Values as words of a type; bfloat16 rounds to even."""
    if dtype == "float32":
        return np.ascontiguousarray(values, "<f4")
    bits = np.ascontiguousarray(values, "<f4").view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def write_run(folder: Path, steps: int, seed: int = 1) -> list[Path]:
    """Write the checkpoints of a run, each in a folder with a small file beside it."""
    training = Training(seed)
    written = []
    for number in range(steps):
        path = folder / f"step-{number * 100:06}" / "model.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(training.checkpoint())
        (path.parent / "state.json").write_text(f'{{"step": {number * 100}}}\n')
        written.append(path)
        training.step()
    return written
