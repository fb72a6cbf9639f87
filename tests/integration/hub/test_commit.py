import base64
import hashlib
import json

import pytest

from allmende.registry import Scope

HEADER = {"key": "header", "value": {"summary": "a commit", "description": ""}}


def op(key, **value):
    return {"key": key, "value": value}


def file(path, data):
    return op("file", path=path, content=base64.b64encode(data).decode(), encoding="base64")


def commit(hub, api, *operations, by="alice", revision="main", query="", header=HEADER):
    body = "".join(json.dumps(item) + "\n" for item in (header, *operations))
    return hub.call(
        "POST",
        f"{api}/commit/{revision}{query}",
        by=by,
        content=body,
        headers={"Content-Type": "application/x-ndjson"},
    )


def paths(hub, api, revision="main", by="alice"):
    listed = hub.get(f"{api}/tree/{revision}?recursive=true", by=by).json()
    return {item["path"] for item in listed if item["type"] == "file"} - {".gitattributes"}


def head(hub, api, by="alice"):
    return hub.get(f"{api}/revision/main", by=by).json()["sha"]


@pytest.fixture
def api(hub):
    return hub.create("alice/mm")


def test_every_operation(hub, api):
    weights = b"weights" * 1000
    sha256 = hub.link(api, "model.bin", weights)
    hub.commit(api, {"old.txt": b"1", "dir/a": b"1", "dir/sub/b": b"1"})
    answer = commit(
        hub,
        api,
        file("new/file.txt", b"hello"),
        op("lfsFile", path="copy.bin", algo="sha256", oid=sha256),
        op("deletedFile", path="old.txt"),
        op("deletedFolder", path="dir/"),
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["commitOid"] == head(hub, api)
    assert told["commitUrl"] == f"http://testserver/alice/mm/commit/{told['commitOid']}"
    assert "pullRequestUrl" not in told
    assert paths(hub, api) == {"new/file.txt", "copy.bin", "model.bin"}
    assert hub.get("/alice/mm/resolve/main/copy.bin").content == weights
    assert hub.get("/alice/mm/resolve/main/new/file.txt").content == b"hello"


def test_title_and_message(hub, api):
    header = op("header", summary="title\nmore", description="why")
    assert commit(hub, api, file("a", b"1"), header=header).status_code == 200
    last = hub.get(f"{api}/commits/main").json()[0]
    assert (last["title"], last["message"]) == ("title", "more\n\nwhy")
    assert [author["user"] for author in last["authors"]] == ["alice"]


def test_object_ids_are_those_of_git(hub, api):
    commit(hub, api, file("a.txt", b"hello\n"))
    listed = hub.get(f"{api}/tree/main").json()
    oid = next(item["oid"] for item in listed if item["path"] == "a.txt")
    assert oid == hashlib.sha1(b"blob 6\0hello\n").hexdigest()


def test_the_parent_must_be_the_head(hub, says, api):
    first = head(hub, api)
    assert commit(hub, api, file("a", b"1"), header=with_parent(first)).status_code == 200
    says(commit(hub, api, file("b", b"1"), header=with_parent(first)), 412, "head_moved")
    short = with_parent(head(hub, api)[:7])
    assert commit(hub, api, file("b", b"1"), header=short).status_code == 200
    says(commit(hub, api, file("c", b"1"), header=with_parent("0" * 40)), 412, "head_moved")
    assert paths(hub, api) == {"a", "b"}


def with_parent(oid):
    return op("header", summary="a commit", description="", parentCommit=oid)


@pytest.mark.parametrize("query", ["", "?create_pr=1"])
def test_a_repeat_gives_the_first_answer(hub, api, query):
    first = head(hub, api)
    answers = [
        commit(hub, api, file("a", b"1"), header=with_parent(first), query=query).json() for _ in range(3)
    ]
    assert answers[0] == answers[1] == answers[2]
    assert len(hub.get(f"{api}/commits/main").json()) == (1 if query else 2)


def test_a_pull_request(hub, says, api):
    answer = commit(hub, api, file("a.txt", b"proposed"), by="bob", query="?create_pr=1")
    assert answer.status_code == 200, answer.text
    assert answer.json()["pullRequestUrl"] == "http://testserver/alice/mm/discussions/1"
    assert paths(hub, api) == set()
    assert hub.get("/alice/mm/resolve/refs%2Fpr%2F1/a.txt").content == b"proposed"
    more = commit(hub, api, file("b.txt", b"more"), by="bob", revision="refs%2Fpr%2F1")
    assert more.status_code == 200
    assert paths(hub, api, "refs%2Fpr%2F1") == {"a.txt", "b.txt"}
    assert commit(hub, api, file("c.txt", b"owner"), revision="refs%2Fpr%2F1").status_code == 200
    says(commit(hub, api, file("d", b"x"), by="rea", revision="refs%2Fpr%2F1"), 403, "access_denied")
    says(
        commit(hub, api, file("d", b"x"), by="bob", revision=head(hub, api), query="?create_pr=1"),
        404,
        "RevisionNotFound",
    )


def test_who_may_commit(hub, says, api):
    operation = file("a.txt", b"1")
    for large in ((), (file("big.txt", b"x" * 400_000),)):
        says(commit(hub, api, operation, *large, by=None), 401, "sign_in_required")
        says(commit(hub, api, operation, *large, by="bob"), 403, "access_denied")
    hub.token("alice", "read", "reading")
    says(commit(hub, api, operation, by="reading"), 403, "token_scope")
    hub.token("alice", "fine_grained", "elsewhere", (Scope("model/alice/other", "write"),))
    says(commit(hub, api, operation, by="elsewhere"), 403, "token_scope")
    assert paths(hub, api) == set()
    hub.token("alice", "fine_grained", "here", (Scope("alice", "write"),))
    assert commit(hub, api, operation, by="here").status_code == 200


def test_a_private_repo_looks_like_none(hub, says):
    api = hub.create("alice/secret", private=True)
    for by in (None, "bob"):
        for large in (b"x", b"x" * 400_000):
            for query in ("", "?create_pr=1"):
                answer = commit(hub, api, file("a", large), by=by, query=query)
                says(answer, 404, "RepoNotFound")
                missing = commit(hub, "/api/models/alice/none", file("a", large), by=by, query=query)
                assert answer.json() == missing.json()


@pytest.mark.parametrize("revision", ["none", "0" * 40, "refs%2Ftags%2Fv1", "refs%2Fpr%2F7"])
def test_what_cannot_be_committed_to(hub, says, api, revision):
    hub.post(f"{api}/tag/main", {"tag": "v1"}, by="alice")
    says(commit(hub, api, file("a", b"1"), revision=revision), 404, "RevisionNotFound")


def test_a_known_hash_without_possession(hub, says, api):
    """Whoever knows the SHA-256 of private bytes gets them by no commit, whether the hub has them or not."""
    secret = hub.create("bob/secret", by="bob", private=True)
    stored = hub.link(secret, "m.bin", b"bob's own", by="bob")
    unknown = hashlib.sha256(b"nobody's").hexdigest()
    answers = []
    for oid in (stored, unknown):
        answer = commit(hub, api, op("lfsFile", path="m.bin", oid=oid, size=9))
        says(answer, 400, "content_not_uploaded")
        answers.append(answer.text.replace(oid, ""))
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 9\n"
        says(commit(hub, api, file("m.bin", pointer.encode())), 400, "content_not_uploaded")
    assert answers[0] == answers[1]
    assert paths(hub, api) == set()


def test_a_false_size(hub, says, api):
    sha256 = hub.link(api, "m.bin", b"weights")
    says(commit(hub, api, op("lfsFile", path="n.bin", oid=sha256, size=8)), 400, "content_not_uploaded")


def test_nothing_of_a_refused_commit_stays(hub, says, api):
    before = head(hub, api)
    says(commit(hub, api, file("a", b"1"), op("deletedFile", path="none")), 404, "EntryNotFound")
    says(commit(hub, api, file("a", b"1"), op("unknown", path="x")), 400, "commit_malformed")
    says(commit(hub, api, file("a", b"1"), file("../b", b"1")), 400, "path_invalid")
    says(commit(hub, api, file("a", b"1"), file("a/b", b"1")), 400, "path_conflict")
    says(commit(hub, api, file("a", b"1"), header=op("header")), 400, "commit_malformed")
    assert head(hub, api) == before


def test_a_file_too_large_for_a_commit(hub, says, api):
    limit = hub.services.settings.max_inline_bytes
    says(commit(hub, api, file("a.txt", b"x" * (limit + 1))), 413, "too_large")
    assert commit(hub, api, file("a.txt", b"x" * limit)).status_code == 200


def test_a_body_too_large_is_refused_at_once(hub, says, api):
    declared = str(hub.services.settings.max_commit_bytes + 1)
    answer = hub.call(
        "POST", f"{api}/commit/main", by="alice", content=b"{}", headers={"Content-Length": declared}
    )
    says(answer, 413, "too_large")


def test_hot_reload_is_taken(hub, api):
    assert commit(hub, api, file("a", b"1"), query="?hot_reload=1").status_code == 200


def test_the_content_type_does_not_matter(hub, api):
    body = json.dumps(HEADER) + "\n" + json.dumps(file("a", b"1"))
    headers = {"Content-Type": "text/plain"}
    assert hub.call("POST", f"{api}/commit/main", by="alice", content=body, headers=headers).is_success
