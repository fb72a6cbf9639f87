"""A private repo looks exactly like a missing one to whoever may not see it, on every route.

The requests are generated from the route table. Two answers are equal when status, headers and body are,
but for the id of the request and the name that was asked for (both names are equally long).
"""

import re
from collections.abc import Iterator

import pytest

from tests.attack.arena import SECRET, Answer, Arena, build, formed, sha256
from tests.attack.route_table import Case, cases, repo_routes

STRANGERS = (None, "bob", "bob-reads", "bob-fine", "rea", "nobody-at-all")
"""Nobody, another user with tokens of all kinds, somebody of another organisation, and a false token."""

ACCEPTS = ("*/*", "text/html,application/xhtml+xml")


@pytest.fixture(scope="module")
def arena(tmp_path_factory) -> Iterator[Arena]:
    with build(tmp_path_factory.mktemp("private")) as built:
        for of_type in ("model", "dataset", "space"):
            built.hide("alice/hidden", of_type)
            built.hide("alice/former", of_type)
            moved = {"fromRepo": "alice/former", "toRepo": "alice/latter", "type": of_type}
            assert built.ask("POST", "/api/repos/move", by="alice", json=moved).status == 200
        built.create("bob/own", by="bob")
        built.work()
        yield built


def told(answer: Answer, name: str) -> tuple[int, dict[str, str], bytes]:
    """What an answer says, without what is of this one request."""
    headers = {key: value for key, value in answer.headers.items() if key not in {"x-request-id", "date"}}
    body = answer.body.replace(answer.headers["x-request-id"].encode(), b"ID").replace(name.encode(), b"NAME")
    return answer.status, {key: value.replace(name, "NAME") for key, value in headers.items()}, body


def is_page(case: Case) -> bool:
    """Whether the answer may be a page for people."""
    return case.method in ("GET", "HEAD") and not case.target.startswith("/api/")


def ask(arena: Arena, case: Case, name: str, by: str | None, accept: str = "*/*", query: str = "") -> Answer:
    target = case.target.replace("/hidden", f"/{name}", 1)
    headers = [("accept", accept), ("user-agent", "test")]
    if case.kind:
        headers.append(("content-type", case.kind))
    return arena.ask(case.method, target + query, by=by, headers=headers, body=case.body)


@pytest.mark.parametrize("by", STRANGERS, ids=str)
def test_on_every_route_that_names_a_repo(arena: Arena, by: str | None):
    before = arena.refs()
    asked = 0
    thorough = by in {None, "bob"}
    for route in repo_routes(arena.app):
        for case in cases(route, {}, thorough=thorough):
            for accept in ACCEPTS if thorough and is_page(case) else ACCEPTS[:1]:
                missing = ask(arena, case, "absent", by, accept)
                formed(missing)
                assert missing.status >= 400, case
                for name in ("hidden", "former") if thorough else ("hidden",):
                    found = ask(arena, case, name, by, accept)
                    assert told(found, name) == told(missing, "absent"), (case, name)
                    asked += 1
    assert asked > (1000 if thorough else 100)
    assert arena.refs() == before


