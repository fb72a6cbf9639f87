"""`admin apply`: the same file twice changes nothing, half a file changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allmende.registry import Actor, authenticate, find_account, memberships_of
from allmende.storage import Database, outbox
from tests.integration.cli.conftest import Command

Answer = Callable[..., dict[str, Any]]

PEOPLE = {
    "users": [
        {"name": "ada", "fullname": "Ada Lovelace", "token": "secret-of-ada", "token_role": "admin"},
        {"name": "bob", "token": "Ünusual tøken", "token_name": "work", "token_role": "read"},
        {"name": "_cy__", "fullname": "Cy"},
    ],
    "orgs": [
        {
            "name": "commons",
            "fullname": "The Commons",
            "members": {"ada": "admin", "bob": "read"},
            "default_visibility": "private",
        }
    ],
}

YAML = """
users:
  - name: ada
    fullname: Ada Lovelace
    token: secret-of-ada
orgs:
  - {name: commons, members: {ada: write}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.json"
    path.write_text(json.dumps(PEOPLE))
    return path


def opened(data: Path) -> Database:
    return Database(f"sqlite:///{data / 'allmende.db'}")


def actor(data: Path, secret: str) -> Actor:
    database = opened(data)
    with database.read() as uow:
        found = authenticate(uow, secret)
    database.close()
    return found


def events(data: Path) -> int:
    database = opened(data)
    with database.read() as uow:
        count = len(uow.all(outbox.select()))
    database.close()
    return count


def test_everything_is_made(data: Path, file: Path, answer: Answer) -> None:
    outcome = answer("admin", "apply", str(file))
    assert outcome["schema"] == "allmende.admin-apply/1"
    made = [(change["kind"], change["name"]) for change in outcome["changes"]]
    assert made == [
        ("user", "ada"),
        ("token", "ada/default"),
        ("user", "bob"),
        ("token", "bob/work"),
        ("user", "_cy__"),
        ("token", "_cy__/default"),
        ("org", "commons"),
        ("member", "commons/ada"),
        ("member", "commons/bob"),
    ]
    assert {change["change"] for change in outcome["changes"]} == {"created"}
    (issued,) = outcome["tokens"]
    assert (issued["user"], issued["name"], issued["role"]) == ("_cy__", "default", "write")
    assert actor(data, "secret-of-ada").administers_hub
    assert not actor(data, "Ünusual tøken").administers_hub
    assert not actor(data, issued["token"]).administers_hub
    database = opened(data)
    with database.read() as uow:
        ada = find_account(uow, "ada")
        assert ada is not None
        ((commons, role),) = memberships_of(uow, ada.id)
        assert (commons.fullname, commons.default_visibility, role) == ("The Commons", "private", "admin")
    database.close()


def test_again_changes_nothing(data: Path, file: Path, answer: Answer, command: Command) -> None:
    first = answer("admin", "apply", str(file))
    before = events(data)
    assert answer("admin", "apply", str(file)) == {**first, "changes": [], "tokens": []}
    assert command("admin", "apply", str(file)) == "nothing to change\n"
    assert events(data) == before
    assert actor(data, first["tokens"][0]["token"]).account is not None


def test_what_is_different_is_changed(data: Path, file: Path, answer: Answer) -> None:
    answer("admin", "apply", str(file))
    changed = json.loads(json.dumps(PEOPLE))
    changed["users"][0]["token"] = "another secret"
    changed["users"][1]["fullname"] = "Bob B."
    changed["orgs"][0]["members"]["bob"] = "write"
    changed["orgs"][0]["default_visibility"] = "public"
    file.write_text(json.dumps(changed))
    outcome = answer("admin", "apply", str(file))
    assert {(change["kind"], change["name"], change["change"]) for change in outcome["changes"]} == {
        ("token", "ada/default", "updated"),
        ("user", "bob", "updated"),
        ("org", "commons", "updated"),
        ("member", "commons/bob", "updated"),
    }
    assert actor(data, "another secret").account is not None
    database = opened(data)
    with database.read() as uow, pytest.raises(Exception, match="Invalid credentials"):
        authenticate(uow, "secret-of-ada")
    database.close()


def test_a_role_that_is_another_now_replaces_the_token(data: Path, tmp_path: Path, answer: Answer) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"users": [{"name": "ada", "token_role": "write"}]}))
    first = answer("admin", "apply", str(path))["tokens"][0]
    path.write_text(json.dumps({"users": [{"name": "ada", "token_role": "read"}]}))
    second = answer("admin", "apply", str(path))["tokens"][0]
    assert second["role"] == "read"
    assert second["token"] != first["token"]
    assert not actor(data, second["token"]).may_propose


def test_a_part_that_is_wrong_leaves_nothing_behind(
    data: Path, tmp_path: Path, command: Command, answer: Answer
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(
        json.dumps({"users": [{"name": "ada"}], "orgs": [{"name": "lab", "members": {"nobody": "read"}}]})
    )
    assert "nobody" in command("admin", "apply", str(path), code=3)
    assert answer("admin", "user", "list")["users"] == []


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        ({"users": [{"name": "ada", "tokn": "x"}]}, 2, "users[0].tokn"),
        ({"users": [{"name": "a"}]}, 2, "not a possible name"),
        ({"users": [{"name": "datasets"}]}, 2, "reserved"),
        ({"users": [{"name": "ada", "token": ""}]}, 2, "must not be empty"),
        ({"users": [{"name": "ada", "token": "x"}, {"name": "bob", "token": "x"}]}, 2, "in use already"),
    ],
)
def test_what_cannot_be_is_refused(
    document: dict[str, Any], code: int, words: str, tmp_path: Path, command: Command
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document))
    assert words in command("admin", "apply", str(path), code=code)


def test_a_user_does_not_become_an_organisation(tmp_path: Path, command: Command) -> None:
    command("admin", "user", "create", "ada")
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({"orgs": [{"name": "Ada"}]}))
    assert "is a user and not an organisation" in command("admin", "apply", str(path), code=4)


def test_yaml_says_the_same(data: Path, tmp_path: Path, answer: Answer) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(YAML)
    assert [change["name"] for change in answer("admin", "apply", str(path))["changes"]] == [
        "ada",
        "ada/default",
        "commons",
        "commons/ada",
    ]


@pytest.mark.parametrize(
    "text", ["{", "users: [", "\x00", "- a\n b: c", "[" * 5000, "!!python/object:os.system {}"]
)
def test_what_is_neither_is_refused(text: str, tmp_path: Path, command: Command) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(text)
    assert "neither JSON nor YAML" in command("admin", "apply", str(path), code=2)


def test_a_file_that_is_not_there_is_said(tmp_path: Path, command: Command) -> None:
    assert "No such file" in command("admin", "apply", str(tmp_path / "none"), code=74)


def test_people_see_what_changed_and_the_new_tokens(file: Path, command: Command) -> None:
    text = command("admin", "apply", str(file))
    assert "created user ada\n" in text
    assert "secret-of-ada" not in text
    assert "_cy__  default  write  hf_" in text


def test_a_new_folder_is_for_its_owner_alone(data: Path, file: Path, command: Command) -> None:
    command("admin", "apply", str(file))
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "allmende.db").stat().st_mode & 0o777 == 0o600
    assert (data / "secret.key").stat().st_mode & 0o777 == 0o600
