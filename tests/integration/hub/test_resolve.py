import hashlib
import os
from pathlib import Path

import pytest

from allmende.flows.worker import handlers
from allmende.ids import Sha256
from allmende.jobs import JobContext
from allmende.registry import find_account, grant_access, local_operator, lookup_repo, release
from allmende.storage import mark_verified

TEXT = b"0123456789" * 10
LARGE = os.urandom(3 * 1024 * 1024 + 17)
LARGE_OID = Sha256(hashlib.sha256(LARGE).hexdigest())


@pytest.fixture
def files(hub):
    """A model with a small and a large file; the head's id."""
    api = hub.create("alice/mm")
    hub.link(api, "weights/model.bin", LARGE)
    return hub.commit(api, {"dir/a b.txt": TEXT, "empty.txt": b"", "page.html": b"<script>1</script>"})


def both(hub, path, **more):
    """The answer to GET; HEAD must say the same, without a body."""
    answer = hub.get(path, **more)
    head = hub.call("HEAD", path, **more)
    differing = {"x-request-id"}
    assert head.status_code == answer.status_code
    assert {k: v for k, v in head.headers.items() if k not in differing} == {
        k: v for k, v in answer.headers.items() if k not in differing
    }
    return answer


def test_a_small_file(hub, files):
    answer = both(hub, "/alice/mm/resolve/main/dir/a%20b.txt")
    assert (answer.status_code, answer.content) == (200, TEXT)
    oid = hashlib.sha1(b"blob %d\0" % len(TEXT) + TEXT).hexdigest()
    assert answer.headers["etag"] == f'"{oid}"'
    assert answer.headers["x-repo-commit"] == files
    assert answer.headers["content-length"] == str(len(TEXT))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("inline; filename*=UTF-8''a%20b.txt; filename=")
    assert "x-linked-etag" not in answer.headers
    assert "content-encoding" not in answer.headers


def test_a_large_file(hub, files):
    answer = both(hub, "/alice/mm/resolve/main/weights/model.bin")
    assert (answer.status_code, answer.content) == (200, LARGE)
    assert answer.headers["etag"] == answer.headers["x-linked-etag"] == f'"{LARGE_OID}"'
    assert answer.headers["x-linked-size"] == answer.headers["content-length"] == str(len(LARGE))
    assert answer.headers["x-repo-commit"] == files
    assert answer.headers["content-type"] == "application/octet-stream"


def test_an_empty_file(hub, files):
    answer = both(hub, "/alice/mm/resolve/main/empty.txt")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize("revision", ["main", "refs%2Fheads%2Fmain", "refs/heads/main"])
def test_revisions_in_every_spelling(hub, files, revision):
    assert hub.get(f"/alice/mm/resolve/{revision}/dir/a b.txt").content == TEXT
    assert hub.get(f"/alice/mm/resolve/{files}/dir%2Fa b.txt").content == TEXT


@pytest.mark.parametrize("types", ["datasets", "spaces"])
def test_the_other_types(hub, types):
    more = {"sdk": "static"} if types == "spaces" else {}
    api = hub.create("alice/other", type=types.removesuffix("s"), **more)
    hub.commit(api, {"x.txt": b"x"})
    assert hub.get(f"/{types}/alice/other/resolve/main/x.txt").content == b"x"
    assert hub.get("/alice/other/resolve/main/x.txt").status_code == 404


def test_uploaded_pages_do_not_run_on_our_origin(hub, files):
    answer = both(hub, "/alice/mm/resolve/main/page.html")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_names_cannot_break_out_of_a_header(hub):
    api = hub.create("alice/mm")
    hub.commit(api, {'ä";x=.txt': b"1"})
    answer = hub.get("/alice/mm/resolve/main/%C3%A4%22%3Bx%3D.txt?download=true")
    assert answer.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''%C3%A4%22%3Bx%3D.txt; filename=\"___x_.txt\""
    )


