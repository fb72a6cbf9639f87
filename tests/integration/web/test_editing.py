"""Writing a small text file in the browser."""

import html
import re

import pytest

from allmende.flows import Services
from allmende.registry import find_entry, lookup_repo, read_blob, resolve_revision
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, new_repo
from tests.integration.web.reading import words

NAMES: list[str] = []


@pytest.fixture
def name(services: Services) -> str:
    """A repo of this test alone, with two files."""
    made = f"alice/edited-{len(NAMES)}"
    NAMES.append(made)
    new_repo(services, "alice", made)
    files = {"README.md": b"# One\n", "notes/a.txt": b"\n<b>first</b>\n", "data.bin": b"\x00\xff\xfe"}
    commit(services, "alice", "model", made, files, "files")
    return made


def text_of(services: Services, name: str, path: str) -> bytes | None:
    with services.database.read() as uow:
        repo = lookup_repo(uow, "model", name)
        assert repo is not None
        entry = find_entry(uow, resolve_revision(uow, repo, "main").commit.tree_oid, path)
        return None if entry is None else read_blob(uow, repo.id, entry.oid)


def parent_in(page: str) -> str:
    (found,) = re.findall(r'name="parent" value="([0-9a-f]{40})"', page)
    return found


def test_a_text_is_written_on_the_head_that_was_seen(services: Services, alice: Person, name: str) -> None:
    page = alice.open(f"/{name}/edit/main/notes/a.txt").text
    (shown,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert html.unescape(shown) == "\n<b>first</b>\n"
    fields = {
        "parent": parent_in(page),
        "text": "Zeile\r\nzwei ü",
        "title": "Say it otherwise",
        "act": "save",
    }
    answer = alice.send(f"/{name}/edit/main/notes/a.txt", fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{name}/blob/main/notes/a.txt")
    assert text_of(services, name, "notes/a.txt") == "Zeile\nzwei ü\n".encode()
    assert "Say it otherwise" in alice.open(f"/{name}/commits/main").text


def test_what_somebody_else_wrote_meanwhile_is_not_written_over(
    services: Services, alice: Person, name: str
) -> None:
    parent = parent_in(alice.open(f"/{name}/edit/main/README.md").text)
    commit(services, "alice", "model", name, {"README.md": b"# Two\n"}, "meanwhile")
    answer = alice.send(f"/{name}/edit/main/README.md", {"parent": parent, "text": "# <Mine>", "act": "save"})
    assert answer.status_code == 409
    assert "# &lt;Mine&gt;" in answer.text
    assert 'role="alert"' in answer.text
    assert text_of(services, name, "README.md") == b"# Two\n"


def test_a_new_file_and_the_end_of_one(services: Services, alice: Person, name: str) -> None:
    page = alice.open(f"/{name}/new/main").text
    fields = {"parent": parent_in(page), "path": "more/card.md", "text": "Hello", "act": "save"}
    assert alice.send(f"/{name}/new/main", fields).headers["location"] == f"/{name}/blob/main/more/card.md"
    assert text_of(services, name, "more/card.md") == b"Hello\n"
    again = alice.send(
        f"/{name}/new/main", {**fields, "parent": parent_in(alice.open(f"/{name}/new/main").text)}
    )
    assert again.status_code == 409
    assert "There is more/card.md already." in words(again.text)
    parent = parent_in(alice.open(f"/{name}/edit/main/more/card.md").text)
    gone = alice.send(f"/{name}/edit/main/more/card.md", {"parent": parent, "act": "remove"})
    assert gone.headers["location"] == f"/{name}/tree/main", "the folder went with its last file"
    assert text_of(services, name, "more/card.md") is None


def test_markdown_is_previewed_safely_and_nothing_is_written(
    services: Services, alice: Person, name: str
) -> None:
    parent = parent_in(alice.open(f"/{name}/edit/main/README.md").text)
    text = "---\nlicense: mit\n---\n# New\n\n<script>alert(1)</script>\n\n*so*"
    page = alice.send(f"/{name}/edit/main/README.md", {"parent": parent, "text": text, "act": "preview"}).text
    preview = page[page.index('id="preview"') :]
    assert "<em>so</em>" in preview
    assert "<script>alert" not in page
    assert "license: mit" not in preview
    assert text_of(services, name, "README.md") == b"# One\n"


@pytest.mark.parametrize("path", ["../up", "/etc/x", ".git/config", "a//b", "", "x" * 5000])
def test_a_path_that_may_not_be_is_refused(services: Services, alice: Person, name: str, path: str) -> None:
    parent = parent_in(alice.open(f"/{name}/new/main").text)
    answer = alice.send(f"/{name}/new/main", {"parent": parent, "path": path, "text": "kept", "act": "save"})
    assert answer.status_code == 409
    assert "kept" in answer.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("edit/main/none.txt", 404),
        ("edit/main/notes", 404),
        ("edit/main/data.bin", 400),
        ("edit/nowhere/README.md", 404),
    ],
)
def test_what_is_no_text_of_a_branch_is_not_edited(
    alice: Person, name: str, address: str, status: int
) -> None:
    assert alice.open(f"/{name}/{address}").status_code == status


def test_only_branches_are_written_to(services: Services, alice: Person, name: str) -> None:
    head = parent_in(alice.open(f"/{name}/new/main").text)
    answer = alice.open(f"/{name}/edit/{head}/README.md")
    assert (answer.status_code, answer.headers["x-error-code"]) == (404, "not_a_branch")


@pytest.mark.parametrize(
    "fields", [{}, {"parent": "x"}, {"parent": "0" * 40}, {"parent": "0" * 40, "act": "z"}]
)
def test_a_form_that_makes_no_sense_is_refused(alice: Person, name: str, fields: dict[str, str]) -> None:
    assert alice.send(f"/{name}/edit/main/README.md", fields).status_code == 400


def test_others_are_not_let_in(services: Services, alice: Person, stranger: Person, name: str) -> None:
    fields = {"parent": "0" * 40, "text": "x", "act": "save"}
    assert stranger.open(f"/{name}/edit/main/README.md").status_code == 401
    assert stranger.send(f"/{name}/edit/main/README.md", fields).status_code == 401
    assert "/edit/" not in stranger.open(f"/{name}/blob/main/README.md").text
    assert "/new/" not in stranger.open(f"/{name}/tree/main").text
    stranger.sign_in("bob")
    assert stranger.open(f"/{name}/new/main").status_code == 403
    assert stranger.send(f"/{name}/new/main", {**fields, "path": "y"}).status_code == 403
    foreign = alice.send(f"/{name}/edit/main/README.md", fields, {"Origin": "https://evil.example"})
    assert foreign.headers["x-error-code"] == "origin_foreign"
    assert f"/{name}/edit/main/README.md" in alice.open(f"/{name}/blob/main/README.md").text


def test_a_text_that_is_too_long_is_refused(services: Services, alice: Person, name: str) -> None:
    parent = parent_in(alice.open(f"/{name}/edit/main/README.md").text)
    answer = alice.send(
        f"/{name}/edit/main/README.md", {"parent": parent, "text": "ü" * 1_500_000, "act": "save"}
    )
    assert answer.status_code == 413
    assert text_of(services, name, "README.md") == b"# One\n"
