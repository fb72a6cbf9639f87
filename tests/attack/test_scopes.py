"""Tokens that allow too little, on every route that changes something: refused, and nothing is changed."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from allmende.registry import Scope
from tests.attack.arena import Arena, build, formed, refused
from tests.attack.route_table import Case, cases, repo_routes

BASIC = base64.b64encode(b"alice:token-of-alice").decode()

TOKENS = {
    "nobody": ([], {401}),
    "only reads": (["Bearer token-of-alice-reads"], {403}),
    "for another repo": (["Bearer token-of-alice-elsewhere"], {403, 404}),
    "for another type of repo": (["Bearer token-of-alice-dataset"], {403, 404}),
    "reads this repo": (["Bearer token-of-alice-looks"], {403}),
    "of somebody else": (["Bearer token-of-bob"], {403}),
    "of a reader of the organisation": (["Bearer token-of-rea"], {403}),
    "expired": (["Bearer token-of-alice-old"], {401}),
    "revoked": (["Bearer token-of-alice-gone"], {401}),
    "garbage": (["Bearer hf_garbage"], {401}),
    "nearly": (["Bearer token-of-alicE"], {401}),
    "empty": (["Bearer "], {401}),
    "blank": (["Bearer  \t "], {401}),
    "no value": (["Bearer"], {401}),
    "no scheme": (["token-of-alice"], {401}),
    "unknown scheme": (["Token token-of-alice"], {401}),
    "digest": (['Digest username="alice"'], {401}),
    "of bytes": ([b"Bearer \xff\xfe"], {401}),
    "of a megabyte": (["Bearer " + "a" * 2**20], {401}),
    "basic nonsense": (["Basic @@@"], {401}),
    "basic beyond ASCII": ([b"Basic \xe9\xe9"], {401}),
    "basic that is no text": (["Basic /////w=="], {401}),
    "basic of nothing": (["Basic "], {401}),
    "basic of a colon": (["Basic Og=="], {401}),
    "basic with a false password": (["Basic " + base64.b64encode(b"alice:x").decode()], {401}),
    "basic with the token twice": ([f"Basic {BASIC} {BASIC}"], {401}),
    "two headers, the good one first": (["Bearer token-of-alice", "Bearer x"], {401}),
    "two headers, the good one last": (["Bearer x", "Bearer token-of-alice"], {401}),
    "two good headers": (["Bearer token-of-alice", "Bearer token-of-alice"], {401}),
    "a list in one header": (["Bearer token-of-alice, Bearer token-of-alice"], {401}),
}
"""The Authorization headers, and how they may be answered where the repo is public."""

READS = ("paths-info", "/info/lfs/locks", "/duplicate", "/lfs/objects/", "/discussions")
"""Routes that change nothing of this repo: whoever may read it may copy it, or propose a change."""


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    with furnished(tmp_path_factory.mktemp("scopes")) as built:
        yield built


@contextmanager
def furnished(folder: Path) -> Iterator[Arena]:
    with build(folder) as built:
        for of_type in ("model", "dataset", "space"):
            built.hide("alice/hidden", of_type)
            shown = {"private": False}
            built.ask("PUT", f"/api/{of_type}s/alice/hidden/settings", by="alice", json=shown)
        built.token("alice", "read", "alice-reads")
        for name, entity, allows in (
            ("alice-elsewhere", "model/alice/other", "write"),
            ("alice-dataset", "kernel/alice/hidden", "write"),
            ("alice-looks", "alice", "read"),
        ):
            built.token("alice", "fine_grained", name, scopes=(Scope(entity, allows),))  # type: ignore[arg-type]
        built.token("alice", "write", "alice-old", ago=1)
        built.token("alice", "write", "alice-gone")
        built.revoke("alice", "alice-gone")
        yield built


FORMS = {
    "/scan/main": b"path=config.json&reason=harmless",
    "/settings": b"act=delete&name=alice/hidden",
    "/edit/main/config.json": b"act=remove&parent=" + b"0" * 40,
    "/delete/main": b"act=remove&choose+config.json=yes&parent=" + b"0" * 40,
    "/move/main/config.json": b"act=remove&parent=" + b"0" * 40,
    "/upload/main": b"nothing that is read",
    "/upload/main/check": b'{"files": [{"path": "a", "size": 1}]}',
    "/upload/main/begin": b'{"sha256": "' + b"0" * 64 + b'", "size": 1}',
    "/upload/main/commit": b'{"key":"header","value":{"summary":"s"}}',
    "/new/main": b"act=save&path=new.txt&text=x&parent=" + b"0" * 40,
}
"""Where the forms of a repo's pages are sent, with what they would do, for a session."""
FORM_ROUTES = ("/scan/{revision:revision}", "/settings", "/edit/{revision:revision}/{path:tail}",
    "/new/{revision:revision}", "/delete/{revision:revision}", "/delete/{revision:revision}/{path:tail}",
    "/move/{revision:revision}/{path:tail}", "/upload/{revision:revision}",
    "/upload/{revision:revision}/check", "/upload/{revision:revision}/begin",
    "/upload/{revision:revision}/commit")  # fmt: skip


