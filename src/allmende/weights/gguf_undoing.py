"""The tensors of a GGUF file as they were before llama.cpp's converter rearranged them: names and values.

The converter renames all tensors; for some architectures it also reorders the rows of the query and key
projections (its rotary embedding pairs neighbouring rows, that of transformers pairs the halves of a head),
splits fused projections by part rather than by head, transposes, and adds 1 to the weights of norms. Meta's
own files of Llama have the same order of rows as GGUF, so they go the same way.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from allmende.weights.gguf_tables import ARCHITECTURES_BY_MODEL_TYPE, gguf_template, transformers_template
from allmende.weights.models import Model
from allmende.weights.tensors import WeightTensor
from allmende.weights.views import Offset, RowsMoved, Transposed, part_of

__all__ = ["before_conversion", "in_gguf_names", "in_meta_names"]

_BLOCK = re.compile(r"^((?:(?:enc|dec)\.)?blk)\.(\d{1,6})\.(.{1,128})$", re.DOTALL)
_META_WQ = re.compile(r"^layers\.\d{1,6}\.attention\.wq\.weight$")
_META_BLOCK = re.compile(r"^(layers)\.(\d{1,6})\.(.{1,128})$", re.DOTALL)
_ONE_EXPERT = re.compile(r"^(ffn_(?:gate|up|down))\.(\d{1,4})$")
_SUFFIX = re.compile(r"\.(weight|bias)$")
_MAX_PARTS = 1024
_KEPT_ORDERS = 8
"""All layers of a model have the same orders of rows, so they share them."""

_PERMUTED = frozenset(
    {"llama", "granite", "granitemoe", "granitehybrid", "minicpm", "internlm2", "baichuan",
     "xverse", "olmo", "arctic", "deepseek", "smollm3", "arcee", "mistral3", "llama-embed"}
)  # fmt: skip
_NORMS_PLUS_ONE = frozenset({"gemma", "gemma2", "gemma3", "gemma-embedding", "nemotron", "qwen3next"})
_CONV1D = frozenset({"gpt2", "jais"})
_CONV1D_WEIGHTS = ("attn_qkv.weight", "attn_output.weight", "ffn_up.weight", "ffn_down.weight")
_QKV_BY_HEAD = frozenset({"gptneox", "bloom"})


@dataclass(frozen=True, slots=True)
class _Layout:
    """What must be known of a model to undo its conversion; zero where it is not told."""

    architecture: str
    heads: int
    kv_heads: int
    head_dim: int
    gated: bool
    two_norms: bool


def in_gguf_names(names: Iterable[str]) -> bool:
    """Whether the tensors are called as in GGUF, whatever file they are in."""
    return any(_BLOCK.match(name) for name in names)


def in_meta_names(names: Iterable[str]) -> bool:
    """Whether the tensors are called as in Meta's own files of Llama."""
    return any(_META_WQ.match(name) for name in names)


def before_conversion(
    model: Model, tensors: Mapping[str, WeightTensor]
) -> Iterator[tuple[str, WeightTensor]]:
    """The tensors under the names they had in transformers, each after the name it has here.

    What is not known keeps its name and its values; where the number of heads is not told, rows stay in the
    order they have. One tensor of experts becomes one for each expert.
    """
    named, architecture = tensors, _architecture(model, tensors)
    if in_meta_names(tensors):
        renamed = {_from_meta(name): tensor for name, tensor in tensors.items()}
        named, architecture = (renamed if len(renamed) == len(tensors) else tensors), "llama"
    layout = _layout_of(model, named, architecture)
    for name, tensor in named.items():
        found = _before(layout, name, tensor)
        for before in found:
            # The tensors of experts share the name that their own had, so theirs is the new one.
            yield tensor.name if len(found) == 1 else before.name, before


def _before(layout: _Layout, name: str, tensor: WeightTensor) -> list[WeightTensor]:
    template, layer, suffix, expert = _parsed(name)
    if expert is not None:
        template += "_exps"
    found = transformers_template(layout.architecture, template)
    if found is None:
        return [tensor]
    found = _refined(layout, found).replace("{bid}", layer)
    full = found + suffix if found.endswith("_") and suffix else f"{found}.{suffix}" if suffix else found
    if "{xid}" not in full:
        return [replace(_undone(layout, name, tensor), name=full)]
    if expert is not None:
        return [replace(tensor, name=full.replace("{xid}", expert))]
    return _parts(tensor, full)


def _parts(tensor: WeightTensor, full: str) -> list[WeightTensor]:
    if len(tensor.shape) < 2 or not 0 < tensor.shape[0] <= _MAX_PARTS or not tensor.elements:
        return [tensor]
    parts = [part_of(tensor, full.replace("{xid}", str(number)), number) for number in range(tensor.shape[0])]
    whole = [part for part in parts if part is not None]
    return whole if len(whole) == len(parts) else [tensor]


