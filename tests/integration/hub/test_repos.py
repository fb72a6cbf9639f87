import pytest

from allmende.registry import Scope


def test_a_new_repo(hub):
    answer = hub.post("/api/repos/create", {"name": "mm", "organization": None, "unknown": [1]}, by="alice")
    assert answer.status_code == 200
    assert answer.json()["url"] == "http://testserver/alice/mm"
    assert answer.json()["name"] == "alice/mm"
    told = hub.get("/api/models/alice/mm").json()
    assert (told["private"], [file["rfilename"] for file in told["siblings"]]) == (False, [".gitattributes"])
    titles = [commit["title"] for commit in hub.get("/api/models/alice/mm/commits/main").json()]
    assert titles == ["initial commit"]


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ({"name": "dd", "organization": "lab", "type": "dataset"}, "http://testserver/datasets/lab/dd"),
        ({"name": "lab/dd", "type": "dataset"}, "http://testserver/datasets/lab/dd"),
        ({"name": "ss", "type": "space", "sdk": "static"}, "http://testserver/spaces/alice/ss"),
    ],
)
def test_other_types_and_names(hub, body, url):
    assert hub.post("/api/repos/create", body, by="alice").json()["url"] == url


@pytest.mark.parametrize("asked", [{"private": True}, {"visibility": "private"}])
def test_a_private_repo_in_either_word(hub, says, asked):
    api = hub.create("alice/mm", **asked)
    assert hub.get(api, by="alice").json()["private"] is True
    for by in (None, "bob"):
        for method in ("GET", "HEAD"):
            answer = hub.call(method, api, by=by)
            says(answer, 404, "RepoNotFound")
            assert answer.headers["x-error-message"] == "Repository not found"


def test_a_taken_name_is_told_with_its_url(hub, says):
    hub.create("alice/mm")
    answer = hub.post("/api/repos/create", {"name": "MM"}, by="alice")
    says(answer, 409, "repo_exists")
    assert "already exists" in answer.json()["error"]
    assert answer.json()["url"] == "http://testserver/alice/mm"


@pytest.mark.parametrize(
    ("by", "body", "status", "code"),
    [
        (None, {"name": "mm"}, 401, "sign_in_required"),
        ("bob", {"name": "mm", "organization": "alice"}, 403, "access_denied"),
        ("bob", {"name": "mm", "organization": "nowhere"}, 403, "access_denied"),
        ("rea", {"name": "mm", "organization": "lab"}, 403, "access_denied"),
        ("alice", {"name": "a--b"}, 400, "name_invalid"),
        ("alice", {"name": "../mm"}, 403, "access_denied"),
        ("alice", {"name": "lab/mm", "organization": "alice"}, 400, "name_invalid"),
        ("alice", {}, 400, "body_invalid"),
        ("alice", {"name": "mm", "visibility": "protected"}, 400, "bad_request"),
        ("alice", {"name": "mm", "visibility": "public", "private": True}, 400, "bad_request"),
        ("alice", {"name": "mm", "type": "nonsense"}, 400, "bad_request"),
        ("alice", {"name": "mm", "type": "kernel"}, 501, "not_offered"),
        ("alice", {"name": "mm", "type": "space"}, 400, "sdk_invalid"),
        ("alice", {"name": "mm", "type": "space", "sdk": "static", "template": "x"}, 501, "not_offered"),
    ],
)
def test_refused_creations(hub, says, by, body, status, code):
    says(hub.post("/api/repos/create", body, by=by), status, code)


def test_a_reading_token_creates_nothing(hub, says):
    hub.token("alice", "read", "reader")
    says(hub.post("/api/repos/create", {"name": "mm"}, by="reader"), 403, "token_scope")


def test_a_fine_grained_token_creates_what_its_scope_names(hub, says):
    hub.token("alice", "fine_grained", "narrow", (Scope("model/alice/mm", "write"),))
    assert hub.post("/api/repos/create", {"name": "mm"}, by="narrow").status_code == 200
    says(hub.post("/api/repos/create", {"name": "nn"}, by="narrow"), 403, "token_scope")


def test_deletion(hub, says):
    api = hub.create("alice/mm")
    body = {"name": "mm", "organization": None, "type": "model"}
    says(
        hub.call("DELETE", "/api/repos/delete", json={**body, "organization": "alice"}, by="bob"),
        403,
        "access_denied",
    )
    assert hub.call("DELETE", "/api/repos/delete", json=body, by="alice").status_code == 200
    says(hub.get(api, by="alice"), 404, "RepoNotFound")
    says(hub.call("DELETE", "/api/repos/delete", json=body, by="alice"), 404, "RepoNotFound")


def test_a_private_repo_cannot_be_probed_by_deleting_or_moving_it(hub, says):
    hub.create("alice/shut", private=True)
    named = {"name": "shut", "organization": "alice"}
    says(hub.call("DELETE", "/api/repos/delete", json=named, by="bob"), 404, "RepoNotFound")
    says(
        hub.post("/api/repos/move", {"fromRepo": "alice/shut", "toRepo": "bob/x"}, by="bob"),
        404,
        "RepoNotFound",
    )


