"""Knowing a SHA-256 opens nothing: neither the bytes nor the answer to whether the hub has them."""

import pytest

from tests.attack.arena import SECRET, Arena, build, refused, sha256, target_of

KNOWN = sha256(SECRET)
UNKNOWN = sha256(b"bytes that nobody has sent here")
SIZE = len(SECRET)


@pytest.fixture
def arena(tmp_path):
    with build(tmp_path) as built:
        built.hide("alice/hidden")
        built.create("bob/own", by="bob")
        yield built


def blank(value: object, oid: str) -> str:
    """An answer with the hash, and what was signed or timed, left out."""
    import re

    text = repr(value).replace(oid, "OID")
    text = re.sub(r"token=[^'\"&]+", "token=", text)
    return re.sub(r"'expires_at': '[^']+'", "", text)


@pytest.mark.parametrize("size", [SIZE, SIZE + 1, 0, 2**40])
@pytest.mark.parametrize("transfers", [["basic"], ["basic", "multipart"]])
def test_an_upload_of_known_bytes_is_asked_for_as_that_of_unknown_ones(arena: Arena, size, transfers):
    api = "/api/models/bob/own"
    known = arena.batch(api, KNOWN, size, by="bob", transfers=transfers)
    unknown = arena.batch(api, UNKNOWN, size, by="bob", transfers=transfers)
    if "multipart" not in transfers:
        assert blank(known, KNOWN) == blank(unknown, UNKNOWN)
    assert known.keys() == unknown.keys()
    assert ("actions" in known) is (size <= 2**40)


def test_their_owner_need_not_send_them_again(arena: Arena):
    arena.create("alice/second")
    assert "actions" not in arena.batch("/api/models/alice/second", KNOWN, SIZE)


@pytest.mark.parametrize("size", [None, SIZE, SIZE + 1])
def test_a_commit_cannot_link_them(arena: Arena, size):
    def words(oid: str) -> tuple[int, str, str]:
        value = {"path": "m.bin", "algo": "sha256", "oid": oid}
        if size is not None:
            value["size"] = size
        answer = arena.commit("/api/models/bob/own", ("lfsFile", value), by="bob")
        refused(answer, 400, code="content_not_uploaded")
        return answer.status, answer.code, answer.body.decode().replace(oid, "OID")

    before = arena.refs()
    assert words(KNOWN) == words(UNKNOWN)
    assert arena.refs() == before


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


def test_a_pointer_among_the_small_files_is_no_way_around(arena: Arena):
    def words(oid: str) -> tuple[int, str, str]:
        value = {"path": "m.bin", "content": POINTER.format(oid, SIZE)}
        answer = arena.commit("/api/models/bob/own", ("file", value), by="bob")
        return answer.status, answer.code, answer.body.decode().replace(oid, "OID")

    assert words(KNOWN) == words(UNKNOWN)
    assert words(KNOWN)[:2] == (400, "content_not_uploaded")


NEARLY_POINTERS = {
    "carriage returns": POINTER.replace("\n", "\r\n"),
    "an extension": POINTER.replace("oid", "ext-0-foo sha256:" + "0" * 64 + "\noid"),
    "two blanks": POINTER.replace("oid ", "oid  "),
    "no line end": POINTER.rstrip("\n"),
    "lines turned": "version https://git-lfs.github.com/spec/v1\nsize {1}\noid sha256:{0}\n",
    "the older address": POINTER.replace("git-lfs.github.com/spec", "hawser.github.com/spec"),
    "a byte order mark": "\ufeff" + POINTER,
    "more after it": POINTER + "\n",
}


@pytest.mark.parametrize("text", NEARLY_POINTERS.values(), ids=NEARLY_POINTERS.keys())
def test_what_nearly_is_a_pointer_stays_text(arena: Arena, text: str):
    content = text.format(KNOWN, SIZE)
    answer = arena.commit("/api/models/bob/own", ("file", {"path": "m.bin", "content": content}), by="bob")
    assert answer.status == 200
    read = arena.ask("GET", "/bob/own/resolve/main/m.bin", by="bob")
    assert read.body == content.encode()
    asked = {"operation": "download", "objects": [{"oid": KNOWN, "size": SIZE}]}
    done = arena.ask("POST", "/bob/own.git/info/lfs/objects/batch", by="bob", json=asked)
    assert done.json["objects"][0]["error"]["code"] == 404


@pytest.mark.parametrize("operation", ["download", "verify"])
def test_neither_download_nor_verify_tells_of_them(arena: Arena, operation: str):
    def answer(oid: str) -> tuple[int, str]:
        if operation == "verify":
            body: object = {"oid": oid, "size": SIZE}
        else:
            body = {"operation": "download", "objects": [{"oid": oid, "size": SIZE}]}
        end = "verify" if operation == "verify" else "batch"
        done = arena.ask("POST", f"/bob/own.git/info/lfs/objects/{end}", by="bob", json=body)
        return done.status, done.body.decode().replace(oid, "OID")

    assert answer(KNOWN) == answer(UNKNOWN)
    assert KNOWN[:8] not in answer(KNOWN)[1]


def test_preupload_tells_of_files_of_the_own_repo_alone(arena: Arena):
    asked = {"files": [{"path": "model.safetensors", "size": SIZE, "sample": ""}]}
    answer = arena.ask("POST", "/api/models/bob/own/preupload/main", by="bob", json=asked)
    assert answer.json["files"][0]["oid"] is None


