"""The pages for the hub's administrators: what each shows, and that its forms do what the commands do."""

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import count

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.facts import last_scan_run
from allmende.flows import CHECK_JOB, Services, open_services, packing_status, run_log
from allmende.flows.worker import handlers
from allmende.ids import Sha256
from allmende.jobs import Job, JobContext, JobInterrupted, SqlJobQueue, last_report
from allmende.log import entries_below, list_peers
from allmende.merkle import KeyKind, generate_key
from allmende.registry import (
    Account,
    add_override,
    create_account,
    find_account,
    has_password,
    issue_token,
    list_overrides,
    list_tokens,
    lookup_repo,
    recent_overrides,
    set_member,
    set_password,
    update_account,
)
from allmende.settings import Settings
from allmende.storage import find_content, outbox_events, recent_events, stored_contents
from tests import scan_samples as samples
from tests.databases import new_schema
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, examine_all, new_repo
from tests.integration.web.reading import words
from tests.scanners import scanner_in_process

HUB = "/settings/hub"
PASSWORD = "herons eat at dusk"
APPS: dict[int, tuple[Services, Starlette]] = {}
"""One application a hub: to make one takes long."""
PAGES = ("", "/users", "/policy", "/overrides", "/jobs", "/storage", "/audit", "/keys", "/peers")
NUMBERS = count()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A hub of this module's own: what administrators do is seen on every page of it."""
    data = tmp_path_factory.mktemp("administered")
    opened = replace(open_services(Settings(data=data, workers=0)), scanner=scanner_in_process())
    new_schema(opened.database)
    with opened.database.write() as uow:
        ada = create_account(uow, "ada", "user", is_admin=True)
        set_password(uow, ada, PASSWORD)
        create_account(uow, "bob", "user")
        alice = create_account(uow, "alice", "user")
        issue_token(uow, alice, "work", "write", secret="token-of-alice")
        set_member(uow, create_account(uow, "lab", "org"), alice, "admin")
    new_repo(opened, "alice", "lab/marsh-notes", "dataset")
    new_repo(opened, "alice", "alice/heron-small")
    commit(opened, "alice", "model", "alice/heron-small", {"notes.txt": b"grey"}, "add")
    yield opened
    opened.close()


@pytest.fixture
def ada(services: Services) -> Person:
    """An administrator with a browser."""
    return signed_in(services, "ada")


@pytest.fixture
def user(services: Services) -> Account:
    """A user of this test alone, with a password and a token."""
    with services.database.write() as uow:
        made = create_account(uow, f"user-{next(NUMBERS)}", "user")
        set_password(uow, made, PASSWORD)
        issue_token(uow, made, "laptop", "write")
    return made


def browser(services: Services) -> Person:
    if id(services) not in APPS:
        APPS[id(services)] = services, create_app(services)
    return Person(TestClient(APPS[id(services)][1], raise_server_exceptions=False))


def signed_in(services: Services, name: str) -> Person:
    person = browser(services)
    assert person.send("/login", {"name": name, "password": PASSWORD}).status_code == 303
    return person


def acts(services: Services) -> list[dict[str, object]]:
    """What administrators did so far, the newest first."""
    with services.database.read() as uow:
        return [dict(event.payload) for event in recent_events(uow, 500, kind="hub.administered")]


def failed_job(services: Services, error: str = "It went wrong.") -> Job:
    queue = SqlJobQueue(services.database, max_attempts=1)
    kind = f"kind-{next(NUMBERS)}"
    with services.database.write() as uow:
        queue.enqueue(uow, kind, {"sha256": "0" * 64})
    run = queue.claim([kind], 60.0, "test")
    assert run is not None
    assert queue.fail(run, error)
    return run


def state_of(services: Services, job: Job) -> str:
    return next(one.state for one in services.queue.list_jobs(limit=1000) if one.id == job.id)


def test_every_page_is_there_in_both_languages(services: Services, ada: Person, user: Account) -> None:
    for path in (*PAGES, f"/users/{user.name}"):
        for language in ("en", "de"):
            answer = ada.open(f"{HUB}{path}", **{"Accept-Language": language})
            assert answer.status_code == 200, (path, words(answer.text)[-500:])
            assert answer.headers["cache-control"] == "no-store"
            assert "script-src" not in answer.headers["content-security-policy"]


def test_administrators_alone_find_the_way(ada: Person, alice: Person) -> None:
    assert f'href="{HUB}"' in ada.open("/").text
    assert HUB not in alice.open("/").text


