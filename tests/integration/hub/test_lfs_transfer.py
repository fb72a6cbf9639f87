import asyncio
import errno
import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from allmende.ids import Sha256
from allmende.registry import (
    account_by_id,
    delete_repo,
    find_account,
    local_operator,
    lookup_repo,
    remove_member,
    revoke_token,
    set_member,
    update_repo,
)
from allmende.settings import Settings
from allmende.storage import LinkSigner, find_content, find_contents, possessed

DATA = os.urandom(300_001)
OID = Sha256(hashlib.sha256(DATA).hexdigest())
DATA_BYTES = len(DATA)
PART = 1024 * 1024
LARGE = os.urandom(2 * PART + 5)
LARGE_OID = Sha256(hashlib.sha256(LARGE).hexdigest())


def account(uow, name):
    found = find_account(uow, name)
    assert found is not None
    return found


@pytest.fixture
def api(hub):
    return hub.create("alice/mm")


def actions(hub, oid=OID, size=DATA_BYTES, *, by="alice", repo="alice/mm", operation="upload"):
    transfers = ["basic", "multipart"] if size < 2**30 else ["basic"]
    body = {"operation": operation, "objects": [{"oid": oid, "size": size}], "transfers": transfers}
    answer = hub.post(f"/{repo}.git/info/lfs/objects/batch", body, by=by)
    assert answer.status_code == 200, answer.text
    return answer.json()["objects"][0]["actions"]


def upload_address(hub, **more):
    return actions(hub, **more)["upload"]["href"]


def put(hub, address, data):
    """As stock clients send it: without any header of their own."""
    return hub.call("PUT", address, content=data)


def incoming(hub):
    return list((hub.services.contents.root / "incoming").iterdir())


def holds_nothing(hub, oid=OID):
    with hub.services.database.read() as uow:
        assert find_contents(uow, [oid]) == {}
    assert incoming(hub) == []


def owners(hub, oid=OID):
    with hub.services.database.read() as uow:
        return {
            name for name in ("alice", "bob", "rea") if possessed(uow, account(uow, name).id, [oid]) == {oid}
        }


def test_an_upload(hub, api):
    told = actions(hub)
    answer = put(hub, told["upload"]["href"], DATA)
    assert (answer.status_code, answer.headers["etag"]) == (200, f'"{OID}"')
    verified = hub.post(told["verify"]["href"], {"oid": OID, "size": len(DATA)}, by="alice")
    assert verified.status_code == 200
    with hub.services.database.read() as uow:
        content = find_content(uow, OID)
    assert content is not None
    assert hub.services.contents.locate(content.location).path.read_bytes() == DATA
    assert owners(hub) == {"alice"}
    assert incoming(hub) == []


def test_a_repeat_is_harmless_and_still_needs_every_byte(hub, says, api):
    address = upload_address(hub)
    assert put(hub, address, DATA).status_code == 200
    assert put(hub, address, DATA).status_code == 200
    says(put(hub, address, DATA[:-1]), 400, "size_mismatch")
    says(put(hub, address, b""), 400, "size_mismatch")
    assert owners(hub) == {"alice"}


def test_a_link_for_known_private_bytes_gives_no_possession_without_them(hub, says, api):
    secret = hub.create("bob/secret", by="bob", private=True)
    hub.link(secret, "m.bin", DATA, by="bob")
    says(put(hub, upload_address(hub), b"x" * len(DATA)), 400, "hash_mismatch")
    assert owners(hub) == {"bob"}
    assert put(hub, upload_address(hub), DATA).status_code == 200
    assert owners(hub) == {"alice", "bob"}


@pytest.mark.parametrize(
    ("sent", "code"),
    [(DATA[:-1] + b"?", "hash_mismatch"), (DATA[:-1], "size_mismatch"), (DATA + b"x", "size_mismatch")],
)
@pytest.mark.parametrize("declared", [True, False])
def test_wrong_bytes_leave_nothing(hub, says, api, sent, code, declared):
    pieces = [sent[at : at + 65_536] for at in range(0, len(sent), 65_536)]
    says(put(hub, upload_address(hub), sent if declared else iter(pieces)), 400, code)
    holds_nothing(hub)


