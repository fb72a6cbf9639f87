"""The family of a llama in fp32 with rows of 256, as the K formats of GGUF want them; grouped key heads."""

from collections.abc import Callable

import torch
from gguf import GGMLQuantizationType as Type

from tests.families import operations, packing, storing
from tests.families.building import adapted, changed, changed_then_tuned, combined, root, tuned
from tests.families.training import Lora, Plan, layers_from, named
from tests.families.weights import Model
from tests.families.workshop import Made, Recipe, Workshop

CONFIG = {
    "vocab_size": 512,
    "hidden_size": 256,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
}
BF16, FP16 = torch.bfloat16, torch.float16
QV = ("q_proj", "v_proj")
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ADAPTED = Plan("sums", 40, 3e-3, lora=Lora(8, 16, QV))
RENAMED_TOO = ("quantized", "renamed")


def stored_by_another(shop: Workshop) -> Made:
    """The merge of the very adapter that is stored, by peft."""
    return Made(shop.train("ll_adapter_r8", shop.model("ll_base"), ADAPTED).model)


def copy_of_base(shop: Workshop) -> Made:
    return Made(shop.model("ll_base"), storing.copied(shop.out / "ll_base"))


def head_again(shop: Workshop) -> Made:
    """A head from new values, trained alone."""
    base = shop.model("ll_base")
    generator = torch.Generator().manual_seed(shop.seed_for("ll_new_head start"))
    head = 0.02 * torch.randn(base.tensors["lm_head.weight"].shape, generator=generator)
    start = base.with_tensors({**base.tensors, "lm_head.weight": head})
    plan = Plan("listings", 40, 3e-3, trains=named("lm_head"))
    return Made(shop.train("ll_new_head", start, plan).model)


def quantised_lora(shop: Workshop) -> Made:
    plan = Plan("letters", 40, 2e-3, lora=Lora(16, 32, ALL))
    return Made(
        shop.train("ll_lora_q8_0", shop.model("ll_base"), plan).model, storing.in_gguf(Type.Q8_0, 0.01)
    )


def skipped(shop: Workshop) -> Made:
    """Two trainings in a row, of which the first is not stored."""
    between = shop.train("ll_between", shop.model("ll_ft_wd"), Plan("listings", 25, 2e-4))
    return Made(shop.train("ll_ft_grandchild", between.model, Plan("letters", 25, 1e-4)).model)


TRAINED = [
    root("ll_base", "llama", CONFIG, Plan("code", 200, 2e-3, decay=0.05), note="fp32 root"),
    root("ll_alone", "llama", CONFIG, Plan("code", 50, 2e-3), note="same architecture and text, unrelated"),
    tuned("ll_ft_barely", "ll_base", Plan("more code", 12, 1e-6), note="AdamW at 1e-6"),
    tuned("ll_ft_wd", "ll_base", Plan("letters", 45, 2e-4, decay=0.1), note="AdamW with decay 0.1"),
    tuned("ll_ft_sgd", "ll_base", Plan("sums", 45, 3e-2, "sgd"), note="SGD with momentum"),
    tuned("ll_ft_lion", "ll_base", Plan("listings", 40, 5e-5, "lion", decay=0.01), note="sign steps"),
    tuned("ll_ft_far", "ll_base", Plan("listings", 80, 3e-3, "adam"), note="ten times the usual rate"),
    tuned("ll_gen1", "ll_base", Plan("more code", 30, 3e-4), note="generation 1 of 4"),
    tuned("ll_gen2", "ll_gen1", Plan("letters", 30, 2e-4, "adam"), note="generation 2 of 4"),
    tuned("ll_gen3", "ll_gen2", Plan("sums", 30, 2e-4), note="generation 3 of 4"),
    tuned("ll_gen4", "ll_gen3", Plan("code", 30, 1e-4, decay=0.1), note="generation 4 of 4"),
    Recipe(
        name="ll_ft_grandchild",
        build=skipped,
        parents=[("ll_ft_wd", None)],
        relation="finetune",
        note="the generation between is withheld",
    ),
    tuned("ll_upper", "ll_base", Plan("letters", 35, 3e-4, trains=layers_from(1, 3)), "partly_frozen"),
    tuned("ll_norms_only", "ll_base", Plan("sums", 40, 5e-3, trains=named("norm")), "partly_frozen"),
    tuned("ll_head", "ll_base", Plan("sums", 40, 1e-3, trains=named("lm_head")), "head_only"),
    Recipe(name="ll_new_head", build=head_again, parents=[("ll_base", None)], relation="head_only"),
]

