from datetime import UTC, datetime

import pytest

from allmende.facts import Fact, put_revision_facts
from allmende.registry import index_derived, lookup_repo

CARD = b"""---
license: mit
library_name: transformers
pipeline_tag: text-classification
tags: [tiny]
base_model: alice/base
base_model_relation: finetune
model-index:
- name: mm
  results: []
---
# A model
"""


def examined(hub, api, commit):
    """What an examination would have found."""
    name = api.removeprefix("/api/models/")
    facts = [
        Fact(
            "safetensors", {"parameters": {"F32": 5}, "total": 5}, "derived", "test", "1", datetime.now(UTC)
        ),
        Fact("config", {"model_type": "bert"}, "declared", "test", "1", datetime.now(UTC)),
        Fact("tags", ["safetensors", "bert"], "derived", "test", "1", datetime.now(UTC)),
        Fact("library_name", "transformers", "derived", "test", "1", datetime.now(UTC)),
    ]
    with hub.services.database.write() as uow:
        repo = lookup_repo(uow, "model", name)
        assert repo is not None
        put_revision_facts(uow, repo.id, commit, facts)
        index_derived(uow, repo.id, ["safetensors", "bert"], None, "transformers")


@pytest.fixture
def model(hub):
    api = hub.create("alice/mm")
    hub.link(api, "model.safetensors", b"w" * 5000)
    examined(hub, api, hub.commit(api, {"README.md": CARD}))
    return api


def test_everything_that_is_known_of_a_model(hub, model):
    told = hub.get(model).json()
    head = hub.get(f"{model}/commits/main").json()[0]["id"]
    assert {key: told[key] for key in ("id", "modelId", "author", "sha", "private", "gated", "disabled")} == {
        "id": "alice/mm",
        "modelId": "alice/mm",
        "author": "alice",
        "sha": head,
        "private": False,
        "gated": False,
        "disabled": False,
    }
    assert told["safetensors"] == {"parameters": {"F32": 5}, "total": 5}
    assert told["config"] == {"model_type": "bert"}
    assert told["usedStorage"] == 5000
    assert told["downloads"] == 0
    assert (told["pipeline_tag"], told["library_name"]) == ("text-classification", "transformers")
    assert {"tiny", "license:mit", "safetensors", "bert", "base_model:alice/base"} <= set(told["tags"])
    assert told["cardData"]["base_model"] == "alice/base"
    assert told["model-index"] == [{"name": "mm", "results": []}]
    assert told["createdAt"] == told["lastModified"] == "2026-11-22T12:00:00.000Z"
    assert told["siblings"] == [
        {"rfilename": name} for name in (".gitattributes", "README.md", "model.safetensors")
    ]
    assert len(told["_id"]) == 24


def test_what_is_not_known_is_left_out(hub, model):
    told = hub.get(model).json()
    assert not {"likes", "trendingScore", "inference", "widgetData", "mask_token", "gguf"} & set(told)


def test_blobs_give_sizes_and_ids(hub, model):
    files = {file["rfilename"]: file for file in hub.get(f"{model}?blobs=true").json()["siblings"]}
    assert files["README.md"]["size"] == len(CARD)
    assert "lfs" not in files["README.md"]
    large = files["model.safetensors"]
    assert (large["size"], large["lfs"]["size"], len(large["lfs"]["sha256"])) == (5000, 5000, 64)
    assert large["lfs"]["pointerSize"] < 200
    assert len(large["blobId"]) == 40


def test_expand_gives_only_what_was_named(hub, model):
    told = hub.get(f"{model}?expand=safetensors&expand=author&expand=likes&expand=baseModels").json()
    assert set(told) == {"_id", "id", "modelId", "safetensors", "author", "baseModels"}
    assert told["baseModels"] == {"models": [{"id": "alice/base"}], "relation": "finetune"}


def test_expand_of_something_that_nobody_knows(hub, model, says):
    says(hub.get(f"{model}?expand=nonsense"), 400, "expand_invalid")
    says(hub.call("HEAD", f"{model}?expand=sdk"), 400, "expand_invalid")


def test_another_revision_is_described_by_its_own_card(hub, model):
    first = hub.get(f"{model}/commits/main").json()[0]["id"]
    hub.commit(model, {"README.md": b"---\nlicense: apache-2.0\npipeline_tag: fill-mask\n---\n"})
    now, then = hub.get(model).json(), hub.get(f"{model}/revision/{first}").json()
    assert (now["cardData"]["license"], then["cardData"]["license"]) == ("apache-2.0", "mit")
    assert (now["pipeline_tag"], then["pipeline_tag"]) == ("fill-mask", "text-classification")
    assert "safetensors" not in now
    assert then["safetensors"]["total"] == 5
    assert {"license:mit", "safetensors"} <= set(then["tags"])
    assert (then["sha"], then["library_name"]) == (first, "transformers")
    assert then["model-index"] == [{"name": "mm", "results": []}]


@pytest.mark.parametrize("revision", ["main", "refs%2Fheads%2Fmain", "refs/heads/main", "v1"])
def test_a_revision_by_any_of_its_names(hub, model, revision):
    hub.post(f"{model}/tag/main", {"tag": "v1"}, by="alice")
    assert hub.get(f"{model}/revision/{revision}").json()["sha"] == hub.get(model).json()["sha"]


@pytest.mark.parametrize("revision", ["absent", "a" * 40, "refs%2Fpr%2F1", "main%00"])
def test_a_missing_revision(hub, model, says, revision):
    answer = hub.get(f"{model}/revision/{revision}")
    if revision.endswith("%00"):
        says(answer, 400, "path_invalid")
        return
    says(answer, 404, "RevisionNotFound")
    assert answer.headers["x-error-message"].startswith("Invalid rev id: ")


@pytest.mark.parametrize(
    "path", ["/api/models/gpt2", "/api/models/gpt2/revision/main", "/api/models/alice/none"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_missing_repo(hub, says, method, path):
    answer = hub.call(method, path)
    says(answer, 404, "RepoNotFound")
    assert answer.headers["x-error-message"] == "Repository not found"


def test_head_has_the_headers_of_get(hub, model):
    whole, head = hub.get(model), hub.call("HEAD", model)
    assert head.status_code == 200
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_a_dataset_and_a_space(hub):
    data = hub.create("alice/data", type="dataset")
    space = hub.create("alice/space", type="space", sdk="gradio")
    hub.commit(space, {"README.md": b"---\nsdk: gradio\nmodels: [alice/mm]\ndatasets: alice/data\n---\n"})
    told = hub.get(data).json()
    assert ("modelId" in told, told["id"], told["usedStorage"]) == (False, "alice/data", 0)
    told = hub.get(space).json()
    assert (told["sdk"], told["models"], told["datasets"]) == ("gradio", ["alice/mm"], ["alice/data"])
    assert not {"host", "subdomain", "runtime", "downloads"} & set(told)


def test_a_broken_card_does_not_break_the_description(hub):
    api = hub.create("alice/mm")
    hub.commit(api, {"README.md": b"---\nlicense: [mit\n---\nx"})
    assert hub.get(api).json()["cardData"] == {}
    hub.commit(api, {"README.md": b"---\nx: .nan\ny: .inf\nz: 2020-01-01\n---\n"})
    assert hub.get(api).status_code == 200


def test_a_gated_repo_is_described_to_everybody(hub):
    api = hub.create("alice/mm")
    hub.call("PUT", f"{api}/settings", json={"gated": "manual"}, by="alice")
    assert hub.get(api).json()["gated"] == "manual"
