import pytest


@pytest.fixture
def repo(hub):
    api = hub.create("alice/mm")
    for number in range(3):
        hub.link(api, f"w{number}.bin", b"%d" % number * 1000, title=f"add w{number}")
    return api


def test_contents_come_in_pages(hub, repo):
    answer = hub.get(f"{repo}/lfs-files?limit=2", by="alice")
    items = answer.json() + hub.get(answer.links["next"]["url"], by="alice").json()
    assert sorted(item["filename"] for item in items) == ["w0.bin", "w1.bin", "w2.bin"]
    assert {(item["size"], item["ref"], item["pushedAt"]) for item in items} == {
        (1000, "refs/heads/main", "2026-11-22T12:00:00.000Z")
    }
    assert all(item["fileOid"] == item["oid"] and len(item["oid"]) == 64 for item in items)


def test_deleting_from_all_history(hub, repo, says):
    doomed = next(
        item for item in hub.get(f"{repo}/lfs-files", by="alice").json() if item["filename"] == "w1.bin"
    )
    body = {"deletions": {"sha": [doomed["fileOid"]], "rewriteHistory": True}}
    says(hub.post(f"{repo}/lfs-files/batch", body, by="bob"), 403, "access_denied")
    assert hub.post(f"{repo}/lfs-files/batch", body, by="alice").json() == {"deleted": [doomed["oid"]]}
    for commit in hub.get(f"{repo}/commits/main").json():
        listed = [item["path"] for item in hub.get(f"{repo}/tree/{commit['id']}").json()]
        assert "w1.bin" not in listed
    assert len(hub.get(f"{repo}/lfs-files", by="alice").json()) == 2
    says(hub.post(f"{repo}/lfs-files/batch", body, by="alice"), 404, "content_not_held")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "body_invalid"),
        ({"deletions": {"sha": ["x"]}}, "sha256_invalid"),
        ({"deletions": {"sha": ["a" * 64] * 1001}}, "body_invalid"),
    ],
)
def test_malformed_deletions(hub, repo, says, body, code):
    says(hub.post(f"{repo}/lfs-files/batch", body, by="alice"), 400, code)


def test_contents_are_listed_to_those_who_may_change_the_repo(hub, repo, says):
    says(hub.get(f"{repo}/lfs-files", by="bob"), 403, "access_denied")
    says(hub.call("HEAD", f"{repo}/lfs-files"), 401, "sign_in_required")
    says(hub.get(f"{repo}/lfs-files?cursor=WyJ4Il0", by="alice"), 400, "cursor_invalid")


def test_copies_without_bytes_need_to_say_of_what_and_whither(hub, repo, says):
    says(hub.post(f"{repo}/lfs-files/duplicate", by="alice"), 400, "body_invalid")


def test_a_duplicate_has_the_files_and_is_as_private_as_its_source(hub, repo, says):
    hub.call("PUT", f"{repo}/settings", json={"visibility": "private"}, by="alice")
    answer = hub.post(f"{repo}/duplicate", {"repository": "alice/copy"}, by="alice")
    assert answer.json() == {"url": "http://testserver/alice/copy", "filesCopyPending": False}
    copy = hub.get("/api/models/alice/copy", by="alice").json()
    assert copy["private"] is True
    assert copy["usedStorage"] == 3000
    assert (
        hub.get("/api/models/alice/copy/tree/main", by="alice").json()
        == hub.get(f"{repo}/tree/main", by="alice").json()
    )
    taken = hub.post(f"{repo}/duplicate", {"repository": "alice/copy"}, by="alice")
    says(taken, 409, "repo_exists")
    assert taken.json()["url"] == "http://testserver/alice/copy"
    says(hub.post(f"{repo}/duplicate", {"repository": "bob/copy"}, by="bob"), 404, "RepoNotFound")


def test_a_duplicate_does_not_open_a_gate(hub, repo, says):
    hub.call("PUT", f"{repo}/settings", json={"gated": "manual"}, by="alice")
    says(hub.post(f"{repo}/duplicate", {"repository": "bob/copy"}, by="bob"), 403, "GatedRepo")
    hub.post(f"{repo}/user-access-request/grant", {"user": "bob"}, by="alice")
    assert (
        hub.post(f"{repo}/duplicate", {"repository": "copy", "visibility": "public"}, by="bob").status_code
        == 200
    )
    told = hub.get("/api/models/bob/copy").json()
    assert (told["gated"], told["private"]) == ("manual", False)
    says(hub.get("/api/models/bob/copy/auth-check", by="alice"), 403, "GatedRepo")


def test_a_duplicate_by_a_stranger_or_into_a_foreign_namespace(hub, repo, says):
    says(hub.post(f"{repo}/duplicate", {"repository": "alice/copy"}), 401, "sign_in_required")
    says(hub.post(f"{repo}/duplicate", {"repository": "alice/copy"}, by="bob"), 403, "access_denied")
    says(hub.post(f"{repo}/duplicate", {"repository": 7}, by="alice"), 400, "body_invalid")
