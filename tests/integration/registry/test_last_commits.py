import sys

import pytest

from allmende.registry import (
    AddFile,
    Remove,
    Submission,
    create_repo,
    folder_at,
    last_commits,
    prepare,
    receive,
    resolve_revision,
)

module = sys.modules["allmende.registry.last_commits"]


@pytest.fixture
def repo(database, queue, alice):
    with database.write() as uow:
        return create_repo(uow, queue, alice, "model", "alice", "long")


@pytest.fixture
def commit(database, queue, alice, repo):
    def submit(title, *operations):
        prepared = prepare(Submission("main", title, "", list(operations), None, create_pr=False), 1000)
        with database.write() as uow:
            receive(uow, queue, alice, repo, prepared)

    return submit


def told(database, repo):
    """Path and title of the last commit, for everything in the repo."""
    with database.read() as uow:
        revision = resolve_revision(uow, repo, "main")
        paths = [entry.path for entry in folder_at(uow, revision, "", recursive=True)]
        return {path: found.title for path, found in last_commits(uow, revision.oid, paths).items()}


def test_long_histories_are_followed_to_their_beginning(database, repo, commit):
    commit("all", *(AddFile(f"d/{number}", b"0") for number in range(5)))
    for number in range(60):
        commit(f"change {number}", AddFile(f"d/{number % 3}", b"%d" % number))
    assert told(database, repo) == {
        ".gitattributes": "initial commit",
        "d": "change 59",
        "d/0": "change 57",
        "d/1": "change 58",
        "d/2": "change 59",
        "d/3": "all",
        "d/4": "all",
    }


def test_a_folder_that_was_away_begins_anew(database, repo, commit):
    commit("first", AddFile("d/a", b"1"), AddFile("d/b", b"1"))
    commit("gone", Remove("d", folder=True))
    commit("back", AddFile("d/a", b"1"))
    commit("more", AddFile("d/b", b"1"))
    assert told(database, repo) == {
        ".gitattributes": "initial commit",
        "d": "more",
        "d/a": "back",
        "d/b": "more",
    }


def test_a_file_that_became_a_folder(database, repo, commit):
    commit("file", AddFile("d", b"1"))
    commit("folder", Remove("d", folder=False), AddFile("d/a", b"1"))
    commit("other", AddFile("e", b"1"))
    assert told(database, repo) == {
        ".gitattributes": "initial commit",
        "d": "folder",
        "d/a": "folder",
        "e": "other",
    }


@pytest.mark.parametrize(("bound", "value"), [("_MAX_STEPS", 5), ("_MAX_COMPARED", 40)])
def test_beyond_the_bounds_nothing_is_made_up(database, repo, commit, monkeypatch, bound, value):
    commit("all", AddFile("old", b"0"), AddFile("new", b"0"))
    for number in range(20):
        commit(f"change {bound} {number}", AddFile("new", b"%d" % number))
    monkeypatch.setattr(module, bound, value)
    assert told(database, repo) == {"new": f"change {bound} 19"}


def test_what_was_found_once_needs_no_search(database, repo, commit, monkeypatch):
    commit("all", AddFile("d/a", b"unlike any other test's"))
    first = told(database, repo)

    def never(*_arguments):
        raise AssertionError("searched again")

    monkeypatch.setattr(module, "first_parents", never)
    assert told(database, repo) == first