def changing(arena: Arena):
    """Every call that would change something for its owner."""
    for route in repo_routes(arena.app):
        for case in cases(route, {"branch": "side", "tag": "v1"}):
            offered = "GET" not in (route.methods or ())
            first = case.body not in (b"{}", b"[]")
            if offered and first and case.method in (route.methods or ()) and not skipped(case):
                yield case


def skipped(case: Case) -> bool:
    """What only reads, and forms of pages: those have tests of their own below."""
    is_form = case.pattern.endswith(FORM_ROUTES) and not case.pattern.startswith("/api/")
    return is_form or any(word in case.pattern for word in READS)


ELSEWHERE = [
    ("POST", "/api/repos/create", {"name": "alice/made"}),
    ("DELETE", "/api/repos/delete", {"name": "alice/hidden"}),
    ("DELETE", "/api/repos/delete", {"name": "alice/hidden", "type": "space"}),
    ("POST", "/api/repos/move", {"fromRepo": "alice/hidden", "toRepo": "alice/moved"}),
    ("POST", "/api/repos/move", {"fromRepo": "alice/hidden", "toRepo": "bob/taken"}),
]


@pytest.mark.parametrize(("headers", "statuses"), TOKENS.values(), ids=TOKENS.keys())
def test_every_change_is_refused(arena: Arena, headers: list, statuses: set[int]):
    named = [("authorization", value) for value in headers]
    before, rows = arena.refs(), arena.state()
    asked = 0
    for case in changing(arena):
        for query in ("", "?create_pr=0"):
            answer = arena.ask(case.method, case.target + query, headers=named, body=case.body)
            formed(answer)
            assert answer.status in statuses, (case, answer)
        asked += 1
    for method, target, body in ELSEWHERE:
        answer = arena.ask(method, target, headers=named, json=body)
        refused(answer, 401, 403, 404)
        assert answer.status in statuses, (target, answer)
    assert asked > 20
    assert arena.refs() == before
    assert arena.state() == rows


def test_the_owner_is_not_refused(tmp_path):
    """Without this the test above would also hold for a hub that refuses everything."""
    with furnished(tmp_path) as arena:
        for case in changing(arena):
            answer = arena.ask(case.method, case.target, by="alice", body=case.body)
            assert answer.status not in {401, 403}, (case, answer)


@pytest.mark.parametrize("name", ["alice-reads", "alice-elsewhere", "alice-looks"])
def test_a_copy_needs_a_token_that_may_write(arena: Arena, name: str):
    body = {"repository": "alice/copy"}
    refused(arena.ask("POST", "/api/models/alice/hidden/duplicate", by=name, json=body), 403)


@pytest.mark.parametrize("name", ["alice-reads", "alice-elsewhere", "alice-looks", "bob-reads"])
def test_an_upload_needs_a_token_that_may_write(arena: Arena, name: str):
    asked = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 1}]}
    refused(arena.ask("POST", "/alice/hidden.git/info/lfs/objects/batch", by=name, json=asked), 403)


@pytest.mark.parametrize("name", ["alice-reads", "alice-elsewhere", "alice-looks", "rea"])
def test_a_pull_request_needs_a_token_that_may_write(arena: Arena, name: str):
    line = ("file", {"path": "a", "content": "a"})
    answer = arena.commit("/api/models/alice/hidden", line, by=name, branch="main?create_pr=1")
    if name == "rea":
        assert answer.status == 200  # a public repo takes proposals from everybody who may write at all
    else:
        refused(answer, 403)


