"""The families of a llama in bf16, a BERT in fp32, a convolutional net in fp32 and a mixer in bf16."""

import hashlib
import re

import torch
from gguf import GGMLQuantizationType as Type

from tests.families import operations, packing, storing
from tests.families.building import adapted, changed, changed_then_tuned, combined, root, sibling, tuned
from tests.families.causal import ALL, QV
from tests.families.training import Lora, Plan, named
from tests.families.weights import fresh
from tests.families.workshop import Made, Recipe, Workshop

BF16, FP16 = torch.bfloat16, torch.float16
SMALL = {
    "vocab_size": 512,
    "hidden_size": 128,
    "intermediate_size": 320,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}
BERT = {
    "vocab_size": 512,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
CONV = {"widths": [32, 64, 96, 128], "classes": 8}
MIXER = {"width": 80, "depth": 4, "outputs": 8}
DENSE = ("query", "key", "value", "attention.output.dense")


def every_third_gone() -> list[int]:
    """Rows kept by no order that anyone could guess, specials among them."""
    return [i for i in range(512) if i < 8 or i * i % 7 > 1]


def new_classifier(shop: Workshop) -> Made:
    """BERT's encoder untouched under a new pooler and classifier."""
    base = shop.model("bert_base")
    start = fresh("bert", {**base.config, "num_labels": 3}, shop.seed_for("bert_classifier start"))
    encoder = {n: t for n, t in base.tensors.items() if n.startswith("bert.")}
    plan = Plan("code", 80, 3e-3, trains=named("pooler", "classifier"), rows=24)
    return Made(shop.train("bert_classifier", start.with_tensors({**start.tensors, **encoder}), plan).model)


def whole_classifier(shop: Workshop) -> Made:
    """The usual fine-tune to a classifier: a new head, and everything moves."""
    base = shop.model("bert_base")
    start = fresh("bert", {**base.config, "num_labels": 3}, shop.seed_for("bert_ft_classifier start"))
    encoder = {n: t for n, t in base.tensors.items() if n.startswith("bert.")}
    start = start.with_tensors({**start.tensors, **encoder})
    return Made(shop.train("bert_ft_classifier", start, Plan("letters", 60, 5e-4, rows=16)).model)


def other_classes(shop: Workshop) -> Made:
    """The convolutions untouched under a head of five classes."""
    base = shop.model("conv_base")
    start = fresh("conv", {**base.config, "classes": 5}, shop.seed_for("conv_new_head start"))
    trunk = {n: t for n, t in base.tensors.items() if not n.startswith("head")}
    plan = Plan("noisy", 40, 1e-2, rows=32, trains=named("head"))
    return Made(shop.train("conv_new_head", start.with_tensors({**start.tensors, **trunk}), plan).model)


def unrecognisable(name: str) -> str:
    return f"w{hashlib.md5(name.encode()).hexdigest()[:10]}"


def flax_like(name: str) -> str:
    """Another framework's habits: slashes, layer_3, kernel and scale."""
    stem = re.sub(r"\.(\d+)\.", r"_\1.", name)
    return stem.replace("weight", "kernel").replace("LayerNorm", "layer_norm").replace(".", "/")


def copy_of_small(shop: Workshop) -> Made:
    return Made(shop.model("sm_base"), storing.copied(shop.out / "sm_base"))


SMALL_FAMILY = [
    root(
        "sm_base", "llama", SMALL, Plan("code", 200, 3e-3, dtype=BF16), note="bf16 root with tied embeddings"
    ),
    root(
        "sm_alone", "llama", SMALL, Plan("letters", 50, 3e-3, dtype=BF16), note="same architecture, unrelated"
    ),
    Recipe(name="sm_copy", build=copy_of_small, parents=[("sm_base", None)], relation="identical"),
    tuned("sm_ft_master", "sm_base", Plan("letters", 40, 3e-4, decay=0.1), note="master weights in fp32"),
    tuned(
        "sm_ft_master_slow", "sm_base", Plan("more code", 25, 1e-5), note="most values do not move in bf16"
    ),
    tuned("sm_ft_pure", "sm_base", Plan("sums", 40, 5e-4, precision="pure"), note="all in bf16"),
    tuned(
        "sm_ft_pure_sgd", "sm_base", Plan("listings", 40, 0.1, "sgd", precision="pure"), note="all in bf16"
    ),
    tuned("sm_ft_far", "sm_base", Plan("sums", 80, 4e-3, "adam"), note="far"),
    tuned("sm_gen2", "sm_ft_master", Plan("sums", 30, 2e-4), note="generation 2 of 3"),
    tuned("sm_gen3", "sm_gen2", Plan("code", 30, 2e-4, "lion", rows=12), note="generation 3 of 3"),
    tuned("sm_lora_r4", "sm_base", Plan("letters", 40, 3e-3, lora=Lora(4, 8, QV)), "lora_merged"),
    tuned("sm_lora_r8_all", "sm_base", Plan("listings", 40, 2e-3, lora=Lora(8, 16, ALL)), "lora_merged"),
    tuned(
        "sm_lora_r32_fp16",
        "sm_base",
        Plan("sums", 40, 2e-3, lora=Lora(32, 32, ALL), dtype=FP16),
        "lora_merged",
        chain=("cast", "lora_merged"),
    ),
    adapted("sm_adapter_r16", "sm_base", Plan("more code", 30, 2e-3, lora=Lora(16, 32, ALL)), BF16),
    combined(
        "sm_linear",
        [("sm_ft_master", 0.6), ("sm_ft_pure", 0.4)],
        lambda m: operations.linear(m, [0.6, 0.4]),
        note="parents and merge in bf16",
    ),
    combined(
        "sm_slerp", [("sm_ft_pure", 0.7), ("sm_gen2", 0.3)], lambda m: operations.slerp(m[0], m[1], 0.3)
    ),
    changed("sm_fp32", "sm_base", "cast", lambda m: m.cast(torch.float32), note="upwards: no value changes"),
    changed("sm_fp8_scaled", "sm_base", "quantized", storage=storing.packed(packing.FP8_SCALED, 0.04)),
    changed(
        "sm_q4_0",
        "sm_ft_master",
        "quantized",
        storage=storing.in_gguf(Type.Q4_0, 0.12),
        chain=("quantized", "renamed"),
    ),
    changed("sm_nf4_nested", "sm_ft_pure", "quantized", storage=storing.packed(packing.NF4_NESTED, 0.12)),
    changed(
        "sm_pruned_50_fp16",
        "sm_base",
        "pruned",
        lambda m: operations.prune_smallest(m, 0.5).cast(FP16),
        chain=("cast", "pruned"),
    ),
    changed_then_tuned(
        "sm_extended_ft",
        "sm_base",
        lambda m: operations.extend(m, 32, 8),
        Plan("listings", 30, 3e-4),
        "vocab_extended",
        chain=("finetune", "vocab_extended"),
        note="32 rows added, then trained on",
    ),
    changed("sm_cut_rows", "sm_base", "vocab_cut", lambda m: operations.keep_tokens(m, every_third_gone())),
    changed("sm_drop_layer", "sm_base", "layers_dropped", lambda m: operations.restack(m, [0, 1, 3])),
    changed_then_tuned(
        "sm_drop_layers_ft",
        "sm_base",
        lambda m: operations.restack(m, [0, 3]),
        Plan("code", 40, 5e-4),
        "layers_dropped",
        chain=("finetune", "layers_dropped"),
    ),
    changed("sm_deeper", "sm_base", "layers_duplicated", lambda m: operations.restack(m, [0, 1, 2, 1, 2, 3])),
    changed_then_tuned(
        "sm_deeper_ft",
        "sm_base",
        lambda m: operations.restack(m, [0, 1, 2, 3, 3]),
        Plan("more code", 30, 2e-4),
        "layers_duplicated",
        chain=("finetune", "layers_duplicated"),
    ),
    changed("sm_permuted", "sm_base", "permuted", lambda m: operations.permute_neurons(m, 71)),
    root("sm_hidden", "llama", SMALL, Plan("sums", 60, 3e-3, dtype=BF16), stored=False),
    sibling("sm_sibling_1", "sm_hidden", Plan("letters", 30, 3e-4), []),
    sibling("sm_sibling_2", "sm_hidden", Plan("code", 30, 2e-4, "adam"), ["sm_sibling_1"]),
]

BERT_FAMILY = [
    root("bert_base", "bert", BERT, Plan("code", 260, 2e-3, rows=12), note="fp32 root"),
    root("bert_alone", "bert", BERT, Plan("code", 80, 2e-3), note="same architecture, unrelated"),
    changed("bert_renamed", "bert_base", "renamed", storage=storing.renamed(flax_like)),
    changed("bert_nameless", "bert_base", "renamed", storage=storing.renamed(unrecognisable)),
    changed(
        "bert_fp64", "bert_base", "cast", lambda m: m.cast(torch.float64), note="upwards: no value changes"
    ),
    changed(
        "bert_through_bf16",
        "bert_base",
        "cast",
        lambda m: m.cast(BF16).cast(torch.float32),
        note="fp32 that holds bf16 values",
    ),
    tuned("bert_ft_adam", "bert_base", Plan("letters", 50, 3e-4, "adam")),
    tuned("bert_ft_sgd", "bert_base", Plan("sums", 50, 5e-2, "sgd", decay=1e-4)),
    tuned("bert_ft_barely", "bert_base", Plan("listings", 12, 2e-6, "lion"), note="Lion at 2e-6"),
    Recipe(
        name="bert_ft_classifier",
        build=whole_classifier,
        parents=[("bert_base", None)],
        relation="finetune",
        note="new head, and everything moves",
    ),
    tuned(
        "bert_mlps_only",
        "bert_base",
        Plan("sums", 40, 5e-4, trains=named("intermediate", "r.0.output", "r.1.output")),
        "partly_frozen",
    ),
    tuned(
        "bert_embeddings_only",
        "bert_base",
        Plan("letters", 40, 1e-3, trains=named("embedding")),
        "partly_frozen",
    ),
    Recipe(name="bert_classifier", build=new_classifier, parents=[("bert_base", None)], relation="head_only"),
    tuned("bert_lora_r4", "bert_base", Plan("sums", 50, 4e-3, lora=Lora(4, 8, DENSE)), "lora_merged"),
    combined(
        "bert_linear_fp16",
        [("bert_ft_adam", 0.45), ("bert_ft_sgd", 0.55)],
        lambda m: operations.linear(m, [0.45, 0.55]),
        FP16,
    ),
    changed("bert_int8_rows", "bert_ft_adam", "quantized", storage=storing.packed(packing.INT8_ROWS, 0.01)),
    changed("bert_pruned_70", "bert_base", "pruned", lambda m: operations.prune_smallest(m, 0.7)),
    changed("bert_extended", "bert_ft_adam", "vocab_extended", lambda m: operations.extend(m, 20, 12)),
    changed(
        "bert_cut_rows", "bert_base", "vocab_cut", lambda m: operations.keep_tokens(m, every_third_gone())
    ),
    changed("bert_lower", "bert_base", "layers_dropped", lambda m: operations.restack(m, [0, 1])),
    changed("bert_permuted", "bert_base", "permuted", lambda m: operations.permute_neurons(m, 81)),
    changed_then_tuned(
        "bert_permuted_ft",
        "bert_base",
        lambda m: operations.permute_heads(operations.permute_neurons(m, 82), 83),
        Plan("listings", 40, 3e-4),
        "finetune",
        chain=("finetune", "permuted"),
        also=("permuted",),
        disguise=True,
    ),
    root("bert_hidden", "bert", BERT, Plan("letters", 100, 2e-3), stored=False),
    sibling("bert_sibling_1", "bert_hidden", Plan("sums", 40, 3e-4), []),
    sibling("bert_sibling_2", "bert_hidden", Plan("code", 40, 1e-4), ["bert_sibling_1"]),
    sibling(
        "bert_sibling_3",
        "bert_hidden",
        Plan("listings", 40, 3e-4, "adam", dtype=BF16),
        ["bert_sibling_1", "bert_sibling_2"],
        note="saved in bf16",
    ),
]

CONV_FAMILY = [
    root("conv_base", "conv", CONV, Plan("plain", 160, 5e-3, rows=32), note="fp32 root with batch norms"),
    root("conv_alone", "conv", CONV, Plan("plain", 60, 5e-3, rows=32), note="same architecture, unrelated"),
    changed("conv_other_header", "conv_base", "identical", storage=storing.other_header()),
    tuned("conv_ft", "conv_base", Plan("noisy", 40, 5e-4, rows=32)),
    tuned("conv_ft_sgd", "conv_base", Plan("inverted", 60, 2e-2, "sgd", rows=32)),
    tuned(
        "conv_stem_frozen",
        "conv_base",
        Plan("inverted", 40, 1e-3, rows=32, trains=named("stages.1", "stages.2", "head")),
        "partly_frozen",
    ),
    Recipe(name="conv_new_head", build=other_classes, parents=[("conv_base", None)], relation="head_only"),
    combined(
        "conv_linear",
        [("conv_ft", 0.25), ("conv_ft_sgd", 0.75)],
        lambda m: operations.linear(m, [0.25, 0.75]),
    ),
    changed("conv_fp16", "conv_ft", "cast", lambda m: m.cast(FP16)),
    changed("conv_int8_tensor", "conv_base", "quantized", storage=storing.packed(packing.INT8_TENSOR, 0.05)),
    changed("conv_pruned_70", "conv_base", "pruned", lambda m: operations.prune_smallest(m, 0.7)),
    changed("conv_permuted", "conv_base", "permuted", lambda m: operations.permute_channels(m, 91)),
]

MIXER_FAMILY = [
    root("mixer_base", "mixer", MIXER, Plan("smooth", 250, 3e-3, rows=32, dtype=BF16), note="bf16 root"),
    root("mixer_alone", "mixer", MIXER, Plan("smooth", 80, 3e-3, rows=32, dtype=BF16), note="unrelated"),
    tuned("mixer_ft", "mixer_base", Plan("square", 60, 5e-4, "adam", rows=32)),
    tuned("mixer_ft_pure", "mixer_base", Plan("drifting", 60, 1e-3, rows=32, precision="pure")),
    tuned("mixer_gen2", "mixer_ft", Plan("drifting", 40, 3e-4, rows=32)),
    tuned(
        "mixer_head",
        "mixer_base",
        Plan("square", 60, 3e-3, rows=32, trains=lambda n: n.startswith("out.")),
        "head_only",
    ),
    changed("mixer_pruned_30", "mixer_ft", "pruned", lambda m: operations.prune_smallest(m, 0.3)),
    changed("mixer_drop_block", "mixer_base", "layers_dropped", lambda m: operations.restack(m, [0, 2, 3])),
    changed("mixer_permuted", "mixer_base", "permuted", lambda m: operations.permute_neurons(m, 95)),
    changed("mixer_prefixed", "mixer_ft_pure", "renamed", storage=storing.renamed(lambda n: f"module.{n}")),
]

RECIPES: list[Recipe] = [*SMALL_FAMILY, *BERT_FAMILY, *CONV_FAMILY, *MIXER_FAMILY]
