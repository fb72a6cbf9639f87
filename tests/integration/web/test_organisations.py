"""Organisations made and kept on pages: by whom, how many, and that others change nothing of them."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services
from allmende.registry import create_account, find_account, members_of, set_member
from allmende.settings import Settings
from tests.integration.web.conftest import Person
from tests.integration.web.reading import words

FIELDS = {"fullname": "The Reed  Bed", "visibility": "private"}
LAB = "/organizations/lab/settings"


def members(services: Services, name: str) -> dict[str, str]:
    with services.database.read() as uow:
        org = find_account(uow, name)
        assert org is not None
        return {user.name: role for user, role in members_of(uow, org.id)}


def test_who_makes_one_administers_it_and_makes_repos_in_it(services: Services, alice: Person) -> None:
    answer = alice.send("/new/organisation", {**FIELDS, "name": "reed"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/organizations/reed/settings")
    assert members(services, "reed") == {"alice": "admin"}
    with services.database.read() as uow:
        made = find_account(uow, "reed")
    assert made is not None
    assert (made.kind, made.fullname, made.default_visibility) == ("org", "The Reed Bed", "private")
    assert alice.open("/organizations/reed/settings").status_code == 200
    assert '<option value="reed" selected>' in alice.open("/new?owner=reed").text
    fields = {"type": "model", "owner": "reed", "name": "one", "visibility": "private"}
    assert alice.send("/new", fields).headers["location"] == "/reed/one/upload/main"


@pytest.mark.parametrize(
    ("wrong", "status", "says"),
    [
        ({"name": "bob"}, 409, "This name is taken."),
        ({"name": "LAB"}, 409, "This name is taken."),
        ({"name": "settings"}, 400, "This cannot be a name."),
        ({"name": "a--b"}, 400, "This cannot be a name."),
        ({"visibility": "nobody"}, 400, "Choose who may see it."),
        ({"fullname": "x" * 201}, 400, "The name for people"),
    ],
)
def test_what_is_wrong_is_said(alice: Person, wrong: dict[str, str], status: int, says: str) -> None:
    answer = alice.send("/new/organisation", {**FIELDS, "name": "fen", **wrong})
    assert answer.status_code == status
    assert says in words(answer.text)


def test_there_is_a_bound_on_how_many(services: Services, stranger: Person) -> None:
    most = Settings().max_organisations
    with services.database.write() as uow:
        founder = find_account(uow, "bob")
        assert founder is not None
        for number in range(most):
            set_member(uow, create_account(uow, f"bobs-{number}", "org"), founder, "admin")
    stranger.sign_in("bob")
    answer = stranger.send("/new/organisation", {**FIELDS, "name": "bobs-last"})
    assert answer.status_code == 409
    assert "as many organisations" in words(answer.text)


def test_where_the_operator_lets_nobody_it_says_so(services: Services) -> None:
    settings = services.settings.model_copy(update={"max_organisations": 0})
    closed = Person(TestClient(create_app(replace(services, settings=settings))))
    closed.sign_in("alice")
    assert "its operator makes organisations" in words(closed.open("/new/organisation").text)
    assert "/new/organisation" not in closed.open("/new").text
    assert closed.send("/new/organisation", {**FIELDS, "name": "fen"}).status_code == 403
    with services.database.read() as uow:
        assert find_account(uow, "fen") is None


def test_its_members_and_name_are_changed_by_those_who_administer_it(
    services: Services, alice: Person
) -> None:
    assert alice.send(LAB, {"act": "member", "user": "bob", "role": "write"}).status_code == 303
    assert members(services, "lab")["bob"] == "write"
    assert alice.send(LAB, {"act": "member", "user": "bob", "role": ""}).status_code == 303
    assert "bob" not in members(services, "lab")
    last = alice.send(LAB, {"act": "member", "user": "alice", "role": "read"})
    assert last.status_code == 409
    assert "Somebody has to administer it." in words(last.text)
    nobody = alice.send(LAB, {"act": "member", "user": "zoe", "role": "read"})
    assert (nobody.status_code, "There is no user of this name." in words(nobody.text)) == (404, True)
    assert alice.send(LAB, {"act": "profile", "fullname": "Marsh", "visibility": "public"}).status_code == 303
    assert "Marsh" in words(alice.open("/lab").text)


def test_who_ends_their_own_membership_is_led_out(services: Services, alice: Person) -> None:
    alice.send("/new/organisation", {**FIELDS, "name": "leaving"})
    settings = "/organizations/leaving/settings"
    alice.send(settings, {"act": "member", "user": "bob", "role": "admin"})
    answer = alice.send(settings, {"act": "member", "user": "alice", "role": ""})
    assert answer.headers["location"] == "/leaving"
    assert members(services, "leaving") == {"bob": "admin"}


@pytest.mark.parametrize(("name", "status"), [("", 401), ("bob", 403), ("rea", 403)])
def test_others_see_and_change_nothing(services: Services, stranger: Person, name: str, status: int) -> None:
    if name:
        stranger.sign_in(name)
    before = members(services, "lab")
    assert stranger.open(LAB).status_code == status
    for fields in (
        {"act": "member", "user": name or "bob", "role": "admin"},
        {"act": "profile", "fullname": "Mine", "visibility": "public"},
    ):
        assert stranger.send(LAB, fields).status_code == status
    assert members(services, "lab") == before
    assert LAB not in stranger.open("/lab").text


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_user_is_no_organisation(alice: Person, name: str) -> None:
    assert alice.open(f"/organizations/{name}/settings").status_code == 404
