"""The page of a model's documents: which ones, what is missing, for whom, and what it is made from."""

from urllib.parse import urlsplit

import pytest

from allmende.flows import Services
from allmende.web import document_pages
from allmende.web.messages import catalogue
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, examine_all, new_repo
from tests.integration.web.reading import Reading, shows, words

HERON = "/alice/heron-small"
PAGE = f"{HERON}/documents/main"
ADDITIONS = b"""schema: allmende.model-documents/1
declared_by: Werkstatt <b>e. V.</b>
declared_on: 2026-01-05
provider:
  name: Werkstatt e. V.
compute:
  time: {value: 3 days and a secret, confidential: yes}
"""


@pytest.fixture(scope="module", autouse=True)
def told(services: Services) -> None:
    for name, text in (("told", ADDITIONS), ("wrong", b"schema: nonsense\nwhatever: 1\n")):
        new_repo(services, "bob", f"bob/{name}")
        commit(services, "bob", "model", f"bob/{name}", {"model-documents.yaml": text}, name)
    new_repo(services, "alice", "alice/told")
    commit(services, "alice", "model", "alice/told", {"model-documents.yaml": ADDITIONS}, "told")
    examine_all(services)


def links(page: str) -> list[str]:
    return [address for _, address, _ in Reading(page).addresses()]


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_lists_documents_with_gaps_and_drafts_in_its_language(
    stranger: Person, language: str
) -> None:
    answer = stranger.open(PAGE, **{"Accept-Language": language})
    said = words(answer.text)
    t = catalogue(language)
    assert answer.status_code == 200
    assert t("documents.draft") in said
    assert {"en": "Public summary of training content", "de": "Öffentliche Zusammenfassung"}[language] in said
    assert t("documents.without_additions", file="model-documents.yaml") in said


@pytest.mark.parametrize(
    ("language", "gaps", "value"), [("en", "Gaps (", "declared by"), ("de", "Lücken (", "erklärt von")]
)
def test_gaps_stand_before_what_is_known(stranger: Person, language: str, gaps: str, value: str) -> None:
    said = words(stranger.open(f"{PAGE}?kind=annex-xii", **{"Accept-Language": language}).text)
    assert said.index(gaps) < said.index(value)


def test_every_document_of_the_list_can_be_opened_and_taken(stranger: Person) -> None:
    listed = [link for link in links(stranger.open(PAGE).text) if "kind=" in link]
    assert len(listed) == 4
    for link in listed:
        shown = stranger.open(link)
        assert shown.status_code == 200
        taken = [one for one in links(shown.text) if one.startswith("/api/") and "/documents/" in one]
        forms = {urlsplit(one).query.split("&")[0] for one in taken}
        assert forms - {"format=pdf"} == {"format=md", "format=json"}
        for address in taken:
            if "format=pdf" not in address:
                assert stranger.open(address).status_code == 200


@pytest.mark.parametrize("offered", [True, False])
def test_pdf_files_are_offered_where_they_can_be_set(
    stranger: Person, monkeypatch: pytest.MonkeyPatch, offered: bool
) -> None:
    monkeypatch.setattr(document_pages, "pdf_is_offered", lambda: offered)
    page = stranger.open(PAGE).text
    assert any("format=pdf" in link for link in links(page)) is offered
    assert shows(page, "documents.no_pdf") is not offered


def test_what_is_for_authorities_is_for_those_who_write_alone(stranger: Person, alice: Person) -> None:
    page = "/alice/told/documents/main"
    for_authorities = f"{page}?kind=annex-xi&recipient=national"
    assert "recipient=national" not in stranger.open(page).text
    assert stranger.open(for_authorities).status_code == 404
    assert "recipient=national" in alice.open(page).text
    assert "3 days and a secret" in words(alice.open(for_authorities).text)
    for kind in ("summary", "copyright", "annex-xii", "model-form"):
        assert "3 days and a secret" not in words(stranger.open(f"{page}?kind={kind}").text)


def test_what_the_publisher_adds_is_shown_with_its_origin_and_as_text(stranger: Person) -> None:
    page = stranger.open("/bob/told/documents/main?kind=model-form").text
    assert shows(page, "documents.with_additions")
    assert "/bob/told/blob/main/model-documents.yaml" in links(page)
    assert "declared by Werkstatt <b>e. V.</b>, 2026-01-05" in words(page)
    assert "b" not in Reading(page).tags()


def test_additions_that_cannot_be_used_are_questions_and_no_document(stranger: Person) -> None:
    page = stranger.open("/bob/wrong/documents/main").text
    assert shows(page, "documents.impossible")
    assert "declared_by" in words(page)
    assert "declared_by fehlt." in words(stranger.open("/bob/wrong/documents/main?lang=de").text)
    assert not [link for link in links(page) if link.startswith("/api/") and "/documents/" in link]


def test_before_the_record_the_page_says_that_there_is_none(services: Services, stranger: Person) -> None:
    new_repo(services, "bob", "bob/unread")
    commit(services, "bob", "model", "bob/unread", {"README.md": b"# New\n"}, "new")
    assert shows(stranger.open("/bob/unread/documents/main").text, "documents.none_yet")
    examine_all(services)


def test_who_may_not_read_the_repo_sees_no_documents(stranger: Person, alice: Person) -> None:
    for name, status in (("secret-owl", 404), ("gated-crane", 401)):
        assert stranger.open(f"/alice/{name}/documents/main").status_code == status
        assert alice.open(f"/alice/{name}/documents/main").status_code == 200
    assert stranger.open(f"{HERON}/documents/nope").status_code == 404
    assert stranger.open(f"{PAGE}?kind=fria").status_code == 404
    assert stranger.open("/datasets/lab/marsh-notes/documents/main").status_code == 404


def test_the_model_page_leads_to_the_documents(stranger: Person) -> None:
    page = stranger.open(HERON).text
    assert PAGE in links(page)
    assert shows(page, "vouching.documents_of_record")
    assert shows(stranger.open("/bob/told").text, "vouching.documents_with_additions")
    assert "documents/main" not in stranger.open("/datasets/lab/marsh-notes").text
