"""A family of a llama of 26 million weights, at the size where storage is measured, by everyday recipes.

What matters to storage is how far a training goes, so near and far ones are there in both precisions.
"""

import torch
from gguf import GGMLQuantizationType as Type

from tests.families import operations, packing, storing
from tests.families.building import changed, combined, root, tuned
from tests.families.causal import QV
from tests.families.training import Lora, Plan, layers_from, named
from tests.families.workshop import Made, Recipe, Workshop

CONFIG = {
    "vocab_size": 512,
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
}
BF16 = torch.bfloat16
NEAR = Plan("letters", 25, 4.5e-6, rows=4)
FAR = Plan("sums", 40, 2.8e-5, rows=4)


def copy_of_base(shop: Workshop) -> Made:
    return Made(shop.model("lg_base"), storing.other_header())


RECIPES: list[Recipe] = [
    root("lg_base", "llama", CONFIG, Plan("code", 120, 1e-3, decay=0.05), note="fp32 root"),
    Recipe(
        name="lg_other_header",
        build=copy_of_base,
        parents=[("lg_base", None)],
        relation="identical",
    ),
    changed("lg_sharded", "lg_base", "identical", storage=storing.sharded(3)),
    tuned("lg_ft", "lg_base", NEAR, note="fp32, AdamW without decay"),
    tuned("lg_ft_decay", "lg_base", Plan("more code", 25, 1e-5, decay=0.1, rows=4), note="fp32, with decay"),
    changed("lg_bf16", "lg_base", "cast", lambda m: m.cast(BF16)),
    changed("lg_fp16", "lg_ft", "cast", lambda m: m.cast(torch.float16)),
    tuned("lg_bf16_near", "lg_bf16", NEAR, note="master weights in fp32, drift of about 1e-3"),
    tuned("lg_bf16_far", "lg_bf16", FAR, note="drift of about 1e-2"),
    tuned(
        "lg_bf16_pure", "lg_bf16", Plan("listings", 25, 4e-5, rows=4, precision="pure"), note="all in bf16"
    ),
    tuned("lg_bf16_gen2", "lg_bf16_near", Plan("code", 25, 4e-6, rows=4), note="generation 2"),
    tuned("lg_lora_r8", "lg_base", Plan("sums", 20, 2e-4, rows=4, lora=Lora(8, 16, QV)), "lora_merged"),
    tuned("lg_lora_r8_bf16", "lg_bf16", Plan("sums", 20, 2e-4, rows=4, lora=Lora(8, 16, QV)), "lora_merged"),
    tuned(
        "lg_upper", "lg_base", Plan("letters", 20, 1e-5, rows=4, trains=layers_from(4, 8)), "partly_frozen"
    ),
    tuned("lg_head", "lg_base", Plan("sums", 20, 1e-4, rows=4, trains=named("lm_head")), "head_only"),
    combined("lg_linear", [("lg_ft", 0.5), ("lg_ft_decay", 0.5)], lambda m: operations.linear(m, [0.5, 0.5])),
    combined(
        "lg_linear_bf16",
        [("lg_bf16_near", 0.7), ("lg_bf16_far", 0.3)],
        lambda m: operations.linear(m, [0.7, 0.3]),
    ),
    combined("lg_slerp", [("lg_ft", 0.6), ("lg_ft_decay", 0.4)], lambda m: operations.slerp(m[0], m[1], 0.4)),
    changed("lg_q8_0", "lg_base", "quantized", storage=storing.in_gguf(Type.Q8_0, 0.01)),
    changed("lg_q4_0", "lg_bf16_near", "quantized", storage=storing.in_gguf(Type.Q4_0, 0.12)),
    changed("lg_int8_rows", "lg_ft", "quantized", storage=storing.packed(packing.INT8_ROWS, 0.01)),
    changed("lg_pruned_50", "lg_base", "pruned", lambda m: operations.prune_smallest(m, 0.5)),
    changed("lg_extended", "lg_base", "vocab_extended", lambda m: operations.extend(m, 48, 3)),
]
