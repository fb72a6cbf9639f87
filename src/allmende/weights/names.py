"""One set of names for the tensors of a model, whatever wrapped, converted or saved it.

The names are those of the base models of transformers: `layers.0.self_attn.q_proj.weight`,
`encoder.layer.0.attention.self.query.weight`, `h.0.attn.c_attn.weight`. A model with a head and the same
model without one meet there, and so do a GGUF file and what it was made from.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from allmende.weights.gguf_undoing import before_conversion, in_gguf_names, in_meta_names
from allmende.weights.models import Model
from allmende.weights.tensors import WeightTensor

__all__ = ["canonical_name", "canonical_names"]

_MAX_NAME_CHARS = 512
_MAX_STRIPPED = 8

_WRAPPERS = (
    "module.", "_orig_mod.", "_fsdp_wrapped_module.", "base_model.model.", "pretrained_model.",
    "0.auto_model.", "auto_model.",
)  # fmt: skip
_BASES = (
    "model.", "transformer.", "backbone.", "language_model.", "gpt_neox.", "gpt_neox_japanese.", "rwkv.",
    "bert.", "bert_model.", "roberta.", "distilbert.", "electra.", "albert.", "deberta.", "camembert.",
    "mpnet.", "longformer.", "big_bird.", "funnel.", "convbert.", "mobilebert.", "nystromformer.",
    "squeezebert.", "rembert.", "roformer.", "roc_bert.", "luke.", "ernie.", "canine.", "fnet.", "ibert.",
    "layoutlm.", "layoutlmv2.", "layoutlmv3.", "lilt.", "splinter.", "tapas.", "esm.", "vit.", "deit.",
    "beit.", "swin.", "swinv2.", "convnext.", "convnextv2.", "resnet.", "regnet.", "segformer.", "dinov2.",
    "levit.", "mobilevit.", "efficientnet.", "videomae.", "wav2vec2.", "hubert.", "wavlm.", "unispeech.",
    "sew.", "data2vec_audio.", "data2vec_text.", "data2vec_vision.", "audio_spectrogram_transformer.",
)  # fmt: skip
"""What models with a head call the base model within them (`base_model_prefix` in transformers)."""

_STRIPPED = _WRAPPERS + _BASES

_DISTILBERT_LAYER = re.compile(
    r"^transformer\.layer\.\d+\.(?:attention|ffn|sa_layer_norm|output_layer_norm)\."
)
"""The one base model whose own layers begin with a name that is a wrapper elsewhere."""

_WITHIN = re.compile(
    r"\.(?:base_layer|_fsdp_wrapped_module|_checkpoint_wrapped_module|_orig_mod|modules_to_save\.default)(?=\.)"
)
_ADAPTER_NAME = re.compile(r"\.(lora_(?:embedding_)?[AB]|lora_magnitude_vector)\.default(?=\.|$)")
_OLD_NORM = re.compile(r"(?i)((?:^|[._])(?:layer_?norm|norm|ln)[a-z0-9_]*)\.(gamma|beta)$")

_TOWERS = frozenset(
    {"encoder", "decoder", "embeddings", "layers", "layer", "h", "blocks", "block", "blk", "vision_model",
     "text_model", "vision_tower", "visual", "features"}
)  # fmt: skip
"""First parts of names that say where in a model a tensor stands, even where all tensors share them."""


def canonical_names(model: Model) -> dict[str, WeightTensor]:
    """The model's tensors by canonical name, in their order; values and shapes as transformers has them.

    Names that are not known stay, and tensors that would get the same name keep their own.
    """
    names = {name: canonical_name(name) for name in model.tensors}
    plain = {names[name]: tensor for name, tensor in model.tensors.items()}
    if in_gguf_names(model.tensors):
        listed = list(before_conversion(model, model.tensors))
    elif in_meta_names(plain) and len(plain) == len(names):
        listed = list(before_conversion(model, plain))
    else:
        listed = list(model.tensors.items())
    found = _without_shared_prefix([canonical_name(tensor.name) for _, tensor in listed])
    found = _apart(_without_doubled_encoder(found), [own for own, _ in listed])
    return {name: replace(tensor, name=name) for name, (_, tensor) in zip(found, listed, strict=True)}


def canonical_name(name: str) -> str:
    """A name without the prefixes of wrappers and heads, and with today's words for the parts of norms."""
    if len(name) > _MAX_NAME_CHARS:
        return name
    found = _ADAPTER_NAME.sub(r".\1", _WITHIN.sub("", name))
    for _ in range(_MAX_STRIPPED):
        shorter = _stripped(found)
        if shorter == found:
            break
        found = shorter
    # GPT-NeoX had a word of its own for the head that all others call so.
    found = "lm_head.weight" if found == "embed_out.weight" else found
    return _OLD_NORM.sub(
        lambda match: f"{match[1]}.{'weight' if match[2].lower() == 'gamma' else 'bias'}", found
    )


def _stripped(name: str) -> str:
    if not name.startswith(_STRIPPED):
        return name
    for prefix in _WRAPPERS:
        if name.startswith(prefix) and name != prefix:
            return name[len(prefix) :]
    if _DISTILBERT_LAYER.match(name):
        return name
    return next(
        (name[len(prefix) :] for prefix in _BASES if name.startswith(prefix) and name != prefix), name
    )


def _without_shared_prefix(names: list[str]) -> list[str]:
    """The names without first parts that all have, which a wrapper not known here must have put there."""
    for _ in range(_MAX_STRIPPED):
        first = names[0].partition(".")[0] if names else ""
        rests = [name[len(first) + 1 :] for name in names if name.startswith(f"{first}.")]
        following = {rest.partition(".")[0] for rest in rests}
        whole = len(names) >= 4 and len(rests) == len(names)
        if not whole or first in _TOWERS or any(part.isdigit() for part in following) or "" in following:
            break
        names = [canonical_name(rest) for rest in rests]
    return names


def _without_doubled_encoder(names: list[str]) -> list[str]:
    """Where an encoder was wrapped as `encoder`, `encoder.encoder.layer.0` is its `encoder.layer.0`."""
    if not any(name.startswith("encoder.encoder.") for name in names):
        return names
    inner = ("encoder.encoder.", "encoder.embeddings.", "encoder.pooler.", "encoder.layernorm.")
    return [name.removeprefix("encoder.") if name.startswith(inner) else name for name in names]


def _apart(names: list[str], own: Iterable[str]) -> list[str]:
    """The names, but for those that several would have: each of these keeps its own."""
    own = list(own)
    for _ in range(_MAX_STRIPPED):
        times = Counter(names)
        if len(times) == len(names):
            return names
        names = [kept if times[name] > 1 else name for name, kept in zip(names, own, strict=True)]
    return own
