"""Documents of a model over HTTP: what is in them, for whom, and what keeps them from being made."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from allmende.api import documents as routes
from allmende.app import create_app
from allmende.documents import Document, PdfNotOffered
from allmende.flows import open_services
from allmende.proof import canonical_json
from allmende.registry import (
    AddFile,
    Operation,
    Submission,
    authenticate,
    create_account,
    create_repo,
    issue_token,
    lookup_repo,
    prepare,
    receive,
    update_repo,
)
from allmende.settings import Settings
from tests.databases import new_schema
from tests.integration.api.test_lineage import API, Family
from tests.scanners import scanner_in_process

CARD = b"---\nlicense: mit\nlanguage: en\n---\n# It\n"
ADDITIONS = b"""schema: allmende.model-documents/1
declared_by: Werkstatt e. V.
declared_on: 2026-01-05
provider:
  name: Werkstatt e. V.
model:
  architecture: {value: a secret design, confidential: yes}
compute:
  time: {value: a secret time, confidential: yes}
"""
KINDS = {
    "summary": "public",
    "copyright": "public",
    "annex-xii": "downstream",
    "annex-xi": "ai-office",
    "model-form": "downstream",
}


def publish(
    hub: Family, name: str, added: bytes | None, *, private: bool = False, gated: bool = False
) -> None:
    files: list[Operation] = [AddFile("README.md", CARD)]
    if added is not None:
        files.append(AddFile("model-documents.yaml", added))
    prepared = prepare(Submission("main", "files", "", files, None, create_pr=False), 10**6)
    with hub.services.database.write() as uow:
        actor = authenticate(uow, "token-of-alice")
        repo = create_repo(uow, hub.services.queue, actor, "model", "alice", name, private=private)
        receive(uow, hub.services.queue, actor, repo, prepared)
        if gated:
            found = lookup_repo(uow, "model", f"alice/{name}")
            assert found is not None
            update_repo(uow, actor, found, gated="manual")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    opened = open_services(Settings(data=tmp_path_factory.mktemp("hub") / "data", workers=0))
    services = replace(opened, scanner=scanner_in_process())
    new_schema(services.database)
    with services.database.write() as uow:
        for name in ("alice", "bob"):
            issue_token(uow, create_account(uow, name, "user"), "t", "write", secret=f"token-of-{name}")
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as client:
        made = Family(client, services)
        publish(made, "plain", None)
        publish(made, "told", ADDITIONS)
        publish(made, "wrong", b"schema: [\n")
        publish(made, "large", b"#" * (256 * 1024 + 1))
        publish(made, "hidden", ADDITIONS, private=True)
        publish(made, "gated", ADDITIONS, gated=True)
        made.work()
        yield made


def at(name: str, kind: str = "summary", query: str = "") -> str:
    return f"{API}/models/alice/{name}/documents/main/{kind}{query}"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_made_for_its_first_recipient(hub: Family, kind: str) -> None:
    answer = hub(at("told", kind), "alice")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert answer.content == canonical_json(told) + b"\n"
    assert (told["kind"], told["recipient"], told["language"]) == (kind, KINDS[kind], "en")
    assert told["draft"] is any(gap["mandatory"] for gap in told["gaps"])
    assert told["about"]["commit"] == hub("/api/models/alice/told").json()["sha"]
    assert told["additions"]["declared_by"] == "Werkstatt e. V."


def test_a_revision_may_be_called_by_its_ref(hub: Family) -> None:
    for revision in ("refs%2Fheads%2Fmain", "refs/heads/main"):
        answer = hub(f"{API}/models/alice/plain/documents/{revision}/summary")
        assert answer.status_code == 200, answer.text
        assert answer.json()["additions"] is None


def test_what_is_for_authorities_and_what_is_confidential_reaches_those_who_write_alone(hub: Family) -> None:
    for kind, recipient in (("annex-xi", "ai-office"), ("model-form", "national"), ("annex-xi", "national")):
        query = f"?recipient={recipient}"
        for somebody in (None, "bob"):
            refused = hub(at("told", kind, query), somebody)
            assert (refused.status_code, refused.json()["code"]) == (403, "document_for_others")
        given = hub(at("told", kind, query), "alice")
        assert given.status_code == 200
        assert "a secret design" in given.text
    assert hub(at("told", "annex-xi")).status_code == 403
    for kind in ("summary", "copyright", "annex-xii", "model-form"):
        for form in ("json", "md"):
            assert "a secret" not in hub(at("told", kind, f"?format={form}")).text


def test_markdown_in_another_language(hub: Family) -> None:
    answer = hub(at("told", "model-form", "?format=md&lang=de"))
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="model-form.downstream.de.md"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "# Formular zur Modelldokumentation" in answer.text
    assert "ENTWURF" in answer.text


def test_a_pdf_file(hub: Family) -> None:
    pytest.importorskip("typst")
    answer = hub(at("plain", "copyright", "?format=pdf"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


def test_without_the_program_that_sets_them_pdf_files_are_refused_in_a_sentence(
    hub: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_document: Document) -> bytes:
        raise PdfNotOffered("PDF files need typst, which is not installed.")

    monkeypatch.setattr(routes, "as_pdf", absent)
    answer = hub(at("plain", "copyright", "?format=pdf"))
    assert (answer.status_code, answer.json()["code"]) == (501, "pdf_not_offered")


def test_additions_that_cannot_be_used_make_no_document(hub: Family) -> None:
    for name in ("wrong", "large"):
        answer = hub(at(name))
        assert (answer.status_code, answer.json()["code"]) == (400, "additions_impossible")


def test_what_is_asked_for_wrongly(hub: Family) -> None:
    for kind, query in (("fria", ""), ("nothing", ""), ("summary", "?recipient=x"), ("summary", "?lang=fr")):
        answer = hub(at("plain", kind, query))
        assert (answer.status_code, answer.json()["code"]) == (501, "document_not_offered")
    assert hub(at("plain", "summary", "?format=docx")).status_code == 400


def test_who_may_not_read_the_files_gets_no_document(hub: Family) -> None:
    private, missing = hub(at("hidden"), "bob"), hub(at("missing"), "bob")
    assert private.status_code == missing.status_code == 404
    assert private.json()["code"] == missing.json()["code"]
    assert hub(at("hidden"), "alice").status_code == 200
    assert hub(at("gated")).status_code == 401
    assert hub(at("gated"), "bob").status_code == 403
    assert hub(at("gated"), "alice").status_code == 200


def test_before_the_record_there_is_no_document(hub: Family) -> None:
    publish(hub, "unread", None)
    answer = hub(at("unread"))
    assert (answer.status_code, answer.json()["code"]) == (404, "record_not_ready")
    hub.work()
    assert hub(at("unread")).status_code == 200
