"""Several entries of a folder deleted at once: what is asked, what goes, and what stops it."""

import re

import pytest

from allmende.flows import Services
from allmende.registry import list_files, lookup_repo, resolve_revision
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, new_repo
from tests.integration.web.reading import Reading, words

NAMES = ("a & b.txt", "b.txt", "docs/c <i>.txt", "docs/deep/d.txt", "keep.txt")
MADE = iter(range(1000))


@pytest.fixture
def name(services: Services) -> str:
    made = f"alice/many-{next(MADE)}"
    new_repo(services, "alice", made)
    commit(services, "alice", "model", made, {path: path.encode() for path in NAMES}, "files")
    return made


def files(services: Services, name: str) -> list[str]:
    with services.database.read() as uow:
        repo = lookup_repo(uow, "model", name)
        assert repo is not None
        found = list_files(uow, repo, resolve_revision(uow, repo, "main").oid)
    return [entry.path for entry in found if entry.path != ".gitattributes"]


def chosen(person: Person, address: str, *names: str) -> tuple[str, dict[str, str]]:
    """Where the list of a folder sends its choice, and what it sends."""
    page = Reading(person.open(address).text)
    (form,) = [a for tag, a in page.elements if tag == "form" and a.get("id") == "delete"]
    boxes = [a["name"] for _tag, a in page.elements if a.get("form") == "delete"]
    (parent,) = {a["value"] for _tag, a in page.elements if a.get("name") == "parent"}
    wanted = [box for box in boxes if box.removeprefix("choose ").removesuffix("/") in names]
    assert len(wanted) == len(names)
    return form["action"], {"parent": parent, **dict.fromkeys(wanted, "yes")}


def test_it_is_asked_once_and_then_all_go_in_one_commit(services: Services, alice: Person, name: str) -> None:
    action, fields = chosen(alice, f"/{name}/tree/main", "a & b.txt", "docs")
    asked = alice.send(action, fields)
    assert asked.status_code == 200
    assert files(services, name) == sorted(NAMES), "asking deletes nothing"
    said = words(asked.text)
    assert "These 2 entries would go:" in said
    assert "a & b.txt" in said
    assert "docs/ folder, with everything in it" in said
    hidden = {a["name"]: a["value"] for _tag, a in Reading(asked.text).elements if a.get("type") == "hidden"}
    assert hidden == fields
    done = alice.send(action, {**hidden, "title": "Away with these", "act": "remove"})
    assert (done.status_code, done.headers["location"]) == (303, f"/{name}/tree/main")
    assert files(services, name) == ["b.txt", "keep.txt"]
    history = alice.open(f"/{name}/commits/main").text
    assert len(re.findall("Away with these", history)) == 1


def test_a_folder_that_is_empty_then_leads_to_what_is_left(
    services: Services, alice: Person, name: str
) -> None:
    action, fields = chosen(alice, f"/{name}/tree/main/docs/deep", "d.txt")
    assert action == f"/{name}/delete/main/docs/deep"
    done = alice.send(action, {**fields, "act": "remove"})
    assert done.headers["location"] == f"/{name}/tree/main/docs"
    assert "docs/deep/d.txt" not in files(services, name)
    removal = {"parent": head(services, name), "act": "remove"}
    moved = alice.send(f"/{name}/move/main/docs/c%20%3Ci%3E.txt", removal)
    assert moved.headers["location"] == f"/{name}/tree/main"


def head(services: Services, name: str) -> str:
    with services.database.read() as uow:
        repo = lookup_repo(uow, "model", name)
        assert repo is not None
        return resolve_revision(uow, repo, "main").oid


def test_a_branch_that_moved_stops_it(services: Services, alice: Person, name: str) -> None:
    action, fields = chosen(alice, f"/{name}/tree/main", "b.txt")
    commit(services, "alice", "model", name, {"b.txt": b"other"}, "meanwhile")
    answer = alice.send(action, {**fields, "act": "remove"})
    assert answer.status_code == 412
    assert "Somebody has changed the branch" in words(answer.text)
    assert "b.txt" in files(services, name)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"parent": "x", "choose b.txt": "yes"}, 400),
        ({"choose nothing.txt": "yes"}, 404),
        ({"choose b.txt": "yes", "choose nothing.txt": "yes"}, 404),
        ({"choose docs/deep": "yes"}, 404),
        ({"choose ../b.txt": "yes"}, 404),
        ({"choose ..": "yes"}, 404),
        ({"choose ": "yes"}, 404),
        ({f"choose {number}": "yes" for number in range(1001)}, 400),
        ({f"x{number}": "yes" for number in range(2000)}, 400),
        ({"choose " + "x" * 1_100_000: "yes"}, 413),
    ],
)
def test_what_makes_no_sense_deletes_nothing(
    services: Services, alice: Person, name: str, fields: dict[str, str], status: int
) -> None:
    sent = {"parent": head(services, name), "act": "remove", **fields}
    assert alice.send(f"/{name}/delete/main", sent).status_code == status
    assert files(services, name) == sorted(NAMES)


def test_only_who_may_write_to_a_branch_chooses(services: Services, stranger: Person, name: str) -> None:
    sent = {"parent": head(services, name), "act": "remove", "choose b.txt": "yes"}
    for who, status in (("", 401), ("bob", 403)):
        if who:
            stranger.sign_in(who)
        assert 'id="delete"' not in stranger.open(f"/{name}/tree/main").text
        assert "checkbox" not in stranger.open(f"/{name}/tree/main").text
        assert stranger.send(f"/{name}/delete/main", sent).status_code == status
    stranger.sign_in("alice")
    commit_oid = head(services, name)
    assert "checkbox" not in stranger.open(f"/{name}/tree/{commit_oid}").text
    assert stranger.send(f"/{name}/delete/{commit_oid}", sent).status_code == 404
    assert files(services, name) == sorted(NAMES)


def test_a_page_of_a_hundred_is_chosen_whole(services: Services, alice: Person) -> None:
    new_repo(services, "alice", "alice/hundred")
    made = {f"in/{number:03}{'x' * 200}.txt": b"x" for number in range(100)}
    commit(services, "alice", "model", "alice/hundred", made, "files")
    names = [path.removeprefix("in/") for path in made]
    action, fields = chosen(alice, "/alice/hundred/tree/main/in", *names)
    assert alice.send(action, {**fields, "act": "remove"}).status_code == 303
    assert files(services, "alice/hundred") == []


def test_opened_by_itself_it_leads_to_the_list(alice: Person, name: str) -> None:
    answer = alice.open(f"/{name}/delete/main/docs")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{name}/tree/main/docs")
