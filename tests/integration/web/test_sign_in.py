"""Signing in with a token, what a session may do, and who may not have one."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, open_services
from allmende.registry import create_account, find_account, find_token, issue_token, revoke_token
from allmende.settings import Settings
from allmende.storage import LinkSigner
from tests.integration.web.conftest import HTML, Person


def test_a_session_is_a_signed_cookie_without_the_token(services: Services, stranger: Person) -> None:
    answer = stranger.sign_in("alice")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert "token-of" not in cookie
    assert ">alice</a>" in stranger.open("/").text


def test_the_cookie_is_for_https_alone_where_the_hub_has_it(services: Services) -> None:
    settings = Settings(data=services.settings.data, workers=0, public_url="https://hub.example")
    secure = open_services(settings)
    person = Person(TestClient(create_app(secure), base_url="https://hub.example"))
    answer = person.send("/login", {"token": "token-of-alice"}, {"Origin": "https://hub.example"})
    assert "Secure" in answer.headers["set-cookie"]
    secure.database.close()


def test_an_unknown_token_is_refused(stranger: Person) -> None:
    for token in ("nonsense", "", "\x00", "é" * 300):
        answer = stranger.send("/login", {"token": token})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/alice/secret-owl", "/alice/secret-owl"),
        ("/models?search=x", "/models?search=x"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/\t/evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_after_signing_in_one_stays_on_the_hub(stranger: Person, wanted: str, reached: str) -> None:
    answer = stranger.send("/login", {"token": "token-of-alice", "next": wanted})
    assert answer.headers["location"] == reached


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://evil.example", "http://testserver.evil.example", "http://testserver@evil"],
)
def test_a_form_of_another_site_does_nothing(alice: Person, path: str, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    answer = alice.send(path, {"token": "token-of-bob"}, headers)
    assert (answer.status_code, answer.headers["x-error-code"]) == (403, "origin_foreign")
    assert ">alice</a>" in alice.open("/").text


def test_signing_out_ends_the_session(alice: Person) -> None:
    assert alice.open("/alice/secret-owl").status_code == 200
    assert alice.send("/logout", {}).status_code == 303
    assert alice.open("/alice/secret-owl").status_code == 404
    assert alice.open("/logout").status_code in (404, 405), "reading must not sign anybody out"


def test_a_session_ends_with_its_token(services: Services, stranger: Person) -> None:
    with services.database.write() as uow:
        carol = create_account(uow, "carol", "user")
        issue_token(uow, carol, "short", "read", secret="token-of-carol")
    assert stranger.sign_in("carol").status_code == 303
    assert ">carol</a>" in stranger.open("/").text
    with services.database.write() as uow:
        revoke_token(uow, carol, "short")
        # The database gives the id of the deleted row again: the session must not pass to the new token.
        dave = create_account(uow, "dave", "user")
        issue_token(uow, dave, "next", "write", secret="token-of-dave")
    page = stranger.open("/").text
    assert ">carol</a>" not in page
    assert ">dave</a>" not in page


def test_a_token_that_expires_takes_its_session_along(services: Services, stranger: Person) -> None:
    with services.database.write() as uow:
        erin = create_account(uow, "erin", "user")
        issue_token(uow, erin, "t", "read", secret="token-of-erin", expires_at=uow.now + timedelta(hours=1))
    assert stranger.sign_in("erin").status_code == 303
    with services.database.write() as uow:
        ended = uow.now - timedelta(hours=1)
        issue_token(uow, erin, "t", "read", secret="token-of-erin", expires_at=ended, replace=True)
    assert ">erin</a>" not in stranger.open("/").text


@pytest.mark.parametrize("change", ["forged", "truncated", "other purpose", "empty"])
def test_a_cookie_that_the_hub_did_not_make_is_nobodys(
    services: Services, stranger: Person, change: str
) -> None:
    stranger.sign_in("alice")
    value = stranger.client.cookies["allmende_session"]
    claims = {"token": 1, "issued": "2026-01-01T00:00:00+00:00"}
    stranger.client.cookies.clear()
    stranger.client.cookies["allmende_session"] = {
        "forged": LinkSigner(b"x" * 32).sign("web-session", claims, 100),
        "truncated": value[:-4],
        "other purpose": services.signer.sign("download", claims, 100),
        "empty": "",
    }[change]
    answer = stranger.open("/alice/secret-owl")
    assert answer.status_code == 404


def test_a_session_reads_files_and_changes_nothing(alice: Person) -> None:
    raw = alice.open("/alice/secret-owl/resolve/main/README.md")
    assert (raw.status_code, raw.text) == (200, "# The owl nobody knows\n")
    answer = alice.client.post("/api/repos/create", json={"name": "by-cookie"}, headers=HTML)
    assert answer.status_code == 401
    assert alice.open("/alice/by-cookie").status_code == 404


def test_a_token_in_the_request_is_no_session(stranger: Person) -> None:
    answer = stranger.open("/alice/secret-owl", Authorization="Bearer token-of-alice")
    assert answer.status_code == 404


def test_a_use_of_a_session_is_a_use_of_its_token(services: Services, alice: Person) -> None:
    alice.open("/")
    with services.database.read() as uow:
        used = find_token(uow, "token-of-alice")
        assert used is not None
        assert used.last_used_at is not None
        assert find_account(uow, "alice") is not None


def test_a_form_is_bounded(stranger: Person) -> None:
    assert stranger.send("/login", {"token": "x" * 20_000}).status_code == 413
    assert stranger.send("/login", {f"f{n}": "" for n in range(100)}).status_code == 400
    answer = stranger.client.post("/login", content=b"{}", headers={"Origin": "http://testserver"})
    assert answer.status_code == 400