LORAS = [
    adapted("ll_adapter_r8", "ll_base", ADAPTED, torch.float32),
    adapted(
        "ll_adapter_of_ft_r4",
        "ll_ft_lion",
        Plan("letters", 30, 2e-3, lora=Lora(4, 4, ALL)),
        torch.float32,
        says_base=False,
        also_parents=(("ll_base",),),
        note="its config names no base; that it fits its grandparent too cannot be told from factors alone",
    ),
    Recipe(
        name="ll_lora_of_adapter",
        build=stored_by_another,
        parents=[("ll_base", None)],
        also_parents=(("ll_base", "ll_adapter_r8"),),
        relation="lora_merged",
        rank=8,
        note="merge of the stored ll_adapter_r8",
    ),
    tuned("ll_lora_r2", "ll_base", Plan("letters", 40, 5e-3, lora=Lora(2, 4, QV)), "lora_merged"),
    tuned("ll_lora_r16_all", "ll_base", Plan("listings", 40, 1e-3, lora=Lora(16, 32, ALL)), "lora_merged"),
    tuned("ll_lora_r8_slow", "ll_base", Plan("sums", 25, 1e-4, lora=Lora(8, 8, ("o_proj",))), "lora_merged"),
    tuned(
        "ll_lora_r8_fp16",
        "ll_base",
        Plan("listings", 40, 2e-3, lora=Lora(8, 32, QV), dtype=FP16),
        "lora_merged",
        chain=("cast", "lora_merged"),
    ),
    tuned(
        "ll_lora_on_ft_bf16",
        "ll_ft_wd",
        Plan("sums", 40, 2e-3, lora=Lora(8, 16, ALL), dtype=BF16),
        "lora_merged",
        chain=("cast", "lora_merged"),
    ),
]

MERGES = [
    combined(
        "ll_linear_2", [("ll_ft_wd", 0.35), ("ll_ft_sgd", 0.65)], lambda m: operations.linear(m, [0.35, 0.65])
    ),
    combined(
        "ll_linear_3",
        [("ll_ft_wd", 0.5), ("ll_ft_sgd", 0.3), ("ll_gen1", 0.2)],
        lambda m: operations.linear(m, [0.5, 0.3, 0.2]),
    ),
    combined(
        "ll_slerp",
        [("ll_ft_lion", 0.6), ("ll_gen1", 0.4)],
        lambda m: operations.slerp(m[0], m[1], 0.4),
        note="weights are the share of the arc",
    ),
    combined(
        "ll_task_sum",
        [("ll_base", -0.8), ("ll_ft_wd", 1.0), ("ll_ft_lion", 0.8)],
        lambda m: operations.task_arithmetic(m[0], m[1:], [1.0, 0.8]),
        also_parents=(("ll_ft_wd", "ll_ft_lion"),),
        note="task arithmetic, factors above one in all",
    ),
    combined(
        "ll_task_negative",
        [("ll_base", 0.5), ("ll_ft_lion", 1.0), ("ll_ft_wd", -0.5)],
        lambda m: operations.task_arithmetic(m[0], m[1:], [1.0, -0.5]),
        also_parents=(("ll_ft_lion", "ll_ft_wd"),),
        note="task arithmetic, one task taken away",
    ),
    combined(
        "ll_ties",
        [("ll_base", None), ("ll_ft_wd", None), ("ll_ft_lion", None)],
        lambda m: operations.ties(m[0], m[1:], 0.4, 1.0),
        also_parents=(("ll_ft_wd", "ll_ft_lion"),),
        note="TIES, density 0.4",
    ),
    combined(
        "ll_dare_50",
        [("ll_base", None), ("ll_ft_wd", 0.6), ("ll_gen1", 0.4)],
        lambda m: operations.dare(m[0], m[1:], [0.6, 0.4], 0.5, 5),
        also_parents=(("ll_ft_wd", "ll_gen1"),),
        note="DARE, a half dropped",
    ),
    combined(
        "ll_dare_90",
        [("ll_base", None), ("ll_ft_wd", 0.5), ("ll_ft_lion", 0.5)],
        lambda m: operations.dare(m[0], m[1:], [0.5, 0.5], 0.9, 9),
        also_parents=(("ll_ft_wd", "ll_ft_lion"),),
        note="DARE, nine tenths dropped",
    ),
    combined(
        "ll_splice",
        [("ll_ft_wd", None), ("ll_ft_far", None)],
        lambda m: operations.splice(m[0], m[1], {1, 2}),
        note="layers 1 and 2 from the second",
    ),
    combined(
        "ll_gradient",
        [("ll_ft_sgd", None), ("ll_ft_far", None)],
        lambda m: operations.gradient(m[0], m[1], 0.1, 0.9, 3),
        note="share of the second from 0.1 below to 0.9 above",
    ),
    combined(
        "ll_merge_of_merge",
        [("ll_linear_2", 0.5), ("ll_ft_far", 0.5)],
        lambda m: operations.linear(m, [0.5, 0.5]),
        note="its first parent is a merge",
    ),
]


