"""Tensors of one model get the same names and values, whatever wrapped or converted it."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from hypothesis import given
from hypothesis import strategies as st

from allmende.formats import JsonObject
from allmende.weights.names import canonical_name, canonical_names
from allmende.weights.opening import open_model
from tests.weight_tensors import array_of, model_of

RNG = np.random.default_rng(3)


def numbers(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """As the converter of llama.cpp moves the rows of q and k."""
    parts = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return parts.swapaxes(1, 2).reshape(weights.shape)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("model.layers.0.mlp.up_proj.weight", "layers.0.mlp.up_proj.weight"),
        ("layers.0.mlp.up_proj.weight", "layers.0.mlp.up_proj.weight"),
        ("lm_head.weight", "lm_head.weight"),
        ("embed_out.weight", "lm_head.weight"),
        ("module.model.norm.weight", "norm.weight"),
        ("_orig_mod.module.bert.pooler.dense.bias", "pooler.dense.bias"),
        ("bert.encoder.layer.1.output.dense.weight", "encoder.layer.1.output.dense.weight"),
        ("encoder.layer.1.output.dense.weight", "encoder.layer.1.output.dense.weight"),
        ("classifier.weight", "classifier.weight"),
        ("transformer.h.3.attn.c_attn.weight", "h.3.attn.c_attn.weight"),
        ("distilbert.transformer.layer.0.ffn.lin1.bias", "transformer.layer.0.ffn.lin1.bias"),
        ("transformer.layer.0.ffn.lin1.bias", "transformer.layer.0.ffn.lin1.bias"),
        ("transformer.layer.0.rel_attn.q", "layer.0.rel_attn.q"),
        ("gpt_neox.layers.0.attention.dense.bias", "layers.0.attention.dense.bias"),
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight",
         "layers.0.self_attn.q_proj.lora_A.weight"),
        ("base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight",
         "layers.0.self_attn.q_proj.weight"),
        ("base_model.model.score.modules_to_save.default.weight", "score.weight"),
        ("model.layers.1._checkpoint_wrapped_module.mlp.down_proj.weight", "layers.1.mlp.down_proj.weight"),
        ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
        ("bert.embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
        ("stages.0.layers.1.gamma", "stages.0.layers.1.gamma"),
        ("model.language_model.layers.0.mlp.up_proj.weight", "layers.0.mlp.up_proj.weight"),
        ("language_model.model.layers.0.mlp.up_proj.weight", "layers.0.mlp.up_proj.weight"),
        ("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight",
         "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"),
        ("model.", "model."),
        ("x" * 600, "x" * 600),
    ],
)  # fmt: skip
def test_wrappers_are_stripped(name: str, canonical: str) -> None:
    assert canonical_name(name) == canonical


def test_a_prefix_that_all_share_is_stripped_unless_it_tells_the_place() -> None:
    names = [
        "embed_tokens.weight",
        "layers.0.mlp.up_proj.weight",
        "layers.1.mlp.up_proj.weight",
        "norm.weight",
    ]
    wrapped = model_of({f"llm.inner.{name}": numbers(2, 2) for name in names})
    assert list(canonical_names(wrapped)) == names
    towers = model_of({f"vision_model.{name}": numbers(2, 2) for name in names})
    assert list(canonical_names(towers)) == [f"vision_model.{name}" for name in names]
    layers = model_of({f"layers.{number}.weight": numbers(2, 2) for number in range(5)})
    assert list(canonical_names(layers)) == [f"layers.{number}.weight" for number in range(5)]


def test_an_encoder_wrapped_as_encoder_meets_the_bare_one() -> None:
    names = ["encoder.embeddings.word_embeddings.weight", "encoder.encoder.layer.0.output.dense.weight",
             "head.weight"]  # fmt: skip
    assert list(canonical_names(model_of({name: numbers(2, 2) for name in names}))) == [
        "embeddings.word_embeddings.weight", "encoder.layer.0.output.dense.weight", "head.weight"
    ]  # fmt: skip


def test_tensors_that_would_get_the_same_name_keep_their_own() -> None:
    names = ["model.norm.weight", "norm.weight", "model.layers.0.mlp.up_proj.weight"]
    found = canonical_names(model_of({name: numbers(2) for name in names}))
    assert list(found) == ["model.norm.weight", "norm.weight", "layers.0.mlp.up_proj.weight"]
    assert all(name == tensor.name for name, tensor in found.items())


def llama() -> dict[str, np.ndarray]:
    """Two layers, four heads and two key heads of eight."""
    found = {"model.embed_tokens.weight": numbers(40, 32), "model.norm.weight": numbers(32),
             "lm_head.weight": numbers(40, 32)}  # fmt: skip
    for layer in ("model.layers.0.", "model.layers.1."):
        found |= {
            layer + "self_attn.q_proj.weight": numbers(32, 32),
            layer + "self_attn.k_proj.weight": numbers(16, 32),
            layer + "self_attn.v_proj.weight": numbers(16, 32),
            layer + "self_attn.o_proj.weight": numbers(32, 32),
            layer + "mlp.gate_proj.weight": numbers(64, 32), layer + "mlp.up_proj.weight": numbers(64, 32),
            layer + "mlp.down_proj.weight": numbers(32, 64), layer + "input_layernorm.weight": numbers(32),
            layer + "post_attention_layernorm.weight": numbers(32),
        }  # fmt: skip
    return found


LLAMA_WORDS = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "model.layers": "blk", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
META_WORDS = {
    "token_embd": "tok_embeddings", "output_norm": "norm", "blk": "layers", "attn_output": "attention.wo",
    "attn_q": "attention.wq", "attn_k": "attention.wk", "attn_v": "attention.wv",
    "ffn_gate": "feed_forward.w1", "ffn_down": "feed_forward.w2", "ffn_up": "feed_forward.w3",
    "attn_norm": "attention_norm",
}  # fmt: skip


def respelt(name: str, words: dict[str, str]) -> str:
    for word, other in words.items():
        parts, wanted = f".{name}.", f".{word}."
        if wanted in parts:
            name = parts.replace(wanted, f".{other}.").strip(".")
    return name


def as_gguf(arrays: dict[str, np.ndarray], heads: int = 4, kv_heads: int = 2) -> dict[str, np.ndarray]:
    found = {}
    for name, values in arrays.items():
        turned = permuted(values, heads) if "q_proj" in name else values
        turned = permuted(values, kv_heads) if "k_proj" in name else turned
        found[respelt(name, LLAMA_WORDS)] = turned
    return found


LLAMA_SAYS = {
    "general.architecture": "llama",
    "llama.attention.head_count": "4",
    "llama.attention.head_count_kv": "2",
}


def assert_same(found: dict, arrays: dict[str, np.ndarray]) -> None:
    assert set(found) == {canonical_name(name) for name in arrays}
    for name, values in arrays.items():
        np.testing.assert_array_equal(array_of(found[canonical_name(name)]), values, err_msg=name)


def test_llama_in_gguf_names_is_llama_again() -> None:
    arrays = llama()
    assert_same(canonical_names(model_of(as_gguf(arrays), LLAMA_SAYS)), arrays)


def test_the_configuration_tells_the_heads_where_the_metadata_do_not() -> None:
    arrays = llama()
    config: JsonObject = {"model_type": "mistral", "num_attention_heads": 4, "num_key_value_heads": 2}
    assert_same(canonical_names(model_of(as_gguf(arrays), config=config)), arrays)


def test_rows_stay_where_nobody_tells_the_heads() -> None:
    arrays = as_gguf(llama())
    found = canonical_names(model_of(arrays))
    np.testing.assert_array_equal(
        array_of(found["layers.0.self_attn.q_proj.weight"]), arrays["blk.0.attn_q.weight"]
    )


@pytest.mark.parametrize("prefix", ["", "module."])
def test_metas_own_names_are_llama_again(prefix: str) -> None:
    arrays = llama()
    meta = {prefix + respelt(name, META_WORDS): values for name, values in as_gguf(arrays).items()}
    assert prefix + "layers.1.feed_forward.w3.weight" in meta
    assert prefix + "layers.1.ffn_norm.weight" in meta
    assert_same(canonical_names(model_of(meta, config={"n_heads": 4, "n_kv_heads": 2})), arrays)
    frequencies = canonical_names(model_of({**meta, prefix + "rope.freqs": numbers(4)}))
    name = "layers.0.self_attn.k_proj.weight"
    np.testing.assert_array_equal(array_of(frequencies[name]), arrays["model." + name])


def test_a_gguf_file_is_read_so(tmp_path: Path) -> None:
    arrays = llama()
    writer = GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    for name, values in as_gguf(arrays).items():
        if values.ndim == 2:
            raw = quantize(values, GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, raw, raw_dtype=GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = canonical_names(open_model(tmp_path))
    assert set(found) == {canonical_name(name) for name in arrays}
    for name, values in arrays.items():
        np.testing.assert_allclose(array_of(found[canonical_name(name)]), values, atol=0.03, err_msg=name)


@pytest.mark.parametrize("old", [False, True])
def test_experts_become_tensors_of_their_own(old: bool) -> None:
    experts = numbers(3, 16, 8)
    stacked = {"blk.0.ffn_gate_exps.weight": experts, "blk.0.ffn_gate_inp.weight": numbers(3, 8)}
    apart = {f"blk.0.ffn_gate.{number}.weight": expert for number, expert in enumerate(experts)}
    found = canonical_names(model_of(apart if old else stacked, {"general.architecture": "llama"}))
    for number in range(3):
        name = f"layers.0.block_sparse_moe.experts.{number}.w1.weight"
        np.testing.assert_array_equal(array_of(found[name]), experts[number])
    if not old:
        assert "layers.0.block_sparse_moe.gate.weight" in found
        qwen = canonical_names(model_of(stacked, {"general.architecture": "qwen2moe"}))
        assert "layers.0.mlp.experts.2.gate_proj.weight" in qwen
        assert "layers.0.mlp.gate.weight" in qwen


def test_falcons_groups_come_together_again() -> None:
    # Two groups of two queries with a key and a value, heads of four.
    held = numbers(2 * 4 * 4, 16)
    groups = held.reshape(2, 4, 4, 16)
    parts = (groups[:, :2], groups[:, 2:3], groups[:, 3:])
    moved = np.concatenate([part.reshape(-1, 16) for part in parts])
    says = {
        "general.architecture": "falcon",
        "falcon.attention.head_count": "4",
        "falcon.attention.head_count_kv": "2",
    }
    found = canonical_names(model_of({"blk.0.attn_qkv.weight": moved}, says))
    np.testing.assert_array_equal(array_of(found["h.0.self_attention.query_key_value.weight"]), held)


def test_a_hybrid_whose_first_layer_has_no_attention_is_put_in_order() -> None:
    held = numbers(16, 8)
    says = {"general.architecture": "granitehybrid", "granitehybrid.attention.head_count": "4"}
    arrays = {"blk.0.ssm_in.weight": numbers(4, 4), "blk.3.attn_q.weight": permuted(held, 4)}
    found = canonical_names(model_of(arrays, says))
    np.testing.assert_array_equal(array_of(found["layers.3.self_attn.q_proj.weight"]), held)


def test_what_is_not_known_stays() -> None:
    arrays = {
        "blk.0.attn_mystery.weight": numbers(4),
        "blk.0.attn_q.weight": numbers(4, 4),
        "oddity": numbers(2),
    }
    found = canonical_names(model_of(arrays, {"general.architecture": "no such architecture"}))
    assert list(found) == list(arrays)
    found = canonical_names(model_of(arrays, {"general.architecture": "llama"}))
    assert list(found) == ["blk.0.attn_mystery.weight", "layers.0.self_attn.q_proj.weight", "oddity"]


@pytest.mark.parametrize("heads", ["3", "0", "999999999", "-4", "four", "1" * 400])
def test_impossible_numbers_of_heads_move_nothing(heads: str) -> None:
    arrays = {"blk.0.attn_q.weight": numbers(16, 4), "blk.0.attn_qkv.weight": numbers(16, 4)}
    for architecture in ("llama", "falcon", "gptneox"):
        says = {"general.architecture": architecture, f"{architecture}.attention.head_count": heads}
        for tensor in canonical_names(model_of(arrays, says)).values():
            assert array_of(tensor).shape == (16, 4)


def test_empty_and_scalar_tensors_pass() -> None:
    arrays = {
        "blk.0.attn_q.weight": np.zeros((0, 4), np.float32),
        "blk.0.attn_k.weight": np.array(1, np.float32),
    }
    assert len(canonical_names(model_of(arrays, LLAMA_SAYS))) == 2
    assert canonical_names(model_of({})) == {}


PARTS = [
    "model", "module", "encoder", "layers", "blk", "0", "1", "attn_q", "attention", "wq", "weight", "bias",
    "ffn_gate_exps", "ffn_gate", "tok_embeddings", "norm", "gamma", "", "transformer", "enc", "x",
]  # fmt: skip
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map(".".join)


@given(st.lists(NAMES, unique=True, max_size=12), st.sampled_from(["llama", "t5", "gpt2", "gemma", "?"]))
def test_no_tensor_is_lost_whatever_the_names(names: list[str], architecture: str) -> None:
    model = model_of(
        {name: np.ones((2, 2), np.float32) for name in names}, {"general.architecture": architecture}
    )
    found = canonical_names(model)
    assert sum(tensor.elements for tensor in found.values()) == model.parameters
    assert all(name == tensor.name for name, tensor in found.items())
    assert all(canonical_name(canonical_name(name)) == canonical_name(name) for name in names)