def test_ten_gigabytes_declared_and_ten_bytes_sent(hub, says, api):
    address = upload_address(hub, size=10 * 2**30)
    says(put(hub, address, b"0123456789"), 400, "size_mismatch")
    holds_nothing(hub)


@pytest.mark.parametrize("change", ["token", "signature", "path", "none", "purpose", "garbage"])
def test_an_altered_link(hub, says, api, change):
    hub.link(api, "m.bin", LARGE)
    address = upload_address(hub)
    path, _, token = address.partition("?token=")
    body, _, signature = token.partition(".")
    read = actions(hub, LARGE_OID, len(LARGE), operation="download")["download"]["href"]
    altered = {
        "token": f"{path}?token={body[:-2]}AA.{signature}",
        "signature": f"{path}?token={body}.{signature[:-2]}AA",
        "path": f"{path.replace(OID, LARGE_OID)}?token={token}",
        "none": path,
        "purpose": f"{path}?token={read.partition('?token=')[2]}",
        "garbage": f"{path}?token=%00%ff.{'x' * 5000}",
    }[change]
    says(put(hub, altered, DATA), 403, "link_invalid")
    holds_nothing(hub)


def test_an_expired_link(hub, says, api):
    past = LinkSigner(b"k" * 32, lambda: datetime.now(UTC) - timedelta(days=2))
    claims = {"repo_id": 1, "sha256": OID, "size_bytes": len(DATA)}
    for method, purpose in (("PUT", "lfs-upload"), ("GET", "lfs-download")):
        token = past.sign(purpose, claims, 3600)
        says(hub.call(method, f"/lfs/objects/{OID}?token={token}"), 403, "link_expired")
    holds_nothing(hub)


def as_operator(hub, act, name="alice"):
    with hub.services.database.write() as uow:
        act(uow, local_operator(account(uow, name), uow), lookup_repo(uow, "model", "alice/mm"))


def forget_token(uow, actor, _repo):
    revoke_token(uow, account_by_id(uow, actor.account.id), "work")


def make_private(uow, actor, repo):
    update_repo(uow, actor, repo, private=True)


def make_gated(uow, actor, repo):
    update_repo(uow, actor, repo, gated="manual")


@pytest.mark.parametrize(
    ("owner", "act"),
    [("alice", delete_repo), ("alice", forget_token), ("bob", make_private), ("bob", make_gated)],
)
def test_a_link_ends_with_the_right(hub, says, api, owner, act):
    hub.link(api, "m.bin", LARGE)
    write = upload_address(hub, by=owner)
    read = actions(hub, LARGE_OID, len(LARGE), operation="download", by=owner)["download"]["href"]
    assert hub.get(read).status_code == 200
    as_operator(hub, act)
    says(put(hub, write, DATA), 403, "link_invalid")
    says(hub.get(read), 403, "link_invalid")
    says(hub.call("HEAD", read), 403, "link_invalid")
    assert owners(hub) == set()


def test_a_right_that_ends_while_the_bytes_arrive(hub, says, api):
    address = upload_address(hub)

    def body():
        yield DATA[:1000]
        as_operator(hub, forget_token)
        yield DATA[1000:]

    says(put(hub, address, body()), 403, "link_invalid")
    holds_nothing(hub)


def test_a_demoted_member_uploads_no_more(hub, says):
    hub.create("lab/mm")
    with hub.services.database.write() as uow:
        set_member(uow, account(uow, "lab"), account(uow, "rea"), "write")
    hub.token("rea", "write", "reas")
    assert hub.call("PUT", "/api/models/lab/mm/settings", json={"private": True}, by="alice").is_success
    address = upload_address(hub, by="reas", repo="lab/mm")
    with hub.services.database.write() as uow:
        remove_member(uow, account(uow, "lab"), account(uow, "rea"))
    says(put(hub, address, DATA), 403, "link_invalid")


