import base64
import hashlib

import pytest

from allmende.formats import DEFAULT_GITATTRIBUTES
from allmende.registry import Scope


def described(path, data, size=None):
    sample = base64.b64encode(data[:512]).decode()
    return {"path": path, "sample": sample, "size": len(data) if size is None else size}


def ask(hub, api, *files, by="alice", revision="main", query="", **more):
    body = {"files": list(files), **more}
    return hub.post(f"{api}/preupload/{revision}{query}", body, by=by)


def modes(answer):
    assert answer.status_code == 200, answer.text
    return {file["path"]: file["uploadMode"] for file in answer.json()["files"]}


@pytest.fixture
def api(hub):
    return hub.create("alice/mm")


def test_what_goes_into_the_commit_and_what_by_lfs(hub, api):
    utf8 = "ü".encode() * 300
    answer = ask(
        hub,
        api,
        described("README.md", b"# text"),
        described("model.safetensors", b"any"),
        described("deep/er/model.gguf", b"any"),
        described("empty.safetensors", b""),
        described("picture.png", b"\x89PNG\r\n\x1a\n\0"),
        described("latin.txt", b"caf\xe9 au lait"),
        described("cut.txt", utf8[:511], size=600),
        described("broken_at_the_end.txt", utf8[:511]),
        described("big.txt", b"text", size=10 * 1024 * 1024 + 1),
        described("just.txt", b"text", size=10 * 1024 * 1024),
    )
    assert modes(answer) == {
        "README.md": "regular",
        "model.safetensors": "lfs",
        "deep/er/model.gguf": "lfs",
        "empty.safetensors": "regular",
        "picture.png": "lfs",
        "latin.txt": "lfs",
        "cut.txt": "regular",
        "broken_at_the_end.txt": "lfs",
        "big.txt": "lfs",
        "just.txt": "regular",
    }
    assert all(file["shouldIgnore"] is False for file in answer.json()["files"])


def test_the_repos_own_attributes_hold_for_each_revision(hub, api):
    assert hub.post(f"{api}/branch/old", by="alice").is_success
    hub.commit(api, {".gitattributes": b"*.csv filter=lfs\n*.safetensors -filter\n"})
    asked = (described("a.csv", b"1,2"), described("m.safetensors", b"text"))
    assert modes(ask(hub, api, *asked)) == {"a.csv": "lfs", "m.safetensors": "regular"}
    assert modes(ask(hub, api, *asked, revision="old")) == {"a.csv": "regular", "m.safetensors": "lfs"}


def test_ids_of_what_is_there(hub, api):
    hub.commit(api, {"a.txt": b"hello\n", "dir/b.txt": b"b"})
    sha256 = hub.link(api, "m.bin", b"weights")
    asked = [described(path, b"x") for path in ("a.txt", "m.bin", "dir", "none.txt", "dir/none")]
    oids = [file["oid"] for file in ask(hub, api, *asked).json()["files"]]
    assert oids == [hashlib.sha1(b"blob 6\0hello\n").hexdigest(), sha256, None, None, None]


def test_ignored_by_the_repo_or_by_what_the_client_sends(hub, api):
    hub.commit(api, {".gitignore": b"*.log\nbuild/\n"})
    asked = [described(path, b"x") for path in ("x.log", "build/a", "x.txt", ".gitignore")]

    def ignored(answer):
        return [file["shouldIgnore"] for file in answer.json()["files"]]

    assert ignored(ask(hub, api, *asked)) == [True, True, False, False]
    assert ignored(ask(hub, api, *asked, gitIgnore="*.txt\n")) == [False, False, True, False]
    assert ignored(ask(hub, api, *asked, gitIgnore="")) == [False, False, False, False]


def test_rules_beyond_all_bounds_can_be_replaced(hub, says, api):
    hub.commit(api, {".gitattributes": b"x" * 300_000, ".gitignore": b"*.log\n" * 30_000})
    says(ask(hub, api, described("a.txt", b"x")), 400, "path_rules_beyond_limits")
    own = ask(hub, api, described(".gitattributes", b"x"), described(".gitignore", b"x"))
    assert set(modes(own).values()) == {"regular"}
    assert modes(ask(hub, api, described(".gitattributes", DEFAULT_GITATTRIBUTES.encode())))


def test_at_most_256_files(hub, says, api):
    many = [described(f"f{n}.txt", b"x") for n in range(257)]
    says(ask(hub, api, *many), 400, "too_many_files")
    assert len(modes(ask(hub, api, *many[:256]))) == 256


@pytest.mark.parametrize(
    "path", ["../a", "/a", ".git/config", "a//b", "", "a\0b", "\\a", "a/../b", "x" * 5000]
)
def test_paths_that_cannot_be(hub, says, api, path):
    says(ask(hub, api, described(path, b"x")), 400, "path_invalid")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"files": "x"},
        {"files": [{"path": "a"}]},
        {"files": [{"path": "a", "size": -1, "sample": ""}]},
        {"files": [{"path": "a", "size": "many", "sample": ""}]},
        {"files": [{"path": 3, "size": 1, "sample": ""}]},
        {"files": [], "gitIgnore": 3},
    ],
)
def test_bodies_that_cannot_be(hub, says, api, body):
    says(hub.post(f"{api}/preupload/main", body, by="alice"), 400, "body_invalid")


def test_a_sample_that_is_not_base64(hub, says, api):
    says(ask(hub, api, {"path": "a", "size": 3, "sample": "?"}), 400, "sample_invalid")


def test_a_file_larger_than_the_hub_takes(hub, says, api):
    says(ask(hub, api, described("a", b"x", size=2**50)), 413, "too_large")


def test_who_may_ask(hub, says, api):
    file = described("a.txt", b"x")
    says(ask(hub, api, file, by=None), 401, "sign_in_required")
    says(ask(hub, api, file, by="bob"), 403, "access_denied")
    hub.token("alice", "read", "reading")
    says(ask(hub, api, file, by="reading"), 403, "token_scope")
    hub.token("alice", "fine_grained", "elsewhere", (Scope("model/alice/other", "write"),))
    says(ask(hub, api, file, by="elsewhere"), 403, "token_scope")
    hub.token("alice", "fine_grained", "here", (Scope("model/alice/mm", "write"),))
    assert ask(hub, api, file, by="here").status_code == 200
    assert ask(hub, api, file, by="bob", query="?create_pr=1").status_code == 200
    says(ask(hub, api, file, by=None, query="?create_pr=1"), 401, "sign_in_required")


def test_a_private_repo_looks_like_none(hub, says):
    api = hub.create("alice/secret", private=True)
    file = described("a.txt", b"x")
    for by in (None, "bob"):
        for query in ("", "?create_pr=1"):
            says(ask(hub, api, file, by=by, query=query), 404, "RepoNotFound")
            says(ask(hub, "/api/models/alice/none", file, by=by, query=query), 404, "RepoNotFound")


def test_a_revision_that_is_none(hub, says, api):
    says(ask(hub, api, described("a.txt", b"x"), revision="none"), 404, "RevisionNotFound")