@pytest.mark.parametrize("path", ["dir/a b.txt", "weights/model.bin"])
@pytest.mark.parametrize(
    ("asked", "cut"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=50-", slice(50, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=0-", slice(None)),
        ("bytes=3-1048590", slice(3, 1048591)),
    ],
)
def test_ranges(hub, files, path, asked, cut):
    whole = hub.get(f"/alice/mm/resolve/main/{path}")
    part = both(hub, f"/alice/mm/resolve/main/{path}", headers={"Range": asked})
    data = whole.content[cut]
    first = len(whole.content) - len(data) if asked.startswith("bytes=-") else cut.start or 0
    assert (part.status_code, part.content) == (206, data)
    expected = f"bytes {first}-{first + len(data) - 1}/{len(whole.content)}"
    assert part.headers["content-range"] == expected
    assert part.headers["content-length"] == str(len(data))
    assert part.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("path", ["dir/a b.txt", "weights/model.bin", "empty.txt"])
def test_a_range_beyond_the_end(hub, says, files, path):
    size = hub.get(f"/alice/mm/resolve/main/{path}").headers["content-length"]
    answer = both(hub, f"/alice/mm/resolve/main/{path}", headers={"Range": "bytes=99999999-"})
    says(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_several_ranges_get_the_whole(hub, files):
    answer = both(hub, "/alice/mm/resolve/main/dir/a b.txt", headers={"Range": "bytes=0-1,5-6"})
    assert (answer.status_code, answer.content) == (200, TEXT)


@pytest.mark.parametrize("path", ["dir/a b.txt", "weights/model.bin"])
def test_conditions(hub, files, path):
    address = f"/alice/mm/resolve/main/{path}"
    etag = hub.get(address).headers["etag"]
    unchanged = both(hub, address, headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    assert hub.get(address, headers={"If-None-Match": '"x"'}).status_code == 200
    assert hub.get(address, headers={"Range": "bytes=1-2", "If-Range": etag}).status_code == 206
    assert hub.get(address, headers={"Range": "bytes=1-2", "If-Range": '"x"'}).status_code == 200


@pytest.mark.parametrize("path", ["none.txt", "dir", "dir/", "", "dir/a b.txt/more", "weights/model.bin/x"])
def test_a_path_that_is_no_file(hub, says, files, path):
    answer = both(hub, f"/alice/mm/resolve/main/{path}")
    says(answer, 404, "EntryNotFound")
    assert answer.headers["x-repo-commit"] == files


@pytest.mark.parametrize("revision", ["none", "0" * 40, "abc", "refs%2Fpr%2F9", "a%2F..%2Fb"])
def test_a_revision_that_is_none(hub, says, files, revision):
    says(both(hub, f"/alice/mm/resolve/{revision}/dir/a b.txt"), 404, "RevisionNotFound")


def test_a_repo_that_is_none(hub, says):
    for path in ("/alice/none", "/none/none", "/gpt2", "/datasets/alice/none", "/datasets/squad"):
        says(both(hub, f"{path}/resolve/main/config.json"), 404, "RepoNotFound")


def test_a_private_repo_looks_like_none(hub, says):
    api = hub.create("alice/secret", private=True)
    hub.link(api, "m.bin", LARGE)
    for call in ("resolve", "raw"):
        for path in ("m.bin", ".gitattributes", "none"):
            address = f"/alice/secret/{call}/main/{path}"
            missing = hub.get(address.replace("secret", "missing"), by="bob")
            shown = both(hub, address, by="bob")
            says(shown, 404, "RepoNotFound")
            assert shown.json() == missing.json()
            says(both(hub, address), 404, "RepoNotFound")
    assert hub.get("/alice/secret/resolve/main/m.bin", by="alice").content == LARGE


def test_a_gated_repo_keeps_its_files(hub, says, files):
    assert hub.call("PUT", "/api/models/alice/mm/settings", json={"gated": "auto"}, by="alice").is_success
    for path in ("weights/model.bin", "dir/a b.txt", "none"):
        says(both(hub, f"/alice/mm/resolve/main/{path}"), 401, "GatedRepo")
        says(both(hub, f"/alice/mm/resolve/main/{path}", by="bob"), 403, "GatedRepo")
        says(both(hub, f"/alice/mm/raw/main/{path}", by="bob"), 403, "GatedRepo")
    with hub.services.database.write() as uow:
        repo, bob = lookup_repo(uow, "model", "alice/mm"), find_account(uow, "bob")
        owner = find_account(uow, "alice")
        assert repo is not None
        assert bob is not None
        assert owner is not None
        grant_access(uow, local_operator(owner, uow), repo, bob)
    assert hub.get("/alice/mm/resolve/main/weights/model.bin", by="bob").content == LARGE


def test_a_moved_repo_redirects_by_path_alone(hub, files):
    moved = hub.post(
        "/api/repos/move", {"fromRepo": "alice/mm", "toRepo": "alice/nn", "type": "model"}, by="alice"
    )
    assert moved.is_success, moved.text
    answer = both(hub, "/alice/mm/resolve/main/dir/a%20b.txt")
    assert answer.status_code == 307
    assert answer.headers["location"] == "/alice/nn/resolve/main/dir/a%20b.txt"


def test_a_wrong_token_is_said(hub, says, files):
    wrong = {"Authorization": "Bearer wrong"}
    says(both(hub, "/alice/mm/resolve/main/empty.txt", headers=wrong), 401, "credentials_invalid")


def test_a_pointer_alone_opens_nothing(hub, says, files):
    """Bytes are served only through a repo that holds them, whatever its tree says."""
    hub.create("bob/mine", by="bob")
    with hub.services.database.write() as uow:
        repo = lookup_repo(uow, "model", "alice/mm")
        assert repo is not None
        release(uow, repo.id, [LARGE_OID])
    says(both(hub, "/alice/mm/resolve/main/weights/model.bin"), 410, "content_removed")
    raw = both(hub, "/alice/mm/raw/main/weights/model.bin")
    assert raw.content.startswith(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + LARGE_OID.encode()
    )
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"


def test_raw_gives_small_files_too(hub, files):
    assert both(hub, "/alice/mm/raw/main/dir/a b.txt").content == TEXT


def test_damaged_bytes_are_not_served(hub, says, files):
    address = "/alice/mm/resolve/main/weights/model.bin"
    path = hub.services.contents.locate(f"{LARGE_OID[:2]}/{LARGE_OID[2:4]}/{LARGE_OID}").path
    with hub.services.database.write() as uow:
        mark_verified(uow, LARGE_OID, damage="another hash")
    says(both(hub, address), 500, "content_damaged")
    with hub.services.database.write() as uow:
        mark_verified(uow, LARGE_OID, damage=None)
    path.write_bytes(LARGE[:-1])
    says(both(hub, address), 500, "content_damaged")
    path.unlink()
    says(both(hub, address, headers={"Range": "bytes=0-3"}), 500, "content_damaged")


def test_the_warning_ends_with_the_examination(hub, files):
    address = "/alice/mm/resolve/main/dir/a b.txt"
    assert both(hub, address).headers["x-hf-warning"].startswith("unexamined; ")
    kinds = handlers(hub.services)
    while (job := hub.services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
        kinds[job.kind](JobContext(hub.services.queue, job))
        assert hub.services.queue.finish(job)
    assert "x-hf-warning" not in both(hub, address).headers


def test_downloads_are_counted_once_for_each_caller(hub, files):
    def counted():
        hub.services.downloads.flush(hub.services.database)
        return hub.get("/api/models/alice/mm").json()["downloads"]

    hub.call("HEAD", "/alice/mm/resolve/main/weights/model.bin", by="bob")
    hub.get("/alice/mm/resolve/main/weights/model.bin", by="bob", headers={"Range": "bytes=5-9"})
    assert counted() == 0
    hub.get("/alice/mm/resolve/main/weights/model.bin", by="bob", headers={"Range": "bytes=0-9"})
    hub.get("/alice/mm/resolve/main/dir/a b.txt", by="bob")
    assert counted() == 1
    hub.get("/alice/mm/resolve/main/dir/a b.txt")
    assert counted() == 2


def test_no_file_stays_open(hub, files):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for headers in ({}, {"Range": "bytes=5-"}, {"Range": "bytes=99999999-"}, {"If-None-Match": "*"}):
        for method in ("GET", "HEAD"):
            hub.call(method, "/alice/mm/resolve/main/weights/model.bin", headers=headers)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
