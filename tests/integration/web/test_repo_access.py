"""Members and tokens on the page of a repo's settings: for those who may, and no more than they may."""

import re

import pytest

from allmende.flows import Services
from allmende.registry import authenticate, create_account, find_account, members_of, set_member
from tests.integration.web.conftest import Person
from tests.integration.web.filled import new_repo
from tests.integration.web.reading import words

SETTINGS = "/of-org/model/settings"
OWN = "/alice/token-model/settings"


@pytest.fixture
def org(services: Services) -> Services:
    """Alice administers an organisation in which bob writes; rea is none of it."""
    with services.database.write() as uow:
        made = find_account(uow, "of-org") or create_account(uow, "of-org", "org")
        fresh = not members_of(uow, made.id)
        for name, role in (("alice", "admin"), ("bob", "write")):
            user = find_account(uow, name)
            assert user is not None
            set_member(uow, made, user, role)  # type: ignore[arg-type]
    if fresh:
        new_repo(services, "alice", "of-org/model")
        new_repo(services, "alice", "alice/token-model")
    return services


def roles(services: Services) -> dict[str, str]:
    with services.database.read() as uow:
        made = find_account(uow, "of-org")
        assert made is not None
        return {user.name: role for user, role in members_of(uow, made.id)}


def test_members_are_managed_by_who_administers_alone(org: Services, alice: Person, stranger: Person) -> None:
    assert 'name="act" value="member"' in alice.open(SETTINGS).text
    assert alice.send(SETTINGS, {"act": "member", "user": "rea", "role": "read"}).status_code == 303
    assert roles(org) == {"alice": "admin", "bob": "write", "rea": "read"}
    assert "rea read" in words(alice.open(SETTINGS).text)
    stranger.sign_in("bob")
    page = stranger.open(SETTINGS).text
    assert "Members of of-org" in words(page)
    assert 'name="act" value="member"' not in page
    for role in ("admin", ""):
        assert stranger.send(SETTINGS, {"act": "member", "user": "bob", "role": role}).status_code == 403
    assert alice.send(SETTINGS, {"act": "member", "user": "rea", "role": ""}).status_code == 303
    assert roles(org) == {"alice": "admin", "bob": "write"}


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"user": "alice", "role": ""}, 409, "last_admin"),
        ({"user": "alice", "role": "read"}, 409, "last_admin"),
        ({"user": "no-such", "role": "read"}, 404, "account_not_found"),
        ({"user": "lab", "role": "read"}, 404, "account_not_found"),
        ({"user": "bob", "role": "owner"}, 400, "form_invalid"),
        ({"user": "bob"}, 400, "form_invalid"),
    ],
)
def test_what_makes_no_sense_changes_no_member(
    org: Services, alice: Person, fields: dict[str, str], status: int, code: str
) -> None:
    answer = alice.send(SETTINGS, {"act": "member", **fields})
    assert (answer.status_code, answer.headers["x-error-code"]) == (status, code)
    assert roles(org) == {"alice": "admin", "bob": "write"}


def test_a_repo_of_ones_own_has_no_members(org: Services, alice: Person) -> None:
    page = alice.open(OWN).text
    assert 'value="member"' not in page
    assert alice.send(OWN, {"act": "member", "user": "bob", "role": "read"}).status_code == 403


def test_a_token_for_one_repo_is_made_and_shown_once(org: Services, alice: Person) -> None:
    fields = {"act": "token", "name": "ci <1>", "allows": "write", "days": "30"}
    answer = alice.send(OWN, fields)
    (secret,) = re.findall(r'class="secret">([^<]+)<', answer.text)
    with org.database.read() as uow:
        actor = authenticate(uow, secret)
    assert actor.token is not None
    assert [(one.entity, one.allows) for one in actor.token.scopes] == [("model/alice/token-model", "write")]
    assert actor.token.expires_at is not None
    page = alice.open(OWN).text
    assert secret not in page
    assert "ci &lt;1&gt;" in page
    assert "ci &lt;1&gt;" not in alice.open(SETTINGS).text
    again = alice.send(OWN, fields)
    assert (again.status_code, again.headers["x-error-code"]) == (409, "token_exists")
    for wrong in ({"name": ""}, {"name": "n" * 97}, {"allows": "admin"}, {"days": "1"}):
        assert alice.send(OWN, {**fields, **wrong}).status_code == 400


def test_a_token_for_one_repo_makes_no_others(org: Services, alice: Person, stranger: Person) -> None:
    answer = alice.send(OWN, {"act": "token", "name": "narrow", "allows": "write", "days": ""})
    (secret,) = re.findall(r'class="secret">([^<]+)<', answer.text)
    assert stranger.send("/login", {"token": secret}).status_code == 303
    assert 'value="token"' not in stranger.open(OWN).text
    fields = {"act": "token", "name": "more", "allows": "write", "days": ""}
    refused = stranger.send(OWN, fields)
    assert (refused.status_code, refused.headers["x-error-code"]) == (403, "token_scope")
    assert stranger.send(SETTINGS, {"act": "member", "user": "rea", "role": "admin"}).status_code == 403
    assert stranger.send("/of-org/model/settings", fields).status_code == 403
