"""Who gets to the pages for administrators: nobody else, by no token, from no other site, by no method."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, open_services
from allmende.registry import Scope, create_account, issue_token, set_password
from allmende.settings import Settings
from allmende.storage import outbox_events
from tests.databases import new_schema
from tests.integration.web.conftest import FORM, HTML, ORIGIN, Person
from tests.scanners import scanner_in_process

HUB = "/settings/hub"
PASSWORD = "herons eat at dusk"
APPS: dict[int, tuple[Services, Starlette]] = {}
"""One application a hub: to make one takes long."""
GETS = (
    "", "/users", "/users/ada", "/policy", "/overrides", "/jobs", "/storage", "/audit", "/keys", "/peers"
)  # fmt: skip
FORMS = {
    "/users": {"name": "mallory"},
    "/users/bob": {"act": "admin"},
    "/users/ada": {"act": "password", "new": "storks nest on roofs", "again": "storks nest on roofs"},
    "/policy": {},
    "/overrides": {"act": "revoke", "type": "model", "repo": "bob/m", "number": "1"},
    "/jobs": {"act": "pause"},
    "/storage": {"act": "check"},
    "/keys": {"act": "log"},
    "/peers": {"act": "resume"},
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A hub with an administrator, who has tokens that may less, and a user."""
    data = tmp_path_factory.mktemp("guarded")
    opened = replace(open_services(Settings(data=data, workers=0)), scanner=scanner_in_process())
    new_schema(opened.database)
    with opened.database.write() as uow:
        ada = create_account(uow, "ada", "user", is_admin=True)
        bob = create_account(uow, "bob", "user")
        for owner in (ada, bob):
            set_password(uow, owner, PASSWORD)
        for role in ("read", "write", "admin"):
            issue_token(uow, ada, role, role, secret=f"ada-{role}")
        scope = (Scope("ada", "write"),)
        issue_token(uow, ada, "fine", "fine_grained", scopes=scope, secret="ada-fine")
        issue_token(uow, bob, "admin", "admin", secret="bob-admin")
    yield opened
    opened.close()


def browser(services: Services) -> Person:
    if id(services) not in APPS:
        APPS[id(services)] = services, create_app(services)
    return Person(TestClient(APPS[id(services)][1], raise_server_exceptions=False))


def signed_in(services: Services, **fields: str) -> Person:
    person = browser(services)
    assert person.send("/login", fields).status_code == 303
    return person


INTRUDERS = {
    "a stranger": {},
    "a user": {"name": "bob", "password": PASSWORD},
    "a user with a token of that role": {"token": "bob-admin"},
    "an administrator with a token that reads": {"token": "ada-read"},
    "an administrator with a token that writes": {"token": "ada-write"},
    "an administrator with scopes": {"token": "ada-fine"},
}


def without_id(text: str, address: str) -> str:
    """An error page but for what differs in each answer: the request's id, and the address that it links."""
    head, _, tail = text.partition('</p>\n  <p><a href="/">')
    return (
        (head.rpartition(" <code>")[0] + tail).replace(address, "").replace(address.replace("/", "%2F"), "")
    )


@pytest.mark.parametrize("fields", INTRUDERS.values(), ids=INTRUDERS.keys())
def test_for_everybody_else_there_is_nothing(services: Services, fields: dict[str, str]) -> None:
    person = signed_in(services, **fields) if fields else browser(services)
    for path in GETS:
        answer = person.open(f"{HUB}{path}")
        nowhere = person.open(f"/settings/hut{path}")
        assert (answer.status_code, answer.headers["x-error-code"]) == (404, "address_unknown"), path
        if path.count("/") > 1 or not path:
            continue
        assert without_id(answer.text, f"/settings/hub{path}") == without_id(
            nowhere.text, f"/settings/hut{path}"
        )
    with services.database.read() as uow:
        before = outbox_events(uow)
    for path, sent in FORMS.items():
        for headers in (ORIGIN, {}, {"Origin": "https://evil.example"}):
            answer = person.send(f"{HUB}{path}", {**sent, "password": PASSWORD}, headers)
            assert (answer.status_code, answer.headers["x-error-code"]) == (404, "address_unknown"), path
    with services.database.read() as uow:
        assert outbox_events(uow) == before


