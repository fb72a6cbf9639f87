"""Files that the scan stopped: at every door, for everybody, and for those who may have them."""

from dataclasses import replace

import pytest

from allmende.flows.worker import handlers
from allmende.http import header_text
from allmende.jobs import JobContext
from allmende.registry import LinkContent
from tests import scan_samples as samples
from tests.integration.hub.conftest import Hub

UNSAFE = {"X-Allmende-Allow-Unsafe": "1"}
FILES = {
    "bad.pkl": samples.BLOCKED,
    "broken.pkl": samples.QUARANTINED,
    "odd.pkl": samples.WARNED,
    "good.pkl": samples.CLEAN,
    "README.md": b"# A model\n",
}


def work(hub: Hub) -> None:
    """Do every job that waits."""
    kinds = handlers(hub.services)
    while (job := hub.services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
        kinds[job.kind](JobContext(hub.services.queue, job))
        assert hub.services.queue.finish(job)


def both(hub: Hub, address: str, **more):
    """GET and HEAD, which say the same; but what is refused can be asked after, so that clients hear why."""
    got, head = hub.get(address, **more), hub.call("HEAD", address, **more)
    stopped = got.headers.get("x-error-code") in ("file_blocked", "file_quarantined", "file_holds_secret")
    if stopped and "/resolve/" in address:
        assert head.status_code in (200, 206)
        assert got.headers["x-error-message"].split(". ")[0] in head.headers["x-hf-warning"]
        assert "x-xet-hash" not in head.headers
        assert head.content == b""
        return got
    assert got.status_code == head.status_code
    assert got.headers.get("x-error-code") == head.headers.get("x-error-code")
    assert got.headers.get("x-hf-warning") == head.headers.get("x-hf-warning")
    return got


@pytest.fixture
def api(hub: Hub) -> str:
    """A repo of alice with small files of every kind, examined."""
    api = hub.create("alice/mixed")
    hub.commit(api, FILES)
    work(hub)
    return api


@pytest.mark.parametrize(("path", "code"), [("bad.pkl", "file_blocked"), ("broken.pkl", "file_quarantined")])
@pytest.mark.parametrize("door", ["resolve", "raw"])
@pytest.mark.parametrize("by", [None, "bob", "alice"])
def test_a_stopped_file_is_given_to_nobody_by_accident(hub, api, says, path, code, door, by) -> None:
    for headers in ({}, {"Range": "bytes=0-3"}):
        answer = both(hub, f"/alice/mixed/{door}/main/{path}", by=by, headers=headers)
        says(answer, 403, code)
        assert path in answer.headers["x-error-message"]
        assert FILES[path] not in answer.content
        assert ("allow_unsafe=true" in answer.headers["x-error-message"]) == (by == "alice")
        assert ("ignore_patterns" in answer.headers["x-error-message"]) == (by != "alice")


def test_the_reason_names_the_rule(hub, api) -> None:
    message = hub.get("/alice/mixed/resolve/main/bad.pkl").headers["x-error-message"]
    assert "imports what no checkpoint needs (pickle-refused-global)" in message


@pytest.mark.parametrize("ask", ["header", "query"])
def test_those_who_may_write_have_it_if_they_ask(hub, api, says, ask) -> None:
    query, headers = ("?allow_unsafe=true", {}) if ask == "query" else ("", UNSAFE)
    for door in ("resolve", "raw"):
        address = f"/alice/mixed/{door}/main/bad.pkl{query}"
        answer = both(hub, address, by="alice", headers=headers)
        assert answer.content == samples.BLOCKED
        assert answer.headers["x-hf-warning"].startswith("unsafe; ")
        for other in ("bob", None):
            says(both(hub, address, by=other, headers=headers), 403, "file_blocked")


def test_a_reader_of_the_organisation_does_not_have_it(hub, says) -> None:
    api = hub.create("lab/mixed")
    hub.commit(api, FILES)
    work(hub)
    says(both(hub, "/lab/mixed/resolve/main/bad.pkl", by="rea", headers=UNSAFE), 403, "file_blocked")
    assert both(hub, "/lab/mixed/resolve/main/bad.pkl", by="alice", headers=UNSAFE).status_code == 200


def test_a_token_that_only_reads_is_enough_for_the_owner(hub, api) -> None:
    hub.token("alice", "read", "alice-reads")
    answer = both(hub, "/alice/mixed/resolve/main/bad.pkl", by="alice-reads", headers=UNSAFE)
    assert answer.content == samples.BLOCKED


def test_an_auditor_has_it_if_they_ask(hub, api, says, served) -> None:
    settings = hub.services.settings.model_copy(update={"auditors": "Bob, nobody"})
    with served(replace(hub.services, settings=settings)) as audited:
        answer = both(audited, "/alice/mixed/resolve/main/bad.pkl", by="bob", headers=UNSAFE)
        assert answer.content == samples.BLOCKED
        says(both(audited, "/alice/mixed/resolve/main/bad.pkl", by="bob"), 403, "file_blocked")
        says(
            both(audited, "/alice/mixed/resolve/main/bad.pkl", by="rea", headers=UNSAFE), 403, "file_blocked"
        )


def test_an_auditor_sees_no_private_repo(hub, says, served) -> None:
    api = hub.create("alice/inner", private=True)
    hub.commit(api, FILES)
    work(hub)
    settings = hub.services.settings.model_copy(update={"auditors": "bob"})
    with served(replace(hub.services, settings=settings)) as audited:
        says(
            both(audited, "/alice/inner/resolve/main/bad.pkl", by="bob", headers=UNSAFE), 404, "RepoNotFound"
        )


def test_harmless_files_of_the_repo_are_served_as_ever(hub, api) -> None:
    answer = both(hub, "/alice/mixed/resolve/main/good.pkl")
    assert answer.content == samples.CLEAN
    assert "x-hf-warning" not in answer.headers
    warned = both(hub, "/alice/mixed/resolve/main/odd.pkl")
    assert warned.content == samples.WARNED
    assert warned.headers["x-hf-warning"] == (
        "scan; 'odd.pkl': needs a class from outside (pickle-unknown-class)."
    )


def test_a_large_file_is_stopped_under_every_name_of_its_bytes(hub, says) -> None:
    api = hub.create("alice/large")
    sha256 = hub.link(api, "weights.bin", samples.BLOCKED)
    work(hub)
    address = "/alice/large/resolve/main/weights.bin"
    says(both(hub, address), 403, "file_blocked")
    raw = both(hub, "/alice/large/raw/main/weights.bin")
    assert raw.status_code == 200
    assert sha256 in raw.text, "the pointer is harmless"
    owned = both(hub, address, by="alice", headers=UNSAFE)
    assert owned.content == samples.BLOCKED
    assert "x-xet-hash" not in owned.headers


def test_a_verdict_counts_at_once_in_every_repo_and_under_every_name(hub, api, says) -> None:
    copy = hub.create("bob/copy", by="bob")
    hub.commit(copy, {"other-name.dat": samples.BLOCKED, "bad.pkl": samples.BLOCKED}, by="bob")
    for path in ("other-name.dat", "bad.pkl"):
        says(both(hub, f"/bob/copy/resolve/main/{path}"), 403, "file_blocked")
    work(hub)
    for path in ("other-name.dat", "bad.pkl"):
        says(both(hub, f"/bob/copy/resolve/main/{path}"), 403, "file_blocked")


def test_a_duplicate_is_stopped_too(hub, api, says) -> None:
    answer = hub.post(f"{api}/duplicate", {"repository": "bob/taken"}, by="bob")
    assert answer.status_code == 200, answer.text
    says(both(hub, "/bob/taken/resolve/main/bad.pkl"), 403, "file_blocked")
    assert both(hub, "/bob/taken/resolve/main/good.pkl").status_code == 200


def test_the_large_file_batch_gives_no_link(hub, says) -> None:
    api = hub.create("alice/large")
    bad, good = hub.link(api, "weights.bin", samples.BLOCKED), hub.link(api, "good.bin", samples.CLEAN)
    work(hub)
    asked = {
        "operation": "download",
        "objects": [
            {"oid": bad, "size": len(samples.BLOCKED)},
            {"oid": good, "size": len(samples.CLEAN)},
        ],
    }
    batch = "/alice/large.git/info/lfs/objects/batch"
    stopped, given = hub.post(batch, asked, by="bob").json()["objects"]
    assert stopped["error"]["code"] == 403
    assert "weights.bin" in stopped["error"]["message"]
    assert "actions" not in stopped
    assert hub.get(given["actions"]["download"]["href"]).content == samples.CLEAN
    owned = hub.post(batch, asked, by="alice", headers=UNSAFE).json()["objects"][0]
    href = owned["actions"]["download"]["href"]
    assert hub.get(href).content == samples.BLOCKED
    assert hub.post(batch, asked, by="bob", headers=UNSAFE).json()["objects"][0]["error"]["code"] == 403


def test_a_link_that_was_handed_out_before_the_verdict_gives_nothing_after_it(hub, says) -> None:
    api = hub.create("alice/large")
    bad = hub.link(api, "weights.bin", samples.BLOCKED)
    asked = {"operation": "download", "objects": [{"oid": bad, "size": len(samples.BLOCKED)}]}
    (given,) = hub.post("/alice/large.git/info/lfs/objects/batch", asked, by="bob").json()["objects"]
    href = given["actions"]["download"]["href"]
    assert hub.get(href).status_code == 200
    work(hub)
    says(hub.get(href), 403, "file_blocked")


def test_a_name_in_another_repo_does_not_stop_a_large_file(hub) -> None:
    """Only the names in one's own repo count: else anybody could stop what others publish."""
    unknown = b"\x01\x02 a format that nobody knows " * 10
    api = hub.create("alice/large")
    oid = hub.link(api, "notes.xyz", unknown)
    work(hub)
    evil = hub.create("bob/evil", by="bob")
    hub.link(evil, "notes.pkl", unknown, by="bob")
    work(hub)
    assert hub.get("/bob/evil/resolve/main/notes.pkl").status_code == 403
    asked = {"operation": "download", "objects": [{"oid": oid, "size": len(unknown)}]}
    (given,) = hub.post("/alice/large.git/info/lfs/objects/batch", asked).json()["objects"]
    assert hub.get(given["actions"]["download"]["href"]).content == unknown
    assert hub.get("/alice/large/resolve/main/notes.xyz").content == unknown


def test_strict_serving_waits_for_the_examination(hub, says, served) -> None:
    settings = hub.services.settings.model_copy(update={"strict_serving": True})
    with served(replace(hub.services, settings=settings)) as strict:
        api = strict.create("alice/strict")
        strict.commit(api, {"good.pkl": samples.CLEAN})
        oid = strict.link(api, "good.bin", samples.CLEAN + b"")
        for path in ("good.pkl", "good.bin"):
            answer = both(strict, f"/alice/strict/resolve/main/{path}")
            says(answer, 503, "file_unexamined")
            assert answer.headers["retry-after"]
        asked = {"operation": "download", "objects": [{"oid": oid, "size": len(samples.CLEAN)}]}
        (waits,) = strict.post("/alice/strict.git/info/lfs/objects/batch", asked).json()["objects"]
        assert waits["error"]["code"] == 503
        work(strict)
        for path in ("good.pkl", "good.bin"):
            assert both(strict, f"/alice/strict/resolve/main/{path}").content == samples.CLEAN


def test_the_policy_decides_what_is_done(hub, api, says, served) -> None:
    policy = "critical=warn,pickle-unknown-class=block,unreadable=none"
    settings = hub.services.settings.model_copy(update={"scan_policy": policy})
    with served(replace(hub.services, settings=settings)) as other:
        assert both(other, "/alice/mixed/resolve/main/bad.pkl").headers["x-hf-warning"].startswith("scan; ")
        says(both(other, "/alice/mixed/resolve/main/odd.pkl"), 403, "file_blocked")
        assert "x-hf-warning" not in both(other, "/alice/mixed/resolve/main/broken.pkl").headers


def test_a_long_path_leaves_room_for_the_reason(hub) -> None:
    api = hub.create("alice/long")
    path = "/".join(["ü" * 60] * 20) + "/bad.pkl"
    hub.commit(api, {path: samples.BLOCKED})
    work(hub)
    answer = both(hub, f"/alice/long/resolve/main/{path}")
    assert "pickle-refused-global" in answer.headers["x-error-message"]
    assert header_text(answer.headers["x-error-message"]) == answer.headers["x-error-message"]


class TestSecrets:
    """Files with secrets in them are for those who may write the repo."""

    @pytest.fixture
    def api(self, hub: Hub) -> str:
        api = hub.create("alice/keys")
        hub.commit(api, {"keys.env": samples.SECRET, "plain.txt": b"nothing\n"})
        hub.link(api, "large.txt", samples.SECRET * 2)
        work(hub)
        return api

    @pytest.mark.parametrize("path", ["keys.env", "large.txt"])
    def test_they_are_held_back_from_the_public(self, hub, api, says, path) -> None:
        for by in (None, "bob", "rea"):
            answer = both(hub, f"/alice/keys/resolve/main/{path}", by=by, headers=UNSAFE)
            says(answer, 403, "file_holds_secret")
            assert "AKIA" not in answer.headers["x-error-message"]
        owned = both(hub, f"/alice/keys/resolve/main/{path}", by="alice")
        assert owned.content.startswith(samples.SECRET)
        assert owned.headers["x-hf-warning"].startswith("secret; ")
        assert both(hub, "/alice/keys/resolve/main/plain.txt").status_code == 200

    def test_the_operator_may_show_them(self, hub, api, served) -> None:
        settings = hub.services.settings.model_copy(update={"hold_back_secrets": False})
        with served(replace(hub.services, settings=settings)) as open_hub:
            answer = both(open_hub, "/alice/keys/resolve/main/keys.env")
            assert answer.content == samples.SECRET
            assert answer.headers["x-hf-warning"].startswith("secret; ")

    def test_a_duplicate_shows_them_to_nobody_else(self, hub, api, says) -> None:
        assert hub.post(f"{api}/duplicate", {"repository": "bob/copy"}, by="bob").status_code == 200
        work(hub)
        assert hub.post("/api/models/bob/copy/duplicate", {"repository": "bob/again"}, by="bob").is_success
        work(hub)
        for name in ("copy", "again"):
            for path in ("keys.env", "large.txt"):
                for by in (None, "bob"):
                    answer = both(hub, f"/bob/{name}/resolve/main/{path}", by=by, headers=UNSAFE)
                    says(answer, 403, "file_holds_secret")

    def test_the_owners_own_duplicate_is_the_owners(self, hub, api) -> None:
        assert hub.post(f"{api}/duplicate", {"repository": "alice/copy"}, by="alice").status_code == 200
        work(hub)
        for path in ("keys.env", "large.txt"):
            assert both(hub, f"/alice/copy/resolve/main/{path}", by="alice").status_code == 200

    def test_a_link_shows_them_to_nobody_else(self, hub, api, says) -> None:
        """Their SHA-256 stands in every listing, and whoever may read the repo may link them."""
        oid = next(
            item["lfs"]["oid"] for item in hub.get(f"{api}/tree/main").json() if item["path"] == "large.txt"
        )
        own = hub.create("bob/own", by="bob")
        size = len(samples.SECRET * 2)
        hub.submit(own, [LinkContent("mine.txt", oid, size)], "bob", "take", "main")
        work(hub)
        says(both(hub, "/bob/own/resolve/main/mine.txt", by="bob", headers=UNSAFE), 403, "file_holds_secret")
        batch = {"operation": "download", "objects": [{"oid": oid, "size": size}]}
        (told,) = hub.post("/bob/own.git/info/lfs/objects/batch", batch, by="bob").json()["objects"]
        assert told["error"]["code"] == 403
        hub.link(own, "mine.txt", samples.SECRET * 2, by="bob")
        assert both(hub, "/bob/own/resolve/main/mine.txt", by="bob").status_code == 200, "uploaded: had it"


def test_a_copy_of_a_blocked_file_is_not_the_copiers(hub, api, says) -> None:
    assert hub.post(f"{api}/duplicate", {"repository": "bob/copy"}, by="bob").status_code == 200
    work(hub)
    says(both(hub, "/bob/copy/resolve/main/bad.pkl", by="bob", headers=UNSAFE), 403, "file_blocked")
    hub.commit("/api/models/bob/copy", {"own.pkl": samples.BLOCKED + b"own"}, by="bob")
    work(hub)
    assert both(hub, "/bob/copy/resolve/main/own.pkl", by="bob", headers=UNSAFE).status_code == 200
