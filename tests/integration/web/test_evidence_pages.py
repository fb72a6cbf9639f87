"""The pages that a model's statements lead to: its record, its signatures, its entries in the log."""

import json
from hashlib import sha256

import pytest

from allmende.flows import Services, enqueue_record, rename_repo, run_log
from allmende.proof import SignedFile, generate_signer, make_manifest, sign_model
from allmende.web.messages import catalogue
from tests.integration.web.conftest import Person
from tests.integration.web.filled import as_user, commit, examine_all, new_repo, repo
from tests.integration.web.reading import Reading, shows, words

HERON = "/alice/heron-small"
TAILS = ("record", "signatures", "log")


@pytest.fixture(scope="module", autouse=True)
def logged(services: Services) -> None:
    run_log(services)


def links(page: str) -> list[str]:
    return [address for _, address, _ in Reading(page).addresses()]


def test_each_statement_leads_to_its_evidence(stranger: Person) -> None:
    found = links(stranger.open(HERON).text)
    for tail in TAILS:
        path = f"{HERON}/{tail}/main"
        assert path in found
        for language in ("en", "de"):
            answer = stranger.open(path, **{"Accept-Language": language})
            assert answer.status_code == 200
            assert Reading(answer.text).text.count(catalogue(language)("hub.name")) >= 1


@pytest.mark.parametrize("tail", TAILS)
def test_evidence_of_a_private_repo_looks_missing(stranger: Person, alice: Person, tail: str) -> None:
    assert stranger.open(f"/alice/secret-owl/{tail}/main").status_code == 404
    assert alice.open(f"/alice/secret-owl/{tail}/main").status_code == 200


def test_a_record_tells_facts_by_source_with_their_evidence(stranger: Person) -> None:
    page = stranger.open(f"{HERON}/record/main").text
    said = words(page)
    for source in ("measured", "derived", "declared"):
        assert shows(page, f"sources_explained.{source}")
    assert "Licence Apache-2.0" in said
    assert "Energy this hub does not find it out" in said
    kept = stranger.client.get("/api/allmende/v1/models/alice/heron-small/record/main")
    assert kept.json()["subject"]["dirHash"] in said


def test_a_record_says_what_changed_since_the_version_before(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/changing")
    oid = commit(services, "bob", "model", "bob/changing", {"README.md": b"# One\n"}, "one")
    examine_all(services)
    with services.database.write() as uow:
        bob = as_user(uow, "bob")
        rename_repo(services, uow, bob, repo(uow, "model", "bob/changing"), "bob/changed")
        enqueue_record(services, uow, repo(uow, "model", "bob/changed").id, oid)
    examine_all(services)
    page = stranger.open("/bob/changed/record/main").text
    assert "What changed since version 1" in words(page)
    assert stranger.open("/bob/changed/record/main?version=1").status_code == 200
    assert stranger.open("/bob/changed/record/main?version=9").status_code == 404
    assert stranger.open("/bob/changed/record/main?version=x").status_code == 400


def test_an_empty_revision_has_pages_that_say_so(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/unexamined")
    commit(services, "bob", "model", "bob/unexamined", {"README.md": b"# New\n"}, "new")
    assert shows(stranger.open("/bob/unexamined/record/main").text, "record.none_yet")
    assert shows(stranger.open("/bob/unexamined/signatures/main").text, "signatures.none")
    examine_all(services)


def test_signatures_say_who_signed_and_what_changed_since(services: Services, stranger: Person) -> None:
    files = {"README.md": b"# Signed\n", "a.txt": b"as it was"}
    signer = generate_signer()
    table = [SignedFile(path, sha256(data).hexdigest(), len(data)) for path, data in files.items()]
    signature = sign_model(make_manifest("signed", table, ["model.sig"]), signer)
    new_repo(services, "alice", "alice/signed")
    policy = {"version": 1, "signers": [{"name": "the <b>release</b> key", "key": signer.public.pem}]}
    put = stranger.client.put(
        "/api/allmende/v1/trust/alice",
        content=json.dumps(policy),
        headers={"Authorization": "Bearer token-of-alice"},
    )
    assert put.status_code == 200, put.text
    commit(services, "alice", "model", "alice/signed", {**files, "model.sig": signature}, "signed")
    examine_all(services)
    run_log(services)
    said = words(stranger.open("/alice/signed").text)
    assert "signed by the <b>release</b> key" in said
    page = stranger.open("/alice/signed/signatures/main").text
    assert "b" not in Reading(page).tags()
    assert shows(page, "signatures.means.valid")
    commit(services, "alice", "model", "alice/signed", {"a.txt": b"another", "b.txt": b"new"}, "changed")
    examine_all(services)
    page = stranger.open("/alice/signed/signatures/main").text
    assert "1 changed" in words(page)
    assert "/alice/signed/blob/main/a.txt" in links(page)
    assert "files are not as they were signed" in words(stranger.open("/alice/signed").text)


def test_signatures_of_a_gated_repo_are_for_those_who_may_read_it(stranger: Person, alice: Person) -> None:
    assert stranger.open("/alice/gated-crane/signatures/main").status_code == 401
    assert alice.open("/alice/gated-crane/signatures/main").status_code == 200


def test_the_log_of_a_revision_leads_to_its_entries(stranger: Person) -> None:
    page = stranger.open(f"{HERON}/log/main").text
    entries = [link for link in links(page) if link.startswith("/log/entries/")]
    assert entries
    for link in entries[:3]:
        shown = stranger.open(link).text
        assert "alice/heron-small" in words(shown)