QUERIES = {
    "create_pr": "?create_pr=1",
    "download": "?download=true",
    "expand": "?expand=siblings",
    "blobs": "?blobs=true&securityStatus=true",
    "recursive": "?recursive=true&expand=true",
    "cursor": "?cursor=WzEwXQ",
    "limit": "?limit=1",
    "page": "?p=1&page=1",
    "nonsense": "?expand=nonsense&recursive=maybe&limit=0",
    "lang": "?lang=de",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_whatever_the_query_says(arena: Arena, query: str):
    for route in repo_routes(arena.app):
        for case in cases(route, {}, thorough=False):
            missing = ask(arena, case, "absent", "bob", query=query)
            assert told(ask(arena, case, "hidden", "bob", query=query), "hidden") == told(
                missing, "absent"
            ), case


PLACES = {
    "a branch": ("side", "README.md"),
    "a tag": ("v1", "model.safetensors"),
    "a full ref in one segment": ("refs%2Fheads%2Fside", "dir"),
    "a full ref in three": ("refs/heads/main", "dir/inner.txt"),
    "a pull request": ("refs%2Fpr%2F1", ""),
    "nothing": ("absent", "absent"),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_whatever_lies_there(arena: Arena, place: tuple[str, str]):
    given = {"revision": place[0], "path": place[1]}
    for route in repo_routes(arena.app):
        for case in cases(route, given, thorough=False):
            missing = ask(arena, case, "absent", "bob")
            assert told(ask(arena, case, "hidden", "bob"), "hidden") == told(missing, "absent"), case


def test_ids_of_private_revisions_open_nothing(arena: Arena):
    head = arena.ask("GET", "/api/models/alice/hidden", by="alice").json["sha"]
    for oid in (head, head[:10]):
        for route in repo_routes(arena.app):
            for case in cases(route, {"revision": oid}, thorough=False):
                missing = ask(arena, case, "absent", "bob")
                assert told(ask(arena, case, "hidden", "bob"), "hidden") == told(missing, "absent"), case


def test_their_owner_sees_that_they_are_there(arena: Arena):
    """Without this the tests above would also hold for a hub that never finds anything."""
    differing = set()
    for route in repo_routes(arena.app):
        for case in cases(route, {}, thorough=False):
            if case.method in ("GET", "HEAD") and case.body == b"":
                found, missing = (ask(arena, case, name, "alice") for name in ("hidden", "absent"))
                if told(found, "hidden") != told(missing, "absent"):
                    differing.add(route.path)
    for end in (
        "/tree/{revision:revision}",
        "/resolve/{revision:revision}/{path:tail}",
        "{name:segment}",
        "/refs",
    ):
        assert any(path.endswith(end) for path in differing), end


ODD_SPELLINGS = {
    "capitals": "alice/HIDDEN alice/ABSENT",
    "git at the end": "alice/hidden.git alice/absent.git",
    "encoded": "alice/%68idden alice/%61bsent",
    "slash in the name": "x/alice%2Fhidden x/alice%2Fabsent",
    "one segment": "alice%2Fhidden/x alice%2Fabsent/x",
}


@pytest.mark.parametrize("spellings", ODD_SPELLINGS.values(), ids=ODD_SPELLINGS.keys())
def test_in_other_spellings(arena: Arena, spellings: str):
    hidden, absent = spellings.split()
    for pattern in ("/api/models/{}", "/{}", "/{}/resolve/main/config.json", "/{}/tree/main"):
        for by in (None, "bob"):
            found = arena.ask("GET", pattern.format(hidden), by=by)
            missing = arena.ask("GET", pattern.format(absent), by=by)
            assert (found.status, found.code) == (missing.status, missing.code)
            assert len(found.body) == len(missing.body)


@pytest.mark.parametrize("by", STRANGERS, ids=str)
def test_in_bodies_that_name_a_repo(arena: Arena, by: str | None):
    def answers(name: str) -> Iterator[tuple[int, dict[str, str], bytes]]:
        for body in ({"name": name, "organization": "alice"}, {"name": f"alice/{name}", "type": "dataset"}):
            yield told(arena.ask("DELETE", "/api/repos/delete", by=by, json=body), name)
            yield told(arena.ask("POST", "/api/repos/create", by=by, json=body), name)
        for body in (
            {"fromRepo": f"alice/{name}", "toRepo": "bob/mine"},
            {"fromRepo": "bob/own", "toRepo": f"alice/{name}"},
        ):
            yield told(arena.ask("POST", "/api/repos/move", by=by, json=body), name)
        copy = {"repository": f"alice/{name}"}
        yield told(arena.ask("POST", "/api/models/bob/own/duplicate", by=by, json=copy), name)

    before = arena.refs()
    for name in ("hidden", "former", "latter"):
        assert list(answers(name)) == list(answers("absent"))
    assert arena.refs() == before


LISTS = (
    "/",
    "/models",
    "/datasets",
    "/spaces",
    "/alice",
    "/bob",
    "/lab",
    "/models?search=hidden",
    "/models?tag=hush-hush-model",
    "/models?author=alice",
    "/api/models",
    "/api/datasets?full=true",
    "/api/spaces?linked=true",
    "/api/models?author=alice&sort=downloads&direction=1",
    "/api/models?search=hidden&limit=1",
    "/api/models?filter=hush-hush-model",
    "/api/models-tags-by-type",
    "/api/datasets-tags-by-type",
    "/api/users/alice/overview",
    "/api/organizations/lab/overview",
    "/api/organizations/lab/settings/repositories",
    "/api/settings/repositories",
    "/api/whoami-v2",
    "/api/models/bob/own",
    "/api/models/bob/own/lfs-files",
)


def test_counts_and_lists_do_not_tell_of_a_further_private_repo(arena: Arena):
    def everything() -> dict[tuple[str, str | None], tuple[int, dict[str, str], bytes]]:
        return {
            (target, by): told(arena.ask("GET", target, by=by, headers=[("accept", "text/html,*/*")]), "-")
            for target in LISTS
            for by in STRANGERS
        }

    before = everything()
    own = arena.ask("GET", "/api/models?search=hid", by="alice").json
    arena.hide("alice/hiding", data=b"other private bytes\n" * 100)
    arena.work()
    assert everything() == before
    assert len(arena.ask("GET", "/api/models?search=hid", by="alice").json) == len(own) + 1


def test_a_reader_of_the_organisation_sees_it_and_others_do_not(arena: Arena):
    arena.create("lab/inner", private=True)
    assert arena.ask("GET", "/api/models/lab/inner", by="rea").status == 200
    found, missing = (arena.ask("GET", f"/api/models/lab/{name}", by="bob") for name in ("inner", "outer"))
    assert told(found, "inner") == told(missing, "outer")


def test_signed_links_do_not_tell_whether_their_repo_was_deleted_or_hidden(tmp_path):
    """A link of a repo that is gone answers as one of a repo that the holder may not see any more."""
    with build(tmp_path) as arena:
        links = []
        for name in ("hidden", "absent"):
            api = arena.create(f"alice/{name}")
            oid = arena.upload(api, SECRET)
            arena.commit(api, ("lfsFile", {"path": "m.bin", "algo": "sha256", "oid": oid}))
            asked = {"operation": "download", "objects": [{"oid": sha256(SECRET), "size": len(SECRET)}]}
            answer = arena.ask("POST", f"/alice/{name}.git/info/lfs/objects/batch", by="bob", json=asked)
            links.append(
                re.sub(r"^http://[^/]+", "", answer.json["objects"][0]["actions"]["download"]["href"])
            )
        assert [arena.ask("GET", link).status for link in links] == [200, 200]
        arena.ask("PUT", "/api/models/alice/hidden/settings", by="alice", json={"private": True})
        arena.ask("DELETE", "/api/repos/delete", by="alice", json={"name": "absent"})
        hidden, absent = (arena.ask("GET", link) for link in links)
        assert hidden.status == 403
        assert told(hidden, "-") == told(absent, "-")
