"""Small model families for tests of lineage: large enough to be measured, small enough to be quick."""

import json
import struct
from collections.abc import Mapping

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import quantize
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float32]]

_WIDTH = 64
_LAYERS = 2
_WORDS = 128


def fresh(seed: int) -> Arrays:
    """A model that is kin to no other: two layers, 64 wide, a vocabulary of 128."""
    random = np.random.default_rng(seed)
    shapes = {"model.embed_tokens.weight": (_WORDS, _WIDTH), "model.norm.weight": (_WIDTH,)}
    for layer in range(_LAYERS):
        for name, shape in (
            ("self_attn.q_proj", (_WIDTH, _WIDTH)),
            ("self_attn.o_proj", (_WIDTH, _WIDTH)),
            ("mlp.up_proj", (2 * _WIDTH, _WIDTH)),
            ("mlp.down_proj", (_WIDTH, 2 * _WIDTH)),
        ):
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
    return {name: random.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}


def finetuned(model: Arrays, seed: int, drift: float = 0.02) -> Arrays:
    """The same after a training: every value has moved a little."""
    random = np.random.default_rng(seed)
    return {
        name: (values + random.normal(0, drift * 0.05, values.shape)).astype(np.float32)
        for name, values in model.items()
    }


def merged(parents: list[tuple[Arrays, float]]) -> Arrays:
    """The weighted mean of several."""
    return {
        name: np.sum([weight * model[name] for model, weight in parents], axis=0).astype(np.float32)
        for name in parents[0][0]
    }


def adapter(model: Arrays, seed: int, rank: int = 4) -> Arrays:
    """Factors of low rank for the first matrices of a model, in the layout of PEFT."""
    random = np.random.default_rng(seed)
    found: Arrays = {}
    for name in [name for name in model if "q_proj" in name]:
        rows, columns = model[name].shape
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        found[f"{stem}.lora_A.weight"] = random.normal(0, 0.05, (rank, columns)).astype(np.float32)
        found[f"{stem}.lora_B.weight"] = random.normal(0, 0.05, (rows, rank)).astype(np.float32)
    return found


def safetensors_of(model: Mapping[str, NDArray[np.float32]]) -> bytes:
    """The model as the bytes of a safetensors file."""
    header, end = {}, 0
    for name, values in model.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [end, end + values.nbytes],
        }
        end += values.nbytes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(values.tobytes() for values in model.values())


def gguf_of(model: Mapping[str, NDArray[np.float32]], kind: str = "Q8_0") -> bytes:
    """The model as the bytes of a GGUF file, its matrices quantised; under the names that it has."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    infos, blocks, end = b"", [], 0
    for name, values in model.items():
        plain = values.ndim == 1
        number = 0 if plain else GGMLQuantizationType[kind].value
        data = values.tobytes() if plain else quantize(values, GGMLQuantizationType[kind]).tobytes()
        shape = tuple(reversed(values.shape))
        infos += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        infos += struct.pack("<IQ", number, end)
        blocks.append(data + bytes(-len(data) % 32))
        end += len(blocks[-1])
    pair = text("general.architecture") + struct.pack("<I", 8) + text("none")
    header = b"GGUF" + struct.pack("<IQQ", 3, len(model), 1) + pair + infos
    return header + bytes(-len(header) % 32) + b"".join(blocks)