def test_the_overview_says_what_fails(services: Services, ada: Person) -> None:
    failed_job(services)
    page = ada.open(HUB).text
    assert 'href="/settings/hub/jobs?state=failed"' in page
    assert "Database works Store of contents works" in words(page)


def test_a_user_is_made_and_on_record(services: Services, ada: Person) -> None:
    answer = ada.send(
        f"{HUB}/users", {"name": "newcomer", "fullname": " New  Comer ", "email": "n@c.example"}
    )
    assert answer.headers["location"] == f"{HUB}/users/newcomer?done=user_made"
    with services.database.read() as uow:
        made = find_account(uow, "newcomer")
        assert made is not None
        assert not has_password(uow, made.id)
    assert (made.fullname, made.email, made.is_admin, made.kind) == (
        "New Comer",
        "n@c.example",
        False,
        "user",
    )
    assert acts(services)[0] == {"act": "user.created", "account": made.id}
    assert "The user is made." in words(ada.open(answer.headers["location"]).text)
    taken = ada.send(f"{HUB}/users", {"name": "Newcomer"})
    assert (taken.status_code, taken.headers["x-error-code"]) == (409, "account_exists")
    assert ada.send(f"{HUB}/users", {"name": "../x"}).status_code == 400


def test_a_password_is_set_with_ones_own(services: Services, ada: Person, user: Account) -> None:
    page = f"{HUB}/users/{user.name}"
    theirs = signed_in(services, user.name)
    fields = {"act": "password", "new": "storks nest on roofs", "again": "storks nest on roofs"}
    assert ada.send(page, fields).headers["x-error-code"] == "sign_in_refused"
    assert ada.send(page, {**fields, "password": "x"}).headers["x-error-code"] == "sign_in_refused"
    differs = ada.send(page, {**fields, "again": "x", "password": PASSWORD})
    assert differs.headers["x-error-code"] == "password_differs"
    assert theirs.open("/settings").status_code == 200
    assert ada.send(page, {**fields, "password": PASSWORD}).status_code == 303
    assert theirs.open("/settings").status_code == 401
    again = {"name": user.name, "password": "storks nest on roofs"}
    assert browser(services).send("/login", again).status_code == 303
    assert acts(services)[0] == {"act": "user.password", "account": user.id}


def test_guessing_ones_password_from_an_open_browser_is_slowed(services: Services, user: Account) -> None:
    with services.database.write() as uow:
        update_account(uow, user, {"is_admin": True})
    open_browser = signed_in(services, user.name)
    for _ in range(5):
        open_browser.send(f"{HUB}/keys", {"act": "log", "password": "guess"})
    answer = open_browser.send(f"{HUB}/keys", {"act": "log", "password": PASSWORD})
    assert answer.status_code == 429


def test_administering_is_given_and_taken(services: Services, ada: Person, user: Account) -> None:
    page = f"{HUB}/users/{user.name}"
    assert ada.send(page, {"act": "admin"}).status_code == 400
    assert ada.send(page, {"act": "admin", "password": PASSWORD}).status_code == 303
    theirs = signed_in(services, user.name)
    assert theirs.open(HUB).status_code == 200
    assert ada.send(page, {"act": "plain", "password": PASSWORD}).status_code == 303
    assert theirs.open(HUB).status_code == 404
    own = ada.send(f"{HUB}/users/ada", {"act": "plain", "password": PASSWORD})
    assert (own.status_code, own.headers["x-error-code"]) == (409, "is_oneself")
    assert ada.open(HUB).status_code == 200


def test_a_user_is_locked_and_unlocked(services: Services, ada: Person, user: Account) -> None:
    with services.database.write() as uow:
        secret = issue_token(uow, user, "other", "write")
    page, theirs = f"{HUB}/users/{user.name}", signed_in(services, user.name)
    assert ada.send(page, {"act": "lock"}).headers["x-error-code"] == "sign_in_refused"
    assert ada.send(page, {"act": "lock", "password": PASSWORD}).status_code == 303
    assert "locked since" in words(ada.open(page).text)
    assert theirs.open("/settings").status_code == 401
    bearer = {"Authorization": f"Bearer {secret}"}
    assert theirs.client.get("/api/whoami-v2", headers=bearer).status_code == 401
    for fields in ({"name": user.name, "password": PASSWORD}, {"token": secret}):
        assert browser(services).send("/login", fields).status_code == 401
    assert ada.send(page, {"act": "unlock", "password": PASSWORD}).status_code == 303
    assert theirs.open("/settings").status_code == 401, "sessions do not come back"
    assert theirs.client.get("/api/whoami-v2", headers=bearer).status_code == 200
    signed_in(services, user.name)
    own = ada.send(f"{HUB}/users/ada", {"act": "lock", "password": PASSWORD})
    assert own.headers["x-error-code"] == "is_oneself"
    assert [said["act"] for said in acts(services)[:2]] == ["user.unlock", "user.lock"]


