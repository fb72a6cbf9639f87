"""Which safetensors files of a repo are its model."""

import pytest

from allmende.flows.content_examination import format_fact
from allmende.flows.revision_summary import choose_safetensors
from allmende.formats import JsonObject

SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
INDEX: JsonObject = {"weight_map": {"a": SHARDS[1], "b": SHARDS[0], "c": SHARDS[0]}}


@pytest.mark.parametrize(
    ("paths", "index", "chosen"),
    [
        ([], None, []),
        (["model.safetensors"], None, ["model.safetensors"]),
        (["model.safetensors", "model.fp16.safetensors"], None, ["model.safetensors"]),
        (SHARDS, None, SHARDS),
        ([*SHARDS, "model.fp16.safetensors"], INDEX, SHARDS),
        ([SHARDS[0]], INDEX, SHARDS),
        (["adapter_model.safetensors"], None, ["adapter_model.safetensors"]),
        (["a.safetensors", "b.safetensors"], None, []),
        (["unet/model.safetensors", "vae/model.safetensors"], None, []),
        (["model.safetensors"], {"weight_map": {"a": 7, "b": None}}, ["model.safetensors"]),
        (["model.safetensors"], {"weight_map": ["x"]}, ["model.safetensors"]),
        (["model.bin"], None, []),
    ],
)
def test_the_rules_in_their_order(paths: list[str], index: JsonObject | None, chosen: list[str]) -> None:
    assert choose_safetensors(paths, index) == chosen


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("model.safetensors", "format.safetensors"),
        ("a.b/Weights.GGUF", "format.gguf"),
        ("a.b/LICENSE", "format"),
        ("odd.ending-here", "format"),
        ("x.äö", "format"),
        ("x." + "a" * 17, "format"),
        ("x.", "format"),
        (".gitattributes", "format.gitattributes"),
    ],
)
def test_the_name_of_the_format_fact_is_bounded(path: str, name: str) -> None:
    assert format_fact(path) == name
