"""The pages of the log and of the commons: what everybody may know, and nothing of what is private."""

import re

import pytest

from allmende.flows import Services, run_log
from allmende.log import log_size, read_entry
from allmende.registry import update_repo
from allmende.web.assets import asset_path
from tests.integration.flows.families import finetuned, fresh
from tests.integration.web.conftest import Person
from tests.integration.web.filled import as_user, commit, examine_all, new_repo, repo
from tests.integration.web.reading import Reading, shows, words
from tests.integration.web.test_lineage_pages import publish

STRICT = "script-src 'self'; connect-src 'self'"


@pytest.fixture(scope="module", autouse=True)
def logged(services: Services) -> None:
    base = fresh(1)
    publish(services, "alice/root", base)
    publish(services, "bob/public-child", finetuned(base, 2))
    publish(services, "alice/hidden-child", finetuned(base, 3), private=True)
    run_log(services)


def numbers(page: str) -> list[int]:
    found = [re.fullmatch(r"/log/entries/(\d+)", address) for _, address, _ in Reading(page).addresses()]
    return [int(one[1]) for one in found if one is not None]


def entry_of(services: Services, *, veiled: bool, kind: str) -> int:
    with services.database.read() as uow:
        for number in range(log_size(uow).size):
            entry = read_entry(uow, number)
            if entry.veiled is veiled and entry.kind == kind:
                return number
    raise AssertionError("the log has no such entry")


@pytest.mark.parametrize("path", ["/log", "/log/entries/0"])
def test_pages_that_bring_a_script_allow_no_other(stranger: Person, path: str) -> None:
    answer = stranger.open(path)
    assert answer.headers["content-security-policy"].endswith(STRICT)
    page = Reading(answer.text)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{"type": "module", "src": asset_path("log-check.js")}]
    assert not [name for name in page.attribute_names() if name.startswith("on") or name == "style"]
    assert shows(answer.text, "log.check.needs_script")
    assert shows(answer.text, "log.check.trust")


def test_the_script_writes_no_markup_and_asks_nobody_else(stranger: Person) -> None:
    script = stranger.open(asset_path("log-check.js"))
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|https?://", script.text)


def test_the_overview_says_how_the_log_stands(services: Services, stranger: Person) -> None:
    page = stranger.open("/log").text
    with services.database.read() as uow:
        size = log_size(uow).size
    assert f"{size} entries" in words(page)
    assert services.log.log_keys[0] in words(page)
    assert shows(page, "log.no_witness")
    assert shows(page, "log.no_evidence")


def test_entries_are_read_in_pages_and_by_kind(stranger: Person) -> None:
    first = stranger.open("/log/entries").text
    newest = numbers(first)
    assert newest == sorted(newest, reverse=True)
    older = next(a for _, a, more in Reading(first).addresses() if more.get("rel") == "next")
    assert numbers(stranger.open(older).text)[0] == newest[-1] - 1
    scans = words(stranger.open("/log/entries?kind=scan").text)
    assert "scan.verdict" in scans
    assert "record.signed" not in scans
    moved = stranger.open("/log/entries?number=3")
    assert (moved.status_code, moved.headers["location"]) == (303, "/log/entries/3")
    for query in ("kind=nothing", "below=x", "number=-1", "below=9999999999999999"):
        assert stranger.open(f"/log/entries?{query}").status_code == 400
    for number in ("999999", "01", "x", "-1"):
        assert stranger.open(f"/log/entries/{number}").status_code == 404


def test_what_a_private_repo_did_is_told_to_nobody(services: Services, stranger: Person) -> None:
    number = entry_of(services, veiled=True, kind="publish")
    page = stranger.open(f"/log/entries/{number}").text
    assert shows(page, "log.statement_untold")
    assert "private" in words(page)
    assert "repo.created" not in page
    veiled = stranger.open("/log/entries?kind=private").text
    assert "owl" not in veiled
    assert "hidden-child" not in veiled
    assert "secret-owl" not in "".join(stranger.open(f"/log/entries?below={n}").text for n in (50, 100, 150))


def test_an_entry_shows_statement_and_proof(services: Services, stranger: Person) -> None:
    number = entry_of(services, veiled=False, kind="publish")
    said = words(stranger.open(f"/log/entries/{number}").text)
    proof = services.log.prove(number)
    assert all(each.hex() in said for each in proof.hashes)
    with services.database.read() as uow:
        entry = read_entry(uow, number)
    assert entry.entry.decode() in said
    assert entry.salt is not None
    assert entry.salt.hex() in said


def test_a_repo_that_turns_private_leaves_the_pages_of_the_log(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/shy")
    commit(services, "bob", "model", "bob/shy", {"README.md": b"# Shy\n"}, "one")
    examine_all(services)
    run_log(services)
    assert "bob/shy" in words(stranger.open("/log").text)
    assert "bob/shy" in words(stranger.open("/").text)
    with services.database.write() as uow:
        update_repo(uow, as_user(uow, "bob"), repo(uow, "model", "bob/shy"), private=True)
    run_log(services)
    assert "bob/shy" not in words(stranger.open("/log").text)
    assert "bob/shy" not in words(stranger.open("/log/entries").text)


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_commons_count_what_is_public(services: Services, stranger: Person, language: str) -> None:
    page = stranger.open("/glance", **{"Accept-Language": language}).text
    assert "alice/root" in page
    assert "bob/public-child" in page
    assert "hidden-child" not in page
    assert "secret-owl" not in page


def test_the_commons_are_the_same_for_everybody(stranger: Person, alice: Person) -> None:
    def figures(page: str) -> str:
        return re.sub(r"Counted .*", "", words(page).partition("What everybody may see")[2])

    assert "hidden-child" not in alice.open("/glance").text
    assert figures(stranger.open("/glance").text) == figures(alice.open("/glance").text)


def test_a_family_member_that_turns_private_is_gone_at_once(services: Services, stranger: Person) -> None:
    assert "bob/public-child" in stranger.open("/glance").text
    with services.database.write() as uow:
        update_repo(uow, as_user(uow, "bob"), repo(uow, "model", "bob/public-child"), private=True)
    assert "bob/public-child" not in stranger.open("/glance").text
