"""`admin rescan`, `admin scan-report` and `admin scan`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allmende.flows import Services, open_services
from allmende.flows.worker import handlers
from allmende.jobs import JobContext
from allmende.registry import (
    AddFile,
    Submission,
    authenticate,
    create_repo,
    find_account,
    issue_token,
    prepare,
    receive,
)
from allmende.settings import Settings
from tests import scan_samples as samples
from tests.integration.cli.conftest import Command
from tests.scanners import scanner_in_process

Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def services(data: Path, command: Command) -> Services:
    """A hub on which ada has published an attack, and nothing was examined yet."""
    command("admin", "user", "create", "ada")
    opened = replace(open_services(Settings(data=data)), scanner=scanner_in_process())
    files = [AddFile("bad.pkl", samples.BLOCKED), AddFile("good.pkl", samples.CLEAN)]
    prepared = prepare(Submission("main", "files", "", files, None, create_pr=False), 10**6)
    with opened.database.write() as uow:
        account = find_account(uow, "ada")
        assert account is not None
        ada = authenticate(uow, issue_token(uow, account, "t", "write"))
        repo = create_repo(uow, opened.queue, ada, "model", "ada", "m")
        receive(uow, opened.queue, ada, repo, prepared)
    return opened


def work(services: Services) -> None:
    kinds = handlers(services)
    while (job := services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
        kinds[job.kind](JobContext(services.queue, job))
        assert services.queue.finish(job)


def test_a_rescan_reports_what_it_found(services: Services, answer: Answer, command: Command) -> None:
    assert answer("admin", "scan-report")["run"] is None
    assert "nothing was scanned" in command("admin", "scan-report")
    run = answer("admin", "rescan")["run"]
    assert answer("admin", "scan-report")["run"]["finished_at"] is None
    with services.database.write() as uow:
        uow.connection.exec_driver_sql("DELETE FROM job WHERE kind = 'examine'")
    work(services)
    report = answer("admin", "scan-report")
    assert (report["run"]["id"], report["run"]["repos"]) == (run, 1)
    assert report["changes"] == [
        {
            "type": "model",
            "repo": "ada/m",
            "path": "bad.pkl",
            "before": "unexamined",
            "after": "blocked",
            "rules": ["pickle-refused-global"],
        }
    ]
    assert "bad.pkl  unexamined  blocked" in command("admin", "scan-report")


def test_the_operator_lifts_what_blocks_a_file(services: Services, answer: Answer, command: Command) -> None:
    work(services)
    lift = ("admin", "scan", "override", "model", "ada/m")
    command(*lift, "good.pkl", "--reason", "r", code=4)
    command(*lift, "absent", "--reason", "r", code=3)
    number = answer(*lift, "bad.pkl", "--reason", "a sample for a course")["number"]
    (made,) = answer("admin", "scan", "overrides", "model", "ada/m")["overrides"]
    assert (made["by"], made["by_auditor"], made["reason"]) == ("operator", True, "a sample for a course")
    assert "a sample for a course" in command("admin", "scan", "overrides", "model", "ada/m")
    assert answer("admin", "scan", "revoke", "model", "ada/m", str(number))["path"] == "bad.pkl"
    command("admin", "scan", "revoke", "model", "ada/m", str(number), code=3)
    command("admin", "scan", "overrides", "model", "ada/absent", code=3)


@pytest.mark.parametrize("policy", ["high=maybe", "no-such-rule=warn", "high", "=warn"])
def test_a_policy_that_makes_no_sense_is_refused(
    services: Services, command: Command, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMENDE_SCAN_POLICY", policy)
    assert "scan_policy" in command("admin", "user", "list", code=2)
