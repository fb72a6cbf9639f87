"""Which transformers name a tensor of a GGUF file had before llama.cpp's converter renamed it.

The correspondence is that of the package `gguf`, which lists for each tensor all names it has in any
architecture. To go back one must be chosen: the first that begins as the architecture's names do, unless it
is listed here. What the lists lack is here too: experts, which files of transformers hold one by one.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gguf.constants import MODEL_TENSOR

__all__ = ["ARCHITECTURES_BY_MODEL_TYPE", "gguf_template", "transformers_template"]

_LAYERS = ("model.",)
_GPT2 = ("transformer.h.", "transformer.wte", "transformer.wpe", "transformer.ln_f")
_BERT = ("encoder.layer.", "embeddings.")
_NOMIC = ("encoder.layers.", "embeddings.", "emb_ln")
_T5 = ("encoder.", "decoder.", "shared")

_ROOTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gpt2": _GPT2, "starcoder": _GPT2, "gptj": _GPT2, "jais": _GPT2, "qwen": _GPT2, "refact": _GPT2,
        "falcon": ("transformer.h.", "transformer.word_embeddings", "transformer.ln_f"),
        "mpt": ("transformer.blocks.", "transformer.wte", "transformer.norm_f"),
        "gptneox": ("gpt_neox.",),
        "bloom": ("h.", "word_embeddings", "ln_f"),
        "bert": _BERT, "jina-bert-v2": _BERT,
        "nomic-bert": _NOMIC, "nomic-bert-moe": _NOMIC, "jina-bert-v3": _NOMIC,
        "modern-bert": ("layers.", "embeddings.", "final_norm"),
        "t5": _T5, "t5encoder": _T5,
        "chatglm": ("encoder.", "embedding.", "output_layer"),
        "mamba": ("backbone.",), "mamba2": ("backbone.",),
    }
)  # fmt: skip
"""How names begin in an architecture, best first; `model.` in all others."""

_LAYER = "model.layers.{bid}."
_MIXTRAL: Mapping[str, str] = MappingProxyType(
    {
        "FFN_GATE_EXP": _LAYER + "block_sparse_moe.experts.{xid}.w1",
        "FFN_DOWN_EXP": _LAYER + "block_sparse_moe.experts.{xid}.w2",
        "FFN_UP_EXP": _LAYER + "block_sparse_moe.experts.{xid}.w3",
        "FFN_GATE_INP": _LAYER + "block_sparse_moe.gate",
    }
)
_DEEPSEEK: Mapping[str, str] = MappingProxyType(
    {
        "FFN_GATE_SHEXP": _LAYER + "mlp.shared_experts.gate_proj",
        "FFN_DOWN_SHEXP": _LAYER + "mlp.shared_experts.down_proj",
        "FFN_UP_SHEXP": _LAYER + "mlp.shared_experts.up_proj",
        "FFN_EXP_PROBS_B": _LAYER + "mlp.gate.e_score_correction_",
    }
)
_USUAL: Mapping[str, str] = MappingProxyType(
    {
        "OUTPUT": "lm_head",
        "ATTN_Q_NORM": _LAYER + "self_attn.q_norm",
        "ATTN_K_NORM": _LAYER + "self_attn.k_norm",
        "FFN_GATE_INP": _LAYER + "mlp.gate",
        "FFN_GATE_INP_SHEXP": _LAYER + "mlp.shared_expert_gate",
        "FFN_GATE_EXP": _LAYER + "mlp.experts.{xid}.gate_proj",
        "FFN_DOWN_EXP": _LAYER + "mlp.experts.{xid}.down_proj",
        "FFN_UP_EXP": _LAYER + "mlp.experts.{xid}.up_proj",
    }
)
_H = "transformer.h.{bid}."
_CHOSEN: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "llama": _MIXTRAL,
        "phimoe": _MIXTRAL,
        "deepseek": _DEEPSEEK,
        "deepseek2": _DEEPSEEK,
        "chatglm": {"OUTPUT": "output_layer"},
        "phi2": {
            "ATTN_OUT": _LAYER + "self_attn.dense", "OUTPUT_NORM": "model.final_layernorm",
            "FFN_UP": _LAYER + "mlp.fc1", "FFN_DOWN": _LAYER + "mlp.fc2",
        },
        "phi3": {"FFN_UP": _LAYER + "mlp.gate_up_proj", "ATTN_QKV": _LAYER + "self_attn.qkv_proj"},
        "glm4": {
            "FFN_UP": _LAYER + "mlp.gate_up_proj",
            "ATTN_POST_NORM": _LAYER + "post_self_attn_layernorm",
            "FFN_POST_NORM": _LAYER + "post_mlp_layernorm",
        },
        "starcoder2": {"FFN_UP": _LAYER + "mlp.c_fc", "FFN_DOWN": _LAYER + "mlp.c_proj"},
        "stablelm": {
            "ATTN_Q_NORM": _LAYER + "self_attn.q_layernorm.norms.{xid}",
            "ATTN_K_NORM": _LAYER + "self_attn.k_layernorm.norms.{xid}",
        },
        "falcon": {
            "ATTN_NORM": _H + "input_layernorm", "ATTN_QKV": _H + "self_attention.query_key_value",
            "ATTN_OUT": _H + "self_attention.dense", "FFN_UP": _H + "mlp.dense_h_to_4h",
            "FFN_DOWN": _H + "mlp.dense_4h_to_h",
        },
        "gptj": {
            "ATTN_OUT": _H + "attn.out_proj", "FFN_UP": _H + "mlp.fc_in", "FFN_DOWN": _H + "mlp.fc_out",
        },
        "qwen": {"FFN_UP": _H + "mlp.w1", "FFN_GATE": _H + "mlp.w2"},
    }
)  # fmt: skip

ARCHITECTURES_BY_MODEL_TYPE: Mapping[str, str] = MappingProxyType(
    {
        "mistral": "llama", "mixtral": "llama", "cohere": "command-r", "gpt_neox": "gptneox",
        "gpt_bigcode": "starcoder", "gptj": "gptj", "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe",
        "roberta": "bert", "xlm-roberta": "bert", "nomic_bert": "nomic-bert", "gemma3_text": "gemma3",
        "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2", "phi": "phi2", "modernbert": "modern-bert",
    }
)  # fmt: skip
"""Where `model_type` of a configuration is not the name that GGUF gives the architecture."""

_META_NAMES = ("layers.{bid}.attention", "layers.{bid}.feed_forward", "layers.{bid}.ffn_norm",
               "tok_embeddings", "norm", "output", "rope.freqs")  # fmt: skip


def transformers_template(architecture: str, template: str) -> str | None:
    """The name, without `.weight`, of what GGUF calls so: `blk.{bid}.attn_q`, `token_embd`.

    `{bid}` stands for the layer, and `{xid}`, where it occurs, for the entry of the first dimension that
    transformers keeps as a tensor of its own. None for architectures and tensors that `gguf` does not know.
    """
    return _templates(architecture).get(template)


def gguf_template(template: str) -> str | None:
    """What GGUF calls the tensor that Meta's and Mistral's own files call so: `layers.{bid}.attention.wq`."""
    return _meta_templates().get(template)


@cache
def _meta_templates() -> dict[str, str]:
    from gguf.constants import MODEL_ARCH, MODEL_TENSORS, TENSOR_NAMES

    return {
        name: TENSOR_NAMES[tensor]
        for tensor in MODEL_TENSORS[MODEL_ARCH.LLAMA]
        for name in _names_of(tensor)
        if name in _META_NAMES or name.startswith(_META_NAMES[:3])
    }


@cache
def _templates(architecture: str) -> dict[str, str]:
    from gguf.constants import MODEL_ARCH_NAMES, MODEL_TENSORS, TENSOR_NAMES

    known = next((arch for arch, name in MODEL_ARCH_NAMES.items() if name == architecture), None)
    if known is None:
        return {}
    found: dict[str, str] = {}
    for tensor in MODEL_TENSORS[known]:
        chosen = _choice(architecture, tensor.name, _names_of(tensor))
        if chosen is not None:
            found.setdefault(TENSOR_NAMES[tensor], chosen)
    return found


def _choice(architecture: str, tensor: str, names: tuple[str, ...]) -> str | None:
    listed = _CHOSEN.get(architecture, {}).get(tensor)
    if listed is not None:
        return listed
    roots = _ROOTS.get(architecture, _LAYERS)
    if (roots is _LAYERS or tensor == "OUTPUT") and tensor in _USUAL:
        return _USUAL[tensor]
    fitting = (name for root in roots for name in names if name.startswith(root))
    return next(fitting, None)


def _names_of(tensor: "MODEL_TENSOR") -> tuple[str, ...]:
    from gguf.tensor_mapping import TensorNameMap

    tables = (TensorNameMap.block_mappings_cfg, TensorNameMap.mappings_cfg)
    # A few names are listed with their `.weight`.
    return tuple(name.removesuffix(".weight") for table in tables for name in table.get(tensor, ()))
