"""Llama models as GGUF: the names and the order of rotary rows that llama.cpp wants, and its block formats.

`gguf.quants` writes the simple formats; Q4_K and Q6_K, which it only reads, have a plain quantiser here. Its
choice of scales is simpler than llama.cpp's search, the layout of the blocks is the same.
"""

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from tests.families.weights import Model, Tensors

SUPER = 256
PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def gguf_name(name: str) -> str:
    """The name that llama.cpp has for a tensor of transformers."""
    stem = name.removesuffix(".weight")
    if stem in OUTER:
        return f"{OUTER[stem]}.weight"
    layer, _, part = stem.removeprefix("model.layers.").partition(".")
    return f"blk.{layer}.{PARTS[part]}.weight"


def heads_of(name: str, model: Model) -> int | None:
    """How many heads share the rows of a tensor that rotary positions touch; None for all others."""
    if name.endswith("q_proj.weight"):
        return int(model.config["num_attention_heads"])
    if name.endswith("k_proj.weight"):
        return int(model.config["num_key_value_heads"])
    return None


def interleaved(value: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of each head from two halves to pairs, as llama.cpp's converter does."""
    return value.reshape(heads, 2, -1, value.shape[1]).transpose(1, 2).reshape(value.shape)


def halved(value: torch.Tensor, heads: int) -> torch.Tensor:
    """The way back."""
    return value.reshape(heads, -1, 2, value.shape[1]).transpose(1, 2).reshape(value.shape)


def q4_k(rows: np.ndarray) -> np.ndarray:
    """Super-blocks of 8 x 32 values: 4 bits each, 6 bits for each scale and minimum, two fp16 for all."""
    blocks = rows.astype(np.float32).reshape(-1, 8, 32)
    low = np.minimum(blocks.min(2), 0)
    step = (np.maximum(blocks.max(2), 0) - low) / 15
    d = (step.max(1) / 63).astype(np.float16)
    dmin = (-low.min(1) / 63).astype(np.float16)
    wide, least = d.astype(np.float32)[:, None], dmin.astype(np.float32)[:, None]
    scales = (
        np.rint(np.divide(step, wide, where=wide > 0, out=np.zeros_like(step))).clip(0, 63).astype(np.uint8)
    )
    minima = (
        np.rint(np.divide(-low, least, where=least > 0, out=np.zeros_like(low))).clip(0, 63).astype(np.uint8)
    )
    real = (wide * scales)[:, :, None]
    shifted = blocks + (least * minima)[:, :, None]
    q = (
        np.rint(np.divide(shifted, real, where=real > 0, out=np.zeros_like(shifted)))
        .clip(0, 15)
        .astype(np.uint8)
    )
    packed = np.concatenate(
        [
            scales[:, :4] | (scales[:, 4:] >> 4) << 6,
            minima[:, :4] | (minima[:, 4:] >> 4) << 6,
            (scales[:, 4:] & 15) | (minima[:, 4:] & 15) << 4,
        ],
        axis=1,
    )
    nibbles = (q[:, 0::2] | q[:, 1::2] << 4).reshape(len(q), -1)
    whole = [d[:, None].view(np.uint8), dmin[:, None].view(np.uint8), packed, nibbles]
    return np.concatenate(whole, axis=1).reshape(*rows.shape[:-1], -1)


def q6_k(rows: np.ndarray) -> np.ndarray:
    """Super-blocks of 16 x 16 values: 6 bits each, an int8 for each scale, one fp16 for all."""
    blocks = rows.astype(np.float32).reshape(-1, 16, 16)
    step = np.abs(blocks).max(2) / 31
    d = (step.max(1) / 127).astype(np.float16)
    wide = d.astype(np.float32)[:, None]
    scales = (
        np.rint(np.divide(step, wide, where=wide > 0, out=np.zeros_like(step))).clip(0, 127).astype(np.int8)
    )
    real = (wide * scales)[:, :, None]
    q = np.rint(np.divide(blocks, real, where=real > 0, out=np.zeros_like(blocks))).clip(-32, 31) + 32
    four = q.astype(np.uint8).reshape(-1, 2, 4, 32)
    low = (four[:, :, :2] & 15 | (four[:, :, 2:] & 15) << 4).reshape(len(q), -1)
    high = four[:, :, 0] >> 4 | four[:, :, 1] >> 4 << 2 | four[:, :, 2] >> 4 << 4 | four[:, :, 3] >> 4 << 6
    whole = [low, high.reshape(len(q), -1), scales.view(np.uint8), d[:, None].view(np.uint8)]
    return np.concatenate(whole, axis=1).reshape(*rows.shape[:-1], -1)


def quantised(value: np.ndarray, kind: Type) -> np.ndarray:
    if kind == Type.Q4_K:
        return q4_k(value)
    if kind == Type.Q6_K:
        return q6_k(value)
    made: np.ndarray = gguf.quants.quantize(value, kind)
    return made


def write(path: Path, model: Model, kind: Type, output: Type | None = None) -> None:
    """The model as one file; norms stay F32, and the output matrix may have a finer format than the rest."""
    writer = gguf.GGUFWriter(path, "llama")
    config = model.config
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_layer_norm_rms_eps(1e-6)
    for name, tensor in model.tensors.items():
        heads = heads_of(name, model)
        value = (tensor.float() if heads is None else interleaved(tensor.float(), heads)).numpy()
        chosen = output if output is not None and name.startswith("lm_head") else kind
        if value.ndim == 1 or chosen == Type.F32:
            writer.add_tensor(gguf_name(name), value)
        else:
            writer.add_tensor(gguf_name(name), quantised(value, chosen), raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(path: Path, model: Model) -> Tensors:
    """The values of a file by `gguf`'s own reader, under the names and in the order of transformers."""
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    found: Tensors = {}
    for name, expected in model.tensors.items():
        tensor = stored.pop(gguf_name(name))
        flat = gguf.quants.dequantize(np.asarray(tensor.data), tensor.tensor_type)
        value = torch.from_numpy(np.array(flat, np.float32)).reshape(expected.shape)
        heads = heads_of(name, model)
        found[name] = value if heads is None else halved(value, heads)
    assert not stored, sorted(stored)
    return found
