import json

import pytest

from allmende.git import blob_object
from allmende.registry import Remove


@pytest.fixture
def repo(hub):
    api = hub.create("alice/mm")
    hub.commit(api, {"a.txt": b"one", "dir/b.txt": b"two", "dir/deep/c.txt": b"three"}, title="begin")
    return api


def paths(answer):
    assert answer.status_code == 200, answer.text
    return [item["path"] for item in answer.json()]


def test_a_folder_and_everything_below_it(hub, repo):
    assert paths(hub.get(f"{repo}/tree/main")) == [".gitattributes", "a.txt", "dir"]
    assert paths(hub.get(f"{repo}/tree/main/dir")) == ["dir/b.txt", "dir/deep"]
    assert paths(hub.get(f"{repo}/tree/main/dir%2Fdeep")) == ["dir/deep/c.txt"]
    assert paths(hub.get(f"{repo}/tree/main/dir/deep")) == ["dir/deep/c.txt"]
    assert paths(hub.get(f"{repo}/tree/main?recursive=true")) == [
        ".gitattributes",
        "a.txt",
        "dir",
        "dir/b.txt",
        "dir/deep",
        "dir/deep/c.txt",
    ]


def test_items_carry_the_ids_of_git(hub, repo):
    sha256 = hub.link(repo, "dir/w.bin", b"w" * 4000)
    items = {item["path"]: item for item in hub.get(f"{repo}/tree/main?recursive=True").json()}
    assert items["a.txt"] == {
        "type": "file",
        "oid": blob_object(b"one").oid,
        "size": 3,
        "path": "a.txt",
    }
    assert (items["dir"]["type"], items["dir"]["size"], len(items["dir"]["oid"])) == ("directory", 0, 40)
    large = items["dir/w.bin"]
    assert large["size"] == 4000
    assert large["lfs"]["oid"] == sha256
    assert large["lfs"]["size"] == 4000
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 4000\n".encode()
    assert large["oid"] == blob_object(pointer).oid
    assert large["lfs"]["pointerSize"] == len(pointer)


def test_pages_show_one_commit_whatever_becomes_of_the_branch(hub, repo):
    hub.commit(repo, {f"f{number:02}.txt": b"x" for number in range(10)})
    whole = paths(hub.get(f"{repo}/tree/main?recursive=true"))
    answer = hub.get(f"{repo}/tree/main?recursive=true&limit=4")
    seen = paths(answer)
    hub.commit(repo, {"0-first.txt": b"later"})
    while "next" in answer.links:
        answer = hub.get(answer.links["next"]["url"])
        seen += paths(answer)
    assert seen == whole
    assert len(seen) == 16


def test_pages_of_a_folder_with_an_odd_name(hub, repo):
    odd = "dir ö/50% #1"
    hub.commit(repo, {f"{odd}/{number}.txt": b"x" for number in range(3)})
    answer = hub.get(f"{repo}/tree/main/dir%20%C3%B6%2F50%25%20%231?limit=2")
    rest = hub.get(answer.links["next"]["url"])
    assert paths(answer) + paths(rest) == [f"{odd}/{number}.txt" for number in range(3)]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_not_there(hub, repo, says, method):
    missing = hub.call(method, f"{repo}/tree/main/none")
    says(missing, 404, "EntryNotFound")
    assert len(missing.headers["x-repo-commit"]) == 40
    says(hub.call(method, f"{repo}/tree/main/a.txt"), 404, "EntryNotFound")
    says(hub.call(method, f"{repo}/tree/none"), 404, "RevisionNotFound")
    says(hub.call(method, "/api/models/alice/none/tree/main"), 404, "RepoNotFound")
    says(hub.call(method, f"{repo}/tree/main/..%2F..%2Fetc"), 404, "EntryNotFound")
    says(hub.call(method, f"{repo}/tree/main?cursor=x"), 400, "cursor_invalid")


