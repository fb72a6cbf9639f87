"""Where a caller's Xet store is, and what the token for it allows."""

from dataclasses import replace

import pytest

from tests.xet_forge import Store, Xorb, file_of, local, pieces

XORB = Xorb(pieces(1, 3))
FILE = file_of(XORB)


@pytest.fixture
def repo(hub):
    return hub.create("alice/mm")


def test_body_and_headers_agree(hub, repo, clock):
    for kind in ("read", "write"):
        answer = hub.get(f"{repo}/xet-{kind}-token/main", by="alice")
        told = answer.json()
        assert answer.headers["x-xet-cas-url"] == told["casUrl"]
        assert answer.headers["x-xet-access-token"] == told["accessToken"]
        assert answer.headers["x-xet-token-expiration"] == str(told["exp"])
        assert told["exp"] - clock().timestamp() == hub.services.settings.xet_token_ttl_s
        assert answer.headers["cache-control"] == "no-store"
        assert told["casUrl"].startswith("http://testserver/xet/")


def test_every_type_of_repo_has_a_store(hub):
    for kind in ("model", "dataset", "space"):
        api = hub.create("alice/dd", type=kind, **({"sdk": "static"} if kind == "space" else {}))
        Store.of(hub, api, "alice").upload(FILE)


def test_a_stranger_reads_a_public_repo(hub, repo, says):
    told = hub.get(f"{repo}/xet-read-token/main").json()
    assert local(told["casUrl"]).endswith("/public")
    says(hub.get(f"{repo}/xet-write-token/main"), 401, "sign_in_required")


def test_a_private_repo_looks_missing(hub, says):
    hub.create("alice/shut", private=True)
    for kind in ("read", "write"):
        for by in (None, "bob"):
            shut, missing = (
                hub.get(f"/api/models/alice/{name}/xet-{kind}-token/main", by=by)
                for name in ("shut", "missing")
            )
            says(shut, 404, "RepoNotFound")
            assert shut.json() == missing.json()


def test_a_gated_repo_keeps_its_files(hub, repo, says):
    hub.call("PUT", f"{repo}/settings", json={"gated": "manual"}, by="alice")
    for kind in ("read", "write"):
        says(hub.get(f"{repo}/xet-{kind}-token/main"), 401, "GatedRepo")
        says(hub.get(f"{repo}/xet-{kind}-token/main", by="bob"), 403, "GatedRepo")


def test_reading_needs_a_revision_and_writing_does_not(hub, repo, says):
    says(hub.get(f"{repo}/xet-read-token/absent", by="alice"), 404, "RevisionNotFound")
    assert hub.get(f"{repo}/xet-read-token/refs%2Fheads%2Fmain").status_code == 200
    for revision in ("absent", "None", "refs%2Fpr%2F1"):
        assert hub.get(f"{repo}/xet-write-token/{revision}", by="alice").status_code == 200


def test_a_reader_of_a_public_repo_uploads_for_a_pull_request(hub, repo, says):
    hub.token("bob", "read", "bob-reads")
    says(hub.get(f"{repo}/xet-write-token/main", by="bob-reads"), 403, "access_denied")
    store = Store.of(hub, repo, "bob", revision="None?create_pr=1")
    store.upload(FILE)
    lines = (
        '{"key":"header","value":{"summary":"s"}}\n{"key":"lfsFile","value":'
        f'{{"path":"w.bin","algo":"sha256","oid":"{FILE.sha256}"}}}}'
    )
    says(hub.call("POST", f"{repo}/commit/main", content=lines, by="bob"), 403, "access_denied")
    done = hub.call("POST", f"{repo}/commit/main?create_pr=1", content=lines, by="bob")
    assert done.status_code == 200, done.text
    assert hub.get("/alice/mm/resolve/refs%2Fpr%2F1/w.bin").content == FILE.data


def test_a_token_for_reading_does_not_write(hub, repo, says):
    store = Store.of(hub, repo, "alice", write=False)
    for answer in (
        store.put_xorb(XORB),
        store.put_shard(b""),
        store.put_shard(b"", 2),
        store.call("GET", f"/v1/chunks/default/{'0' * 64}"),
    ):
        assert (answer.status, answer.code) == (403, "xet_token_scope")


def test_the_store_of_each_account_is_elsewhere(hub, repo):
    stores = {by: Store.of(hub, repo, by, write=False).address for by in (None, "alice", "bob", "rea")}
    assert len(set(stores.values())) == 4
    second = hub.create("alice/second")
    assert Store.of(hub, second, "alice").address == stores["alice"]
    assert all("alice" not in address for address in stores.values())


def test_xet_reads_are_switched_off_for_a_repo(hub, repo, says):
    Store.of(hub, repo, "alice").upload(FILE)
    hub.link(repo, "w.bin", FILE.data)
    page = f"{repo}/tree/main"
    assert "xetHash" in hub.get(page).json()[-1]
    assert (
        hub.call("PUT", f"{repo}/settings", json={"xetReads": False}, by="alice").json()["xetReads"] is False
    )
    says(hub.get(f"{repo}/xet-read-token/main", by="alice"), 501, "not_offered")
    assert "xetHash" not in hub.get(page).json()[-1]
    head = hub.call("HEAD", "/alice/mm/resolve/main/w.bin")
    assert "x-xet-hash" not in head.headers
    assert "link" not in head.headers
    assert hub.get("/alice/mm/resolve/main/w.bin").content == FILE.data
    assert hub.get(f"{repo}/xet-write-token/main", by="alice").status_code == 200


def test_xet_reads_are_switched_off_for_a_hub(hub, repo, says, served):
    Store.of(hub, repo, "alice").upload(FILE)
    hub.link(repo, "w.bin", FILE.data)
    settings = hub.services.settings.model_copy(update={"xet_reads": False})
    with served(replace(hub.services, settings=settings)) as other:
        says(other.get(f"{repo}/xet-read-token/main", by="alice"), 501, "not_offered")
        assert "xetHash" not in other.get(f"{repo}/tree/main").json()[-1]
        assert "x-xet-hash" not in other.call("HEAD", "/alice/mm/resolve/main/w.bin").headers
        Store.of(other, repo, "alice").upload(FILE)


def test_a_request_without_a_token_of_the_store(hub, repo, says):
    store = Store.of(hub, repo, "alice")
    for value in ("", "Bearer", "Bearer x.y", "Bearer token-of-alice", f"Basic {store.token}"):
        answer = hub.call("POST", f"{store.address}/v1/shards", headers={"authorization": value})
        says(answer, 401, "xet_token_invalid")
    says(hub.call("POST", f"{store.address}/v1/shards"), 401, "xet_token_invalid")


def test_a_token_holds_at_its_own_address(hub, repo):
    store = Store.of(hub, repo, "alice")
    epoch, scope = store.address.removeprefix("/xet/").split("/")
    for address in (f"/xet/{epoch}/public", f"/xet/000000000000/{scope}", f"/xet/{scope}/{epoch}"):
        elsewhere = Store(store.ask, address, store.token)
        answer = elsewhere.put_xorb(XORB)
        assert (answer.status, answer.code) == (401, "xet_token_invalid")