def ids_of_alice(arena: Arena) -> dict[str, str]:
    head = arena.ask("GET", "/api/models/alice/hidden", by="alice").json["sha"]
    items = arena.ask("GET", "/api/models/alice/hidden/tree/main", by="alice").json
    found = {"commit": head, "short commit": head[:8]}
    found.update({f"tree entry {item['path']}": item["oid"] for item in items})
    return found


def test_ids_of_foreign_objects_are_no_revisions(arena: Arena):
    api = "/api/models/bob/own"
    for kind, oid in ids_of_alice(arena).items():
        if kind.endswith(".gitattributes"):
            continue  # the same bytes are in every repo
        for target in (
            f"/bob/own/resolve/{oid}/config.json",
            f"/bob/own/raw/{oid}/model.safetensors",
            f"{api}/tree/{oid}",
            f"{api}/revision/{oid}",
            f"{api}/commits/{oid}",
            f"/bob/own/tree/{oid}",
            f"/bob/own/commit/{oid}",
            f"/bob/own/blob/{oid}/config.json",
        ):
            refused(arena.ask("GET", target, by="bob"), 404, code="RevisionNotFound")
        for target, body in (
            (f"{api}/branch/stolen", {"startingPoint": oid}),
            (f"{api}/tag/{oid}", {"tag": "stolen"}),
            (f"{api}/paths-info/{oid}", {"paths": ["config.json"]}),
        ):
            refused(arena.ask("POST", target, by="bob", json=body), 404, code="RevisionNotFound")


def test_a_foreign_commit_is_no_parent(arena: Arena):
    head = arena.ask("GET", "/api/models/alice/hidden", by="alice").json["sha"]
    for parent in (head, head[:10], "0" * 40, "0" * 10):
        body = f'{{"key":"header","value":{{"summary":"s","parentCommit":"{parent}"}}}}'.encode()
        answer = arena.ask("POST", "/api/models/bob/own/commit/main", by="bob", body=body)
        refused(answer, 404, 412)
        assert answer.status == (412 if len(parent) == 40 else 404)


def test_an_upload_in_parts_belongs_to_its_account(tmp_path):
    with build(tmp_path, multipart_threshold_bytes=10, multipart_part_bytes=1024**2) as arena:
        data = b"x" * (1024**2 + 5)
        for name in ("alice", "bob"):
            arena.create(f"{name}/own", by=name)
        uploads = {}
        for name in ("alice", "bob"):
            asked = {"transfers": ["multipart"]}
            entry = arena.batch(f"/api/models/{name}/own", sha256(data), len(data), by=name, **asked)
            uploads[name] = entry["actions"]["upload"]
        mine, theirs = uploads["bob"], uploads["alice"]
        assert target_of(mine["href"]).partition("?")[0] != target_of(theirs["href"]).partition("?")[0]
        path = target_of(theirs["header"]["1"]).partition("?")[0]
        query = target_of(mine["header"]["1"]).partition("?")[2]
        refused(arena.ask("PUT", f"{path}?{query}", body=data[: 1024**2]), 403, code="link_invalid")
        done = {"oid": sha256(data), "parts": []}
        path = target_of(theirs["href"]).partition("?")[0]
        refused(arena.ask("POST", f"{path}?{query}", json=done), 403, code="link_invalid")
        refused(arena.ask("POST", path, json=done, by="alice"), 403, code="link_invalid")


def test_a_copy_of_a_foreign_repo_needs_the_right_to_read_it(arena: Arena):
    body = {"repository": "bob/copy"}
    refused(arena.ask("POST", "/api/models/alice/hidden/duplicate", by="bob", json=body), 404)


def test_whoever_lost_the_right_to_read_cannot_link_any_more(arena: Arena):
    arena.create("lab/shared", private=True)
    oid = arena.upload("/api/models/lab/shared", b"bytes of the lab")
    link = ("lfsFile", {"path": "m.bin", "algo": "sha256", "oid": oid})
    assert arena.commit("/api/models/lab/shared", link).status == 200
    arena.create("rea/own", by="rea")
    assert arena.commit("/api/models/rea/own", link, by="rea").status == 200
    arena.create("rea/later", by="rea")
    with arena.services.database.write() as uow:
        from allmende.registry import find_account, remove_member

        lab, rea = find_account(uow, "lab"), find_account(uow, "rea")
        assert lab is not None
        assert rea is not None
        remove_member(uow, lab, rea)
    arena.ask("DELETE", "/api/repos/delete", by="rea", json={"name": "own"})
    refused(arena.commit("/api/models/rea/later", link, by="rea"), 400, code="content_not_uploaded")


def test_the_files_of_a_gated_repo_cannot_be_linked_from_outside(arena: Arena):
    api = "/api/models/alice/hidden"
    arena.ask("PUT", f"{api}/settings", by="alice", json={"private": False, "gated": "manual"})
    link = ("lfsFile", {"path": "m.bin", "algo": "sha256", "oid": KNOWN})
    refused(arena.commit("/api/models/bob/own", link, by="bob"), 400, code="content_not_uploaded")
    for target in ("/alice/hidden/resolve/main/model.safetensors", "/alice/hidden/raw/main/config.json"):
        refused(arena.ask("GET", target, by="bob"), 403, code="GatedRepo")
        refused(arena.ask("GET", target), 401, code="GatedRepo")
    refused(arena.commit(api, link, by="bob", branch="main?create_pr=1"), 403, code="GatedRepo")