def test_tokens_are_named_and_revoked_and_their_secrets_unknown(
    services: Services, ada: Person, user: Account
) -> None:
    with services.database.write() as uow:
        secret = issue_token(uow, user, "build <b>machine</b>", "read")
    page = f"{HUB}/users/{user.name}"
    shown = ada.open(page).text
    assert "build &lt;b&gt;machine&lt;/b&gt;" in shown
    assert secret not in shown
    assert ada.send(page, {"act": "revoke", "name": "build <b>machine</b>"}).status_code == 303
    with services.database.read() as uow:
        assert [token.name for token in list_tokens(uow, user.id)] == ["laptop"]
    assert ada.send(page, {"act": "revoke", "name": "gone"}).status_code == 404
    theirs = signed_in(services, user.name)
    assert ada.send(page, {"act": "browsers"}).status_code == 303
    assert theirs.open("/settings").status_code == 401


def test_a_user_is_erased_when_the_name_is_typed(services: Services, ada: Person, user: Account) -> None:
    page = f"{HUB}/users/{user.name}"
    unnamed = ada.send(page, {"act": "erase", "name": "other", "password": PASSWORD})
    assert unnamed.headers["x-error-code"] == "name_not_repeated"
    assert ada.send(page, {"act": "erase", "name": user.name}).headers["x-error-code"] == "sign_in_refused"
    own = ada.send(f"{HUB}/users/ada", {"act": "erase", "name": "ada", "password": PASSWORD})
    assert own.headers["x-error-code"] == "is_oneself"
    fields = {"act": "erase", "name": user.name, "password": PASSWORD}
    assert ada.send(page, fields).headers["location"] == f"{HUB}/users?done=user_erase"
    assert ada.open(page).status_code == 404
    said = acts(services)[0]
    assert said == {"act": "user.erase", "account": user.id}
    assert user.name not in ada.open(f"{HUB}/audit").text


def test_users_are_searched_and_come_in_pages(services: Services, ada: Person) -> None:
    with services.database.write() as uow:
        for number in range(60):
            create_account(uow, f"heron-{number:02}", "user", fullname=f"Heron 100%_{number}")
    first = ada.open(f"{HUB}/users?search=HERON-").text
    second = ada.open(f"{HUB}/users?search=HERON-&page=1").text
    assert (first.count("/users/heron-"), second.count("/users/heron-")) == (50, 10)
    assert ada.open(f"{HUB}/users?search=100%25_59").text.count("/users/heron-") == 1
    assert "No user has such a name." in words(ada.open(f"{HUB}/users?search=%25%25").text)
    assert ada.open(f"{HUB}/users/lab").status_code == 404


def test_the_policy_says_where_it_comes_from(services: Services) -> None:
    settings = services.settings.model_copy(
        update={"scan_policy": "high=warn,pickle-unknown-class=block", "auditors": "bob, rea"}
    )
    page = words(signed_in(replace(services, settings=settings), "ada").open(f"{HUB}/policy").text)
    assert "critical blocked the default high served with a warning the setting" in page
    assert "bob, rea" in page
    rule = page[page.index("pickle-unknown-class") :]
    assert rule.index("blocked the setting") < rule.index("Severity: critical · blocked")
    assert "Severity: high · served with a warning" in rule
    assert page.count("pickle-unknown-class ") == 1


def test_everything_is_scanned_again(services: Services, ada: Person) -> None:
    assert ada.send(f"{HUB}/policy", {}).headers["location"] == f"{HUB}/policy?done=scan_again"
    with services.database.read() as uow:
        run = last_scan_run(uow)
    assert run is not None
    assert acts(services)[0] == {"act": "scan.again", "run": run.id}
    assert "Everything is being scanned again." in words(ada.open(f"{HUB}/policy").text)


