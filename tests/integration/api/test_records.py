"""Transparency records and documents over HTTP."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import open_services
from allmende.flows.statement_key import statement_signer
from allmende.proof import canonical_json, read_envelope, verify_envelope
from allmende.record import record_schema
from allmende.registry import create_account, issue_token
from allmende.settings import Settings
from tests.databases import new_schema
from tests.integration.api.test_lineage import API, BASE, TUNED, Family
from tests.integration.flows.families import safetensors_of
from tests.scanners import scanner_in_process


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    opened = open_services(Settings(data=tmp_path_factory.mktemp("hub") / "data", workers=0))
    services = replace(opened, scanner=scanner_in_process())
    new_schema(services.database)
    with services.database.write() as uow:
        for name in ("alice", "bob"):
            issue_token(uow, create_account(uow, name, "user"), "t", "write", secret=f"token-of-{name}")
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as client:
        made = Family(client, services)
        made.publish("alice/base", "model.safetensors", safetensors_of(BASE), {"language": "en"})
        made.publish("alice/hidden", "model.safetensors", safetensors_of(TUNED), {}, private=True)
        made.work()
        yield made


def record_of(hub: Family, name: str = "alice/base", by: str | None = None) -> dict:
    answer = hub(f"{API}/models/{name}/record/main", by)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_record_is_served_as_canonical_json(hub: Family) -> None:
    answer = hub(f"{API}/models/alice/base/record/main")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == canonical_json(answer.json())
    assert answer.json()["facts"]["languages"]["value"] == ["en"]
    again = hub.client.get(
        f"{API}/models/alice/base/record/main", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_the_signed_form_holds_the_same_record(hub: Family) -> None:
    for answer in (
        hub(f"{API}/models/alice/base/record/main?envelope=1"),
        hub.client.get(
            f"{API}/models/alice/base/record/main",
            headers={"Accept": "application/vnd.dsse.envelope.v1+json"},
        ),
    ):
        envelope = read_envelope(answer.content)
        statement = verify_envelope(envelope, [statement_signer(hub.services).public])
        assert statement.predicate == record_of(hub)
        versions = hub(f"{API}/models/alice/base/record-versions/main").json()
        assert versions["versions"][0]["digest"] == envelope.digest


def test_strangers_see_of_a_private_record_what_they_see_of_a_missing_one(hub: Family) -> None:
    for path in ("record/main", "record-versions/main", "bom/main", "record-diff/main..main"):
        private = hub(f"{API}/models/alice/hidden/{path}", "bob")
        missing = hub(f"{API}/models/alice/missing/{path}", "bob")
        assert private.status_code == missing.status_code == 404
        assert private.json()["code"] == missing.json()["code"]
        assert hub(f"{API}/models/alice/hidden/{path}", "alice").status_code == 200


def test_versions_and_unknown_ones(hub: Family) -> None:
    first = hub(f"{API}/models/alice/base/record/main?version=1")
    assert first.json()["version"] == 1
    unknown = hub(f"{API}/models/alice/base/record/main?version=99")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "record_not_ready")
    assert hub(f"{API}/models/alice/base/record/main?version=0").status_code == 400


def test_two_revisions_are_compared(hub: Family) -> None:
    before = hub("/api/models/alice/base").json()["sha"]
    hub.client.post(
        "/api/models/alice/base/commit/main",
        headers={"Authorization": "Bearer token-of-alice", "Content-Type": "application/x-ndjson"},
        content="\n".join(
            [
                json.dumps({"key": "header", "value": {"summary": "more"}}),
                json.dumps(
                    {
                        "key": "file",
                        "value": {
                            "path": "README.md",
                            "content": "---\nlicense: mit\n---\nIt.",
                            "encoding": "utf-8",
                        },
                    }
                ),
                json.dumps(
                    {"key": "file", "value": {"path": "new.txt", "content": "x", "encoding": "utf-8"}}
                ),
            ]
        ),
    )
    hub.work()
    answer = hub(f"{API}/models/alice/base/record-diff/{before}..main")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["schema"] == "allmende.record-diff/1"
    assert [row["name"] for row in told["removed"]] == ["languages"]
    changed = {row["name"]: row for row in told["changed"]}
    assert changed["files"]["paths"]["added"] == ["new.txt"]
    assert changed["files"]["paths"]["changed"] == ["README.md"]
    assert "licence" in told["unchanged"]
    for span in ("main", "..main", "main.."):
        wrong = hub(f"{API}/models/alice/base/record-diff/{span}")
        assert (wrong.status_code, wrong.json()["code"]) == (400, "span_invalid")


def test_documents(hub: Family) -> None:
    answer = hub(f"{API}/models/alice/base/bom/main")
    assert answer.headers["content-type"].startswith("application/vnd.cyclonedx+json")
    main = answer.json()["metadata"]["component"]
    assert (main["group"], main["name"]) == ("alice", "base")
    assert main["purl"].startswith("pkg:huggingface/alice/base@")
    cff = hub(f"{API}/models/alice/base/bom/main?format=cff-1.2.0")
    assert "cff-version: 1.2.0" in cff.text
    for form, code in (("croissant-1.1", "bom_not_for_this_type"), ("other", "bom_format_unknown")):
        wrong = hub(f"{API}/models/alice/base/bom/main?format={form}")
        assert (wrong.status_code, wrong.json()["code"]) == (400, code)


def test_the_schema_is_served(hub: Family) -> None:
    assert hub(f"{API}/schemas/record.json").json() == record_schema()
