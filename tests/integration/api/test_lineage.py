"""Lineage in our own JSON, and in what stock clients read of a model."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, open_services
from allmende.flows.worker import handlers
from allmende.ids import Sha256
from allmende.jobs import JobContext
from allmende.registry import (
    AddFile,
    LinkContent,
    Operation,
    Submission,
    authenticate,
    create_account,
    create_repo,
    issue_token,
    prepare,
    receive,
)
from allmende.settings import Settings
from allmende.storage import add_content, take_possession
from tests.databases import new_schema
from tests.integration.flows.families import finetuned, fresh, gguf_of, safetensors_of
from tests.scanners import scanner_in_process

API = "/api/allmende/v1"
BASE = fresh(1)
TUNED = finetuned(BASE, 2)


@dataclass
class Family:
    """A hub with a family in it: tests read, and change nothing that others read."""

    client: TestClient
    services: Services

    def __call__(self, path: str, by: str | None = None, method: str = "GET", **more: Any) -> httpx2.Response:
        credentials = {} if by is None else {"Authorization": f"Bearer token-of-{by}"}
        return self.client.request(method, path, headers=credentials, **more)

    def lineage(self, name: str, rest: str = "", by: str | None = None) -> dict[str, Any]:
        answer = self(f"{API}/models/{name}/lineage/main{rest}", by)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def publish(
        self, name: str, file: str, data: bytes, card: Mapping[str, str], *, private: bool = False
    ) -> None:
        namespace, _, short = name.partition("/")
        sha256 = Sha256(hashlib.sha256(data).hexdigest())
        writer = self.services.contents.open_write(sha256, len(data))
        writer.write(data)
        location = writer.finish()
        front = "\n".join(["---", *(f"{key}: {value}" for key, value in card.items()), "license: mit", "---"])
        operations: list[Operation] = [
            LinkContent(file, sha256, len(data)),
            AddFile("README.md", front.encode()),
        ]
        prepared = prepare(Submission("main", "files", "", operations, None, create_pr=False), 10**6)
        with self.services.database.write() as uow:
            actor = authenticate(uow, f"token-of-{namespace}")
            repo = create_repo(uow, self.services.queue, actor, "model", namespace, short, private=private)
            add_content(uow, sha256, len(data), location)
            take_possession(uow, actor.require_account().id, sha256)
            receive(uow, self.services.queue, actor, repo, prepared)

    def work(self) -> None:
        kinds = handlers(self.services)
        while (job := self.services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
            kinds[job.kind](JobContext(self.services.queue, job))
            assert self.services.queue.finish(job)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    opened = open_services(Settings(data=tmp_path_factory.mktemp("hub") / "data", workers=0))
    services = replace(opened, scanner=scanner_in_process())
    new_schema(services.database)
    with services.database.write() as uow:
        for name in ("alice", "bob"):
            issue_token(uow, create_account(uow, name, "user"), "t", "write", secret=f"token-of-{name}")
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as client:
        made = Family(client, services)
        made.publish("alice/base", "model.safetensors", safetensors_of(BASE), {})
        made.publish("alice/famous", "model.safetensors", safetensors_of(fresh(9)), {})
        made.publish("bob/tuned", "model.safetensors", safetensors_of(TUNED), {"base_model": "alice/famous"})
        made.publish("alice/small", "small.Q8_0.gguf", gguf_of(BASE), {})
        secret = safetensors_of(finetuned(TUNED, 5))
        made.publish("bob/secret", "model.safetensors", secret, {"base_model": "alice/base"}, private=True)
        made.work()
        yield made


def test_the_lineage_tells_edges_and_claims(family: Family) -> None:
    told = family.lineage("bob/tuned")
    assert told["schema"] == "allmende.lineage-report/1"
    assert told["examined"]
    (edge,) = told["edges"]
    assert [parent["repo"] for parent in edge["parents"]] == ["alice/base"]
    assert (edge["relation"], edge["chain"]) == ("finetune", ["finetune"])
    assert edge["grade"] in {"strong", "likely"}
    assert edge["evidence"]
    claims = {claim["name"]: (claim["status"], claim["code"]) for claim in told["declared"]}
    assert claims == {
        "alice/famous": ("contradicted", "no_kin"),
        "alice/base": ("undeclared", "not_declared"),
    }


def test_a_revision_may_be_a_commit(family: Family) -> None:
    commit = family("/api/models/bob/tuned").json()["sha"]
    told = family(f"{API}/models/bob/tuned/lineage/{commit}").json()
    assert told == family.lineage("bob/tuned")


def test_ancestors_descendants_and_siblings(family: Family) -> None:
    up = family.lineage("bob/secret", "/ancestors", "bob")
    assert [node["repo"] for node in up["nodes"]] == ["bob/secret", "bob/tuned", "alice/base"]
    assert [(link["child"], link["parent"]) for link in up["links"]] == [(0, 1), (1, 2)]
    down = family.lineage("alice/base", "/descendants")
    assert (down["count"], down["next"]) == (2, None)
    assert {child["repo"]: child["relation"] for child in down["descendants"]} == {
        "bob/tuned": "finetune",
        "alice/small": "quantized",
    }
    beside = family.lineage("bob/tuned", "/siblings")
    assert [kin["repo"] for kin in beside["siblings"]] == ["alice/small"]


def test_models_alike_are_told_with_the_reason(family: Family) -> None:
    told = family(f"{API}/models/bob/tuned/alike/main").json()
    assert (told["schema"], told["by"]) == ("allmende.alike/1", "weights")
    assert [(one["repo"], one["why"], one["through"]) for one in told["models"]] == [
        ("alice/base", "parent", None),
        ("alice/small", "sibling", "alice/base"),
    ]
    assert told["models"][0]["agreement"] > 0.9
    own = family(f"{API}/models/bob/tuned/alike/main", "bob").json()["models"]
    assert ("bob/secret", "child") in [(one["repo"], one["why"]) for one in own]
    assert len(family(f"{API}/models/bob/tuned/alike/main?limit=1").json()["models"]) == 1
    assert family(f"{API}/models/bob/tuned/alike/main", "alice").json() == told
    assert family(f"{API}/models/alice/famous/alike/main").json()["by"] == "task"
    for limit in ("0", "51", "x"):
        assert family(f"{API}/models/bob/tuned/alike/main?limit={limit}").status_code == 400
    assert family(f"{API}/models/bob/secret/alike/main", "alice").status_code == 404


def test_descendants_come_in_pages(family: Family) -> None:
    first = family.lineage("alice/base", "/descendants?limit=1")
    second = family.lineage("alice/base", f"/descendants?limit=1&cursor={first['next']}")
    assert len(first["descendants"]) == len(second["descendants"]) == 1
    assert first["descendants"] != second["descendants"]
    assert second["next"] is None
    wrong = family(f"{API}/models/alice/base/lineage/main/descendants?cursor=x")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "cursor_invalid")


def test_the_way_between_two_models(family: Family) -> None:
    told = family(f"{API}/lineage/path?from=alice/small&to=bob/tuned").json()
    assert (told["from"], told["to"], told["akin"]) == ("alice/small", "bob/tuned", True)
    assert [(step["direction"], step["repo"]) for step in told["steps"]] == [
        ("up", "alice/base"),
        ("down", "bob/tuned"),
    ]
    none = family(f"{API}/lineage/path?from=alice/famous&to=bob/tuned").json()
    assert (none["akin"], none["steps"]) == (False, [])


def test_a_private_model_is_missing_on_every_address(family: Family) -> None:
    for name in ("secret", "absent"):
        for rest in ("", "/ancestors", "/descendants", "/siblings"):
            for by in (None, "alice"):
                answer = family(f"{API}/models/bob/{name}/lineage/main{rest}", by)
                assert (answer.status_code, answer.json()["code"]) == (404, "RepoNotFound")
        for ends in (f"from=bob/{name}&to=alice/base", f"from=alice/base&to=bob/{name}"):
            assert family(f"{API}/lineage/path?{ends}", "alice").json()["code"] == "RepoNotFound"


def test_a_private_child_is_counted_for_its_own_people_alone(family: Family) -> None:
    seen = family.lineage("bob/tuned", "/descendants", "bob")
    assert [child["repo"] for child in seen["descendants"]] == ["bob/secret"]
    for by in (None, "alice"):
        told = family.lineage("bob/tuned", "/descendants", by)
        assert (told["count"], told["descendants"]) == (0, [])
        assert family.lineage("bob/tuned", "", by)["descendants_count"] == 0
        assert "secret" not in str(family.lineage("bob/tuned", "", by))


def test_stock_clients_read_measured_bases_behind_declared_ones(family: Family) -> None:
    told = family("/api/models/bob/tuned?expand=baseModels&expand=tags").json()
    assert told["baseModels"] == {"models": [{"id": "alice/famous"}, {"id": "alice/base", "measured": True}]}
    assert [tag for tag in told["tags"] if tag.startswith("base_model:")] == ["base_model:alice/famous"]
    told = family("/api/models/alice/small?expand=baseModels&expand=tags").json()
    assert told["baseModels"] == {"models": [{"id": "alice/base", "measured": True}], "relation": "quantized"}
    assert {"base_model:alice/base", "base_model:quantized:alice/base"} <= set(told["tags"])


def test_children_are_counted_as_the_caller_sees_them(family: Family) -> None:
    def count(by: str | None) -> int:
        return family("/api/models/alice/base?expand=childrenModelCount", by).json()["childrenModelCount"]

    # bob/tuned and alice/small are measured, bob/secret declares it.
    assert (count(None), count("alice"), count("bob")) == (2, 2, 3)
    listed = family("/api/models?expand=childrenModelCount&search=base").json()
    assert listed[0]["childrenModelCount"] == 2


def test_models_are_found_by_a_measured_base(family: Family) -> None:
    def found(tag: str, by: str | None = None) -> set[str]:
        return {model["id"] for model in family(f"/api/models?filter={tag}", by).json()}

    assert found("base_model:alice/base") == {"bob/tuned", "alice/small"}
    assert found("base_model:quantized:alice/base") == {"alice/small"}
    assert found("base_model:alice/base", "bob") == {"bob/tuned", "alice/small", "bob/secret"}


def test_the_openapi_document_tells_of_all_of_it(family: Family) -> None:
    paths = family(f"{API}/openapi.json").json()["paths"]
    told = [path for path in paths if "lineage" in path]
    assert len(told) == 6
    assert all("lineage" in paths[path]["get"]["tags"] for path in told)


def test_what_a_family_takes_together(family: Family) -> None:
    anybody = family.lineage("alice/base", "/storage")
    assert anybody["schema"] == "allmende.family-storage/1"
    assert (anybody["repo"], anybody["complete"]) == ("alice/base", True)
    assert anybody["repos"] == 3
    assert anybody["content_bytes"] == anybody["stored_bytes"] > len(safetensors_of(BASE))
    assert family.lineage("bob/tuned", "/storage")["content_bytes"] == anybody["content_bytes"]
    assert family.lineage("bob/tuned", "/storage", by="bob")["repos"] == 3
    assert family.lineage("bob/secret", "/storage", by="bob")["repos"] == 4