def test_a_full_disk(hub, says, api, monkeypatch):
    real = os.write

    def full(fd, data):
        if len(data) > 100_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data)

    address = upload_address(hub)
    monkeypatch.setattr(os, "write", full)
    says(put(hub, address, DATA), 507, "storage_full")
    monkeypatch.undo()
    holds_nothing(hub)
    assert put(hub, address, DATA).status_code == 200


def put_scope(address):
    """A PUT as the server hands it over, for what no client library does on purpose."""
    path, _, query = address.removeprefix("http://testserver").partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"testserver")],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }


def test_a_client_that_goes_away(hub, api):
    """The server says so by `http.disconnect`; what had arrived is removed."""
    scope = put_scope(upload_address(hub))
    messages = iter(
        [{"type": "http.request", "body": DATA[:100_000], "more_body": True}, {"type": "http.disconnect"}]
    )
    sent = []

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    asyncio.run(hub.client.app(scope, receive, send))
    # Somebody may still listen: a body whose framing is not HTTP's ends in the same way.
    assert sent[0]["status"] == 400
    assert (b"x-error-code", b"body_broken_off") in sent[0]["headers"]
    holds_nothing(hub)


def test_a_slow_sender_is_given_up(hub, says, api, served):
    with served(replace(hub.services, settings=Settings(body_timeout_s=0.05))) as hasty:
        scope = put_scope(upload_address(hasty))
        sent = []

        async def receive():
            await asyncio.sleep(30)

        async def send(message):
            sent.append(message)

        asyncio.run(hasty.client.app(scope, receive, send))
    assert (sent[0]["status"], (b"x-error-code", b"sender_stalled") in sent[0]["headers"]) == (503, True)
    holds_nothing(hub)


def test_download_by_link(hub, api):
    hub.link(api, "m.bin", DATA)
    for by in ("alice", None):
        told = actions(hub, operation="download", by=by)["download"]
        assert told["expires_in"] == hub.services.settings.download_ttl_s
        assert hub.get(told["href"]).content == DATA
        part = hub.get(told["href"], headers={"Range": "bytes=5-9"})
        assert (part.status_code, part.content) == (206, DATA[5:10])
        head = hub.call("HEAD", told["href"])
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(DATA)))
        assert head.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert head.headers["content-disposition"].startswith("attachment; ")


# --- in parts


@pytest.fixture
def in_parts(hub, api, served):
    with served(
        replace(hub.services, settings=Settings(multipart_threshold_bytes=1000, multipart_part_bytes=PART))
    ) as low:
        yield low


def parts_of(upload):
    return [upload["header"][str(n)] for n in range(1, len(upload["header"]))]


def send_parts(hub, upload, data=LARGE):
    etags = []
    for number, address in enumerate(parts_of(upload)):
        answer = put(hub, address, data[number * PART : (number + 1) * PART])
        assert answer.status_code == 200, answer.text
        etags.append(answer.headers["etag"])
    return etags


def completion(hub, upload, etags, oid=LARGE_OID):
    parts = [{"partNumber": number, "etag": etag} for number, etag in enumerate(etags, 1)]
    return hub.post(upload["href"], {"oid": oid, "parts": parts})


def begun(hub):
    return actions(hub, LARGE_OID, len(LARGE))["upload"]


def test_an_upload_in_parts(in_parts):
    upload = begun(in_parts)
    assert len(parts_of(upload)) == 3
    etags = send_parts(in_parts, upload)
    answer = completion(in_parts, upload, etags)
    assert answer.status_code == 200, answer.text
    assert owners(in_parts, LARGE_OID) == {"alice"}
    assert incoming(in_parts) == []
    location = f"{LARGE_OID[:2]}/{LARGE_OID[2:4]}/{LARGE_OID}"
    assert in_parts.services.contents.locate(location).path.read_bytes() == LARGE


def test_completing_twice(in_parts, says):
    upload = begun(in_parts)
    etags = send_parts(in_parts, upload)
    assert completion(in_parts, upload, etags).status_code == 200
    assert completion(in_parts, upload, etags).status_code == 200
    says(put(in_parts, parts_of(upload)[0], LARGE[:PART]), 404, "upload_unknown")
    assert incoming(in_parts) == []


