"""Links that carry a right of their own: expired, altered, replayed, used for something else, outlived."""

import base64
import json

import pytest

from tests.attack.arena import SECRET, Arena, build, refused, sha256, target_of

API = "/api/models/lab/repo"
DATA = b"bytes for a link"
OTHER = b"bytes of another"


@pytest.fixture
def arena(tmp_path):
    with build(tmp_path, multipart_threshold_bytes=10, multipart_part_bytes=1024**2) as built:
        built.set_role("lab", "bob", "write")
        built.create("lab/repo", private=True)
        yield built


def upload_link(arena: Arena, data: bytes = DATA, by: str = "bob") -> str:
    return target_of(arena.batch(API, sha256(data), len(data), by=by)["actions"]["upload"]["href"])


def parts_link(arena: Arena, data: bytes = DATA, by: str = "bob") -> tuple[str, str]:
    asked = {"transfers": ["multipart"]}
    action = arena.batch(API, sha256(data), len(data), by=by, **asked)["actions"]["upload"]
    return target_of(action["href"]), target_of(action["header"]["1"])


def download_link(arena: Arena, data: bytes = SECRET, by: str = "bob") -> str:
    if arena.ask("HEAD", "/lab/repo/resolve/main/m.bin", by="alice").status != 200:
        oid = arena.upload(API, data)
        link = ("lfsFile", {"path": "m.bin", "algo": "sha256", "oid": oid})
        assert arena.commit(API, link).status == 200
    entry = arena.batch(API, sha256(data), len(data), by=by, operation="download")
    return target_of(entry["actions"]["download"]["href"])


def claims_of(link: str) -> tuple[dict, str]:
    body, _, mac = link.partition("token=")[2].partition(".")
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))), mac


def with_claims(link: str, claims: object, mac: str) -> str:
    body = json.dumps(claims, sort_keys=True, separators=(",", ":")).encode()
    return f"{link.partition('token=')[0]}token={base64.urlsafe_b64encode(body).decode().rstrip('=')}.{mac}"


def test_an_expired_link(arena: Arena):
    upload, (whole, part), download = upload_link(arena), parts_link(arena), download_link(arena)
    arena.clock.ahead += type(arena.clock.ahead)(seconds=arena.services.settings.download_ttl_s)
    refused(arena.ask("GET", download), 403, code="link_expired")
    arena.clock.ahead += type(arena.clock.ahead)(seconds=arena.services.settings.upload_ttl_s)
    before = arena.state()
    refused(arena.ask("PUT", upload, body=DATA), 403, code="link_expired")
    refused(arena.ask("PUT", part, body=DATA), 403, code="link_expired")
    refused(arena.ask("POST", whole, json={"oid": sha256(DATA), "parts": []}), 403, code="link_expired")
    assert arena.state() == before


@pytest.mark.parametrize("claim", ["exp", "repo_id", "sha256", "size_bytes", "token_id", "token_issued"])
def test_an_altered_link(arena: Arena, claim: str):
    link = upload_link(arena)
    claims, mac = claims_of(link)
    changed = {"sha256": sha256(OTHER), "token_issued": "2020-01-01T00:00:00+00:00"}.get(claim, 10**10)
    assert claims[claim] != changed
    for altered in ({**claims, claim: changed}, {name: claims[name] for name in claims if name != claim}):
        refused(arena.ask("PUT", with_claims(link, altered, mac), body=DATA), 403, code="link_invalid")
    assert not arena.incoming()


NONSENSE = {
    "no token": "",
    "an empty token": "?token=",
    "a dot": "?token=.",
    "no signature": "?token=e30",
    "an empty signature": "?token=e30.",
    "an unsigned object": "?token=e30." + "A" * 43,
    "no JSON": "?token=eHg." + "A" * 43,
    "no base64": "?token=@@.@@",
    "not ASCII": "?token=%C3%A9.%C3%A9",
    "nul": "?token=%00",
    "long": "?token=" + "A" * 100_000,
    "many dots": "?token=" + "." * 1000,
    "two tokens": "?token=a.b&token=c.d",
}


@pytest.mark.parametrize("query", NONSENSE.values(), ids=NONSENSE.keys())
def test_a_link_without_a_right(arena: Arena, query: str):
    oid = sha256(DATA)
    for method, path in (
        ("PUT", f"/lfs/objects/{oid}"),
        ("GET", f"/lfs/objects/{oid}"),
        ("HEAD", f"/lfs/objects/{oid}"),
        ("PUT", f"/lfs/uploads/{'0' * 32}/parts/1"),
        ("POST", f"/lfs/uploads/{'0' * 32}"),
    ):
        for by in (None, "alice"):
            answer = arena.ask(method, path + query, by=by, body=DATA if method == "PUT" else b"")
            refused(answer, 403, code="link_invalid")


def test_another_spelling_of_the_signature(arena: Arena):
    link = upload_link(arena)
    for altered in (link + "=", link[:-1] + ("B" if link[-1] == "A" else "A"), link.replace(".", "..")):
        refused(arena.ask("PUT", altered, body=DATA), 403, code="link_invalid")


