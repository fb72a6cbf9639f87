"""What the scan stopped leaves the hub by no door: every route is asked by those who may not have it.

The stopped files hold a mark far behind what a finding may quote; no answer may hold it.
"""

import json
from collections.abc import Iterator

import pytest

from tests.attack.arena import Arena, build, formed, sha256
from tests.attack.route_table import cases, routes_of
from tests.xet_forge import Store, Xorb, file_of, local

MARK = b"these words must not leave the hub"
FILLER = b"x" * 400
BAD = b"cos\nsystem\n(S'" + FILLER + MARK + b"'\ntR."
TEXT_OF_BAD = BAD.decode("ascii")
LARGE = file_of(Xorb((BAD.replace(MARK, MARK * 300),)))
SECRETS = "AKIA" + "IOSFODNN7QRTXMPL"
STRANGERS = (None, "bob", "bob-reads", "rea")
UNSAFE = ("x-allmende-allow-unsafe", "1")


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with build(tmp_path_factory.mktemp("doors")) as built:
        for of_type in ("model", "dataset", "space"):
            api = built.create("alice/hidden", of_type=of_type)
            oid = built.upload(api, BAD)
            done = built.commit(
                api,
                ("file", {"path": "config.json", "content": TEXT_OF_BAD}),
                ("file", {"path": "README.md", "content": TEXT_OF_BAD}),
                ("file", {"path": "good.txt", "content": "nothing to fear"}),
                ("lfsFile", {"path": "large.bin", "algo": "sha256", "oid": oid}),
            )
            assert done.status == 200, done
            for part in ("branch/side", "tag/main"):
                assert built.ask("POST", f"{api}/{part}", by="alice", json={"tag": "v1"}).status == 200
        built.create("bob/own", by="bob")
        built.work()
        yield built
        built.services.close()


def test_the_files_are_stopped_and_their_owner_has_them(arena: Arena) -> None:
    """Without this the tests below would also hold for a hub that gives nothing to anybody."""
    for path in ("config.json", "README.md", "large.bin"):
        assert arena.ask("GET", f"/alice/hidden/resolve/main/{path}").code == "file_blocked"
        owned = arena.ask("GET", f"/alice/hidden/resolve/main/{path}", by="alice", headers=[UNSAFE])
        assert owned.body == BAD
    assert arena.ask("GET", "/alice/hidden/resolve/main/good.txt").status == 200


@pytest.mark.parametrize("by", STRANGERS, ids=str)
def test_no_route_gives_the_bytes(arena: Arena, by: str | None) -> None:
    asked = 0
    given = {"oid": sha256(BAD)}
    for route in routes_of(arena.app):
        for path in ("config.json", "README.md", "large.bin"):
            for case in cases(route, {**given, "path": path}, thorough=by in (None, "bob")):
                if case.method not in ("GET", "POST", "HEAD") or case.pattern.endswith("/repos/delete"):
                    continue
                for accept in ("*/*", "text/html"):
                    headers = [("accept", accept), UNSAFE]
                    if case.kind:
                        headers.append(("content-type", case.kind))
                    answer = arena.ask(
                        case.method,
                        f"{case.target}?allow_unsafe=true",
                        by=by,
                        headers=headers,
                        body=case.body,
                    )
                    formed(answer)
                    assert MARK not in answer.body, case
                    asked += 1
    assert asked > 300


@pytest.mark.parametrize("by", [None, "bob", "alice"], ids=str)
def test_the_large_file_store_gives_no_link(arena: Arena, by: str | None) -> None:
    asked = {"operation": "download", "objects": [{"oid": sha256(BAD), "size": len(BAD)}]}
    answer = arena.ask("POST", "/alice/hidden.git/info/lfs/objects/batch", by=by, json=asked)
    (told,) = answer.json["objects"]
    assert told["error"]["code"] == 403
    assert "actions" not in told


