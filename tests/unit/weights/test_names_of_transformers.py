"""Every tensor of a model of transformers has its name and its values again when it comes from GGUF."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from allmende.weights.names import canonical_name, canonical_names
from tests.weight_tensors import Array, array_of, model_of

pytestmark = [pytest.mark.torch, pytest.mark.timeout(300)]

SIZES = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
FEW_KEYS = {**SIZES, "num_key_value_heads": 2, "intermediate_size": 48}
GPT2 = {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", FEW_KEYS),
    "llama biased": ("LlamaForCausalLM", {**FEW_KEYS, "attention_bias": True}),
    "llama mistral": ("MistralForCausalLM", {**FEW_KEYS, "head_dim": 16}),
    "qwen2": ("Qwen2ForCausalLM", FEW_KEYS),
    "qwen3": ("Qwen3ForCausalLM", {**FEW_KEYS, "head_dim": 8}),
    "gemma": ("GemmaForCausalLM", {**FEW_KEYS, "head_dim": 8}),
    "gemma2": ("Gemma2ForCausalLM", {**FEW_KEYS, "head_dim": 8}),
    "gemma3": ("Gemma3ForCausalLM", {**FEW_KEYS, "head_dim": 8}),
    "phi2": ("PhiForCausalLM", {**SIZES, "intermediate_size": 48}),
    "phi3": ("Phi3ForCausalLM", {**SIZES, "intermediate_size": 48, "pad_token_id": 0}),
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "gptj": ("GPTJForCausalLM", {**GPT2, "rotary_dim": 4}),
    "starcoder": ("GPTBigCodeForCausalLM", GPT2),
    "gptneox": ("GPTNeoXForCausalLM", {**SIZES, "intermediate_size": 48}),
    "bloom": ("BloomForCausalLM", {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpt": ("MptForCausalLM", {"vocab_size": 64, "d_model": 32, "n_layers": 2, "n_heads": 4}),
    "falcon 7b": ("FalconForCausalLM", SIZES),
    "falcon 40b": ("FalconForCausalLM", {**SIZES, "new_decoder_architecture": True, "num_kv_heads": 2}),
    "bert": ("BertModel", {**SIZES, "intermediate_size": 48}),
    "t5": ("T5ForConditionalGeneration", {
        "vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
    }),
    "stablelm": ("StableLmForCausalLM", FEW_KEYS),
    "starcoder2": ("Starcoder2ForCausalLM", FEW_KEYS),
    "olmo2": ("Olmo2ForCausalLM", FEW_KEYS),
    "command-r": ("CohereForCausalLM", FEW_KEYS),
    "granite": ("GraniteForCausalLM", FEW_KEYS),
}  # fmt: skip
NOT_IN_GGUF = {"lm_head.weight", "pooler.dense.weight", "pooler.dense.bias", "encoder.embed_tokens.weight",
               "decoder.embed_tokens.weight"}  # fmt: skip
"""Tied to another tensor, or left out by the converter."""

KV_HEADS = {"llama": 2, "llama mistral": 2, "llama biased": 2, "granite": 2, "falcon 7b": 1, "falcon 40b": 2}


def by_halves(weights: Array, heads: int) -> Array:
    parts = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return parts.swapaxes(1, 2).reshape(weights.shape)


def by_part(weights: Array, heads: int) -> Array:
    parts = weights.reshape(heads, 3, -1, *weights.shape[1:])
    return np.concatenate([parts[:, part].reshape(-1, *weights.shape[1:]) for part in range(3)])


def by_kind(weights: Array, heads: int, groups: int) -> Array:
    parts = weights.reshape(groups, heads // groups + 2, -1, weights.shape[1])
    kinds = (parts[:, :-2], parts[:, -2:-1], parts[:, -1:])
    return np.concatenate([kind.reshape(-1, weights.shape[1]) for kind in kinds])


def converted(case: str, name: str, values: Array) -> Array:
    """As llama.cpp's converter changes the values of this tensor."""
    architecture = case.split(maxsplit=1)[0]
    changes: dict[str, Callable[[], Array]] = {}
    if architecture in {"llama", "granite"}:
        changes = {
            "q_proj": lambda: by_halves(values, 4),
            "k_proj": lambda: by_halves(values, KV_HEADS[case]),
        }
    elif architecture.startswith("gemma"):
        changes = {"norm.weight": lambda: values + 1}
    elif architecture == "gpt2":
        changes = {part: lambda: values.T for part in ("c_attn.weight", "c_proj.weight", "c_fc.weight")}
    elif architecture in {"gptneox", "bloom"}:
        changes = {"query_key_value": lambda: by_part(values, 4)}
    elif architecture == "falcon":
        changes = {"query_key_value": lambda: by_kind(values, 4, KV_HEADS[case])}
    return next((change() for word, change in changes.items() if word in name), values)


def random_state(case: str) -> dict[str, Array]:
    import torch
    import transformers

    made, sizes = MODELS[case]
    kind = getattr(transformers, made)
    config = transformers.Gemma3TextConfig(**sizes) if case == "gemma3" else kind.config_class(**sizes)
    with torch.no_grad():
        names = {name: value.shape for name, value in kind(config).state_dict().items()}
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in names.items()}


@pytest.mark.parametrize("case", MODELS)
def test_names_and_values_come_back_from_gguf(case: str) -> None:
    from gguf import get_tensor_name_map
    from gguf.constants import MODEL_ARCH_NAMES

    architecture = case.split(maxsplit=1)[0]
    known = next(arch for arch, name in MODEL_ARCH_NAMES.items() if name == architecture)
    names = get_tensor_name_map(known, 2)
    held = {canonical_name(name): values for name, values in random_state(case).items()}
    gguf: dict[str, Array] = {}
    left = set()
    for name, values in random_state(case).items():
        looked_up = name.removeprefix("transformer.") if architecture == "bloom" else name
        renamed = names.get_name(looked_up, try_suffixes=(".weight", ".bias"))
        if renamed is None or renamed in gguf:
            left.add(canonical_name(name))
        else:
            gguf[renamed] = converted(case, name, values)
    says = {"general.architecture": architecture, f"{architecture}.attention.head_count": "4"}
    if case in KV_HEADS:
        says[f"{architecture}.attention.head_count_kv"] = str(KV_HEADS[case])
    found = canonical_names(model_of(gguf, says))
    assert left <= NOT_IN_GGUF
    assert set(found) == set(held) - left
    for name, tensor in found.items():
        assert tensor.shape == held[name].shape
        np.testing.assert_allclose(array_of(tensor), held[name], atol=1e-6, err_msg=name)
