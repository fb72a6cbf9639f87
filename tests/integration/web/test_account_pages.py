"""What a user does with their account in a browser: signing in, tokens, password, browsers."""

import re

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services
from allmende.registry import Account, authenticate, create_account, issue_token, list_tokens, set_password
from tests.integration.web.conftest import Person
from tests.integration.web.reading import words

PASSWORD = "herons eat at dusk"


@pytest.fixture
def owner(services: Services) -> Account:
    """A user of this test alone, with a password."""
    with services.database.write() as uow:
        name = f"user-{len(NAMES)}"
        NAMES.append(name)
        made = create_account(uow, name, "user")
        set_password(uow, made, PASSWORD)
    return made


NAMES: list[str] = []


def browser(services: Services) -> Person:
    return Person(TestClient(create_app(services), raise_server_exceptions=False))


def signed_in(services: Services, owner: Account, password: str = PASSWORD) -> Person:
    person = browser(services)
    answer = person.send("/login", {"name": owner.name, "password": password, "next": "/settings"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")
    return person


def test_signing_in_with_a_password_opens_a_session_of_ones_own(services: Services, owner: Account) -> None:
    person = signed_in(services, owner)
    page = words(person.open("/settings").text)
    assert owner.name in page
    assert "in use here" in page
    with services.database.read() as uow:
        (session,) = list_tokens(uow, owner.id, sessions=True)
    assert (session.role, session.is_session) == ("write", True)


def test_a_wrong_password_is_refused_without_saying_what_is_wrong(services: Services, owner: Account) -> None:
    said = []
    for name in (owner.name, "nobody-at-all"):
        answer = browser(services).send("/login", {"name": name, "password": "wrong", "next": "/"})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        said.append(words(answer.text).replace(name, ""))
    assert said[0] == said[1]


def test_guessing_is_answered_with_when_to_try_again(services: Services, owner: Account) -> None:
    person = browser(services)
    for _ in range(5):
        person.send("/login", {"name": owner.name, "password": "wrong"})
    answer = person.send("/login", {"name": owner.name, "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


def test_a_token_is_made_shown_once_and_revoked(services: Services, owner: Account) -> None:
    person = signed_in(services, owner)
    answer = person.send("/settings", {"act": "token", "name": "laptop", "role": "read", "days": "30"})
    (secret,) = re.findall(r'class="secret">([^<]+)<', answer.text)
    assert answer.headers["cache-control"] == "no-store"
    with services.database.read() as uow:
        actor = authenticate(uow, secret)
    assert actor.token is not None
    assert (actor.token.role, actor.token.expires_at is not None) == ("read", True)
    assert secret not in person.open("/settings").text
    again = person.send("/settings", {"act": "token", "name": "laptop", "role": "read", "days": ""})
    assert (again.status_code, again.headers["x-error-code"]) == (409, "token_exists")
    assert person.send("/settings", {"act": "revoke", "name": "laptop"}).status_code == 303
    assert "laptop" not in person.open("/settings").text


@pytest.mark.parametrize(
    "fields",
    [
        {"act": "token", "name": "", "role": "read", "days": ""},
        {"act": "token", "name": "x" * 97, "role": "read", "days": ""},
        {"act": "token", "name": "x", "role": "admin", "days": ""},
        {"act": "token", "name": "x", "role": "read", "days": "-1"},
        {"act": "end", "session": "one"},
        {"act": "nonsense"},
        {},
    ],
)
def test_a_form_that_makes_no_sense_changes_nothing(
    services: Services, owner: Account, fields: dict[str, str]
) -> None:
    answer = signed_in(services, owner).send("/settings", fields)
    assert (answer.status_code, answer.headers["x-error-code"]) == (400, "form_invalid")


def test_another_password_needs_the_present_one_and_signs_out_other_browsers(
    services: Services, owner: Account
) -> None:
    here, there = signed_in(services, owner), signed_in(services, owner)
    new = {"act": "password", "new": "storks nest on roofs", "again": "storks nest on roofs"}
    assert here.send("/settings", {**new, "old": "wrong"}).headers["x-error-code"] == "sign_in_refused"
    differs = here.send("/settings", {**new, "old": PASSWORD, "again": "other"})
    assert differs.headers["x-error-code"] == "password_differs"
    weak = here.send("/settings", {**new, "old": PASSWORD, "new": "short", "again": "short"})
    assert weak.headers["x-error-code"] == "password_length"
    assert there.open("/settings").status_code == 200
    assert here.send("/settings", {**new, "old": PASSWORD}).status_code == 303
    assert here.open("/settings").status_code == 200
    assert there.open("/settings").status_code == 401
    signed_in(services, owner, "storks nest on roofs")


def test_a_browser_is_signed_out_from_another_and_by_nobody_else(services: Services, owner: Account) -> None:
    here, there = signed_in(services, owner), signed_in(services, owner)
    with services.database.read() as uow:
        sessions = sorted(list_tokens(uow, owner.id, sessions=True), key=lambda one: one.id)
    alice = browser(services)
    alice.sign_in("alice")
    alice.send("/settings", {"act": "end", "session": str(sessions[1].id)})
    assert there.open("/settings").status_code == 200
    here.send("/settings", {"act": "end", "session": str(sessions[1].id)})
    assert there.open("/settings").status_code == 401


def test_signing_out_ends_the_session_for_good(services: Services, owner: Account) -> None:
    person = signed_in(services, owner)
    kept = dict(person.client.cookies)
    person.send("/logout", {})
    thief = browser(services)
    thief.client.cookies.update(kept)
    assert thief.open("/settings").status_code == 401


def test_who_signed_in_with_a_reading_token_changes_nothing(services: Services, owner: Account) -> None:
    with services.database.write() as uow:
        secret = issue_token(uow, owner, "reads", "read")
    person = browser(services)
    person.send("/login", {"token": secret})
    assert 'name="act" value="token"' not in person.open("/settings").text
    for fields in (
        {"act": "token", "name": "x", "role": "write", "days": ""},
        {"act": "password", "new": "storks nest on roofs", "again": "storks nest on roofs", "old": PASSWORD},
        {"act": "profile", "fullname": "Mallory"},
        {"act": "revoke", "name": "reads"},
    ):
        answer = person.send("/settings", fields)
        assert (answer.status_code, answer.headers["x-error-code"]) == (403, "token_scope"), fields


def test_the_name_for_people_is_changed_and_only_text(services: Services, owner: Account) -> None:
    person = signed_in(services, owner)
    person.send("/settings", {"act": "profile", "fullname": " <b>Ada</b>  L. "})
    page = person.open(f"/{owner.name}").text
    assert "&lt;b&gt;Ada&lt;/b&gt; L." in page
    assert "<b>Ada" not in page


def test_strangers_are_asked_to_sign_in(services: Services) -> None:
    stranger = browser(services)
    assert stranger.open("/settings").status_code == 401
    assert stranger.send("/settings", {"act": "token"}).status_code == 401
    foreign = stranger.send("/settings", {"act": "token"}, {"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.headers["x-error-code"]) == (403, "origin_foreign")
