"""Small models of known descent, which was done to arrays: no training, but the same traces of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allmende.weights import Model
from allmende.weights.number_types import round_through
from tests.unit.weights.models_in_memory import model

Arrays = dict[str, NDArray[np.float32]]

WIDTH, HIDDEN, ROWS, LAYERS = 64, 128, 256, 3


def base(seed: int = 1, layers: int = LAYERS) -> Arrays:
    """A model as it comes from random values."""
    random = np.random.default_rng(seed)
    found: Arrays = {"embed_tokens.weight": _drawn(random, ROWS, WIDTH)}
    for layer in range(layers):
        at = f"layers.{layer}."
        found |= {
            f"{at}self_attn.q_proj.weight": _drawn(random, WIDTH, WIDTH),
            f"{at}self_attn.v_proj.weight": _drawn(random, WIDTH, WIDTH),
            f"{at}mlp.up_proj.weight": _drawn(random, HIDDEN, WIDTH),
            f"{at}mlp.down_proj.weight": _drawn(random, WIDTH, HIDDEN),
            f"{at}input_layernorm.weight": np.ones(WIDTH, np.float32),
        }
    return found | {"norm.weight": np.ones(WIDTH, np.float32), "lm_head.weight": _drawn(random, ROWS, WIDTH)}


def trained(
    start: Arrays, seed: int, far: float = 0.05, only: Callable[[str], bool] = lambda _: True
) -> Arrays:
    """A model trained from another: every value moves in a direction of its own."""
    random = np.random.default_rng(1000 + seed)
    return {
        name: (values + random.normal(0, far * 0.02, values.shape).astype(np.float32))
        if only(name)
        else values.copy()
        for name, values in start.items()
    }


def adapted(start: Arrays, seed: int, rank: int, modules: tuple[str, ...] = ("q_proj", "v_proj")) -> Arrays:
    """A model into which an adapter of a rank was merged."""
    random = np.random.default_rng(2000 + seed)
    found = {name: values.copy() for name, values in start.items()}
    for name, values in found.items():
        if any(module in name for module in modules):
            a = random.normal(0, 0.05, (values.shape[0], rank))
            b = random.normal(0, 0.02, (rank, values.shape[1]))
            found[name] = (values + a @ b).astype(np.float32)
    return found


def mixed(parts: Mapping[float, Arrays] | list[tuple[float, Arrays]]) -> Arrays:
    """A weighted sum of models."""
    listed = list(parts.items()) if isinstance(parts, Mapping) else parts
    return {
        name: np.sum([np.float32(weight) * one[name] for weight, one in listed], axis=0, dtype=np.float32)
        for name in listed[0][1]
    }


def rounded(start: Arrays, dtype: str) -> Arrays:
    """A model after a cast and back, still float32 words."""
    return {name: round_through(values, dtype).astype(np.float32) for name, values in start.items()}


def named(name: str, arrays: Arrays) -> Model:
    """The model under a name."""
    return model(name, arrays)


def called(known: Model, name: str) -> Model:
    """The same model under another name."""
    return replace(known, name=name)


def _drawn(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    return random.normal(0, 0.02, (rows, columns)).astype(np.float32)
