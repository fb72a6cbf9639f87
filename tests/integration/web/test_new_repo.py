"""A repo made on a page: with its first card, where one may write, and with what is wrong said in place."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services
from allmende.formats import validate
from allmende.registry import (
    RepoQuery,
    find_entry,
    list_files,
    list_repos,
    lookup_repo,
    read_blob,
    resolve_revision,
)
from tests.integration.web.conftest import Person
from tests.integration.web.filled import as_user
from tests.integration.web.reading import Reading, words

FIELDS = {"type": "model", "owner": "alice", "visibility": "public"}


def card_of(services: Services, repo_type: str, name: str) -> str:
    with services.database.read() as uow:
        repo = lookup_repo(uow, repo_type, name)  # type: ignore[arg-type]
        assert repo is not None
        revision = resolve_revision(uow, repo, "main")
        entry = find_entry(uow, revision.commit.tree_oid, "README.md")
        return "" if entry is None else read_blob(uow, repo.id, entry.oid).decode()


def test_a_model_with_a_card_leads_to_its_upload(services: Services, alice: Person) -> None:
    said = {
        "licence": "Apache-2.0",
        "base": "lab/heron-base",
        "about": "Tells birds apart.",
        "limits": "No owls.",
    }
    answer = alice.send("/new", {**FIELDS, "name": "wren", **said})
    assert (answer.status_code, answer.headers["location"]) == (303, "/alice/wren/upload/main")
    text = card_of(services, "model", "alice/wren")
    assert text == (
        '---\nlicense: "apache-2.0"\nbase_model: "lab/heron-base"\n---\n\n'
        "# wren\n\nTells birds apart.\n\n## Limits\n\nNo owls.\n"
    )
    assert validate(text, "model").errors == []
    assert alice.open("/alice/wren/upload/main").status_code == 200
    page = alice.open("/alice/wren")
    assert "Tells birds apart." in words(page.text)


@pytest.mark.parametrize(
    ("repo_type", "owner", "path"),
    [("dataset", "lab", "/datasets/lab/eggs"), ("space", "alice", "/spaces/alice/eggs")],
)
def test_other_types_and_organisations(
    services: Services, alice: Person, repo_type: str, owner: str, path: str
) -> None:
    fields = {"type": repo_type, "owner": owner, "visibility": "private", "name": "eggs", "sdk": "gradio"}
    answer = alice.send("/new", fields)
    assert answer.headers["location"] == f"{path}/upload/main"
    with services.database.read() as uow:
        made = lookup_repo(uow, repo_type, f"{owner}/eggs")  # type: ignore[arg-type]
    assert made is not None
    assert made.private
    assert made.details.get("sdk") == ("gradio" if repo_type == "space" else None)


def test_nothing_said_is_no_card(services: Services, alice: Person) -> None:
    alice.send("/new", {**FIELDS, "name": "bare"})
    assert card_of(services, "model", "alice/bare") == ""
    with services.database.read() as uow:
        repo = lookup_repo(uow, "model", "alice/bare")
        assert repo is not None
        files = list_files(uow, repo, resolve_revision(uow, repo, "main").oid)
        assert [entry.path for entry in files] == [".gitattributes"]


@pytest.mark.parametrize(
    ("wrong", "status", "says"),
    [
        ({"name": "heron-small"}, 409, "There is something of this name already."),
        ({"name": "HERON-small"}, 409, "There is something of this name already."),
        ({"name": "../x"}, 400, "This cannot be a name."),
        ({"name": ""}, 400, "This cannot be a name."),
        ({"owner": "bob"}, 403, "You may not do this."),
        ({"owner": "nobody"}, 403, "You may not do this."),
        ({"owner": ""}, 403, "You may not do this."),
        ({"visibility": ""}, 400, "Choose who may see it."),
        ({"licence": "mit\nevil: yes"}, 400, "no identifier of a licence"),
        ({"licence": "'"}, 400, "no identifier of a licence"),
        ({"base": "heron"}, 400, "Write the model"),
        ({"base": "a/b\nx: y"}, 400, "Write the model"),
        ({"type": "space", "sdk": "cobol"}, 400, "no such kind of space"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_what_was_written_stays(
    services: Services, alice: Person, wrong: dict[str, str], status: int, says: str
) -> None:
    about = "<script>alert(1)</script> & more"
    answer = alice.send("/new", {**FIELDS, "name": "jay", "about": about, **wrong})
    assert (answer.status_code, "location" in answer.headers) == (status, False)
    assert says in words(answer.text)
    assert about in words(answer.text), "the text is there still, as text"
    assert "<script>alert" not in answer.text
    with services.database.read() as uow:
        assert lookup_repo(uow, "model", "alice/jay") is None


def test_a_card_that_cannot_be_kept_leaves_no_repo(services: Services) -> None:
    """Both or neither: what stops the card takes the repo back."""
    settings = services.settings.model_copy(update={"max_inline_bytes": 50})
    alice = Person(TestClient(create_app(replace(services, settings=settings))))
    alice.sign_in("alice")
    answer = alice.send("/new", {**FIELDS, "name": "half", "about": "long " * 20})
    assert answer.status_code == 413
    with services.database.read() as uow:
        assert lookup_repo(uow, "model", "alice/half") is None


def test_a_licence_of_no_list_is_named(services: Services, alice: Person) -> None:
    alice.send("/new", {**FIELDS, "name": "own-terms", "licence": "marsh-1.0"})
    assert 'license: other\nlicense_name: "marsh-1.0"\n' in card_of(services, "model", "alice/own-terms")


def test_strangers_and_readers_make_nothing(services: Services, stranger: Person) -> None:
    assert stranger.open("/new").status_code == 401
    assert stranger.send("/new", {**FIELDS, "name": "jay"}).status_code == 401
    stranger.sign_in("rea")
    assert stranger.send("/new", {**FIELDS, "owner": "lab", "name": "jay"}).status_code == 403
    page = Reading(stranger.open("/new").text)
    owners = [attributes["value"] for tag, attributes in page.elements if tag == "option"]
    assert "lab" not in owners, "in which rea only reads"
    with services.database.read() as uow:
        found = list_repos(uow, as_user(uow, "alice"), RepoQuery("model", search="jay"))
    assert found.repos == []


def test_the_form_is_offered_where_somebody_may_make_one(alice: Person, stranger: Person) -> None:
    assert 'href="/new"' in alice.open("/").text
    assert 'href="/new?type=dataset&amp;owner=lab"' in alice.open("/lab").text
    assert "/new?" not in alice.open("/bob").text
    assert "/new" not in stranger.open("/lab").text
    page = alice.open("/new?type=dataset&owner=lab").text
    assert '<option value="lab" selected>' in page
    assert 'name="base"' not in page
    assert 'name="sdk"' not in page
