"""What people see of the scan: the statement, the badges, the findings, and what an owner can do."""

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services
from tests import scan_samples as samples
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, examine_all, new_repo
from tests.integration.web.reading import Reading, shows, words

REPO = "/alice/mixed"
TEXT = b"one line that everybody may read\n"


@pytest.fixture(scope="module")
def mixed(services: Services) -> Services:
    new_repo(services, "alice", "alice/mixed")
    files = {
        "README.md": b"# Mixed\n",
        "bad.txt": samples.BLOCKED,
        "broken.pkl": samples.QUARANTINED,
        "odd.pkl": samples.WARNED,
        "plain.txt": TEXT,
    }
    commit(services, "alice", "model", "alice/mixed", files, "all kinds")
    examine_all(services)
    return services


@pytest.fixture
def owner(mixed: Services) -> Person:
    person = Person(TestClient(create_app(mixed), raise_server_exceptions=False))
    assert person.sign_in("alice").status_code == 303
    return person


@pytest.fixture
def reader(mixed: Services) -> Person:
    person = Person(TestClient(create_app(mixed), raise_server_exceptions=False))
    assert person.sign_in("bob").status_code == 303
    return person


@pytest.fixture
def anybody(mixed: Services) -> Person:
    return Person(TestClient(create_app(mixed), raise_server_exceptions=False))


def test_the_page_of_the_repo_states_the_worst(anybody: Person) -> None:
    page = anybody.open(REPO).text
    assert "Scan blocked1 blocked, 1 quarantined, 1 warned" in words(page)
    assert f'href="{REPO}/scan/main"' in page


def test_the_listing_has_a_badge_for_each_file(anybody: Person) -> None:
    text = words(anybody.open(f"{REPO}/tree/main").text)
    for name, badge in (("bad.txt", "blocked"), ("broken.pkl", "quarantined"), ("odd.pkl", "warned")):
        assert badge in text.split(name)[1][:60]


def test_a_stopped_file_is_not_shown_and_its_findings_are(anybody: Person, reader: Person) -> None:
    for person in (anybody, reader):
        page = person.open(f"{REPO}/blob/main/bad.txt").text
        assert "cos" not in words(page).split("nt system")[0].split()
        assert shows(page, "shown.stopped")
        assert "pickle-refused-global" in page
        assert "allow_unsafe" not in page
        assert f'href="{REPO}/resolve/main/bad.txt"' not in page
        for text in ("What to do", "Why it matters", "Evidence"):
            assert text in words(page)


def test_the_owner_may_download_it_expressly(owner: Person) -> None:
    page = owner.open(f"{REPO}/blob/main/bad.txt").text
    assert f'href="{REPO}/resolve/main/bad.txt?allow_unsafe=true"' in page
    assert owner.client.get(f"{REPO}/resolve/main/bad.txt?allow_unsafe=true").content == samples.BLOCKED
    assert owner.client.get(f"{REPO}/resolve/main/bad.txt").status_code == 403


def test_a_harmless_text_is_shown(anybody: Person) -> None:
    assert "one line that everybody may read" in anybody.open(f"{REPO}/blob/main/plain.txt").text


def test_the_changes_of_a_commit_leave_out_what_is_stopped(anybody: Person, owner: Person) -> None:
    page = anybody.open(f"{REPO}/commit/main").text
    assert "one line that everybody may read" in page
    assert "(S&#39;true&#39;" not in page


def test_the_scan_page_says_what_to_do_to_those_who_can(owner: Person, anybody: Person) -> None:
    page = owner.open(f"{REPO}/scan/main").text
    assert shows(page, "scan.for_owner")
    assert "hf repos delete-files alice/mixed" in page
    assert shows(page, "scan.needs_auditor"), "for the blocked file"
    forms = [attributes for tag, attributes in Reading(page).elements if tag == "form"]
    assert sum(form.get("action") == f"{REPO}/scan/main" for form in forms) == 2
    public = anybody.open(f"{REPO}/scan/main").text
    assert "pickle-refused-global" in public
    assert not shows(public, "scan.for_owner")
    assert f'action="{REPO}/scan/main"' not in public


def test_an_owner_lifts_a_verdict_by_the_form_and_takes_it_back(owner: Person, reader: Person) -> None:
    fields = {"path": "broken.pkl", "rule": "", "reason": "<b>written by hand</b>"}
    assert reader.send(f"{REPO}/scan/main", fields).status_code == 403
    assert owner.send(f"{REPO}/scan/main", fields, headers={}).status_code == 403, "not from our own page"
    assert owner.send(f"{REPO}/scan/main", {**fields, "path": "bad.txt"}).status_code == 403
    done = owner.send(f"{REPO}/scan/main", fields)
    assert (done.status_code, done.headers["location"]) == (303, f"{REPO}/scan/main")
    page = reader.open(f"{REPO}/scan/main").text
    assert "&lt;b&gt;written by hand&lt;/b&gt;" in page
    assert "alice" in page
    assert reader.client.get(f"{REPO}/resolve/main/broken.pkl").status_code == 200
    page = owner.open(f"{REPO}/scan/main").text
    (number,) = [
        attributes["value"]
        for tag, attributes in Reading(page).elements
        if tag == "input" and attributes.get("name") == "revoke"
    ]
    assert owner.send(f"{REPO}/scan/main", {"revoke": number}).status_code == 303
    assert reader.client.get(f"{REPO}/resolve/main/broken.pkl").status_code == 403
    assert owner.send(f"{REPO}/scan/main", {"revoke": "x"}).status_code == 400


def test_a_stopped_card_is_not_shown(mixed: Services, anybody: Person) -> None:
    new_repo(mixed, "alice", "alice/carded")
    commit(mixed, "alice", "model", "alice/carded", {"README.md": samples.BLOCKED}, "a card")
    examine_all(mixed)
    page = anybody.open("/alice/carded").text
    assert shows(page, "repo.card_held_back")
    assert "true" not in words(page).split("held")[0].split()


def test_before_the_examination_only_what_stops_a_file_is_told(mixed: Services, anybody: Person) -> None:
    new_repo(mixed, "bob", "bob/fresh")
    commit(mixed, "bob", "model", "bob/fresh", {"a.pkl": samples.WARNED, "b.pkl": samples.BLOCKED}, "fresh")
    text = words(anybody.open("/bob/fresh/tree/main").text)
    assert "blocked" in text
    assert "warned" not in text
    page = anybody.open("/bob/fresh/scan/main").text
    assert shows(page, "scan.unexamined")
    assert "pickle-unknown-class" not in page


def test_in_german(anybody: Person) -> None:
    text = words(anybody.open(f"{REPO}/scan/main?lang=de").text)
    assert "Was die Prüfung fand" in text
    assert "gesperrt" in text
