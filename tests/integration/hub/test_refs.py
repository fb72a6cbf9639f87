import pytest

from allmende.registry import AddFile, Submission, authenticate, lookup_repo, prepare, receive


@pytest.fixture
def repo(hub, clock):
    api = hub.create("alice/mm")
    for number in range(3):
        clock.advance(seconds=1)
        hub.commit(api, {"a.txt": b"%d" % number}, title=f"change <{number}>")
    return api


def refs(hub, repo, query=""):
    return hub.get(f"{repo}/refs{query}").json()


def titles(answer):
    return [commit["title"] for commit in answer.json()]


def propose(hub, repo):
    """A pull request, past the edge."""
    with hub.services.database.write() as uow:
        actor = authenticate(uow, "token-of-bob")
        found = lookup_repo(uow, "model", "alice/mm")
        assert found is not None
        proposed = Submission("main", "proposal", "", [AddFile("b.txt", b"b")], None, True)
        receive(uow, hub.services.queue, actor, found, prepare(proposed, 1000))


def test_refs_of_all_kinds(hub, repo):
    head = hub.get(repo).json()["sha"]
    hub.post(f"{repo}/tag/main", {"tag": "v1", "message": "first"}, by="alice")
    propose(hub, repo)
    told = refs(hub, repo)
    assert told == {
        "branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": head}],
        "converts": [],
        "tags": [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": head}],
    }
    for query in ("?include_prs=1", "?include_pull_requests=true"):
        assert [pull["ref"] for pull in refs(hub, repo, query)["pullRequests"]] == ["refs/pr/1"]
    assert hub.call("HEAD", f"{repo}/refs").status_code == 200


def test_history_comes_newest_first_and_in_pages(hub, repo):
    first = hub.get(f"{repo}/commits/main?limit=2")
    assert titles(first) == ["change <2>", "change <1>"]
    assert first.headers["x-total-count"] == "4"
    hub.commit(repo, {"b.txt": b"b"}, title="later")
    second = hub.get(first.links["next"]["url"])
    assert titles(second) == ["change <0>", "initial commit"]
    assert "link" not in second.headers
    commit = second.json()[0]
    assert commit["authors"] == [{"user": "alice"}]
    assert commit["date"] == "2026-11-22T12:00:01.000Z"
    assert "formatted" not in commit


def test_formatted_titles_are_safe_html(hub, repo):
    commit = hub.get(f"{repo}/commits/main?expand[]=formatted").json()[0]
    assert (commit["title"], commit["formatted"]) == (
        "change <2>",
        {"title": "change &lt;2&gt;", "message": ""},
    )


@pytest.mark.parametrize("page", ["-1", "x", "1" * 30, "%C2%B2"])
def test_a_page_that_is_no_number(hub, repo, says, page):
    says(hub.get(f"{repo}/commits/main?p={page}"), 400, "parameter_invalid")


def test_a_branch_from_a_starting_point(hub, repo, says):
    old = hub.get(f"{repo}/commits/main").json()[-1]["id"]
    assert hub.post(f"{repo}/branch/dev%2Fx", {"startingPoint": old[:8]}, by="alice").status_code == 200
    says(hub.post(f"{repo}/branch/dev", by="alice"), 400, "ref_name_invalid")
    says(hub.post(f"{repo}/branch/dev%2Fx%2Fy", by="alice"), 400, "ref_name_invalid")
    assert hub.post(f"{repo}/branch/other", by="alice").json()["targetCommit"] == hub.get(repo).json()["sha"]
    branches = {branch["name"]: branch["targetCommit"] for branch in refs(hub, repo)["branches"]}
    assert branches["dev/x"] == old
    assert titles(hub.get(f"{repo}/commits/dev%2Fx")) == ["initial commit"]
    again = hub.post(f"{repo}/branch/dev%2Fx", by="alice")
    says(again, 409, "ref_exists")
    assert again.headers["x-error-message"] == "Reference refs/heads/dev/x already exists"