def _undone(layout: _Layout, name: str, tensor: WeightTensor) -> WeightTensor:
    """The tensor with its values where they were."""
    rows = tensor.shape[0] if tensor.shape else 0
    if layout.architecture in _CONV1D and name.endswith(_CONV1D_WEIGHTS) and len(tensor.shape) == 2:
        turned = Transposed(tensor.source, *tensor.shape)
        return replace(tensor, shape=(tensor.shape[1], rows), source=turned)
    if layout.architecture in _NORMS_PLUS_ONE and name.endswith("norm.weight") and "ssm" not in name:
        return replace(tensor, source=Offset(tensor.source, 1.0, tensor.dtype))
    order = _order(layout, name, rows)
    if order is None or not tensor.elements:
        return tensor
    return replace(tensor, source=RowsMoved(tensor.source, order, tensor.elements // rows))


def _order(layout: _Layout, name: str, rows: int) -> NDArray[np.int64] | None:
    """For each row as it was, the row where it is now; None where none moved."""
    part = _SUFFIX.sub("", name).rpartition(".")[2]
    if layout.architecture in _PERMUTED and part in {"attn_q", "attn_k"}:
        size = layout.head_dim
        if size < 2 or size % 2 or rows % size:
            return None
        return _halves_order(rows, size)
    if part != "attn_qkv" or layout.heads < 1:
        return None
    if layout.architecture in _QKV_BY_HEAD and rows % (3 * layout.heads) == 0:
        return _heads_order(rows, layout.heads)
    groups = layout.kv_heads or 1
    if layout.architecture == "falcon" and not (layout.heads % groups or rows % (layout.heads + 2 * groups)):
        return _falcon_order(rows, layout.heads, groups)
    return None


@lru_cache(_KEPT_ORDERS)
def _halves_order(rows: int, size: int) -> NDArray[np.int64]:
    """GGUF has the rows of a head that rotate together side by side; transformers in the head's halves."""
    return np.arange(rows).reshape(-1, size // 2, 2).swapaxes(1, 2).ravel()


@lru_cache(_KEPT_ORDERS)
def _heads_order(rows: int, heads: int) -> NDArray[np.int64]:
    """GGUF has all queries, all keys, all values; GPT-NeoX and Bloom those of a head together."""
    return np.arange(rows).reshape(3, heads, -1).swapaxes(0, 1).ravel()


@lru_cache(_KEPT_ORDERS)
def _falcon_order(rows: int, heads: int, groups: int) -> NDArray[np.int64]:
    """Falcon keeps a group's queries with their key and value; GGUF all queries, all keys, all values."""
    size = rows // (heads + 2 * groups)
    query, key, value = np.split(np.arange(rows), [heads * size, (heads + groups) * size])
    parts = [part.reshape(groups, -1, size) for part in (query, key, value)]
    return np.concatenate(parts, axis=1).ravel()


def _refined(layout: _Layout, template: str) -> str:
    """Two names depend on what else the model has: the up projection of T5, and a norm of Falcon."""
    if layout.gated and template.endswith("DenseReluDense.wi"):
        return template + "_1"
    if layout.two_norms and layout.architecture == "falcon" and template.endswith(".input_layernorm"):
        return template.replace("input_layernorm", "ln_mlp")
    return template


def _parsed(name: str) -> tuple[str, str, str, str | None]:
    """A name's template, its layer, its suffix, and the expert of files that kept experts apart."""
    found = _SUFFIX.search(name)
    stem, suffix = (name[: found.start()], found[1]) if found else (name, "")
    block = _BLOCK.match(stem)
    if block is None:
        return stem, "", suffix, None
    one = _ONE_EXPERT.match(block[3])
    return f"{block[1]}.{{bid}}.{one[1] if one else block[3]}", block[2], suffix, one[2] if one else None


def _from_meta(name: str) -> str:
    found = _SUFFIX.search(name)
    stem, suffix = (name[: found.start()], found[0]) if found else (name, "")
    block = _META_BLOCK.match(stem)
    if block is None:
        return (gguf_template(stem) or stem) + suffix
    template = gguf_template(f"layers.{{bid}}.{block[3]}")
    return name if template is None else template.replace("{bid}", block[2]) + suffix


def _layout_of(model: Model, named: Mapping[str, WeightTensor], architecture: str) -> _Layout:
    heads = _told(model, f"{architecture}.attention.head_count", "num_attention_heads", "n_head", "n_heads")
    kv_heads = _told(
        model, f"{architecture}.attention.head_count_kv", "num_key_value_heads", "num_kv_heads", "n_kv_heads"
    )
    # In hybrid models the first layers may have no attention.
    query = next((tensor for name, tensor in named.items() if name.endswith(".attn_q.weight")), None)
    frequencies = named.get("rope.freqs") or named.get("rope_freqs")
    head_dim = _told(model, f"{architecture}.attention.key_length", "head_dim")
    if heads and query is not None and query.shape:
        head_dim = query.shape[0] // heads
    elif frequencies is not None:
        head_dim = 2 * frequencies.elements
    return _Layout(
        architecture, heads, kv_heads, head_dim,
        gated=any(name.endswith("blk.0.ffn_gate.weight") for name in named),
        two_norms="blk.0.attn_norm_2.weight" in named,
    )  # fmt: skip


def _architecture(model: Model, named: Mapping[str, WeightTensor]) -> str:
    said = model.metadata.get("general.architecture") or model.config.get("model_type")
    if isinstance(said, str):
        return ARCHITECTURES_BY_MODEL_TYPE.get(said, said)
    if any(name.startswith("enc.blk.") for name in named):
        return "t5" if any(name.startswith("dec.blk.") for name in named) else "t5encoder"
    return "bert" if "token_types.weight" in named else "llama"


def _told(model: Model, key: str, *settings: str) -> int:
    """A number from the metadata, or else from the configuration; 0 where neither tells it."""
    said = model.metadata.get(key, "")
    if re.fullmatch(r"\d{1,9}", said):
        return int(said)
    found = (model.config.get(setting) for setting in settings)
    return next((value for value in found if type(value) is int and 0 < value < 10**9), 0)
