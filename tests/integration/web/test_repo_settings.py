"""The settings of a repo: for those who may change it, and as missing as the repo for others."""

import pytest

from allmende.flows import Services
from allmende.registry import lookup_repo
from tests.integration.web.conftest import Person
from tests.integration.web.filled import new_repo

MINE, SETTINGS = "alice/of-mine", "/alice/of-mine/settings"


@pytest.fixture
def mine(services: Services) -> Services:
    with services.database.read() as uow:
        known = lookup_repo(uow, "model", MINE)
    if known is None or known.full_name != MINE:
        new_repo(services, "alice", MINE)
    return services


def test_they_are_linked_for_who_may_change_alone(mine: Services, alice: Person, stranger: Person) -> None:
    assert f'href="{SETTINGS}"' in alice.open(f"/{MINE}").text
    assert "/settings" not in stranger.open(f"/{MINE}").text
    assert alice.open(SETTINGS).status_code == 200
    assert stranger.open(SETTINGS).status_code == 401
    stranger.sign_in("bob")
    assert stranger.open(SETTINGS).status_code == 403


@pytest.mark.parametrize("act", ["access", "rename", "delete"])
def test_others_change_nothing(mine: Services, stranger: Person, act: str) -> None:
    stranger.sign_in("bob")
    fields = {"act": act, "visibility": "private", "namespace": "bob", "name": MINE}
    assert stranger.send(SETTINGS, fields).status_code == 403
    foreign = stranger.send(SETTINGS, fields, {"Origin": "https://evil.example"})
    assert foreign.headers["x-error-code"] == "origin_foreign"
    assert stranger.open(f"/{MINE}").status_code == 200


def test_a_private_repo_has_none_for_strangers(mine: Services, stranger: Person) -> None:
    missing = stranger.open("/alice/no-such-repo/settings")
    private = stranger.open("/alice/secret-owl/settings")
    assert (missing.status_code, private.status_code) == (404, 404)
    assert stranger.send("/alice/secret-owl/settings", {"act": "delete"}).status_code == 404


def test_visibility_and_gate_are_changed(mine: Services, alice: Person, stranger: Person) -> None:
    fields = {"act": "access", "visibility": "private", "gated": "manual"}
    answer = alice.send(SETTINGS, fields)
    assert (answer.status_code, answer.headers["location"]) == (303, SETTINGS)
    assert stranger.open(f"/{MINE}").status_code == 404
    page = alice.open(SETTINGS).text
    assert 'value="private" checked' in page
    assert 'value="manual" selected' in page
    alice.send(SETTINGS, {"act": "access", "visibility": "public", "gated": ""})
    assert stranger.open(f"/{MINE}").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"act": "access", "visibility": "nobody"},
        {"act": "access", "visibility": "public", "gated": "maybe"},
        {"act": "delete", "name": "of-mine"},
        {"act": "delete"},
        {"act": "rename", "name": "../x"},
        {"act": "rename", "name": ""},
        {"act": "x"},
        {},
    ],
)
def test_what_makes_no_sense_changes_nothing(mine: Services, alice: Person, fields: dict[str, str]) -> None:
    assert alice.send(SETTINGS, fields).status_code == 400
    assert alice.open(f"/{MINE}").status_code == 200


def test_a_new_name_is_where_the_old_one_leads(mine: Services, alice: Person) -> None:
    answer = alice.send(SETTINGS, {"act": "rename", "namespace": "alice", "name": "of-mine-2"})
    assert answer.headers["location"] == "/alice/of-mine-2/settings"
    assert alice.open(f"/{MINE}").headers["location"].endswith("/alice/of-mine-2")
    taken = alice.send("/alice/of-mine-2/settings", {"act": "rename", "name": "secret-owl"})
    assert taken.status_code == 409
    foreign = alice.send("/alice/of-mine-2/settings", {"act": "rename", "namespace": "bob", "name": "x"})
    assert foreign.status_code == 403
    alice.send("/alice/of-mine-2/settings", {"act": "rename", "name": "of-mine"})


def test_it_is_deleted_when_its_name_is_repeated(mine: Services, alice: Person) -> None:
    new_repo(mine, "alice", "alice/goes")
    answer = alice.send("/alice/goes/settings", {"act": "delete", "name": "alice/goes"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/models")
    assert alice.open("/alice/goes").status_code == 404