def cut_to(rows: list[int]) -> Callable[[Model], Model]:
    return lambda model: operations.keep_tokens(model, rows)


CHANGED = [
    Recipe(name="ll_copy", build=copy_of_base, parents=[("ll_base", None)], relation="identical"),
    changed("ll_sharded", "ll_base", "identical", storage=storing.sharded(3)),
    changed("ll_prefixed", "ll_base", "renamed", storage=storing.renamed(lambda n: f"base_model.{n}")),
    changed("ll_gguf_f32", "ll_base", "renamed", storage=storing.in_gguf(Type.F32, 0.0), also=("permuted",)),
    changed(
        "ll_gguf_f16",
        "ll_ft_wd",
        "renamed",
        storage=storing.in_gguf(Type.F16, 1e-3),
        chain=("cast", "renamed"),
        also=("cast",),
    ),
    changed("ll_bf16", "ll_base", "cast", lambda m: m.cast(BF16)),
    changed("ll_ft_fp16", "ll_ft_sgd", "cast", lambda m: m.cast(FP16)),
    changed("ll_fp8", "ll_gen2", "cast", lambda m: m.cast(torch.float8_e4m3fn), note="without a scale"),
    changed("ll_q8_0", "ll_base", "quantized", storage=storing.in_gguf(Type.Q8_0, 0.01), chain=RENAMED_TOO),
    changed(
        "ll_ft_q5_1", "ll_ft_wd", "quantized", storage=storing.in_gguf(Type.Q5_1, 0.05), chain=RENAMED_TOO
    ),
    changed(
        "ll_q4_k",
        "ll_base",
        "quantized",
        storage=storing.in_gguf(Type.Q4_K, 0.1, Type.Q6_K),
        chain=RENAMED_TOO,
        note="output matrix in Q6_K",
    ),
    changed(
        "ll_gen3_q6_k", "ll_gen3", "quantized", storage=storing.in_gguf(Type.Q6_K, 0.03), chain=RENAMED_TOO
    ),
    changed(
        "ll_bf16_q4_0",
        "ll_ft_lion",
        "quantized",
        lambda m: m.cast(BF16),
        storing.in_gguf(Type.Q4_0, 0.12),
        chain=("quantized", "renamed", "cast"),
        note="by way of bf16, as llama.cpp's converter goes",
    ),
    changed("ll_int8_rows", "ll_gen4", "quantized", storage=storing.packed(packing.INT8_ROWS, 0.01)),
    changed("ll_nf4", "ll_ft_wd", "quantized", storage=storing.packed(packing.NF4, 0.12)),
    Recipe(
        name="ll_lora_q8_0",
        build=quantised_lora,
        parents=[("ll_base", None)],
        relation="quantized",
        chain=("quantized", "renamed", "lora_merged"),
        also=("lora_merged",),
        rank=16,
        note="LoRA merged, then Q8_0",
    ),
    changed("ll_pruned_30", "ll_base", "pruned", lambda m: operations.prune_smallest(m, 0.3)),
    changed("ll_pruned_2_4", "ll_ft_sgd", "pruned", operations.prune_two_of_four, note="2 of 4 kept"),
    changed(
        "ll_extended",
        "ll_base",
        "vocab_extended",
        lambda m: operations.extend(m, 48, 3),
        note="48 rows added",
    ),
    changed("ll_cut_prefix", "ll_base", "vocab_cut", cut_to(list(range(400))), note="the first 400 rows"),
    changed("ll_heads_permuted", "ll_base", "permuted", lambda m: operations.permute_heads(m, 31)),
    changed_then_tuned(
        "ll_permuted_ft",
        "ll_base",
        lambda m: operations.permute_heads(operations.permute_neurons(m, 32), 33),
        Plan("letters", 35, 2e-4),
        "finetune",
        chain=("finetune", "permuted"),
        also=("permuted",),
        disguise=True,
        note="neurons and heads permuted, then trained on",
    ),
    changed_then_tuned(
        "ll_rescaled_ft",
        "ll_base",
        lambda m: operations.rescale_neurons(m, 34),
        Plan("sums", 35, 2e-4),
        "finetune",
        disguise=True,
        note="each neuron scaled by a factor and back, then trained on",
    ),
]

RECIPES: list[Recipe] = [*TRAINED, *LORAS, *MERGES, *CHANGED]
