"""Independent validators accept every document of a family of three generations, and of odd repos."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allmende.bom import BOM_FORMATS, NotForThisType, render
from allmende.flows import record_envelope, record_of
from allmende.proof import canonical_json
from allmende.record import record_schema
from allmende.registry import Actor, AddFile, Repo, find_repo_by_id, heads_of
from tests.contract.clients import SCRIPTS
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import adapter, finetuned, fresh, gguf_of, merged
from tests.integration.flows.lineage_hub import LineageHub
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.timeout(900)]

ASSETS = Path(__file__).parents[2] / "assets"
ENDPOINT = "https://hub.example.org"
BASE = fresh(1)
TUNED = finetuned(BASE, 2)
CARD = """---
license: {licence}
language: [en, de]
datasets: [alice/data, "https://example.org/corpus"]
library_name: transformers
pipeline_tag: text-generation
tags: [text-generation, small]
co2_eq_emissions: {{emissions: 12500, source: codecarbon, training_type: pre-training}}
authors: [A. Author]
doi: 10.1234/abc
homepage: https://example.org/it
model-index:
- name: it
  results:
  - task: {{type: text-generation}}
    dataset: {{name: HellaSwag, type: hellaswag}}
    metrics: [{{type: acc, value: 0.5}}, {{type: f1, value: high}}]
---
# A model

It says things; see arXiv:2401.00001.

## Intended use
Saying things.
## Limitations
It is wrong at times.
## Ethical considerations
Say who speaks.
## Training procedure
One pass.
## Preprocessing
Words were split.
## Safety
It was asked for bad things.
## Explainability
None.
## Personal data
None is in it.
## Environmental impact
Small.
"""
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 128,
    "max_position_embeddings": 512,
    "rope_theta": 10000.0,
}
LORA = {"base_model_name_or_path": "alice/tuned", "peft_type": "LORA", "r": 4, "lora_alpha": 8.0}

Judge = Callable[[Path], dict[str, list[str]]]


@pytest.fixture
def hub(services: Any, make_repo: MakeRepo, commit: Commit, upload: Upload, run_jobs: RunJobs) -> LineageHub:
    return LineageHub(services, make_repo, commit, upload, run_jobs)


@pytest.fixture(scope="module")
def judge(require_environment: Callable[[str], Path]) -> Judge:
    python = require_environment("bom-judge") / "python"

    def run(folder: Path) -> dict[str, list[str]]:
        command = [str(python), str(SCRIPTS / "judge_bom.py"), str(folder), str(ASSETS)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        verdicts: dict[str, list[str]] = json.loads(ended.stdout)
        return verdicts

    return run


def publish_family(hub: LineageHub, alice: Actor) -> list[Repo]:
    more = {"README.md": CARD.format(licence="apache-2.0"), "config.json": CONFIG}
    base = hub.publish(alice, "base", BASE, more=more)
    tuned = hub.publish(alice, "tuned", TUNED, base="alice/base", more=more)
    other = hub.publish(
        alice, "other", finetuned(BASE, 3), more={"README.md": CARD.format(licence="llama3.1")}
    )
    lora = hub.publish(
        alice, "lora", adapter(TUNED, 5), file="adapter_model.safetensors", more={"adapter_config.json": LORA}
    )
    merge = hub.publish(alice, "merge", merged([(TUNED, 0.5), (finetuned(BASE, 3), 0.5)]))
    small = hub.publish(alice, "small", gguf_of(TUNED), file="small.Q8_0.gguf", base="alice/nowhere")
    return [base, tuned, other, lora, merge, small]


def publish_odd(hub: LineageHub, alice: Actor, make_repo: MakeRepo, run_jobs: RunJobs) -> list[Repo]:
    """Without a card, with names and texts that no schema likes, a dataset, a space."""
    bare = hub.publish(alice, "bare", fresh(8), more={"README.md": ""})
    card = (
        "---\nlicense: other\nlicense_link: 'no address'\ntags: ['<b>', 'ä ö']\n---\n\"'<script>\\ \u2028\n"
    )
    odd = hub.publish(alice, "odd", fresh(9), more={"README.md": card, "ä ö/% #?.txt": "x"})
    data = make_repo(alice, "data", kind="dataset")
    card = (
        "---\nlicense: odbl\nlanguage: en\ntask_categories: [text-generation]\n---\nRows.\n## Bias\nSome.\n"
    )
    hub.commit(alice, data, AddFile("README.md", card.encode()), AddFile("a/rows.csv", b"a,b\n1,2\n"))
    space = make_repo(alice, "space", kind="space")
    hub.commit(alice, space, AddFile("README.md", b"---\nsdk: static\n---\nA page."))
    run_jobs()
    return [bare, odd, data, space]


def write_documents(hub: LineageHub, repos: list[Repo], folder: Path) -> int:
    (folder / "record.schema").write_text(json.dumps(record_schema()))
    count = 0
    for repo in repos:
        with hub.services.database.read() as uow:
            found = find_repo_by_id(uow, repo.id)
            assert found is not None
            record = record_of(record_envelope(uow, found, heads_of(uow, [repo.id])[repo.id]))
        (folder / f"{repo.name}.record").write_bytes(canonical_json(record.document))
        count += 1
        for name in BOM_FORMATS:
            try:
                data = render(record, name, ENDPOINT)
            except NotForThisType:
                continue
            assert data == render(record, name, ENDPOINT)
            (folder / f"{repo.name}.{name}").write_bytes(data)
            count += 1
    return count


def test_a_family_is_valid_under_all_judges(
    hub: LineageHub, alice: Actor, make_repo: MakeRepo, run_jobs: RunJobs, judge: Judge, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    repos = publish_family(hub, alice) + publish_odd(hub, alice, make_repo, run_jobs)
    count = write_documents(hub, repos, folder)
    verdicts = judge(folder)
    assert len(verdicts) == count
    assert {name: wrong for name, wrong in verdicts.items() if wrong} == {}
    bom = json.loads((folder / "merge.cyclonedx-1.6").read_bytes())
    ancestors = bom["metadata"]["component"]["pedigree"]["ancestors"]
    assert sorted(one["name"] for one in ancestors) == ["other", "tuned"]
    told = {row["name"]: row["value"] for row in ancestors[0]["properties"]}
    assert told["allmende:lineage:source"] == "measured"
    assert told["allmende:lineage:relation"] == "merge"


def test_the_judges_refuse_what_is_wrong(judge: Judge, tmp_path: Path) -> None:
    """A judge that accepts anything would prove nothing."""
    (tmp_path / "record.schema").write_text(json.dumps(record_schema()))
    wrong = {
        "a.cyclonedx-1.6": '{"bomFormat": "CycloneDX", "specVersion": "1.6", "modelCard": 1}',
        "a.cyclonedx-1.7": '{"bomFormat": "CycloneDX", "specVersion": "1.7", "version": "x"}',
        "a.spdx-3.0.1": json.dumps(
            {
                "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
                "@graph": [{"type": "ai_AIPackage", "spdxId": "urn:x:y", "name": "without anything else"}],
            }
        ),
        "a.cff-1.2.0": "cff-version: 1.2.0\n",
        "a.datacite-4.5": "{}",
        "a.record": '{"schema": "allmende.record/1"}',
    }
    for name, text in wrong.items():
        (tmp_path / name).write_text(text)
    verdicts = judge(tmp_path)
    assert {name for name, found in verdicts.items() if found} == set(wrong)