def test_the_last_commit_of_each_entry(hub, repo, clock):
    clock.advance(seconds=5)
    hub.commit(repo, {"dir/deep/c.txt": b"changed"}, title="deep change")
    clock.advance(seconds=5)
    hub.commit(repo, {"z.txt": b"new"}, title="add z")
    items = {
        item["path"]: item["lastCommit"]
        for item in hub.get(f"{repo}/tree/main?recursive=true&expand=true").json()
    }
    assert {path: commit["title"] for path, commit in items.items()} == {
        ".gitattributes": "initial commit",
        "a.txt": "begin",
        "dir": "deep change",
        "dir/b.txt": "begin",
        "dir/deep": "deep change",
        "dir/deep/c.txt": "deep change",
        "z.txt": "add z",
    }
    assert items["dir"]["date"] == "2026-11-22T12:00:05.000Z"
    commits = {commit["id"]: commit["title"] for commit in hub.get(f"{repo}/commits/main").json()}
    assert all(commits[commit["id"]] == commit["title"] for commit in items.values())


def test_a_file_that_went_and_came_back_was_changed_when_it_came_back(hub, repo):
    hub.submit(repo, [Remove("a.txt", folder=False)], "alice", "remove", "main")
    hub.commit(repo, {"a.txt": b"one"}, title="return")
    items = {
        item["path"]: item["lastCommit"]["title"] for item in hub.get(f"{repo}/tree/main?expand=1").json()
    }
    assert items["a.txt"] == "return"


def test_paths_info_takes_a_form_and_json(hub, repo):
    asked = {"paths": ["a.txt", "none", "dir", "dir/deep/c.txt", ".."], "expand": "True"}
    by_form = hub.call("POST", f"{repo}/paths-info/main", data=asked)
    by_json = hub.post(f"{repo}/paths-info/main", {**asked, "expand": True})
    assert paths(by_form) == ["a.txt", "dir", "dir/deep/c.txt"]
    assert by_form.json() == by_json.json()
    assert by_form.json()[0]["lastCommit"]["title"] == "begin"
    one = hub.call("POST", f"{repo}/paths-info/main", data={"paths": "a.txt", "expand": "false"})
    assert one.json() == [{"type": "file", "oid": blob_object(b"one").oid, "size": 3, "path": "a.txt"}]
    assert (
        hub.call("POST", f"{repo}/paths-info/refs%2Fheads%2Fmain", data={"paths": "dir/"}).json()[0]["path"]
        == "dir"
    )


def test_many_paths_are_found_as_one_by_one(hub, repo):
    many = [f"none-{number}" for number in range(50)] + ["dir/b.txt", "dir/deep"]
    assert paths(hub.post(f"{repo}/paths-info/main", {"paths": many})) == ["dir/b.txt", "dir/deep"]


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        (
            "application/json",
            json.dumps({"paths": ["x"] * 1 + [f"y{n}" for n in range(10_001)]}),
            "paths_too_many",
        ),
        ("application/json", "{", "json_invalid"),
        ("application/json", '{"paths": [1]}', "body_invalid"),
        ("application/json", '{"paths": ["\\udc00"]}', "body_invalid"),
        ("application/x-www-form-urlencoded", "paths=%FF", "form_invalid"),
        ("application/x-www-form-urlencoded", "&".join(["paths=a"] * 10_100), "form_invalid"),
    ],
)
def test_malformed_questions_for_paths(hub, repo, says, kind, body, code):
    says(hub.call("POST", f"{repo}/paths-info/main", content=body, headers={"Content-Type": kind}), 400, code)


def test_the_files_of_a_private_repo_are_not_listed_to_strangers(hub, says):
    api = hub.create("alice/shut", private=True)
    says(hub.get(f"{api}/tree/main", by="bob"), 404, "RepoNotFound")
    says(hub.post(f"{api}/paths-info/main", {"paths": ["a"]}), 404, "RepoNotFound")
    assert paths(hub.get(f"{api}/tree/main", by="alice")) == [".gitattributes"]
