import hashlib
from dataclasses import replace

import pytest

from allmende.ids import Sha256
from allmende.registry import Scope
from allmende.settings import Settings
from allmende.storage import mark_verified

DATA = b"weights" * 100
OID = Sha256(hashlib.sha256(DATA).hexdigest())
BATCH = "/alice/mm.git/info/lfs/objects/batch"
VERIFY = "/alice/mm.git/info/lfs/objects/verify"


def batch(hub, *objects, by="alice", operation="upload", path=BATCH, **more):
    body = {"operation": operation, "objects": [{"oid": oid, "size": size} for oid, size in objects], **more}
    return hub.post(path, body, by=by)


def one(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.git-lfs+json"
    return answer.json()["objects"][0]


@pytest.fixture
def api(hub):
    return hub.create("alice/mm")


def test_what_is_wanted(hub, api):
    answer = batch(hub, (OID, len(DATA)), transfers=["basic", "multipart"], ref={"name": "main"})
    assert answer.json()["transfer"] == "basic"
    told = one(answer)
    assert (told["oid"], told["size"], told["authenticated"]) == (OID, len(DATA), True)
    upload = told["actions"]["upload"]
    assert upload["href"].startswith(f"http://testserver/lfs/objects/{OID}?token=")
    assert upload["expires_in"] == hub.services.settings.upload_ttl_s
    assert upload["expires_at"] == "2026-11-23T12:00:00.000Z"
    assert told["actions"]["verify"]["href"] == f"http://testserver{VERIFY}"


def test_what_is_there_needs_no_action(hub, api):
    hub.link(api, "m.bin", DATA)
    assert one(batch(hub, (OID, len(DATA)))) == {"oid": OID, "size": len(DATA)}


def test_what_the_caller_may_read_elsewhere_needs_none_either(hub, api):
    other = hub.create("bob/open", by="bob")
    hub.link(other, "m.bin", DATA, by="bob")
    assert "actions" not in one(batch(hub, (OID, len(DATA))))


def test_the_answer_does_not_tell_what_others_keep(hub, api):
    """For private bytes of somebody else the answer is that for bytes which nobody has."""
    secret = hub.create("bob/secret", by="bob", private=True)
    hub.link(secret, "m.bin", DATA, by="bob")
    unknown = hashlib.sha256(b"unknown").hexdigest()
    known = one(batch(hub, (OID, len(DATA))))
    other = one(batch(hub, (unknown, len(DATA))))
    assert known.keys() == other.keys()
    assert known["actions"].keys() == other["actions"].keys()
    assert "error" not in one(batch(hub, (OID, len(DATA) + 1)))
    verify = hub.post(VERIFY, {"oid": OID, "size": len(DATA)}, by="alice")
    assert verify.status_code == 404


def test_damaged_bytes_are_welcome_again(hub, api):
    hub.link(api, "m.bin", DATA)
    with hub.services.database.write() as uow:
        mark_verified(uow, OID, damage="another hash")
    assert "upload" in one(batch(hub, (OID, len(DATA))))["actions"]


@pytest.mark.parametrize(
    ("oid", "size", "code"),
    [("x", 1, 422), (OID.upper(), 1, 422), ("../" + OID, 1, 422), (OID, -1, 422), (OID, 2**62, 413)],
)
def test_an_object_that_cannot_be(hub, api, oid, size, code):
    answer = batch(hub, (oid, size), (OID, 5))
    told = one(answer)
    assert (told["error"]["code"], bool(told["error"]["message"])) == (code, True)
    assert "actions" not in told
    assert "actions" in answer.json()["objects"][1]


def test_a_size_that_contradicts_what_is_there(hub, api):
    hub.link(api, "m.bin", DATA)
    assert one(batch(hub, (OID, len(DATA) + 1)))["error"]["code"] == 422


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"operation": "remove"}, 400, "operation_unknown"),
        ({"hash_algo": "sha512"}, 409, "hash_algo_unknown"),
        ({"objects": "x"}, 400, "body_invalid"),
        ({"objects": [{"oid": OID}]}, 400, "body_invalid"),
        ({"objects": [{"oid": OID, "size": 1}] * 257}, 413, "too_many_objects"),
    ],
)
def test_a_call_that_cannot_be(hub, says, api, more, status, code):
    body = {"operation": "upload", "objects": [], **more}
    says(hub.post(BATCH, body, by="alice"), status, code)


def test_who_may_upload(hub, says, api):
    stranger = batch(hub, (OID, 5), by=None)
    says(stranger, 401, "sign_in_required")
    assert stranger.headers["lfs-authenticate"].startswith("Basic ")
    assert stranger.json()["message"]
    hub.token("alice", "read", "reading")
    says(batch(hub, (OID, 5), by="reading"), 403, "token_scope")
    hub.token("bob", "fine_grained", "bobs", (Scope("bob", "write"),))
    says(batch(hub, (OID, 5), by="bobs"), 403, "access_denied")
    assert "actions" in one(batch(hub, (OID, 5), by="bob"))  # for a pull request


