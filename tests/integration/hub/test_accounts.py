import pytest

from allmende.registry import Scope


def test_whoami_names_the_caller_and_the_token(hub):
    answer = hub.get("/api/whoami-v2", by="alice")
    told = answer.json()
    assert answer.status_code == 200
    assert (told["type"], told["name"], told["fullname"]) == ("user", "alice", "alice")
    assert [(org["name"], org["fullname"], org["roleInOrg"]) for org in told["orgs"]] == [
        ("lab", "The Lab", "admin")
    ]
    assert told["auth"]["type"] == "access_token"
    assert told["auth"]["accessToken"]["displayName"] == "work"
    assert told["auth"]["accessToken"]["role"] == "write"
    assert "email" not in told
    assert hub.call("HEAD", "/api/whoami-v2", by="alice").status_code == 200


def test_whoami_tells_where_a_fine_grained_token_acts(hub):
    hub.token("alice", "fine_grained", "narrow", (Scope("model/alice/m", "write"), Scope("lab", "read")))
    token = hub.get("/api/whoami-v2", by="narrow").json()["auth"]["accessToken"]
    assert token["role"] == "fineGrained"
    assert token["fineGrained"]["scoped"] == [
        {"entity": {"type": "model", "name": "alice/m"}, "permissions": ["repo.content.read", "repo.write"]},
        {"entity": {"type": "namespace", "name": "lab"}, "permissions": ["repo.content.read"]},
    ]


@pytest.mark.parametrize(("by", "code"), [(None, "sign_in_required"), ("nobody", "credentials_invalid")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_whoami_of_a_stranger(hub, says, method, by, code):
    answer = hub.call(method, "/api/whoami-v2", by=by)
    says(answer, 401, code)
    if by:
        assert answer.headers["x-error-message"] == "Invalid credentials in Authorization header"


def test_a_good_card(hub):
    answer = hub.post("/api/validate-yaml", {"content": "---\nlicense: mit\n---\n# Hi", "repoType": "model"})
    assert (answer.status_code, answer.json()) == (200, {"errors": [], "warnings": []})


def test_a_card_without_front_matter_gives_a_warning(hub):
    answer = hub.post("/api/validate-yaml", {"content": "# Hi", "repoType": "dataset"})
    assert answer.status_code == 200
    assert answer.json()["warnings"][0]["message"] == "empty or missing yaml metadata in repo card"


def test_a_card_that_must_not_be_pushed_is_told_in_json_and_by_status(hub, says):
    answer = hub.post("/api/validate-yaml", {"content": "---\nlicense: nonsense\n---\n", "repoType": "model"})
    says(answer, 400, "card_invalid")
    assert answer.json()["errors"][0]["message"].startswith('"license" must be one of')
    assert answer.json()["warnings"] == []


def test_a_card_is_checked_without_a_token_and_with_a_bad_one(hub):
    assert hub.post("/api/validate-yaml", {"content": "# Hi"}, by="nobody").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"content": 1}',
        b'{"content": "x", "repoType": "kernel"}',
        b'{"content": "\\ud800"}',
    ],
)
def test_a_malformed_card_check(hub, body):
    answer = hub.call("POST", "/api/validate-yaml", content=body)
    assert answer.status_code == 400
    assert answer.headers["x-error-code"] in {"body_invalid", "json_invalid"}


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_telemetry_is_dropped(hub, method):
    answer = hub.call(method, "/api/telemetry/transformers/auto", by="nobody")
    assert (answer.status_code, answer.content) == (204, b"")


def test_harnesses_are_not_here(hub, says):
    says(hub.get("/api/agent-harnesses"), 404, "address_unknown")


def test_overviews_count_what_the_caller_may_see(hub):
    hub.create("alice/open")
    hub.create("alice/shut", private=True)
    hub.create("lab/data", type="dataset")
    seen_by = {
        by: hub.get("/api/users/alice/overview", by=by).json()["numModels"] for by in (None, "bob", "alice")
    }
    assert seen_by == {None: 1, "bob": 1, "alice": 2}
    told = hub.get("/api/users/ALICE/overview").json()
    assert (told["user"], told["type"], told["orgs"]) == (
        "alice",
        "user",
        [{"name": "lab", "fullname": "The Lab"}],
    )
    lab = hub.get("/api/organizations/lab/overview").json()
    assert (lab["name"], lab["numDatasets"], lab["numModels"], lab["numUsers"]) == ("lab", 1, 0, 2)


def test_members_come_in_pages(hub):
    first = hub.get("/api/organizations/lab/members?limit=1")
    assert [(one["user"], one["role"]) for one in first.json()] == [("alice", "admin")]
    rest = hub.get(first.links["next"]["url"])
    assert [one["user"] for one in rest.json()] == ["rea"]
    assert "link" not in rest.headers


@pytest.mark.parametrize(
    "path", ["/api/users/lab/overview", "/api/users/zed/overview", "/api/organizations/alice/members"]
)
def test_nobody_of_that_kind(hub, says, path):
    says(hub.get(path), 404, "account_not_found")
