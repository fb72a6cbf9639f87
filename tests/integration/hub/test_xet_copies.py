"""`lfs-files/duplicate`: large files made known to another repo without their bytes."""

import json

import pytest
from sqlalchemy import select

from allmende.storage import mark_verified, metadata
from tests.xet_forge import Store, Xorb, file_of, pieces

ONE, TWO = file_of(Xorb(pieces(1, 2))), file_of(Xorb(pieces(2, 2)))


def named(file, **changes: str) -> dict[str, str]:
    return {"xetHash": file.name, "sha256": file.sha256, "filename": "w.bin", **changes}


@pytest.fixture
def source(hub):
    api = hub.create("alice/source")
    Store.of(hub, api, "alice").upload(ONE, TWO)
    hub.link(api, "one.bin", ONE.data)
    hub.link(api, "two.bin", TWO.data)
    return api


@pytest.fixture
def target(hub):
    return hub.create("bob/target", by="bob")


def copy(
    hub, source: str, *files: dict[str, str], to: str = "bob/target", by: str | None = "bob", kind="model"
):
    body = {"target": {"type": kind, "name": to}, "files": list(files)}
    return hub.post(f"{source}/lfs-files/duplicate", body, by=by)


def commit(hub, api: str, file, by: str = "bob"):
    lines = [
        {"key": "header", "value": {"summary": "copy"}},
        {"key": "lfsFile", "value": {"path": "copied.bin", "algo": "sha256", "oid": file.sha256}},
    ]
    return hub.call("POST", f"{api}/commit/main", content="\n".join(map(json.dumps, lines)), by=by)


def test_a_copy_and_the_commit_that_links_it(hub, source, target):
    answer = copy(hub, source, named(ONE), named(TWO))
    assert (answer.status_code, answer.json()) == (200, {"failed": []})
    assert commit(hub, target, ONE).status_code == 200
    assert hub.get("/bob/target/resolve/main/copied.bin").content == ONE.data
    (item,) = [item for item in hub.get(f"{target}/tree/main").json() if item["path"] == "copied.bin"]
    assert item["xetHash"] == ONE.name
    with hub.services.database.read() as uow:
        outbox = metadata.tables["outbox"]
        rows = uow.all(select(outbox).where(outbox.c.kind == "contents.copied"))
    (row,) = rows
    assert sorted(row.payload["files"]) == sorted([[ONE.sha256, "w.bin"], [TWO.sha256, "w.bin"]])


def test_each_file_that_fails_is_named_and_the_others_are_not(hub, source, target):
    wrong = [
        named(ONE, xetHash=TWO.name),
        named(TWO, xetHash="ab" * 32),
        named(file_of(Xorb(pieces(3, 1)))),
    ]
    for each in wrong:
        failed = copy(hub, source, each).json()["failed"]
        assert [item["sha256"] for item in failed] == [each["sha256"]]
        assert failed[0]["error"] == "The repo holds no such file."
    mixed = copy(hub, source, named(ONE), named(TWO, xetHash="ab" * 32)).json()["failed"]
    assert [item["sha256"] for item in mixed] == [TWO.sha256]


@pytest.mark.parametrize("text", ["", "x", "AB" * 32, "ab" * 33, "é"])
def test_what_is_no_hash_fails_like_what_is_not_there(hub, source, target, text):
    failed = copy(hub, source, named(ONE, xetHash=text)).json()["failed"]
    assert [item["error"] for item in failed] == ["The repo holds no such file."]
    if len(text) <= 64:
        assert copy(hub, source, named(ONE, sha256=text)).json()["failed"][0]["sha256"] == text


def test_a_damaged_file_is_not_copied(hub, source, target):
    with hub.services.database.write() as uow:
        mark_verified(uow, ONE.sha256, damage="The bytes are wrong.")
    (failed,) = copy(hub, source, named(ONE)).json()["failed"]
    assert "damaged" in failed["error"]


def test_who_may_not(hub, source, target, says):
    says(copy(hub, source, named(ONE), by=None), 401, "sign_in_required")
    hub.token("bob", "read", "bob-reads")
    says(copy(hub, source, named(ONE), by="bob-reads"), 403, "token_scope")
    hub.call("PUT", f"{source}/settings", json={"gated": "manual"}, by="alice")
    says(copy(hub, source, named(ONE)), 403, "GatedRepo")
    hub.call("PUT", f"{source}/settings", json={"gated": False, "private": True}, by="alice")
    says(copy(hub, source, named(ONE)), 404, "RepoNotFound")
    says(copy(hub, "/api/models/alice/absent", named(ONE)), 404, "RepoNotFound")


def test_where_to(hub, source, target, says):
    says(copy(hub, source, named(ONE), to="bob/absent"), 404, "RepoNotFound")
    says(copy(hub, source, named(ONE), kind="dataset"), 404, "RepoNotFound")
    says(copy(hub, source, named(ONE), kind="bucket"), 400, "type_unknown")
    hub.create("alice/shut", private=True)
    says(copy(hub, source, named(ONE), to="alice/shut"), 404, "RepoNotFound")
    # Into a public repo of another: he may propose there, and the commit says whether he may.
    answer = copy(hub, source, named(ONE), to="alice/source")
    assert answer.status_code == 200
    says(commit(hub, source, ONE), 403, "access_denied")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"target": {"type": "model", "name": "bob/target"}},
        {"target": "bob/target", "files": []},
        {"target": {"type": "model", "name": "bob/target"}, "files": [{}]},
        {"target": {"type": "model", "name": "bob/target"}, "files": [named(ONE)] * 1001},
        {"target": {"type": "model", "name": "bob/target"}, "files": [named(ONE, sha256="a" * 65)]},
        {"target": {"type": "model", "name": "bob/target"}, "files": [named(ONE, filename="a" * 4097)]},
    ],
)
def test_malformed_bodies(hub, source, target, says, body):
    says(hub.post(f"{source}/lfs-files/duplicate", body, by="bob"), 400, "body_invalid")


def test_a_copy_alone_links_nothing(hub, source, target, says):
    assert copy(hub, source, named(ONE)).status_code == 200
    says(hub.get("/bob/target/resolve/main/copied.bin"), 404, "EntryNotFound")
    hub.call("PUT", f"{source}/settings", json={"private": True}, by="alice")
    says(commit(hub, target, ONE), 400, "content_not_uploaded")