@pytest.mark.parametrize(
    ("branch", "body", "by", "status", "code"),
    [
        ("x", {"startingPoint": "none"}, "alice", 404, "RevisionNotFound"),
        ("x", {}, "bob", 403, "access_denied"),
        ("x", {}, None, 401, "sign_in_required"),
        ("refs%2Fpr%2F5", {}, "alice", 400, "bad_request"),
        ("refs%2Ffoo%2Fbar", {}, "alice", 400, "bad_request"),
        ("a b", {}, "alice", 400, "ref_name_invalid"),
        ("a..b", {}, "alice", 400, "ref_name_invalid"),
        ("x", {"emptyBranch": True}, "alice", 501, "not_offered"),
        ("x", {"overwrite": True}, "alice", 501, "not_offered"),
        ("x", {"startingPoint": 7}, "alice", 400, "body_invalid"),
    ],
)
def test_refused_branches(hub, repo, says, branch, body, by, status, code):
    says(hub.post(f"{repo}/branch/{branch}", body, by=by), status, code)


def test_deleting_branches(hub, repo, says):
    hub.post(f"{repo}/branch/dev", by="alice")
    says(hub.call("DELETE", f"{repo}/branch/dev", by="bob"), 403, "access_denied")
    assert hub.call("DELETE", f"{repo}/branch/dev", by="alice").status_code == 200
    gone = hub.call("DELETE", f"{repo}/branch/dev", by="alice")
    says(gone, 404, "RevisionNotFound")
    assert "Invalid rev id" in gone.headers["x-error-message"]
    main = hub.call("DELETE", f"{repo}/branch/main", by="alice")
    says(main, 400, "main_protected")
    assert main.headers["x-error-message"] == "Cannot delete refs/heads/main"


def test_tags(hub, repo, says):
    old = hub.get(f"{repo}/commits/main").json()[-1]["id"]
    assert hub.post(f"{repo}/tag/{old[:7]}", {"tag": "v0"}, by="alice").json()["targetCommit"] == old
    assert hub.get(f"{repo}/revision/v0").json()["sha"] == old
    says(hub.post(f"{repo}/tag/main", {"tag": "v0"}, by="alice"), 409, "ref_exists")
    says(hub.post(f"{repo}/tag/none", {"tag": "v2"}, by="alice"), 404, "RevisionNotFound")
    says(hub.post(f"{repo}/tag/main", {"tag": "a b"}, by="alice"), 400, "ref_name_invalid")
    says(hub.post(f"{repo}/tag/main", {}, by="alice"), 400, "body_invalid")
    says(hub.post(f"{repo}/tag/main", {"tag": "v2"}, by="bob"), 403, "access_denied")
    assert hub.post(f"{repo}/branch/v0", by="alice").status_code == 200
    assert hub.call("DELETE", f"{repo}/branch/v0", by="alice").status_code == 200
    says(hub.call("DELETE", f"{repo}/branch/v0", by="alice"), 404, "RevisionNotFound")
    assert hub.call("DELETE", f"{repo}/tag/v0", by="alice").status_code == 200
    says(hub.call("DELETE", f"{repo}/tag/v0", by="alice"), 404, "RevisionNotFound")


def test_squashing_leaves_one_commit_with_the_same_files(hub, repo, says):
    before = hub.get(f"{repo}/tree/main").json()
    says(hub.post(f"{repo}/super-squash/main", by="bob"), 403, "access_denied")
    answer = hub.post(f"{repo}/super-squash/main", {"message": "one"}, by="alice")
    assert answer.json()["commitOid"] == hub.get(repo).json()["sha"]
    assert titles(hub.get(f"{repo}/commits/main")) == ["one"]
    assert hub.get(f"{repo}/tree/main").json() == before
    says(hub.post(f"{repo}/super-squash/none", by="alice"), 404, "RevisionNotFound")


def test_squashing_a_pull_request(hub, repo):
    propose(hub, repo)
    assert hub.post(f"{repo}/super-squash/refs%2Fpr%2F1", by="alice").status_code == 200
    assert len(hub.get(f"{repo}/commits/refs%2Fpr%2F1").json()) == 1