@pytest.mark.parametrize("secret", ["ada-admin", "ada-read", "bob-admin"])
def test_a_token_in_a_header_opens_nothing(services: Services, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    client = browser(services).client
    for accept in ({}, HTML):
        for path in GETS:
            answer = client.get(f"{HUB}{path}", headers={**headers, **accept})
            assert answer.status_code == 404
        for path, sent in FORMS.items():
            both = {**headers, **accept, **FORM, **ORIGIN}
            answer = client.post(f"{HUB}{path}", data=sent, headers=both)
            assert answer.status_code == 404


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example", None])
def test_a_form_of_another_site_does_nothing(services: Services, origin: str | None) -> None:
    ada = signed_in(services, name="ada", password=PASSWORD)
    with services.database.read() as uow:
        before = outbox_events(uow)
    for path, sent in FORMS.items():
        headers = {} if origin is None else {"Origin": origin}
        answer = ada.send(f"{HUB}{path}", {**sent, "password": PASSWORD}, headers)
        assert (answer.status_code, answer.headers["x-error-code"]) == (403, "origin_foreign"), path
    with services.database.read() as uow:
        assert outbox_events(uow) == before


def test_other_methods_and_bodies_do_nothing(services: Services) -> None:
    ada = signed_in(services, name="ada", password=PASSWORD)
    with services.database.read() as uow:
        before = outbox_events(uow)
    for path, sent in FORMS.items():
        for method in ("PUT", "PATCH", "DELETE", "TRACE"):
            answer = ada.client.request(method, f"{HUB}{path}", data=sent, headers={**HTML, **FORM, **ORIGIN})
            assert answer.status_code == 405, (method, path)
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
            headers = {**HTML, **ORIGIN, "Content-Type": kind}
            answer = ada.client.post(f"{HUB}{path}", content=b"act=pause&name=mallory", headers=headers)
            assert (answer.status_code, answer.headers["x-error-code"]) == (400, "form_invalid")
        # What is asked for in the address is not a form.
        asked = "&".join(f"{name}={value}" for name, value in sent.items())
        assert ada.client.get(f"{HUB}{path}?{asked}", headers=HTML).status_code == 200
        large = {**sent, "x": "y" * 20_000}
        assert ada.send(f"{HUB}{path}", large).status_code == 413
    for path in ("", "/audit"):
        assert ada.send(f"{HUB}{path}", {"act": "x"}).status_code == 405
    with services.database.read() as uow:
        assert outbox_events(uow) == before


def test_an_administrator_without_a_password_does_nothing_that_needs_it(services: Services) -> None:
    with services.database.write() as uow:
        eve = create_account(uow, "eve", "user", is_admin=True)
        issue_token(uow, eve, "admin", "admin", secret="eve-admin")
    person = signed_in(services, token="eve-admin")
    assert person.open(HUB).status_code == 200
    for path, sent in (("/keys", FORMS["/keys"]), ("/users/bob", {"act": "admin"})):
        answer = person.send(f"{HUB}{path}", {**sent, "password": ""})
        assert (answer.status_code, answer.headers["x-error-code"]) == (403, "password_missing")


def test_a_session_ends_with_the_right(services: Services) -> None:
    with services.database.write() as uow:
        kim = create_account(uow, "kim", "user")
        set_password(uow, kim, PASSWORD)
    before = signed_in(services, name="kim", password=PASSWORD)
    ada = signed_in(services, name="ada", password=PASSWORD)
    assert ada.send(f"{HUB}/users/kim", {"act": "admin", "password": PASSWORD}).status_code == 303
    assert before.open(HUB).status_code == 404, "a session never grows"
    after = signed_in(services, name="kim", password=PASSWORD)
    assert after.open(HUB).status_code == 200
    assert ada.send(f"{HUB}/users/kim", {"act": "browsers"}).status_code == 303
    assert after.open(HUB).status_code == 404


def test_a_locked_administrator_is_a_stranger(services: Services) -> None:
    with services.database.write() as uow:
        lou = create_account(uow, "lou", "user", is_admin=True)
        set_password(uow, lou, PASSWORD)
        issue_token(uow, lou, "admin", "admin", secret="lou-admin")
    by_password = signed_in(services, name="lou", password=PASSWORD)
    by_token = signed_in(services, token="lou-admin")
    ada = signed_in(services, name="ada", password=PASSWORD)
    assert ada.send(f"{HUB}/users/lou", {"act": "lock", "password": PASSWORD}).status_code == 303
    for person in (by_password, by_token):
        assert person.open(HUB).status_code == 404
        for path, sent in FORMS.items():
            assert person.send(f"{HUB}{path}", {**sent, "password": PASSWORD}).status_code == 404
    for fields in ({"name": "lou", "password": PASSWORD}, {"token": "lou-admin"}):
        assert browser(services).send("/login", fields).status_code == 401