def test_an_upload_resumes(in_parts):
    first = begun(in_parts)
    etag = put(in_parts, parts_of(first)[0], LARGE[:PART]).headers["etag"]
    again = begun(in_parts)
    rest = [
        put(in_parts, parts_of(again)[n], LARGE[n * PART : (n + 1) * PART]).headers["etag"] for n in (1, 2)
    ]
    assert completion(in_parts, again, [etag, *rest]).status_code == 200


def test_a_part_is_exact(in_parts, says):
    upload = begun(in_parts)
    first, _second, last = parts_of(upload)
    says(put(in_parts, first, LARGE[: PART - 1]), 400, "size_mismatch")
    says(put(in_parts, first, LARGE[: PART + 1]), 400, "size_mismatch")
    says(put(in_parts, last, LARGE[:PART]), 400, "size_mismatch")
    for number in ("0", "4", "99999999999999999999"):
        says(put(in_parts, first.replace("/parts/1?", f"/parts/{number}?"), b"x"), 400, "part_unknown")


def test_a_part_that_is_missing_or_misnamed(in_parts, says):
    upload = begun(in_parts)
    for address, data in zip(parts_of(upload)[:2], (LARGE[:PART], LARGE[PART : 2 * PART]), strict=True):
        put(in_parts, address, data)
    says(completion(in_parts, upload, ['"a"', '"b"', '"c"']), 400, "part_missing")
    etags = send_parts(in_parts, upload)
    says(completion(in_parts, upload, etags[::-1]), 400, "part_mismatch")
    says(completion(in_parts, upload, etags[:2]), 400, "part_mismatch")
    says(completion(in_parts, upload, etags, oid=OID), 400, "oid_mismatch")
    says(in_parts.post(upload["href"], {"oid": LARGE_OID}), 400, "body_invalid")
    assert completion(in_parts, upload, etags).status_code == 200


def test_wrong_bytes_in_parts_leave_nothing(in_parts, says):
    upload = begun(in_parts)
    etags = send_parts(in_parts, upload, b"?" + LARGE[1:])
    says(completion(in_parts, upload, etags), 400, "hash_mismatch")
    holds_nothing(in_parts, LARGE_OID)
    says(completion(in_parts, upload, etags), 404, "upload_unknown")
    anew = begun(in_parts)
    assert anew["href"] != upload["href"]
    assert completion(in_parts, anew, send_parts(in_parts, anew)).status_code == 200


def test_links_of_parts_end_with_the_right(in_parts, says):
    upload = begun(in_parts)
    etags = send_parts(in_parts, upload)
    as_operator(in_parts, forget_token)
    says(put(in_parts, parts_of(upload)[0], LARGE[:PART]), 403, "link_invalid")
    says(completion(in_parts, upload, etags), 403, "link_invalid")
    assert owners(in_parts, LARGE_OID) == set()


def test_a_link_of_parts_belongs_to_its_upload(in_parts, says):
    first = begun(in_parts)
    other = actions(in_parts, OID, len(DATA))["upload"]
    token = first["href"].partition("?")[2]
    foreign = other["href"].partition("?")[0]
    says(put(in_parts, f"{foreign}/parts/1?{token}", LARGE[:PART]), 403, "link_invalid")
    says(in_parts.post(f"{foreign}?{token}", {"oid": LARGE_OID, "parts": []}), 403, "link_invalid")
    whole = first["href"].partition("?")[0].replace("/uploads/", "/objects/")
    says(put(in_parts, f"{whole}?{token}", LARGE), 403, "link_invalid")


def test_nobody_writes_into_what_is_being_completed(in_parts, says):
    """Bytes that were checked must not change before, or after, they get their name."""
    upload = begun(in_parts)
    etags = send_parts(in_parts, upload)
    upload_id = upload["href"].partition("?")[0].rpartition("/")[2]
    late = in_parts.services.contents.write_part(upload_id, 0)
    says(completion(in_parts, upload, etags), 503, "upload_busy")
    late.discard()
    assert completion(in_parts, upload, etags).status_code == 200