def test_basic_authentication(hub, api):
    body = {"operation": "upload", "objects": [{"oid": OID, "size": 5}]}
    answer = hub.post(BATCH, body, auth=("whoever", "token-of-alice"))
    assert "actions" in one(answer)


@pytest.mark.parametrize("operation", ["upload", "download"])
def test_a_private_repo_looks_like_none(hub, says, operation):
    hub.create("alice/secret", private=True)
    for by in (None, "bob"):
        path = "/alice/secret.git/info/lfs/objects/batch"
        shown = batch(hub, (OID, 5), by=by, operation=operation, path=path)
        says(shown, 404, "RepoNotFound")
        missing = batch(hub, (OID, 5), by=by, operation=operation, path=path.replace("secret", "missing"))
        assert shown.json() == missing.json()


def test_large_files_go_in_parts(hub, api, in_parts):
    size = 10 * 1024 * 1024 + 1
    answer = batch(in_parts, (OID, size), transfers=["basic", "multipart"])
    assert answer.json()["transfer"] == "multipart"
    upload = one(answer)["actions"]["upload"]
    assert int(upload["header"]["chunk_size"]) == 1024 * 1024
    assert {key for key in upload["header"] if key.isdigit()} == {str(n) for n in range(1, 12)}
    again = one(batch(in_parts, (OID, size), transfers=["multipart", "basic"]))["actions"]["upload"]
    assert again["href"].partition("?")[0] == upload["href"].partition("?")[0]
    plain = batch(in_parts, (OID, size), transfers=["basic"])
    assert plain.json()["transfer"] == "basic"
    assert "header" not in one(plain)["actions"]["upload"]
    assert "header" not in one(batch(in_parts, (OID, 5), transfers=["multipart"]))["actions"]["upload"]


def test_parts_grow_rather_than_become_countless(hub, api, in_parts):
    size = 10**12
    upload = one(batch(in_parts, (OID, size), transfers=["multipart"]))["actions"]["upload"]
    part_bytes = int(upload["header"]["chunk_size"])
    assert len(upload["header"]) - 1 == -(-size // part_bytes) <= 1000


@pytest.fixture
def in_parts(hub, api, served):
    """The same hub with low limits for uploads in parts."""
    settings = Settings(multipart_threshold_bytes=1024, multipart_part_bytes=1024 * 1024)
    with served(replace(hub.services, settings=settings)) as low:
        yield low


def test_download(hub, says, api):
    hub.link(api, "m.bin", DATA)
    missing = hashlib.sha256(b"missing").hexdigest()
    answer = batch(hub, (OID, len(DATA)), (OID, 1), (missing, 5), ("x", 5), by=None, operation="download")
    download = one(answer)["actions"]["download"]
    assert download["href"].startswith(f"http://testserver/lfs/objects/{OID}?token=")
    assert [item.get("error", {}).get("code") for item in answer.json()["objects"]] == [None, 404, 404, 404]
    assert hub.call("PUT", f"{api}/settings", json={"gated": "auto"}, by="alice").is_success
    says(batch(hub, (OID, len(DATA)), by=None, operation="download"), 401, "GatedRepo")
    says(batch(hub, (OID, len(DATA)), by="bob", operation="download"), 403, "GatedRepo")


def test_download_gives_only_what_the_repo_holds(hub, api):
    other = hub.create("alice/other")
    hub.link(other, "m.bin", DATA)
    assert one(batch(hub, (OID, len(DATA)), operation="download"))["error"]["code"] == 404


def test_verify(hub, says, api):
    says(hub.post(VERIFY, {"oid": OID, "size": len(DATA)}, by="alice"), 404, "content_not_uploaded")
    hub.link(api, "m.bin", DATA)
    assert hub.post(VERIFY, {"oid": OID, "size": len(DATA)}, by="alice").status_code == 200
    says(hub.post(VERIFY, {"oid": OID, "size": 1}, by="alice"), 404, "content_not_uploaded")
    says(hub.post(VERIFY, {"oid": OID, "size": len(DATA)}), 401, "sign_in_required")


def test_locks_are_not_offered(hub, says, api):
    says(hub.post("/alice/mm.git/info/lfs/locks/verify", {}, by="alice"), 501, "locks_not_offered")
    says(hub.get("/alice/mm.git/info/lfs/locks", by="alice"), 501, "locks_not_offered")


def test_datasets_have_it_too(hub):
    hub.create("alice/dd", type="dataset")
    told = one(batch(hub, (OID, 5), path="/datasets/alice/dd.git/info/lfs/objects/batch"))
    verify = told["actions"]["verify"]["href"]
    assert verify == "http://testserver/datasets/alice/dd.git/info/lfs/objects/verify"
