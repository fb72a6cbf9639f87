"""Where a tensor stands is told from its name, in the layouts that are common and in those that are not."""

import time

import pytest

from allmende.weights.layers import KINDS, layer_of, standing_of

PLACES = """
model.layers.3.self_attn.q_proj.weight                          | model.layers | 3 | q
model.layers.3.self_attn.k_proj.bias                            | model.layers | 3 | k
model.layers.3.self_attn.q_norm.weight                          | model.layers | 3 | norm
model.layers.3.self_attn.o_proj.weight                          | model.layers | 3 | o
model.layers.3.self_attn.kv_a_proj_with_mqa.weight              | model.layers | 3 | qkv
model.layers.3.mlp.gate_proj.weight                             | model.layers | 3 | gate
model.layers.3.mlp.up_proj.weight                               | model.layers | 3 | up
model.layers.3.mlp.down_proj.weight                             | model.layers | 3 | down
model.layers.3.mlp.gate.weight                                  | model.layers | 3 | router
model.layers.3.mlp.experts.7.gate_proj.weight                   | model.layers | 3 | gate
model.layers.3.block_sparse_moe.experts.7.w2.weight             | model.layers | 3 | down
model.layers.3.input_layernorm.weight                           | model.layers | 3 | norm
model.norm.weight                                               | output | None | norm
lm_head.weight                                                  | output | None | head
model.embed_tokens.weight                                       | input | None | embeddings
blk.5.attn_q.weight                                             | blk | 5 | q
blk.5.attn_output.weight                                        | blk | 5 | o
blk.5.ffn_up_exps.weight                                        | blk | 5 | up
blk.5.ffn_gate_inp.weight                                       | blk | 5 | router
blk.5.ffn_norm.weight                                           | blk | 5 | norm
token_embd.weight                                               | input | None | embeddings
output_norm.weight                                              | output | None | norm
output.weight                                                   | output | None | head
layers.0.attention.wo.weight                                    | layers | 0 | o
layers.0.feed_forward.w3.weight                                 | layers | 0 | up
tok_embeddings.weight                                           | input | None | embeddings
encoder.layer.2.attention.self.query.weight                     | encoder.layer | 2 | q
encoder.layer.2.attention.output.dense.weight                   | encoder.layer | 2 | o
encoder.layer.2.attention.output.LayerNorm.weight               | encoder.layer | 2 | norm
encoder.layer.2.intermediate.dense.weight                       | encoder.layer | 2 | up
encoder.layer.2.output.dense.weight                             | encoder.layer | 2 | down
embeddings.LayerNorm.weight                                     | input | None | norm
pooler.dense.weight                                             | output | None | head
transformer.h.1.attn.c_attn.weight                              | transformer.h | 1 | qkv
transformer.h.1.attn.c_proj.weight                              | transformer.h | 1 | o
transformer.h.1.mlp.c_proj.weight                               | transformer.h | 1 | down
transformer.wte.weight                                          | input | None | embeddings
gpt_neox.layers.4.attention.query_key_value.weight              | gpt_neox.layers | 4 | qkv
gpt_neox.layers.4.mlp.dense_4h_to_h.weight                      | gpt_neox.layers | 4 | down
encoder.block.0.layer.0.SelfAttention.q.weight                  | encoder.block | 0 | q
decoder.block.0.layer.2.DenseReluDense.wo.weight                | decoder.block | 0 | down
shared.weight                                                   | input | None | embeddings
layer1.0.conv1.weight                                           | layer1 | 0 | conv
layer4.1.bn2.running_mean                                       | layer4 | 1 | norm
fc.weight                                                       | output | None | head
blocks.1.2.conv_dw.weight                                       | blocks.1 | 2 | conv
stages.0.blocks.1.mlp.fc1.weight                                | stages.0.blocks | 1 | up
blocks.3.attn.qkv.weight                                        | blocks | 3 | qkv
patch_embed.proj.weight                                         | input | None | embeddings
cls_token                                                       | input | None | embeddings
down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q.weight | down_blocks | 0 | q
backbone.layers.7.mixer.A_log                                   | backbone.layers | 7 | state space
bert/encoder/layer_3/attention/self/query/kernel                | bert/encoder/layer | 3 | q
dense_2.kernel                                                  | dense | 2 | other
conv1.weight                                                    | conv | 1 | conv
W                                                               | output | None | other
"""


@pytest.mark.parametrize("line", PLACES.strip().splitlines(), ids=lambda line: line.split("|")[0].strip())
def test_names_of_common_layouts_are_placed(line: str) -> None:
    name, stack, layer, kind = (part.strip() for part in line.split("|"))
    found = standing_of(name)
    assert (found.stack, str(found.layer), found.kind) == (stack, layer, kind)
    assert layer_of(name) == (found.layer, kind)


def test_every_name_has_a_kind_of_the_list() -> None:
    for name in ("", ".", "..", "0", "layers.", "layers.9999999999999999999.x", "é" * 50, "\x00.1.\n"):
        assert standing_of(name).kind in KINDS


def test_a_name_of_megabytes_is_placed_at_once() -> None:
    began = time.process_time()
    for name in ("layers." * 200_000, "a" * 1_000_000, ".1" * 500_000, "att_" * 250_000):
        standing_of(name)
    assert time.process_time() - began < 1
