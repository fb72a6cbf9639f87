"""The scan in our own JSON: rules, reports, and decisions that lift verdicts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, open_services
from allmende.flows.worker import handlers
from allmende.jobs import JobContext
from allmende.registry import (
    AddFile,
    Submission,
    authenticate,
    create_account,
    create_repo,
    issue_token,
    lookup_repo,
    prepare,
    receive,
)
from allmende.scan import RULES
from allmende.settings import Settings
from allmende.storage import outbox
from tests import scan_samples as samples
from tests.databases import new_schema
from tests.scanners import scanner_in_process

API = "/api/allmende/v1"
REPO = f"{API}/models/alice/mixed/scan"
FILES = {
    "bad.pkl": samples.BLOCKED,
    "broken.pkl": samples.QUARANTINED,
    "odd.pkl": samples.WARNED,
    "good.pkl": samples.CLEAN,
}


class Api:
    """Calls as somebody."""

    def __init__(self, client: TestClient, services: Services) -> None:
        self.client = client
        self.services = services

    def __call__(self, method: str, path: str, by: str | None = None, **more: Any) -> httpx2.Response:
        credentials = {} if by is None else {"Authorization": f"Bearer token-of-{by}"}
        return self.client.request(method, path, headers=credentials, **more)

    def lift(self, by: str | None, path: str = "broken.pkl", **more: Any) -> httpx2.Response:
        return self("POST", f"{REPO}/overrides", by, json={"path": path, "reason": "I made it", **more})

    def status(self, path: str) -> int:
        return self("GET", f"/alice/mixed/resolve/main/{path}").status_code

    def work(self) -> None:
        kinds = handlers(self.services)
        while (job := self.services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
            kinds[job.kind](JobContext(self.services.queue, job))
            assert self.services.queue.finish(job)


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Api]:
    opened = open_services(Settings(data=tmp_path / "data", workers=0, auditors="ida"))
    services = replace(opened, scanner=scanner_in_process())
    new_schema(services.database)
    with services.database.write() as uow:
        for name in ("alice", "bob", "ida"):
            issue_token(uow, create_account(uow, name, "user"), "t", "write", secret=f"token-of-{name}")
        alice = authenticate(uow, "token-of-alice")
        create_repo(uow, services.queue, alice, "model", "alice", "mixed")
    operations = [AddFile(path, data) for path, data in FILES.items()]
    prepared = prepare(Submission("main", "files", "", operations, None, create_pr=False), 10**6)
    with services.database.write() as uow:
        repo = lookup_repo(uow, "model", "alice/mixed")
        assert repo is not None
        receive(uow, services.queue, authenticate(uow, "token-of-alice"), repo, prepared)
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as client:
        api = Api(client, services)
        api.work()
        yield api


def test_the_rules_say_what_is_done_about_each(call: Api) -> None:
    answer = call("GET", f"{API}/scan/rules").json()
    told = {rule["id"]: rule for rule in answer["rules"]}
    assert told.keys() == RULES.keys()
    assert told["pickle-refused-global"]["action"] == "block"
    assert all(rule["explanation"] and rule["remedy"] for rule in told.values())


def test_the_report_tells_every_file_with_its_findings(call: Api) -> None:
    report = call("GET", f"{REPO}/main").json()
    assert (report["schema"], report["status"], report["examined"]) == (
        "allmende.scan-report/1",
        "blocked",
        True,
    )
    files = {file["path"]: file for file in report["files"]}
    assert {path: files[path]["status"] for path in FILES} == {
        "bad.pkl": "blocked",
        "broken.pkl": "quarantined",
        "odd.pkl": "warned",
        "good.pkl": "clean",
    }
    (finding,) = files["bad.pkl"]["findings"]
    assert finding["rule"] == "pickle-refused-global"
    assert finding["remedy"]
    assert report["counts"]["blocked"] == 1


def test_the_report_comes_in_pages(call: Api) -> None:
    whole = [file["path"] for file in call("GET", f"{REPO}/main").json()["files"]]
    found, after = [], ""
    while True:
        page = call("GET", f"{REPO}/main?limit=2&after={after}").json()
        found += [file["path"] for file in page["files"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == whole


def test_the_report_as_sarif(call: Api) -> None:
    answer = call("GET", f"{REPO}/main?format=sarif")
    assert answer.headers["content-type"].startswith("application/sarif+json")
    (run,) = answer.json()["runs"]
    assert "pickle-refused-global" in {result["ruleId"] for result in run["results"]}


def test_a_private_repo_is_missing_on_every_address(call: Api) -> None:
    call("PUT", "/api/models/alice/mixed/settings", "alice", json={"private": True})
    for name in ("mixed", "absent"):
        repo = f"{API}/models/alice/{name}/scan"
        for method, path in (("GET", "/main"), ("GET", "/overrides"), ("DELETE", "/overrides/1")):
            for by in (None, "bob", "ida"):
                answer = call(method, f"{repo}{path}", by)
                assert (answer.status_code, answer.headers["x-error-code"]) == (404, "RepoNotFound")
        body = {"path": "bad.pkl", "reason": "r"}
        assert call("POST", f"{repo}/overrides", "bob", json=body).status_code == 404


def test_an_owner_lifts_a_quarantine_and_readers_are_still_warned(call: Api) -> None:
    assert call.status("broken.pkl") == 403
    answer = call.lift("alice")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["by"], made["by_auditor"], made["rules"]) == ("alice", False, ["unreadable"])
    served = call("GET", "/alice/mixed/resolve/main/broken.pkl", "bob")
    assert served.content == samples.QUARANTINED
    assert served.headers["x-hf-warning"].startswith("scan; ")
    call.work()
    facts = call("GET", f"{API}/models/alice/mixed/facts/main").json()["facts"]
    (scan,) = [fact["value"] for fact in facts if fact["name"] == "scan"]
    assert scan["lifted"] == 1
    assert scan["counts"]["warned"] == 2


def test_an_owner_lifts_a_warning(call: Api) -> None:
    assert call.lift("alice", "odd.pkl").status_code == 201
    assert "x-hf-warning" not in call("GET", "/alice/mixed/resolve/main/odd.pkl").headers


def test_what_blocks_is_lifted_by_an_auditor_alone(call: Api) -> None:
    refusal = call.lift("alice", "bad.pkl")
    assert (refusal.status_code, refusal.headers["x-error-code"]) == (403, "needs_auditor")
    assert call.lift("bob", "bad.pkl").status_code == 403
    assert call.lift(None, "bad.pkl").status_code == 401
    assert call.status("bad.pkl") == 403
    assert call.lift("ida", "bad.pkl").status_code == 201
    served = call("GET", "/alice/mixed/resolve/main/bad.pkl")
    assert served.content == samples.BLOCKED
    assert "x-hf-warning" not in served.headers


def test_a_stranger_lifts_nothing(call: Api) -> None:
    for by, status in ((None, 401), ("bob", 403)):
        assert call.lift(by, "odd.pkl").status_code == status
        assert call("DELETE", f"{REPO}/overrides/1", by).status_code == status
    assert call("GET", f"{REPO}/overrides").json()["overrides"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"path": "odd.pkl", "reason": "  "}, "reason_missing"),
        ({"path": "odd.pkl"}, "request_invalid"),
        ({"reason": "r"}, "request_invalid"),
        ({"path": "odd.pkl", "content": "0" * 64, "reason": "r"}, "request_invalid"),
        ({"content": "x", "reason": "r"}, "sha256_invalid"),
        ({"content": "0" * 64, "reason": "r"}, "EntryNotFound"),
        ({"path": "absent", "reason": "r"}, "EntryNotFound"),
        ({"path": "good.pkl", "reason": "r"}, "nothing_to_lift"),
        ({"path": "odd.pkl", "rule": "unreadable", "reason": "r"}, "nothing_to_lift"),
        ({"path": "odd.pkl", "reason": "r", "more": 1}, "request_invalid"),
    ],
)
def test_what_cannot_be_lifted(call: Api, body: dict[str, object], code: str) -> None:
    answer = call("POST", f"{REPO}/overrides", "alice", json=body)
    assert answer.headers["x-error-code"] == code, answer.text
    assert call("GET", f"{REPO}/overrides").json()["overrides"] == []


def test_a_decision_is_on_record_and_can_be_taken_back(call: Api) -> None:
    number = call.lift("alice").json()["number"]
    assert call.status("broken.pkl") == 200
    ended = call("DELETE", f"{REPO}/overrides/{number}", "alice")
    assert ended.json()["revoked_by"] == "alice"
    assert call.status("broken.pkl") == 403
    assert call("DELETE", f"{REPO}/overrides/{number}", "alice").headers["x-error-code"] == "override_unknown"
    (kept,) = call("GET", f"{REPO}/overrides").json()["overrides"]
    assert (kept["number"], kept["reason"]) == (number, "I made it")
    with call.services.database.read() as uow:
        kinds = [row.kind for row in uow.all(select(outbox.c.kind).order_by(outbox.c.id))]
    assert kinds[-2:] == ["scan.overridden", "scan.override_revoked"]


def test_a_decision_holds_in_its_repo_alone(call: Api) -> None:
    call.lift("ida", "bad.pkl")
    assert call(
        "POST", "/api/models/alice/mixed/duplicate", "bob", json={"repository": "bob/copy"}
    ).is_success
    assert call.status("bad.pkl") == 200
    assert call("GET", "/bob/copy/resolve/main/bad.pkl").status_code == 403


def test_metrics_count_what_was_scanned(call: Api) -> None:
    with call.services.database.write() as uow:
        root = create_account(uow, "root", "user", is_admin=True)
        issue_token(uow, root, "t", "read", secret="token-of-root")
    told = call("GET", "/metrics", "root").text
    assert 'allmende_scanned_files_total{status="blocked"} 1' in told
    assert "allmende_scan_seconds_total" in told
    assert "allmende_scan" not in call("GET", "/metrics").text