def test_a_moved_repo_redirects_with_a_path_alone(hub, says):
    hub.create("alice/old")
    moved = {"fromRepo": "alice/old", "toRepo": "lab/new", "type": "model"}
    says(hub.post("/api/repos/move", moved, by="bob"), 403, "access_denied")
    assert hub.post("/api/repos/move", moved, by="alice").json()["url"] == "http://testserver/lab/new"
    for method in ("GET", "HEAD"):
        answer = hub.call(method, "/api/models/alice/old/revision/refs%2Fheads%2Fmain?blobs=true")
        assert answer.status_code == 307
        assert answer.headers["location"] == "/api/models/lab/new/revision/refs%2Fheads%2Fmain?blobs=true"
    says(hub.call("DELETE", "/api/repos/delete", json={"name": "alice/old"}, by="alice"), 404, "RepoNotFound")


def test_a_move_onto_a_taken_name(hub, says):
    hub.create("alice/aa")
    hub.create("alice/bb")
    answer = hub.post("/api/repos/move", {"fromRepo": "alice/aa", "toRepo": "alice/bb"}, by="alice")
    says(answer, 409, "repo_exists")
    assert "A model repository called alice/bb already exists" in answer.json()["error"]


def test_a_move_of_something_that_is_no_full_name(hub, says):
    says(hub.post("/api/repos/move", {"fromRepo": "a", "toRepo": "b/c"}, by="alice"), 400, "name_invalid")


def test_settings_change_gate_and_visibility(hub, says):
    api = hub.create("alice/mm")
    for body, told in (
        ({"gated": "manual"}, {"private": False, "gated": "manual", "xetReads": True}),
        ({"visibility": "private"}, {"private": True, "gated": "manual", "xetReads": True}),
        ({"xetReads": False}, {"private": True, "gated": "manual", "xetReads": False}),
        ({"gated": False, "private": False}, {"private": False, "gated": False, "xetReads": False}),
        ({"xetReads": True}, {"private": False, "gated": False, "xetReads": True}),
    ):
        assert hub.call("PUT", f"{api}/settings", json=body, by="alice").json() == told
    says(hub.call("PUT", f"{api}/settings", json={"gated": True}, by="alice"), 400, "body_invalid")
    says(hub.call("PUT", f"{api}/settings", json={"xetReads": "some"}, by="alice"), 400, "body_invalid")
    says(hub.call("PUT", f"{api}/settings", json={"color": "red"}, by="alice"), 400, "bad_request")
    says(hub.call("PUT", f"{api}/settings", json={"gated": "auto"}, by="bob"), 403, "access_denied")
    says(hub.call("PUT", f"{api}/settings", json={"gated": "auto"}), 401, "sign_in_required")


def test_what_may_be_read_and_written(hub, says):
    api = hub.create("alice/mm")
    assert hub.get(f"{api}/auth-check").status_code == 200
    assert hub.get(f"{api}/auth-check/write", by="alice").status_code == 200
    says(hub.get(f"{api}/auth-check/write", by="bob"), 403, "access_denied")
    says(hub.call("HEAD", f"{api}/auth-check/write"), 401, "sign_in_required")
    says(hub.get("/api/models/alice/absent/auth-check", by="alice"), 404, "RepoNotFound")


def test_a_gate_stays_shut_until_the_owner_grants_access(hub, says):
    api = hub.create("alice/mm")
    grant = f"{api}/user-access-request/grant"
    says(hub.post(grant, {"user": "bob"}, by="alice"), 400, "not_gated")
    hub.call("PUT", f"{api}/settings", json={"gated": "auto"}, by="alice")
    says(hub.get(f"{api}/auth-check"), 401, "GatedRepo")
    says(hub.call("HEAD", f"{api}/auth-check", by="bob"), 403, "GatedRepo")
    assert hub.get(api).json()["gated"] == "auto"
    says(hub.post(grant, {"user": "bob"}, by="bob"), 403, "access_denied")
    says(hub.post(grant, {"user": "nobody"}, by="alice"), 404, "account_not_found")
    assert hub.post(grant, {"user": "bob"}, by="alice").json()["user"] == "bob"
    says(hub.post(grant, {"user": "bob"}, by="alice"), 400, "already_granted")
    assert hub.get(f"{api}/auth-check", by="bob").status_code == 200


def test_own_repositories_with_their_storage(hub, clock, says):
    model = hub.create("alice/mm")
    clock.advance(seconds=1)
    hub.create("alice/dd", type="dataset", private=True)
    clock.advance(seconds=1)
    hub.link(model, "w.bin", b"x" * 1000)
    first = hub.get("/api/settings/repositories?limit=1", by="alice")
    second = hub.get(first.links["next"]["url"], by="alice")
    told = [
        (item["id"], item["type"], item["visibility"], item["storage"], item["storagePercent"])
        for item in first.json() + second.json()
    ]
    assert told == [("alice/mm", "model", "public", 1000, 100.0), ("alice/dd", "dataset", "private", 0, 0.0)]
    assert "link" not in second.headers
    says(hub.get("/api/settings/repositories"), 401, "sign_in_required")


def test_repositories_of_an_organisation_are_for_its_members(hub, says):
    hub.create("lab/mm", private=True)
    path = "/api/organizations/lab/settings/repositories"
    assert [item["id"] for item in hub.get(path, by="rea").json()] == ["lab/mm"]
    says(hub.get(path, by="bob"), 403, "access_denied")
    says(hub.get("/api/organizations/alice/settings/repositories", by="alice"), 404, "account_not_found")


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'"x"', b'{"name": "\\ud800"}', b"[" * 100_000, b'{"name": 7}']
)
def test_hostile_bodies(hub, body):
    answer = hub.call("POST", "/api/repos/create", content=body, by="alice")
    assert answer.status_code == 400
    assert answer.headers["x-error-code"] in {"json_invalid", "body_invalid"}
