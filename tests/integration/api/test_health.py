"""`/healthz`, `/readyz`, `/metrics`: what they say, and what they do not say to strangers."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, create_first_administrator, open_services
from allmende.registry import authenticate, create_account, create_repo, issue_token
from allmende.settings import Settings
from tests.databases import new_schema


@pytest.fixture
def services(tmp_path: Path) -> Services:
    opened = open_services(Settings(data=tmp_path / "data", workers=0))
    new_schema(opened.database)
    return opened


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.fixture
def administrator(services: Services) -> dict[str, str]:
    with services.database.write() as uow:
        token = create_first_administrator(uow)
    return {"Authorization": f"Bearer {token}"}


def test_alive(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert client.head("/healthz").status_code == 200


def test_ready(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": "ok", "store": "ok"}}


def test_a_probe_leaves_nothing_in_the_store(client: TestClient, services: Services) -> None:
    client.get("/readyz")
    assert not [path for path in services.settings.contents_dir.rglob("*") if path.is_file()]


def test_not_ready_with_an_older_schema(tmp_path: Path) -> None:
    services = open_services(Settings(data=tmp_path / "data", workers=0))
    with TestClient(create_app(services), base_url="http://127.0.0.1") as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"] == {"database": "migrations_pending", "store": "ok"}


def test_not_ready_without_a_store(client: TestClient, services: Services) -> None:
    incoming = services.settings.contents_dir / "incoming"
    incoming.rmdir()
    incoming.touch()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["store"] == "not_writable"


def test_metrics_have_the_form_that_collectors_read(
    client: TestClient, administrator: dict[str, str]
) -> None:
    answer = client.get("/metrics", headers=administrator)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in answer.text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.]+', line), line
    assert 'allmende_info{version="' in answer.text


def test_metrics_count_what_the_hub_keeps_for_its_administrator(
    client: TestClient, services: Services, administrator: dict[str, str]
) -> None:
    with services.database.write() as uow:
        owner = create_account(uow, "owner", "user")
        actor = authenticate(uow, issue_token(uow, owner, "t", "write"))
        create_repo(uow, services.queue, actor, "model", "owner", "hidden-name", private=True)
    text = client.get("/metrics", headers=administrator).text
    assert 'allmende_jobs{kind="examine",state="waiting"} 1' in text.splitlines()
    assert "allmende_contents 0" in text.splitlines()
    assert re.search(r"^allmende_outbox_events_total [1-9]", text, re.MULTILINE)
    assert "hidden" not in text
    assert "owner" not in text


def test_strangers_learn_nothing_of_what_the_hub_keeps(client: TestClient, services: Services) -> None:
    with services.database.write() as uow:
        user = create_account(uow, "somebody", "user")
        token = issue_token(uow, user, "t", "write")
    for headers in ({}, {"Authorization": f"Bearer {token}"}):
        names = set(re.findall(r"^# TYPE (\w+)", client.get("/metrics", headers=headers).text, re.MULTILINE))
        # How many entries the log has stands in its checkpoint, which is for everybody.
        of_log = {"allmende_log_size", "allmende_log_refused"}
        assert names == {"allmende_info", "process_start_time_seconds", *of_log}
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_reading_token_of_the_administrator_is_enough(client: TestClient, services: Services) -> None:
    with services.database.write() as uow:
        admin = create_account(uow, "root", "user", is_admin=True)
        token = issue_token(uow, admin, "metrics", "read")
    assert "allmende_contents " in client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text