def test_a_verdict_is_lifted_and_holds_again(services: Services, ada: Person) -> None:
    with services.database.read() as uow:
        repo = lookup_repo(uow, "model", "alice/heron-small")
    assert repo is not None
    with services.database.write() as uow:
        number = add_override(
            uow, repo.id, "0" * 64, "<i>w</i>.bin", ["x-rule"], "We know <it>.", by_auditor=False,
            actor_id=None, actor_name="alice",
        )  # fmt: skip
    page = ada.open(f"{HUB}/overrides").text
    assert "&lt;i&gt;w&lt;/i&gt;.bin" in page
    assert "We know &lt;it&gt;." in page
    fields = {"type": "model", "repo": "alice/heron-small"}
    answer = ada.send(f"{HUB}/overrides", {**fields, "act": "revoke", "number": str(number)})
    assert answer.status_code == 303
    with services.database.read() as uow:
        assert [one.revoked_by for one in list_overrides(uow, repo.id)] == ["ada"]
    again = ada.send(f"{HUB}/overrides", {**fields, "act": "revoke", "number": str(number)})
    assert again.headers["x-error-code"] == "override_unknown"
    lift = {**fields, "act": "lift", "path": "notes.txt", "reason": "It is harmless."}
    nothing = ada.send(f"{HUB}/overrides", lift)
    assert (nothing.status_code, nothing.headers["x-error-code"]) == (409, "nothing_to_lift")
    for wrong in ({"type": "x"}, {"repo": "no/such"}, {"path": "none.bin"}, {"reason": " "}):
        assert ada.send(f"{HUB}/overrides", {**lift, **wrong}).status_code in (400, 404)


def test_a_verdict_of_the_scan_is_lifted_with_a_reason(services: Services, ada: Person) -> None:
    name = f"alice/pickled-{next(NUMBERS)}"
    new_repo(services, "alice", name)
    commit(services, "alice", "model", name, {"w.pkl": samples.BLOCKED}, "add")
    examine_all(services)
    fields = {"act": "lift", "type": "model", "repo": name, "path": "w.pkl", "reason": "A sample."}
    assert ada.send(f"{HUB}/overrides", fields).status_code == 303
    with services.database.read() as uow:
        (one,) = recent_overrides(uow, 1)
    assert (one.actor_name, one.by_auditor, one.reason) == ("ada", True, "A sample.")


def test_failed_jobs_are_shown_with_their_errors_and_tried_again(services: Services, ada: Person) -> None:
    error = "<script>alert(1)</script>" + "e" * 10_000
    job = failed_job(services, error)
    page = ada.open(f"{HUB}/jobs?state=failed").text
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "e" * 8000 in page
    assert ada.send(f"{HUB}/jobs", {"act": "retry", "job": str(job.id)}).status_code == 303
    assert state_of(services, job) == "waiting"
    assert acts(services)[0] == {"act": "jobs.retry", "job": job.id}
    unknown = ada.send(f"{HUB}/jobs", {"act": "retry", "job": str(job.id)})
    assert (unknown.status_code, unknown.headers["x-error-code"]) == (404, "job_unknown")
    others = [failed_job(services), failed_job(services)]
    assert ada.send(f"{HUB}/jobs", {"act": "retry_all"}).status_code == 303
    assert {state_of(services, other) for other in others} == {"waiting"}


def test_jobs_are_taken_out_unless_they_run(services: Services, ada: Person) -> None:
    kind = f"kind-{next(NUMBERS)}"
    with services.database.write() as uow:
        services.queue.enqueue(uow, kind, {})
    run = services.queue.claim([kind], 60.0, "test")
    assert run is not None
    fields = {"act": "cancel", "job": str(run.id)}
    assert ada.send(f"{HUB}/jobs", fields).headers["x-error-code"] == "job_unknown"
    assert services.queue.release(run)
    assert ada.send(f"{HUB}/jobs", fields).status_code == 303
    failed = failed_job(services)
    assert ada.send(f"{HUB}/jobs", {**fields, "job": str(failed.id)}).status_code == 303
    assert {run.id, failed.id}.isdisjoint(one.id for one in services.queue.list_jobs(limit=1000))


def test_packing_is_paused_and_goes_on(services: Services, ada: Person) -> None:
    assert ada.send(f"{HUB}/jobs", {"act": "pause"}).status_code == 303
    assert packing_status(services).paused
    assert 'value="resume"' in ada.open(f"{HUB}/jobs").text
    assert ada.send(f"{HUB}/jobs", {"act": "resume"}).status_code == 303
    assert not packing_status(services).paused
    assert ada.send(f"{HUB}/jobs", {"act": "pack"}).status_code == 303


