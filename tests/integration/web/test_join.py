"""Signing up: only where the operator lets people, on record, and with nothing said that no page tells."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, open_services
from allmende.registry import create_account, find_account
from allmende.settings import Settings
from allmende.storage import recent_events
from tests.databases import new_schema
from tests.integration.web.conftest import Person
from tests.integration.web.reading import words

PASSWORD = "herons eat at dusk"
FIELDS = {"name": "nina", "fullname": "Nina  N.", "password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = open_services(Settings(data=tmp_path_factory.mktemp("joined"), workers=0, sign_up=True))
    new_schema(made.database)
    with made.database.write() as uow:
        create_account(uow, "bob", "user")
    yield made
    made.close()


def somebody(services: Services) -> Person:
    return Person(TestClient(create_app(services), raise_server_exceptions=False))


def test_a_stranger_becomes_a_user_who_is_signed_in(opened: Services) -> None:
    nina = somebody(opened)
    answer = nina.send("/join", {**FIELDS, "next": "/models"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/models")
    assert ">nina</a>" in nina.open("/").text
    with opened.database.read() as uow:
        made = find_account(uow, "nina")
        kinds = {event.kind: event.payload for event in reversed(recent_events(uow, 10))}
    assert made is not None
    assert (made.fullname, made.is_admin, made.kind) == ("Nina N.", False, "user")
    assert kinds["account.created"] == {"name": "nina", "kind": "user", "signed_up": True}
    assert "password.set" in kinds
    again = somebody(opened)
    assert again.send("/login", {"name": "nina", "password": PASSWORD}).status_code == 303


def test_by_default_nobody_signs_up(services: Services, stranger: Person) -> None:
    page = stranger.open("/join")
    assert page.status_code == 200
    assert "whoever runs it does" in words(page.text)
    assert 'name="password"' not in page.text
    answer = stranger.send("/join", FIELDS)
    assert (answer.status_code, answer.headers["x-error-code"]) == (403, "sign_up_closed")
    with services.database.read() as uow:
        assert find_account(uow, "nina") is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "BOB"}, "This name is taken."),
        ({"name": "settings"}, "This cannot be a name."),
        ({"name": "a/b"}, "This cannot be a name."),
        ({"name": "x"}, "This cannot be a name."),
        ({"password": "short", "again": "short"}, "A password has 12 to 200 characters."),
        ({"again": "herons eat at dawn"}, "The two passwords are not the same."),
        ({"password": "nina-nina-nina", "again": "nina-nina-nina"}, "little more than the name"),
        ({"fullname": "x" * 201}, "The name for people"),
        ({"fullname": "a\x07b"}, "The name for people"),
    ],
)
def test_what_is_wrong_is_said_and_no_password_comes_back(
    opened: Services, wrong: dict[str, str], says: str
) -> None:
    nina = somebody(opened)
    answer = nina.send("/join", {**FIELDS, **wrong})
    assert answer.status_code in (400, 409)
    assert says in words(answer.text)
    assert PASSWORD not in answer.text
    assert "set-cookie" not in answer.headers
    with opened.database.read() as uow:
        assert find_account(uow, "nina") is None


@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_a_form_of_another_site_makes_nobody(opened: Services, origin: str | None) -> None:
    answer = somebody(opened).send("/join", FIELDS, {} if origin is None else {"Origin": origin})
    assert answer.status_code == 403
    with opened.database.read() as uow:
        assert find_account(uow, "nina") is None


def test_the_way_to_it_is_on_the_page_of_signing_in(opened: Services, stranger: Person) -> None:
    assert "Make an account" in words(somebody(opened).open("/login").text)
    assert "How to get an account" in words(stranger.open("/login").text)
