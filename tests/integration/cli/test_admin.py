"""The other `admin` commands."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from allmende.clock import parse_iso
from allmende.flows import Services, open_services
from allmende.registry import authenticate, check_password, create_repo
from allmende.settings import Settings
from tests.integration.cli.conftest import Command

Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def hub(data: Path, command: Command) -> Path:
    """A hub with the users ada and bob and the organisation lab."""
    command("admin", "user", "create", "ada", "--fullname", "Ada L.", "--email", "ada@example.org", "--admin")
    command("admin", "user", "create", "bob")
    command("admin", "org", "create", "lab", "--default-visibility", "private")
    return data


@pytest.fixture
def services(hub: Path) -> Services:
    return open_services(Settings(data=hub))


def test_users(hub: Path, answer: Answer, command: Command) -> None:
    ada, bob = answer("admin", "user", "list")["users"]
    assert (ada["name"], ada["fullname"], ada["email"], ada["admin"]) == (
        "ada",
        "Ada L.",
        "ada@example.org",
        True,
    )
    assert (bob["name"], bob["fullname"], bob["admin"]) == ("bob", "bob", False)
    assert "ada" in command("admin", "user", "list")
    assert "taken" in command("admin", "user", "create", "ADA", code=4)


def test_a_user_is_locked_and_unlocked(hub: Path, answer: Answer, command: Command) -> None:
    assert answer("admin", "user", "lock", "bob")["locked_at"]
    assert [bool(user["locked_at"]) for user in answer("admin", "user", "list")["users"]] == [False, True]
    assert "unlocked bob" in command("admin", "user", "unlock", "bob")
    assert answer("admin", "user", "list")["users"][1]["locked_at"] is None
    command("admin", "user", "lock", "lab", code=3)
    command("admin", "user", "unlock", "nobody", code=3)


def test_a_password_comes_from_standard_input(
    hub: Path, services: Services, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("herons eat at dusk\n"))
    assert "ada" in command("admin", "user", "password", "ada")
    assert check_password(services.database, "ada", "herons eat at dusk", "").name == "ada"
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    command("admin", "user", "password", "ada", code=2)
    monkeypatch.setattr("sys.stdin", io.StringIO("herons eat at dusk\n"))
    command("admin", "user", "password", "nobody", code=3)


def test_members(hub: Path, answer: Answer, command: Command) -> None:
    assert answer("admin", "member", "set", "lab", "bob", "write")["role"] == "write"
    command("admin", "member", "set", "lab", "bob", "read")
    (lab,) = answer("admin", "org", "list")["orgs"]
    assert (lab["members"], lab["default_visibility"]) == ({"bob": "read"}, "private")
    assert answer("admin", "member", "remove", "lab", "bob")["role"] is None
    assert answer("admin", "org", "list")["orgs"][0]["members"] == {}
    command("admin", "member", "set", "ada", "bob", "read", code=3)
    command("admin", "member", "set", "lab", "lab", "read", code=3)
    command("admin", "member", "set", "lab", "bob", "owner", code=2)


def test_a_token_works_until_it_is_revoked(hub: Path, services: Services, command: Command) -> None:
    secret = command("admin", "token", "create", "ada", "laptop", "--role", "write").strip()
    with services.database.read() as uow:
        assert authenticate(uow, secret).may_propose
    assert secret not in command("admin", "token", "list", "ada")
    command("admin", "token", "revoke", "ada", "laptop")
    with services.database.read() as uow, pytest.raises(Exception, match="Invalid credentials"):
        authenticate(uow, secret)
    command("admin", "token", "revoke", "ada", "laptop", code=3)


def test_tokens_with_scopes_and_an_end(hub: Path, answer: Answer, command: Command) -> None:
    made = answer(
        "admin", "token", "create", "ada", "robot",
        "--scope", "write:model/lab/bert", "--scope", "read:lab", "--expires", "30d",
    )  # fmt: skip
    assert made["role"] == "fine_grained"
    assert made["scopes"] == [
        {"entity": "model/lab/bert", "allows": "write"},
        {"entity": "lab", "allows": "read"},
    ]
    assert parse_iso(made["expires_at"]) - parse_iso(made["created_at"]) == timedelta(days=30)
    (listed,) = answer("admin", "token", "list", "ada")["tokens"]
    assert listed == {key: made[key] for key in listed}
    assert "token" not in listed
    command("admin", "token", "create", "ada", "robot", code=4)
    assert answer("admin", "token", "create", "ada", "robot", "--replace")["role"] == "read"
    command("admin", "token", "create", "ada", "x", "--role", "read", "--scope", "read:lab", code=2)
    command("admin", "token", "create", "ada", "x", "--expires", "yesterday", code=2)
    command("admin", "token", "create", "lab", "x", code=2)
    command("admin", "token", "create", "nobody", "x", code=3)


def test_repos(hub: Path, services: Services, answer: Answer, command: Command) -> None:
    secret = command("admin", "token", "create", "ada", "laptop", "--role", "write").strip()
    with services.database.write() as uow:
        ada = authenticate(uow, secret)
        create_repo(uow, services.queue, ada, "model", "ada", "open")
        create_repo(uow, services.queue, ada, "dataset", "ada", "closed", private=True)
    listed = answer("admin", "repo", "list")["repos"]
    assert [(repo["type"], repo["name"], repo["private"]) for repo in listed] == [
        ("dataset", "ada/closed", True),
        ("model", "ada/open", False),
    ]
    assert len(answer("admin", "repo", "list", "--type", "model")["repos"]) == 1
    assert answer("admin", "repo", "list", "--namespace", "lab")["repos"] == []
    assert "--yes" in command("admin", "repo", "delete", "model", "ada/open", code=2)
    assert "closed" in command("admin", "repo", "delete", "dataset", "ada/closed", "--yes")
    command("admin", "repo", "delete", "dataset", "ada/closed", "--yes", code=3)
    assert [repo["name"] for repo in answer("admin", "repo", "list")["repos"]] == ["ada/open"]


def test_jobs(hub: Path, services: Services, answer: Answer, command: Command) -> None:
    with services.database.write() as uow:
        services.queue.enqueue(uow, "examine", {"repo_id": 1, "commit_oid": "0" * 40})
    for _ in range(8):
        run = services.queue.claim(["examine"], 60, "test")
        assert run is not None
        services.queue.fail(run, "It broke\x1b[2J.")
        with services.database.write() as uow:
            uow.connection.exec_driver_sql("UPDATE job SET run_after = 0")
    (job,) = answer("admin", "jobs", "--state", "failed")["jobs"]
    assert (job["kind"], job["state"], job["attempts"]) == ("examine", "failed", 8)
    assert "It broke\\x1b[2J." in command("admin", "jobs")
    assert answer("admin", "jobs", "retry", str(job["id"]))["jobs"] == 1
    assert answer("admin", "jobs")["counts"] == [{"kind": "examine", "state": "waiting", "jobs": 1}]
    command("admin", "jobs", "retry", str(job["id"]), code=3)
    assert answer("admin", "jobs", "retry", "--all")["jobs"] == 0
    command("admin", "jobs", "retry", code=2)
    command("admin", "jobs", "retry", "1", "--all", code=2)
    command("admin", "jobs", "--limit", "0", code=2)
    assert answer("admin", "jobs", "cancel", str(job["id"]))["job"] == job["id"]
    assert answer("admin", "jobs")["jobs"] == []
    command("admin", "jobs", "cancel", str(job["id"]), code=3)


def test_garbage_is_counted_and_then_removed(hub: Path, answer: Answer, command: Command) -> None:
    orphan = hub / "contents" / "ab" / "cd" / ("abcd" + "0" * 60)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"left by a crash")
    (hub / "allmende.toml").write_text("unreferenced_grace_s = 0\n")
    counted = answer("admin", "gc", "--dry-run")
    assert (counted["dry_run"], counted["orphans"], counted["orphan_bytes"]) == (True, 1, 15)
    assert orphan.exists()
    assert "removed 1 files that no content names (15 B)" in command("admin", "gc")
    assert not orphan.exists()


def test_damage_makes_the_exit_code_one(
    hub: Path, services: Services, answer: Answer, command: Command
) -> None:
    assert "nothing is missing or damaged" in command("admin", "fsck", "--deep")
    secret = command("admin", "token", "create", "ada", "laptop", "--role", "write").strip()
    with services.database.write() as uow:
        create_repo(uow, services.queue, authenticate(uow, secret), "model", "ada", "open")
    assert answer("admin", "fsck")["sound"] is True
    with services.database.write() as uow:
        uow.connection.exec_driver_sql("UPDATE git_object SET data = x'00' WHERE kind = 'blob'")
    report = answer("admin", "fsck", "--deep", code=1)
    assert report["sound"] is False
    assert {problem["kind"] for problem in report["problems"]} == {"object_damaged"}
    assert "problem: object_damaged" in command("admin", "fsck", "--deep", code=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "list"),
        ("org", "list"),
        ("token", "list", "ada"),
        ("repo", "list"),
        ("jobs",),
        ("gc",),
        ("fsck",),
    ],
)
def test_a_mistyped_folder_does_not_become_a_hub(
    arguments: tuple[str, ...], tmp_path: Path, command: Command
) -> None:
    missing = tmp_path / "mistyped"
    assert "no hub" in command("admin", *arguments, "--data", str(missing), code=3)
    assert not missing.exists()


def test_the_hub_is_named_by_options_too(
    data: Path, tmp_path: Path, answer: Answer, command: Command
) -> None:
    elsewhere = ("--data", str(tmp_path / "other"), "--database", f"sqlite:///{tmp_path / 'db' / 'x.db'}")
    command("admin", "user", "create", "eve", *elsewhere)
    assert [user["name"] for user in answer("admin", "user", "list", *elsewhere)["users"]] == ["eve"]
    assert (tmp_path / "db" / "x.db").exists()
    assert not data.exists()


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--database", "postgresql://localhost/hub", 7),
        ("--database", "sqlite://", 2),
        ("--database", "sqlite:///:memory:", 2),
        ("--storage", "s3://bucket", 7),
    ],
)
def test_what_is_not_offered_is_said(option: str, value: str, code: int, command: Command) -> None:
    assert "hint: " in command("admin", "user", "create", "ada", option, value, code=code)


def test_json_is_one_document(hub: Path, command: Command) -> None:
    assert json.loads(command("admin", "user", "list", "--json"))["schema"] == "allmende.admin-users/1"