STORAGE = f"{HUB}/storage"


def test_garbage_is_counted_by_a_job_and_stays(services: Services, ada: Person) -> None:
    with services.database.read() as uow:
        before = stored_contents(uow)
    assert "Contents that no repo holds" not in words(ada.open(STORAGE).text)
    asked = ada.send(STORAGE, {"act": "count"})
    assert asked.headers["location"] == f"{STORAGE}?done=storage_count"
    waiting = words(ada.open(STORAGE).text)
    assert "It waits for its turn." in waiting
    assert "Count now" not in waiting
    examine_all(services)
    page = words(ada.open(STORAGE).text)
    assert "Contents that no repo holds" in page
    assert "Last done on" in page
    assert "Count now" in page
    with services.database.read() as uow:
        assert stored_contents(uow) == before


def test_a_check_keeps_what_it_found_until_the_next(services: Services, ada: Person) -> None:
    data = b"soon gone" * 5000
    new_repo(services, "alice", "alice/fragile")
    commit(services, "alice", "model", "alice/fragile", {}, "large", large={"w.bin": data})
    ada.send(STORAGE, {"act": "check"})
    examine_all(services)
    assert "Nothing is missing." in words(ada.open(STORAGE).text)
    with services.database.read() as uow:
        found = find_content(uow, Sha256(sha256(data).hexdigest()))
    assert found is not None
    (services.settings.contents_dir / found.location).unlink()
    assert "Nothing is missing." in words(ada.open(STORAGE).text), "nobody has looked since"
    ada.send(STORAGE, {"act": "check"})
    examine_all(services)
    page = ada.open(STORAGE).text
    assert "1 problem" in words(page)
    assert "content_damaged" in page
    assert found.sha256 in page


def test_a_check_says_how_far_it_is_and_stops_when_it_should(services: Services, ada: Person) -> None:
    ada.send(STORAGE, {"act": "check"})
    ada.send(STORAGE, {"act": "check"})
    run = services.queue.claim([CHECK_JOB], 1e6, "test")
    assert run is not None
    assert services.queue.claim([CHECK_JOB], 1e6, "test") is None, "asked twice is done once"
    services.queue.progress(run, 0.25, "")
    page = ada.open(STORAGE).text
    assert 'value="0.25"' in page
    assert "It runs:" in words(page)
    context = JobContext(services.queue, run)
    context.ask_to_stop()
    with services.database.read() as uow:
        before = last_report(uow, CHECK_JOB)
    with pytest.raises(JobInterrupted):
        handlers(services)[CHECK_JOB](context)
    with services.database.read() as uow:
        assert last_report(uow, CHECK_JOB) == before
    services.queue.finish(run)


def test_nothing_else_is_begun_there(services: Services, ada: Person) -> None:
    before = services.queue.counts()
    for fields in ({}, {"act": "collect"}, {"act": ""}):
        assert ada.send(STORAGE, fields).status_code == 400
    assert services.queue.counts() == before


def test_the_audit_names_who_and_what(services: Services, ada: Person, user: Account) -> None:
    ada.send(f"{HUB}/users/{user.name}", {"act": "browsers"})
    row = re.search(r"<tr>(?:(?!<tr>).)*user\.browsers.*?</tr>", ada.open(f"{HUB}/audit").text, re.DOTALL)
    assert row is not None
    assert f'{HUB}/users/ada"' in row[0]
    assert f'{HUB}/users/{user.name}"' in row[0]
    of_user = ada.open(f"{HUB}/audit?account={user.name}").text
    assert "token.issued" in words(of_user)
    assert "repo.created" not in re.sub(r"<select.*?</select>", "", of_user, flags=re.DOTALL)
    of_repo = ada.open(f"{HUB}/audit?repo=alice/heron-small&kind=ref.updated").text
    assert "/alice/heron-small" in of_repo
    of_dataset = ada.open(f"{HUB}/audit?repo=datasets/lab/marsh-notes").text
    assert "/datasets/lab/marsh-notes" in of_dataset
    for wrong, status in (("kind=x", 400), ("below=x", 400), ("account=no-one", 404), ("repo=a/b", 404)):
        assert ada.open(f"{HUB}/audit?{wrong}").status_code == status


