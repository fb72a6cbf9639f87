"""The judge of lineage: copies stand for each other, and what the weights cannot tell is not asked for."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.families import score


def truth(order: int, relation: str, *parents: str, **more: Any) -> dict[str, Any]:
    named = [{"name": parent, "weight": None} for parent in parents]
    return {**score.DEFAULTS, "parents": named, "relation": relation, "order": order, **more}


MERGED = [{"name": "ft", "weight": 0.3}, {"name": "base", "weight": 0.7}]
MANIFEST = {
    "base": truth(0, "root"),
    "copy": truth(1, "identical", "base"),
    "ft": truth(2, "finetune", "base"),
    "lora": truth(3, "lora_merged", "base", rank=8, chain=["cast", "lora_merged"]),
    "mix": {**truth(4, "merge"), "parents": MERGED},
    "q8": truth(5, "quantized", "ft", chain=["quantized", "renamed"]),
    "first": truth(6, "sibling", withheld="hidden"),
    "second": truth(7, "sibling", "first", withheld="hidden"),
    "hidden_ft": truth(8, "finetune", "base", disguise=True),
}


def edge(relation: str, *parents: str, **more: Any) -> dict[str, Any]:
    return {"parents": [{"path": f"/among/{parent}"} for parent in parents], "relation": relation, **more}


def judged(name: str, *edges: dict[str, Any], everything: bool = False) -> score.Verdict:
    candidates = score.candidates_of(MANIFEST, name, everything=everything)
    return score.judge(MANIFEST, name, candidates, {"edges": list(edges)}, 0.1)


@pytest.mark.parametrize(
    ("name", "answer", "relation", "parents"),
    [
        ("base", edge("unrelated"), True, True),
        ("base", edge("finetune", "ft"), False, False),
        ("ft", edge("finetune", "base"), True, True),
        ("ft", edge("finetune", "copy"), True, True),
        ("ft", edge("partly_frozen", "base"), False, True),
        ("ft", edge("unrelated"), False, False),
        ("lora", edge("lora_merged", "base"), True, True),
        ("lora", edge("cast", "base", chain=["cast", "lora_merged"]), True, True),
        ("lora", edge("cast", "base"), False, True),
        ("mix", edge("merge", "base", "ft"), True, True),
        ("mix", edge("merge", "copy", "ft"), True, True),
        ("mix", edge("merge", "ft"), True, False),
        ("q8", edge("quantized", "ft"), True, True),
        ("first", edge("unrelated"), True, True),
        ("first", edge("sibling", "base"), False, False),
        ("second", edge("sibling", "first"), True, True),
        ("second", edge("finetune", "first"), False, True),
    ],
)
def test_an_answer_is_judged(name: str, answer: dict[str, Any], relation: bool, parents: bool):
    verdict = judged(name, answer)
    assert (verdict.relation_right, verdict.parents_right) == (relation, parents)


def test_only_the_best_edge_counts():
    assert not judged("ft", edge("cast", "base"), edge("finetune", "base")).relation_right
    assert judged("base").relation_right


def test_among_all_a_descendant_is_no_parent_and_a_copy_may_be_first():
    assert not judged("base", edge("finetune", "ft"), everything=True).parents_right
    assert judged("base", edge("identical", "copy"), everything=True).parents_right
    assert judged("first", edge("sibling", "second"), everything=True).relation_right
    assert not judged("first", edge("unrelated"), everything=True).relation_right


def test_weights_and_ranks_are_compared_where_both_are_known():
    parents = [{"path": "/among/copy", "weight": 0.6}, {"path": "/among/ft", "weight": 0.31}]
    mix = judged("mix", {"parents": parents, "relation": "merge"})
    assert mix.weight_error == pytest.approx(0.1)
    assert judged("lora", edge("lora_merged", "base", rank=9)).rank_error == 1
    assert judged("lora", edge("lora_merged", "base")).rank_error is None
    assert judged("lora", edge("finetune", "base", rank=9)).rank_error is None


def test_totals_set_the_disguised_apart():
    verdicts = [judged("ft", edge("finetune", "base")), judged("hidden_ft", edge("unrelated"))]
    found = score.totals(verdicts, MANIFEST)
    assert found["all"]["both_right"] == 1
    assert found["without_disguise"]["both_right"] == found["without_disguise"]["models"] == 1
    assert found["disguised"]["both_right"] == 0
    assert found["confusions"] == {"finetune -> unrelated": 1}


@pytest.mark.parametrize("hard", [False, True])
def test_a_command_that_knows_the_truth_is_right_about_all(tmp_path: Path, hard: bool):
    models = tmp_path / "models"
    for name in MANIFEST:
        (models / name).mkdir(parents=True)
        (models / name / "model.safetensors").write_bytes(b"")
    (models / "manifest.json").write_text(json.dumps(MANIFEST))
    oracle = tmp_path / "oracle.py"
    oracle.write_text(
        "import json, pathlib, sys\n"
        "query, among = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[4])\n"
        "truth = json.loads((query.parent / 'manifest.json').read_text())[query.name]\n"
        "parents = [{'path': str(among / p['name'])} for p in truth['parents']]\n"
        "assert all(pathlib.Path(p['path']).is_dir() for p in parents)\n"
        "edges = [{'parents': parents, 'relation': truth['relation']}] if parents else []\n"
        "print(json.dumps({'edges': edges}))\n"
    )
    command = [sys.executable, str(oracle)]
    verdicts = [score.ask(models, MANIFEST, name, command, everything=False, hard=hard) for name in MANIFEST]
    assert [v.name for v in verdicts if not (v.relation_right and v.parents_right)] == []
    assert "ok" in score.table(verdicts)


def test_no_answer_is_wrong_even_for_a_root(tmp_path: Path):
    silent = score.ask(tmp_path, MANIFEST, "base", [sys.executable, "-c", "pass"], everything=False)
    assert not silent.relation_right
    assert silent.problem
