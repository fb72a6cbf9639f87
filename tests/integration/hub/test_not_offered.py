import pytest

from allmende.http import register_convertors
from allmende.hub.not_offered import routes

register_convertors()  # the table of tests is made from the routes


def filled(path):
    """An address that fits a route's pattern."""
    for name, value in {
        "{types:repotypes}": "models",
        "{namespace:segment}": "alice",
        "{name:segment}": "mm",
        "{rest:tail}": "x/y",
        "{revision:tail}": "refs%2Fpr%2F1",
        "{path:tail}": "model.safetensors",
        "{user:segment}": "alice",
        "{organization:segment}": "lab",
    }.items():
        path = path.replace(name, value)
    assert "{" not in path
    return path


ADDRESSES = [filled(route.path) for route in routes()]


@pytest.mark.parametrize("path", ADDRESSES)
def test_what_is_not_offered_says_so_in_a_sentence(hub, says, path):
    # A pull request can be opened there; all else of discussions is not offered.
    opens = {"POST"} if path.endswith("/discussions") else set()
    for method in sorted({"GET", "HEAD", "POST", "DELETE"} - opens):
        answer = hub.call(method, path)
        says(answer, 501, "not_offered")
        assert answer.headers["x-error-message"].endswith(".")
        assert "retry-after" not in answer.headers


def test_the_answer_is_the_same_for_a_private_repo_and_a_missing_one(hub):
    hub.create("alice/shut", private=True)
    answers = [hub.get(f"/api/models/alice/{name}/discussions") for name in ("shut", "missing")]
    assert answers[0].json() == answers[1].json()
    assert answers[0].status_code == answers[1].status_code == 501


@pytest.mark.parametrize("call", ["xet-read-token/main", "xet-write-token/main"])
def test_xet_is_offered(hub, call):
    hub.create("alice/mm")
    assert hub.get(f"/api/models/alice/mm/{call}", by="alice").status_code == 200


@pytest.mark.parametrize("path", ["/api/nonsense", "/api/", "/api/models/alice/mm/nonsense", "/api/repos"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_an_unknown_address(hub, says, method, path):
    says(hub.call(method, path), 404, "address_unknown")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/whoami-v2", "GET"),
        ("GET", "/api/repos/create", "POST"),
        ("PATCH", "/api/models/alice/mm/branch/x", "DELETE, POST"),
        ("DELETE", "/api/models/alice/mm", "GET"),
        ("GET", "/api/models/alice/mm/paths-info/main", "POST"),
    ],
)
def test_a_method_that_has_no_place_there(hub, says, method, path, allowed):
    answer = hub.call(method, path)
    says(answer, 405, "method_not_allowed")
    assert set(allowed.split(", ")) <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    "call",
    [
        "revision/main",
        "tree/main",
        "commits/main",
        "preupload/main",
        "xet-read-token/main",
        "xet-write-token/x",
    ],
)
def test_a_name_without_a_namespace_is_a_missing_repo(hub, says, call):
    says(hub.get(f"/api/datasets/squad/{call}"), 404, "RepoNotFound")
