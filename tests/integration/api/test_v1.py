"""The JSON API: the hub, the facts of revisions, its own description, its errors."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from allmende import __version__
from allmende.app import create_app
from allmende.facts import Fact, put_revision_facts
from allmende.flows import Services, open_services
from allmende.ids import RepoId
from allmende.registry import (
    Repo,
    authenticate,
    create_account,
    create_repo,
    issue_token,
    move_repo,
    resolve_revision,
)
from allmende.settings import Settings
from tests.databases import new_schema

API = "/api/allmende/v1"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    opened = open_services(Settings(data=tmp_path / "data", workers=0))
    new_schema(opened.database)
    return opened


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def token(services: Services) -> str:
    with services.database.write() as uow:
        return issue_token(uow, create_account(uow, "ada", "user"), "t", "write")


def new_repo(services: Services, token: str, name: str, *, private: bool = False) -> tuple[Repo, str]:
    with services.database.write() as uow:
        repo = create_repo(
            uow, services.queue, authenticate(uow, token), "model", "ada", name, private=private
        )
        head = resolve_revision(uow, repo, "main").oid
        facts = [
            Fact("tags", ["x"], "derived", "allmende.formats", "1", AT, {"path": "config.json"}),
            Fact("examined", {}, "measured", "allmende.formats", "1", AT),
        ]
        put_revision_facts(uow, RepoId(repo.id), head, facts)
    return repo, head


def test_the_hub_says_what_it_is(client: TestClient) -> None:
    answer = client.get(f"{API}/hub").json()
    assert (answer["name"], answer["version"]) == ("Allmende", __version__)
    assert answer["features"] == sorted(answer["features"])


@pytest.mark.parametrize("revision", ["main", "refs%2Fheads%2Fmain", "refs/heads/main"])
def test_facts_come_with_their_evidence(
    revision: str, client: TestClient, services: Services, token: str
) -> None:
    _, head = new_repo(services, token, "open")
    answer = client.get(f"{API}/models/ada/open/facts/{revision}")
    assert answer.json() == {
        "schema": "allmende.facts/1",
        "type": "model",
        "repo": "ada/open",
        "commit": head,
        "examined": True,
        "facts": [
            {
                "name": "examined",
                "value": {},
                "source": "measured",
                "evidence": {},
                "tool": "allmende.formats",
                "tool_version": "1",
                "at": "2026-11-22T12:00:00.000Z",
            },
            {
                "name": "tags",
                "value": ["x"],
                "source": "derived",
                "evidence": {"path": "config.json"},
                "tool": "allmende.formats",
                "tool_version": "1",
                "at": "2026-11-22T12:00:00.000Z",
            },
        ],
    }
    assert client.get(f"{API}/models/ada/open/facts/{head[:8]}").json()["commit"] == head


def test_a_private_repo_looks_exactly_missing(client: TestClient, services: Services, token: str) -> None:
    new_repo(services, token, "closed", private=True)
    hidden = client.get(f"{API}/models/ada/closed/facts/main")
    missing = client.get(f"{API}/models/ada/missing/facts/main")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.headers["X-Error-Code"] == "RepoNotFound"
    assert hidden.content == missing.content
    own = client.get(f"{API}/models/ada/closed/facts/main", headers={"Authorization": f"Bearer {token}"})
    assert own.status_code == 200


def test_a_moved_repo_redirects_to_its_facts(client: TestClient, services: Services, token: str) -> None:
    repo, _ = new_repo(services, token, "before")
    with services.database.write() as uow:
        move_repo(uow, authenticate(uow, token), repo, "ada/after")
    answer = client.get(f"{API}/models/ada/before/facts/main")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{API}/models/ada/after/facts/main"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/models/ada/open/facts/nowhere", 404, "RevisionNotFound"),
        ("GET", "/kernels/ada/open/facts/main", 404, "address_unknown"),
        ("GET", "/nothing", 404, "address_unknown"),
        ("GET", "/docs", 404, "address_unknown"),
        ("GET", "/redoc", 404, "address_unknown"),
        ("POST", "/hub", 405, "method_not_allowed"),
        ("GET", "/models/ada%2Fx/open/facts/main", 404, "RepoNotFound"),
    ],
)
def test_errors_are_those_of_the_whole_hub(
    method: str, path: str, status: int, code: str, client: TestClient, services: Services, token: str
) -> None:
    new_repo(services, token, "open")
    answer = client.request(method, API + path)
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (status, code)
    assert answer.headers["X-Request-Id"]
    assert answer.json()["code"] == code


def test_a_fault_of_ours_is_answered_by_the_edge(
    client: TestClient, services: Services, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    new_repo(services, token, "open")
    with services.database.write() as uow:
        uow.connection.exec_driver_sql("DROP TABLE revision_fact")
    answer = client.get(f"{API}/models/ada/open/facts/main")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "revision_fact" not in answer.text
    assert any(record.exc_info for record in caplog.records)


def test_the_description_holds_every_address_and_its_errors(client: TestClient) -> None:
    described = client.get(f"{API}/openapi.json").json()
    assert described["servers"] == [{"url": API}]
    repo, model = "/{types}/{namespace}/{name}", "/models/{namespace}/{name}"
    application = "/applications/{namespace}/{application}"
    assert set(described["paths"]) == {
        "/hub",
        f"{repo}/facts/{{revision}}",
        "/scan/rules",
        f"{repo}/scan/{{revision}}",
        f"{repo}/scan/overrides",
        f"{repo}/scan/overrides/{{number}}",
        f"{repo}/objects/{{revision}}/{{path}}",
        f"{repo}/encodings/{{revision}}/{{path}}",
        f"{repo}/storage",
        "/lineage/path",
        f"{model}/lineage/{{revision}}",
        f"{model}/lineage/{{revision}}/ancestors",
        f"{model}/lineage/{{revision}}/descendants",
        f"{model}/lineage/{{revision}}/siblings",
        f"{model}/lineage/{{revision}}/storage",
        f"{model}/alike/{{revision}}",
        "/search",
        "/assess",
        "/applications",
        application,
        f"{application}/visibility",
        f"{application}/description",
        f"{application}/assessment",
        f"{application}/assessments",
        f"{application}/evidence",
        f"{application}/documents/{{kind}}",
        "/log",
        "/log/evidence/{digest}",
        "/keys",
        "/trust",
        "/trust/{namespace}",
        f"{repo}/signatures/{{revision}}",
        f"{repo}/attestations/{{revision}}",
        f"{repo}/attestation/{{digest}}/{{revision}}",
        "/schemas/record.json",
        f"{repo}/record/{{revision}}",
        f"{repo}/record-versions/{{revision}}",
        f"{repo}/record-diff/{{span}}",
        f"{repo}/bom/{{revision}}",
        f"{model}/documents/{{revision}}/{{kind}}",
        f"{repo}/proof/{{revision}}",
        f"{repo}/log-subject",
        f"{repo}/evidence",
        "/evidence/namespaces/{namespace}",
        "/evidence/hub",
    }
    for operations in described["paths"].values():
        for operation in operations.values():
            assert set(operation["responses"]) in ({"200", "4XX"}, {"201", "4XX"})
    assert "schema" in described["components"]["schemas"]["RevisionFactsDescription"]["properties"]
