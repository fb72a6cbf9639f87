"""The generator in small: some models of each kind of work, the same bytes for one seed, and true claims."""

import hashlib
import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.timeout(300)]

TINY = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}


def digests(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def make(out: Path, only: set[str] | None = None) -> None:
    import torch
    from gguf import GGMLQuantizationType

    from tests.families import operations, storing
    from tests.families.building import changed, combined, root, tuned
    from tests.families.check import check
    from tests.families.training import Lora, Plan
    from tests.families.workshop import make_all

    torch.set_num_threads(1)
    recipes = [
        root("base", "llama", TINY, Plan("code", 8, 3e-3)),
        tuned("ft", "base", Plan("sums", 6, 1e-3, "sgd")),
        tuned("lora", "base", Plan("sums", 8, 1e-2, lora=Lora(2, 4, ("q_proj",))), "lora_merged"),
        combined("mix", [("ft", 0.4), ("lora", 0.6)], lambda m: operations.linear(m, [0.4, 0.6])),
        changed("q8", "ft", "quantized", storage=storing.in_gguf(GGMLQuantizationType.Q8_0, 0.01)),
    ]
    make_all(recipes, out, 1, only, check)


def test_a_small_family_is_made_and_is_the_same_for_one_seed(tmp_path: Path):
    make(tmp_path / "one")
    make(tmp_path / "two", {"mix"})
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert list(manifest) == ["base", "ft", "lora", "mix", "q8"]
    assert manifest["mix"]["parents"] == [{"name": "ft", "weight": 0.4}, {"name": "lora", "weight": 0.6}]
    assert (manifest["lora"]["rank"], manifest["q8"]["dtype"]) == (2, "q8_0")
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert "q8/model.gguf" in one
    shared = set(one) & set(two) - {"manifest.json"}
    assert {name.partition("/")[0] for name in shared} == {"base", "ft", "lora", "mix"}
    assert all(one[name] == two[name] for name in shared)


def test_an_untrue_claim_ends_the_run(tmp_path: Path):
    from tests.families import operations
    from tests.families.building import changed, root
    from tests.families.check import check
    from tests.families.training import Plan
    from tests.families.workshop import make_all

    recipes = [
        root("base", "conv", {"widths": [8, 16], "classes": 8}, Plan("plain", 12, 1e-2, rows=16)),
        changed("copy", "base", "identical", lambda m: operations.prune_smallest(m, 0.5)),
    ]
    with pytest.raises(AssertionError, match="copy"):
        make_all(recipes, tmp_path, 1, None, check)


@pytest.mark.parametrize(("kind", "tolerance"), [("Q4_K", 0.1), ("Q6_K", 0.03), ("Q5_1", 0.05)])
def test_blocks_come_back_near_what_went_in(kind: str, tolerance: float):
    import gguf
    import numpy as np

    from tests.families import ggufs

    wanted = np.random.default_rng(3).normal(size=(24, 512)).astype(np.float32)
    wanted[3] = 0
    wanted[4] = np.abs(wanted[4])
    chosen = gguf.GGMLQuantizationType[kind]
    found = gguf.quants.dequantize(ggufs.quantised(wanted, chosen), chosen)
    assert np.linalg.norm(found - wanted) < tolerance * np.linalg.norm(wanted)
    assert np.all(found[3] == 0)


def test_nested_nf4_names_what_bitsandbytes_does():
    import torch

    from tests.families import packing

    value = torch.randn(32, 64, generator=torch.Generator().manual_seed(1))
    stored = packing.to_nf4("w", value, nested=True)
    assert stored["w"].shape == (32 * 64 // 2, 1)
    assert {name.partition(".")[2] for name in stored} == {
        "",
        "absmax",
        "quant_map",
        "nested_absmax",
        "nested_quant_map",
        "quant_state.bitsandbytes__nf4",
    }
    assert len(packing.dynamic_map()) == 256
    off = packing.from_nf4("w", stored) - value
    assert off.norm() < 0.12 * value.norm()
