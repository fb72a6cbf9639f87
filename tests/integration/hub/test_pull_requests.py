"""Opening a pull request by itself, as clients do before they send a folder in several commits."""

import pytest

from tests.integration.hub.test_commit import commit, file, head, paths

OPENING = {"title": "Add weights", "description": "They are better.", "pullRequest": True}


@pytest.fixture
def api(hub):
    api = hub.create("alice/mm")
    hub.commit(api, {"a.txt": b"1"})
    return api


def test_it_is_a_draft_with_a_ref_at_the_head_of_main(hub, api):
    opened = hub.post(f"{api}/discussions", OPENING, by="bob")
    assert (opened.status_code, opened.json()["num"]) == (200, 1)
    told = hub.get(f"{api}/discussions/1", params={"diff": "1"}).json()
    assert (told["num"], told["title"], told["status"]) == (1, "Add weights", "draft")
    assert told["isPullRequest"] is True
    assert told["author"] == {"name": "bob"}
    assert told["repo"] == {"name": "alice/mm", "type": "model"}
    assert told["changes"] == {"base": "refs/heads/main"}
    assert told["filesWithConflicts"] is None, "unknown is said as unknown"
    (comment,) = told["events"]
    assert (comment["type"], comment["data"]["latest"]["raw"]) == ("comment", "They are better.")
    assert hub.get(f"{api}/revision/refs%2Fpr%2F1").json()["sha"] == head(hub, api)


def test_commits_follow_on_its_ref_and_main_stays(hub, api):
    hub.post(f"{api}/discussions", OPENING, by="bob")
    for name in ("b.txt", "c.txt"):
        assert commit(hub, api, file(name, b"x"), by="bob", revision="refs%2Fpr%2F1").status_code == 200
    assert paths(hub, api, "refs%2Fpr%2F1") == {"a.txt", "b.txt", "c.txt"}
    assert paths(hub, api) == {"a.txt"}


def test_numbers_are_shared_with_those_of_commits(hub, api):
    assert hub.post(f"{api}/discussions", OPENING, by="bob").json()["num"] == 1
    answer = commit(hub, api, file("d.txt", b"x"), by="bob", query="?create_pr=1")
    assert answer.json()["pullRequestUrl"].endswith("/discussions/2")
    assert hub.get(f"{api}/discussions/2").json()["author"] == {"name": "bob"}


def test_who_may_open_one(hub, says, api):
    says(hub.post(f"{api}/discussions", OPENING), 401, "sign_in_required")
    hub.token("bob", "read", "reading")
    says(hub.post(f"{api}/discussions", OPENING, by="reading"), 403, "access_denied")
    hidden = hub.create("alice/hidden", private=True)
    says(hub.post(f"{hidden}/discussions", OPENING, by="bob"), 404, "RepoNotFound")
    says(hub.get(f"{hidden}/discussions/1", by="bob"), 404, "RepoNotFound")


@pytest.mark.parametrize("number", ["2", "0", "-1", "x", "9" * 30, "1%2F2"])
def test_what_is_not_there(hub, says, api, number):
    hub.post(f"{api}/discussions", OPENING, by="bob")
    says(hub.get(f"{api}/discussions/{number}"), 404, "pull_request_unknown")


def test_discussions_are_not_offered(hub, says, api):
    says(hub.post(f"{api}/discussions", {**OPENING, "pullRequest": False}, by="bob"), 501, "not_offered")
    says(hub.get(f"{api}/discussions"), 501, "not_offered")
    says(hub.post(f"{api}/discussions/1/merge", by="alice"), 501, "not_offered")
    says(hub.post(f"{api}/discussions", {"title": "x", "pullRequest": True}, by="bob"), 400, "body_invalid")