def test_a_link_for_another_purpose(arena: Arena):
    upload, download = upload_link(arena), download_link(arena)
    oid, held = sha256(DATA), sha256(SECRET)
    right = upload.partition("?")[2]
    whole, part = parts_link(arena)
    refused(arena.ask("GET", f"/lfs/objects/{oid}?{right}"), 403, code="link_invalid")
    refused(arena.ask("PUT", f"/lfs/objects/{held}?{download.partition('?')[2]}", body=SECRET), 403)
    refused(arena.ask("PUT", f"{part.partition('?')[0]}?{right}", body=DATA), 403, code="link_invalid")
    refused(arena.ask("PUT", f"/lfs/objects/{oid}?{part.partition('?')[2]}", body=DATA), 403)
    refused(arena.ask("POST", f"{whole.partition('?')[0]}?{right}", json={"oid": oid, "parts": []}), 403)
    session = [("cookie", f"allmende_session={right.partition('=')[2]}")]
    refused(arena.ask("GET", API, headers=session), 404, code="RepoNotFound")


def test_a_link_for_another_content_or_upload(arena: Arena):
    right = upload_link(arena).partition("?")[2]
    refused(arena.ask("PUT", f"/lfs/objects/{sha256(OTHER)}?{right}", body=OTHER), 403, code="link_invalid")
    _whole, first = parts_link(arena)
    _other, second = parts_link(arena, OTHER)
    mixed = f"{second.partition('?')[0]}?{first.partition('?')[2]}"
    refused(arena.ask("PUT", mixed, body=OTHER), 403, code="link_invalid")


def test_a_link_of_another_hub(arena: Arena, tmp_path):
    from allmende.storage import LinkSigner

    claims, _mac = claims_of(upload_link(arena))
    claims.pop("exp")
    forged = LinkSigner(b"z" * 32).sign("lfs-upload", claims, 600)
    refused(arena.ask("PUT", f"/lfs/objects/{sha256(DATA)}?token={forged}", body=DATA), 403)


def test_a_replayed_link_does_the_same_again_and_no_more(arena: Arena):
    link = upload_link(arena)
    assert arena.ask("PUT", link, body=DATA).status == 200
    before = arena.state()
    assert arena.ask("PUT", link, body=DATA).status == 200
    assert arena.state() == before
    refused(arena.ask("PUT", link, body=OTHER), 400)
    refused(arena.ask("PUT", link, body=b"x" * len(DATA)), 400, code="hash_mismatch")
    assert arena.state() == before
    assert {arena.ask("GET", download_link(arena)).body for _ in range(3)} == {SECRET}


def lose_role(arena: Arena) -> None:
    from allmende.registry import find_account, remove_member

    with arena.services.database.write() as uow:
        lab, bob = find_account(uow, "lab"), find_account(uow, "bob")
        assert lab is not None
        assert bob is not None
        remove_member(uow, lab, bob)


ENDINGS = {
    "the repo was deleted": lambda arena: arena.ask(
        "DELETE", "/api/repos/delete", by="alice", json={"name": "lab/repo"}
    ),
    "its holder lost the role": lose_role,
    "its token was revoked": lambda arena: arena.revoke("bob", "work"),
    "its token was replaced": lambda arena: arena.token("bob", "write", "work"),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_link_ends_with_what_it_stands_on(arena: Arena, end):
    upload, (whole, part), download = upload_link(arena), parts_link(arena), download_link(arena)
    assert arena.ask("GET", download).body == SECRET
    end(arena)
    before = arena.state()
    refused(arena.ask("GET", download), 403, code="link_invalid")
    refused(arena.ask("PUT", upload, body=DATA), 403, code="link_invalid")
    refused(arena.ask("PUT", part, body=DATA), 403, code="link_invalid")
    refused(arena.ask("POST", whole, json={"oid": sha256(DATA), "parts": []}), 403, code="link_invalid")
    assert arena.state() == before


def test_a_role_reduced_to_reading_ends_uploads_alone(arena: Arena):
    upload, download = upload_link(arena), download_link(arena)
    arena.token("bob", "read", "work")
    refused(arena.ask("PUT", upload, body=DATA), 403, code="link_invalid")
    refused(arena.ask("GET", download), 403, code="link_invalid")
    arena.token("bob", "read", "reader")
    assert arena.ask("GET", download_link(arena, by="reader")).body == SECRET


def test_a_role_that_is_lost_while_the_bytes_arrive(arena: Arena):
    """The right is asked for again when the bytes are there, and nothing is recorded without it."""
    link = upload_link(arena)

    def rest() -> bytes:
        lose_role(arena)
        return DATA[5:]

    before = arena.state()["possession"]
    refused(arena.ask("PUT", link, body=[DATA[:5], rest]), 403, code="link_invalid")
    assert arena.state()["possession"] == before
    assert not arena.incoming()


def test_a_link_opens_nothing_when_the_content_was_removed(arena: Arena):
    link = download_link(arena)
    body = {"deletions": {"sha": [sha256(SECRET)], "rewriteHistory": True}}
    assert arena.ask("POST", f"{API}/lfs-files/batch", by="alice", json=body).status == 200
    refused(arena.ask("GET", link), 404, code="content_removed")
    refused(arena.ask("HEAD", link), 404, code="content_removed")