def test_older_acts_are_on_further_pages(services: Services, ada: Person) -> None:
    seen: list[str] = []
    path = f"{HUB}/audit"
    while path and len(seen) < 1000:
        page = ada.open(path).text
        seen += re.findall(r"<tr>\s*<td class=\"when\">", page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    with services.database.read() as uow:
        assert len(seen) == len(recent_events(uow, 1000))


def test_keys_are_shown_rotated_and_ended(services: Services, ada: Person) -> None:
    keyring = services.log.keys.read()
    page = ada.open(f"{HUB}/keys").text
    assert keyring.log[0].public in page
    assert (services.log.keys.folder / keyring.log[0].file).read_text().strip() not in page
    assert 'value="drop_old"' not in page
    assert ada.send(f"{HUB}/keys", {"act": "log"}).headers["x-error-code"] == "sign_in_refused"
    assert services.log.keys.read() == keyring
    for act in ("log", "statement"):
        assert ada.send(f"{HUB}/keys", {"act": act, "password": PASSWORD}).status_code == 303
    turned = services.log.keys.read()
    assert (turned.log[1].public, turned.log[1].signs) == (keyring.log[0].public, True)
    assert turned.statement[1].public == keyring.statement[0].public
    assert ada.send(f"{HUB}/keys", {"act": "drop_old", "password": PASSWORD}).status_code == 303
    assert [key.signs for key in services.log.keys.read().log] == [True, False]
    assert ada.send(f"{HUB}/keys", {"act": "x", "password": PASSWORD}).status_code == 400
    assert [said["act"] for said in acts(services)[:3]] == ["keys.drop_old", "keys.statement", "keys.log"]


def test_peers_are_named_and_forgotten(services: Services, ada: Person) -> None:
    witness = generate_key("witness.example/w", KeyKind.ED25519_COSIGNATURE).verifier.text
    fields = {"act": "add", "key": witness, "url": "https://witness.example/w"}
    assert ada.send(f"{HUB}/peers", fields).headers["x-error-code"] == "sign_in_refused"
    assert ada.send(f"{HUB}/peers", {**fields, "password": PASSWORD}).status_code == 303
    other = generate_key("log.example/log", KeyKind.ED25519).verifier.text
    assert ada.send(f"{HUB}/peers", {"act": "add", "key": other, "password": PASSWORD}).status_code == 303
    page = words(ada.open(f"{HUB}/peers").text)
    assert "witness.example/w https://witness.example/w has cosigned nothing yet" in page
    assert "log.example/log" in page
    bad = ada.send(f"{HUB}/peers", {**fields, "url": "ftp://x", "password": PASSWORD})
    assert bad.status_code == 400
    for key in (witness, other):
        assert ada.send(f"{HUB}/peers", {"act": "remove", "key": key}).status_code == 303
    with services.database.read() as uow:
        assert list_peers(uow) == []
    assert ada.send(f"{HUB}/peers", {"act": "remove", "key": other}).status_code == 404


def test_the_log_goes_on_and_tells_nothing_of_administering(services: Services, ada: Person) -> None:
    run_log(services)
    assert ada.send(f"{HUB}/peers", {"act": "resume"}).status_code == 303
    run_log(services)
    with services.database.read() as uow:
        (newest,) = entries_below(uow, None, 1, "account")
    assert newest.statement is not None
    assert b"ada" not in newest.statement
    assert b"peers" not in newest.statement
    assert b"hub.administered" in newest.statement


@pytest.mark.parametrize("path", ["/users/bob", "/overrides", "/jobs", "/peers"])
def test_a_form_that_asks_for_nothing_changes_nothing(services: Services, ada: Person, path: str) -> None:
    with services.database.read() as uow:
        before = outbox_events(uow)
    for fields in ({}, {"act": "nonsense"}, {"act": "retry", "job": "-1"}, {"act": "retry", "job": "9" * 99}):
        assert ada.send(f"{HUB}{path}", fields).status_code == 400
    with services.database.read() as uow:
        assert outbox_events(uow) == before


def test_a_name_with_a_nul_is_asked_of_no_database(ada: Person) -> None:
    for path in ("/users/a%00b", "/users?search=%00", "/audit?account=a%00", "/audit?repo=a/%00"):
        answer = ada.open(f"{HUB}{path}")
        assert answer.status_code in (400, 404), path
    for path, fields in (
        ("/peers", {"act": "remove", "key": "a\0"}),
        ("/users/bob", {"act": "revoke", "name": "\0"}),
    ):
        assert ada.send(f"{HUB}{path}", fields).status_code == 400