def test_the_xet_store_gives_neither_terms_nor_xorbs(tmp_path) -> None:
    with build(tmp_path) as arena:
        api = arena.create("alice/xet")
        store = Store.of(arena, api, "alice")
        store.upload(LARGE)
        link = ("lfsFile", {"path": "w.bin", "algo": "sha256", "oid": LARGE.sha256})
        assert arena.commit(api, link).status == 200
        reader = Store.of(arena, api, "bob")
        before = reader.reconstruct(LARGE.name)
        assert before.status == 200, "not examined yet"
        (info,) = next(iter(before.json["fetch_info"].values()))
        arena.work()
        for version in (1, 2):
            for who in (reader, store):
                assert who.reconstruct(LARGE.name, version=version).code == "file_blocked"
        fetched = arena.ask("GET", local(info["url"]))
        assert (fetched.status, fetched.code) == (403, "file_blocked")
        head = arena.ask("HEAD", "/alice/xet/resolve/main/w.bin", by="bob")
        assert head.status == 200, "asked after, so that clients go on and hear why it is refused"
        assert "x-xet-hash" not in head.headers
        listed = arena.ask("GET", f"{api}/tree/main", by="bob").json
        assert all("xetHash" not in item for item in listed if item["path"] == "w.bin")
        arena.services.close()


def test_copying_does_not_launder(tmp_path) -> None:
    """By a commit that links the bytes elsewhere, by a duplicate, under a new name."""
    with build(tmp_path) as arena:
        api = arena.create("alice/source")
        oid = arena.upload(api, BAD)
        link = ("lfsFile", {"path": "w.bin", "algo": "sha256", "oid": oid})
        assert arena.commit(api, link).status == 200
        arena.work()
        target = arena.create("bob/target", by="bob")
        linked = ("lfsFile", {"path": "innocent.txt", "algo": "sha256", "oid": oid})
        assert arena.commit(target, linked, by="bob").status == 200
        done = arena.ask("POST", f"{api}/duplicate", by="bob", json={"repository": "bob/copy"})
        assert done.status == 200
        for address in ("/bob/target/resolve/main/innocent.txt", "/bob/copy/resolve/main/w.bin"):
            assert arena.ask("GET", address, by="rea").code == "file_blocked"
        arena.work()
        for address in ("/bob/target/resolve/main/innocent.txt", "/bob/copy/resolve/main/w.bin"):
            assert arena.ask("GET", address, by="rea").code == "file_blocked"
        arena.services.close()


def test_a_verdict_of_a_private_repo_is_told_nowhere_else(tmp_path) -> None:
    """Harmless bytes that only a private repo holds: nobody hears by an answer that they were examined."""
    with build(tmp_path) as arena:
        arena.hide("alice/hidden", data=b"harmless private bytes " * 100)
        arena.work()
        told = []
        for name, data in (
            ("same", b"harmless private bytes " * 100),
            ("other", b"harmless others bytes " * 100),
        ):
            api = arena.create(f"bob/{name}", by="bob")
            oid = arena.upload(api, data, by="bob")
            link = ("lfsFile", {"path": "w.bin", "algo": "sha256", "oid": oid})
            assert arena.commit(api, link, by="bob").status == 200
            listed = arena.ask("GET", f"{api}/tree/main?expand=true", by="bob").json
            report = arena.ask("GET", f"/api/allmende/v1/models/bob/{name}/scan/main", by="bob").json
            info = arena.ask("GET", f"{api}?securityStatus=true", by="bob").json
            head = arena.ask("HEAD", f"/bob/{name}/resolve/main/w.bin", by="bob")
            (item,) = [item for item in listed if item["path"] == "w.bin"]
            told.append(
                json.dumps(
                    [
                        item["securityFileStatus"],
                        report["status"],
                        report["files"],
                        report["counts"],
                        info["securityRepoStatus"],
                        head.headers.get("x-hf-warning"),
                    ]
                )
            )
        assert told[0] == told[1]
        arena.services.close()