def test_a_fine_grained_token_reads_private_repos_only_where_it_says_so(tmp_path):
    with build(tmp_path) as arena:
        for name in ("inside", "beside"):
            arena.create(f"alice/{name}", private=True)
        arena.token("alice", "fine_grained", "narrow", scopes=(Scope("model/alice/inside", "write"),))
        assert arena.ask("GET", "/api/models/alice/inside", by="narrow").status == 200
        refused(arena.ask("GET", "/api/models/alice/beside", by="narrow"), 404, code="RepoNotFound")
        listed = arena.ask("GET", "/api/models", by="narrow").json
        assert [item["id"] for item in listed] == ["alice/inside"]
        for body in ({"fromRepo": "alice/inside", "toRepo": "alice/outside"},):
            refused(arena.ask("POST", "/api/repos/move", by="narrow", json=body), 403)
        refused(arena.ask("POST", "/api/repos/create", by="narrow", json={"name": "more"}), 403)


def test_a_session_of_a_browser_changes_nothing(arena: Arena):
    cookie = session(arena, "alice")
    assert arena.ask("GET", "/api/settings/repositories", headers=cookie).status == 200
    before = arena.refs()
    for case in changing(arena):
        refused(arena.ask(case.method, case.target, headers=cookie, body=case.body), 401)
    assert arena.refs() == before


ORIGINS = {
    "another site": "http://evil.example",
    "none": None,
    "null": "null",
    "a longer name": "http://hub.test.evil.example",
    "another port": "http://hub.test:81",
    "another scheme": "file://hub.test",
    "a name before": "http://hub.test@evil.example",
    "not an address": "http://[",
}


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS.keys())
def test_a_form_of_another_site_is_refused(arena: Arena, origin: str | None):
    headers = [("content-type", "application/x-www-form-urlencoded")]
    headers += [] if origin is None else [("origin", origin)]
    for target in ("/login", "/logout"):
        answer = arena.ask("POST", target, body=b"token=token-of-alice", headers=headers)
        refused(answer, 403, code="origin_foreign")
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS.keys())
def test_a_form_about_a_repo_of_another_site_is_refused(arena: Arena, origin: str | None, form: str):
    cookie = session(arena, "alice")
    headers = [("content-type", "application/x-www-form-urlencoded"), *cookie]
    headers += [] if origin is None else [("origin", origin)]
    rows = arena.state()
    answer = arena.ask("POST", f"/alice/hidden{form}", body=FORMS[form], headers=headers)
    refused(answer, 403, code="origin_foreign")
    assert arena.state() == rows


@pytest.mark.parametrize("form", FORMS)
def test_a_form_about_a_repo_needs_somebody_who_may(arena: Arena, form: str):
    headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "http://hub.test")]
    rows = arena.state()
    for more in ([], [("authorization", "Bearer garbage")], session(arena, "bob")):
        answer = arena.ask("POST", f"/alice/hidden{form}", body=FORMS[form], headers=[*headers, *more])
        refused(answer, 401, 403, 404)
    assert arena.state() == rows


def session(arena: Arena, name: str) -> list:
    """The cookie of somebody who signed in in a browser."""
    form = [("content-type", "application/x-www-form-urlencoded"), ("origin", "http://hub.test")]
    answer = arena.ask("POST", "/login", body=f"token=token-of-{name}".encode(), headers=form)
    assert answer.status == 303
    return [("cookie", answer.headers["set-cookie"].partition(";")[0])]


ELSEWHERE_TARGETS = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil",
    "/%0d%0ax",
    "/\tx",
]


@pytest.mark.parametrize("target", ELSEWHERE_TARGETS)
def test_signing_in_leads_nowhere_else(arena: Arena, target: str):
    headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", "http://hub.test")]
    body = urlencode({"token": "token-of-alice", "next": target}).encode()
    answer = arena.ask("POST", "/login", body=body, headers=headers)
    formed(answer)
    location = answer.headers["location"]
    assert location == "/" or (location.startswith("/") and "evil" not in location)


COOKIES = {
    "garbage": b"x",
    "not ASCII": b"\xff\xfe",
    "unsigned": b"eyJ0b2tlbiI6MX0.AAAA",
    "long": b"a" * 100_000,
    "quoted": b'"a\\073b"',
}


@pytest.mark.parametrize("value", COOKIES.values(), ids=COOKIES.keys())
def test_a_session_that_is_none_is_nobody(arena: Arena, value: bytes):
    answer = arena.ask("GET", "/api/whoami-v2", headers=[("cookie", b"allmende_session=" + value)])
    refused(answer, 401, code="sign_in_required")
