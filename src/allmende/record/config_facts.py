"""The measures of a model, as its configuration or the header of its GGUF file gives them."""

from collections.abc import Mapping
from datetime import datetime

from allmende.proof import JsonObject, JsonValue
from allmende.record.form import Tool, known, unknown

__all__ = ["CONFIG_TOOL", "hyperparameters"]

CONFIG_TOOL = Tool("allmende.config", "1")

_MEASURES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("hidden_size", ("hidden_size", "d_model", "n_embd", "dim"), "embedding_length"),
    ("layers", ("num_hidden_layers", "n_layer", "num_layers", "n_layers"), "block_count"),
    ("attention_heads", ("num_attention_heads", "n_head", "num_heads", "n_heads"), "attention.head_count"),
    ("key_value_heads", ("num_key_value_heads",), "attention.head_count_kv"),
    ("feed_forward_size", ("intermediate_size", "n_inner", "ffn_dim", "d_ff"), "feed_forward_length"),
    ("vocabulary", ("vocab_size",), "vocab_size"),
    ("context_length", ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), "context_length"),
    ("rope_dimensions", ("rotary_dim",), "rope.dimension_count"),
    ("experts", ("num_local_experts", "n_routed_experts", "num_experts"), "expert_count"),
)
"""A measure, the keys of a `config.json` that give it, and that of a GGUF header behind its architecture."""

_ADAPTER = ("r", "lora_alpha", "lora_dropout", "peft_type", "bias", "task_type", "use_dora", "use_rslora")
_MAX_CHARS = 200
_PER_HEAD = ("hidden_size", "attention_heads")


def hyperparameters(
    config: Mapping[str, JsonValue] | None,
    adapter: Mapping[str, JsonValue] | None,
    gguf: Mapping[str, JsonValue] | None,
    tokenizer: Mapping[str, JsonValue] | None,
    at: datetime,
) -> JsonObject:
    """The fact: from `config.json` (of several parts that for text), an adapter's, a GGUF's metadata.

    Whole numbers only; the first source that gives a measure decides.
    """
    found: JsonObject = {}
    evidence: JsonObject = {}
    for said, path in ((_for_text(config), "config.json"), (_of_gguf(gguf), "gguf")):
        fresh = {key: value for key, value in said.items() if key not in found}
        if fresh:
            found |= fresh
            evidence[path] = list[JsonValue](sorted(fresh))
    of_adapter: JsonObject = {
        key: value for key in _ADAPTER if (value := _scalar((adapter or {}).get(key))) is not None
    }
    if of_adapter:
        found["adapter"] = of_adapter
        evidence["adapter_config.json"] = list[JsonValue](sorted(of_adapter))
    name = (tokenizer or {}).get("tokenizer_class")
    if isinstance(name, str) and name:
        found["tokenizer"] = name[:_MAX_CHARS]
        evidence["tokenizer_config.json"] = ["tokenizer"]
    if not found:
        return unknown("not_declared")
    return known(found, "declared", CONFIG_TOOL, at, evidence)


def _for_text(config: Mapping[str, JsonValue] | None) -> JsonObject:
    said = config or {}
    inner = said.get("text_config")
    sources = [said, inner] if isinstance(inner, dict) else [said]
    found: JsonObject = {}
    for name, keys, _gguf in _MEASURES:
        value = next((n for one in sources for key in keys if (n := _whole(one.get(key))) is not None), None)
        if value is not None:
            found[name] = value
    _add_rotary(said, found)
    return found


def _add_rotary(config: Mapping[str, JsonValue], found: JsonObject) -> None:
    """Where the configuration says that positions rotate, but not how many dimensions: those of a head."""
    if "rope_dimensions" in found or not {"rope_theta", "rope_scaling", "rope_parameters"} & config.keys():
        return
    head = _whole(config.get("head_dim"))
    if head is None:
        hidden, heads = (found.get(key) for key in _PER_HEAD)
        if isinstance(hidden, int) and isinstance(heads, int) and heads > 0:
            head = hidden // heads
    if head is not None:
        found["rope_dimensions"] = head


def _of_gguf(header: Mapping[str, JsonValue] | None) -> JsonObject:
    metadata = (header or {}).get("metadata")
    said = metadata if isinstance(metadata, dict) else {}
    architecture = said.get("general.architecture")
    found: JsonObject = {}
    if _whole((header or {}).get("context_length")) is not None:
        found["context_length"] = (header or {})["context_length"]
    quantization = (header or {}).get("quantization")
    if isinstance(quantization, str):
        found["quantization"] = quantization[:_MAX_CHARS]
    for name, _keys, key in _MEASURES:
        value = _whole(said.get(f"{architecture}.{key}"))
        if value is not None:
            found[name] = value
    for name, key in (
        ("quantization_version", "general.quantization_version"),
        ("quantization_file_type", "general.file_type"),
    ):
        value = _whole(said.get(key))
        if value is not None:
            found[name] = value
    model = said.get("tokenizer.ggml.model")
    if isinstance(model, str):
        found["tokenizer"] = model[:_MAX_CHARS]
    return found


def _whole(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _scalar(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value[:_MAX_CHARS]
    return value if isinstance(value, bool | int | float) else None
