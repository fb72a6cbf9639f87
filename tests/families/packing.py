"""Quantised tensors inside safetensors: int8 and fp8 with scales, and NF4 as bitsandbytes lays it out.

Each packer turns one matrix into the tensors that are stored for it, and there is an unpacker that gives the
values back, by which the generator checks itself.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

import torch

from tests.families.weights import Tensors

NF4_VALUES = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)
NF4_BLOCK = 64
NESTED_BLOCK = 256
FP8_LARGEST = 448.0

Pack = Callable[[str, torch.Tensor], Tensors]
Unpack = Callable[[str, Tensors], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Packing:
    """How matrices are stored; `dtype` is what a listing of the file would call the model."""

    pack: Pack
    unpack: Unpack
    dtype: str


def rows_to_int8(name: str, value: torch.Tensor) -> Tensors:
    flat = value.float().reshape(len(value), -1)
    scale = (flat.abs().amax(1) / 127).clamp_min(1e-12)
    stored = torch.round(flat / scale[:, None]).to(torch.int8).reshape(value.shape)
    return {name: stored, f"{name}_scale": scale[:, None].to(torch.float32)}


def rows_from_int8(name: str, stored: Tensors) -> torch.Tensor:
    scale = stored[f"{name}_scale"]
    return stored[name].float() * scale.reshape(-1, *(1,) * (stored[name].ndim - 1))


def tensor_to_int8(name: str, value: torch.Tensor) -> Tensors:
    scale = value.float().abs().max() / 127
    return {name: torch.round(value.float() / scale).to(torch.int8), f"{name}.scale": scale}


def tensor_from_int8(name: str, stored: Tensors) -> torch.Tensor:
    return stored[name].float() * stored[f"{name}.scale"]


def tensor_to_fp8(name: str, value: torch.Tensor) -> Tensors:
    scale = value.float().abs().max() / FP8_LARGEST
    return {name: (value.float() / scale).to(torch.float8_e4m3fn), f"{name}_scale": scale.reshape(1)}


def tensor_from_fp8(name: str, stored: Tensors) -> torch.Tensor:
    return stored[name].float() * stored[f"{name}_scale"]


def nearest(values: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    bounds = (table[1:] + table[:-1]) / 2
    return torch.bucketize(values.contiguous(), bounds).to(torch.uint8)


def dynamic_map() -> torch.Tensor:
    """The signed table of 256 values by which bitsandbytes stores scales of scales."""
    values = [0.0, 1.0]
    for exponent in range(7):
        borders = torch.linspace(0.1, 1, 2**exponent + 1)
        means = (borders[:-1] + borders[1:]) / 2 * 10.0 ** (exponent - 6)
        values += [*means.tolist(), *(-means).tolist()]
    return torch.tensor(sorted(values))


def state_of(settings: dict[str, object]) -> torch.Tensor:
    return torch.frombuffer(bytearray(json.dumps(settings).encode()), dtype=torch.uint8)


def to_nf4(name: str, value: torch.Tensor, *, nested: bool) -> Tensors:
    """Values packed two to a byte, the first above; `absmax` by block of 64, the table, the state."""
    table = torch.tensor(NF4_VALUES)
    blocks = value.float().reshape(-1, NF4_BLOCK)
    scale = blocks.abs().amax(1).clamp_min(1e-12)
    codes = nearest(blocks / scale[:, None], table).flatten()
    settings: dict[str, object] = {
        "quant_type": "nf4",
        "blocksize": NF4_BLOCK,
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": list(value.shape),
    }
    stored = {name: (codes[::2] << 4 | codes[1::2])[:, None], f"{name}.quant_map": table}
    if nested:
        offset = scale.mean()
        centred = torch.nn.functional.pad(scale - offset, (0, -len(scale) % NESTED_BLOCK)).reshape(
            -1, NESTED_BLOCK
        )
        outer = centred.abs().amax(1).clamp_min(1e-12)
        inner = nearest(centred / outer[:, None], dynamic_map()).flatten()[: len(scale)]
        settings |= {
            "nested_blocksize": NESTED_BLOCK,
            "nested_dtype": "float32",
            "nested_offset": offset.item(),
        }
        stored |= {
            f"{name}.absmax": inner,
            f"{name}.nested_absmax": outer,
            f"{name}.nested_quant_map": dynamic_map(),
        }
    else:
        stored[f"{name}.absmax"] = scale
    return stored | {f"{name}.quant_state.bitsandbytes__nf4": state_of(settings)}


def from_nf4(name: str, stored: Tensors) -> torch.Tensor:
    settings = json.loads(bytes(stored[f"{name}.quant_state.bitsandbytes__nf4"].tolist()))
    scale = stored[f"{name}.absmax"]
    if "nested_blocksize" in settings:
        outer = stored[f"{name}.nested_absmax"].repeat_interleave(settings["nested_blocksize"])[: len(scale)]
        scale = stored[f"{name}.nested_quant_map"][scale.int()] * outer + settings["nested_offset"]
    packed = stored[name].flatten()
    codes = torch.stack([packed >> 4, packed & 15], dim=1).flatten().int()
    values = stored[f"{name}.quant_map"][codes].reshape(-1, settings["blocksize"]) * scale[:, None]
    return values.reshape(settings["shape"])


INT8_ROWS = Packing(rows_to_int8, rows_from_int8, "int8")
INT8_TENSOR = Packing(tensor_to_int8, tensor_from_int8, "int8")
FP8_SCALED = Packing(tensor_to_fp8, tensor_from_fp8, "fp8_e4m3")
NF4 = Packing(lambda n, v: to_nf4(n, v, nested=False), from_nf4, "nf4")
NF4_NESTED = Packing(lambda n, v: to_nf4(n, v, nested=True), from_nf4, "nf4")
