"""Tokens of the Xet store and addresses of xorbs: altered, replayed, outlived; rights that end end them."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from allmende.registry import find_account, remove_member
from allmende.storage import LinkSigner
from tests.attack.arena import Arena, build, refused
from tests.xet_forge import Reply, Store, Xorb, file_of, local, pieces, shard_of

API = "/api/models/lab/repo"
XORB = Xorb(pieces(1, 5))
FILE = file_of(XORB)
OTHER = Xorb(pieces(2, 5))


@pytest.fixture
def arena(tmp_path):
    with build(tmp_path) as built:
        built.set_role("lab", "bob", "write")
        built.create("lab/repo", private=True)
        Store.of(built, API, "alice").upload(FILE)
        link = ("lfsFile", {"path": "w.bin", "algo": "sha256", "oid": FILE.sha256})
        assert built.commit(API, link).status == 200
        yield built


def address_of(store: Store) -> str:
    (info,) = next(iter(store.reconstruct(FILE.name).json["fetch_info"].values()))
    return local(info["url"])


def invalid(answer: Reply) -> None:
    assert (answer.status, answer.code) == (401, "xet_token_invalid"), answer
    assert answer.headers["x-error-message"]


def all_calls(store: Store) -> dict[str, Callable[[], Reply]]:
    chunk = Xorb(XORB.pieces[:1]).name
    return {
        "xorb": lambda: store.put_xorb(OTHER),
        "shard": lambda: store.put_shard(shard_of([FILE])),
        "shard with lines": lambda: store.put_shard(shard_of([FILE]), 2),
        "chunk": lambda: store.call("GET", f"/v1/chunks/default/{chunk}"),
        "reconstruction": lambda: store.reconstruct(FILE.name),
        "reconstruction of the second version": lambda: store.reconstruct(FILE.name, version=2),
    }


def test_everything_works_while_the_right_is_there(arena: Arena):
    """Without this the tests below would also hold for a hub that refuses everything."""
    store = Store.of(arena, API, "bob")
    assert {name: call().status for name, call in all_calls(store).items()} == dict.fromkeys(
        all_calls(store), 200
    )
    assert store.read(FILE.name) == FILE.data


def lose_role(arena: Arena) -> None:
    with arena.services.database.write() as uow:
        lab, bob = find_account(uow, "lab"), find_account(uow, "bob")
        assert lab is not None
        assert bob is not None
        remove_member(uow, lab, bob)


def change(**body: object) -> Callable[[Arena], None]:
    def act(arena: Arena) -> None:
        assert arena.ask("PUT", f"{API}/settings", by="alice", json=body).status == 200

    return act


ENDINGS: dict[str, Callable[[Arena], object]] = {
    "the repo was deleted": lambda arena: arena.ask(
        "DELETE", "/api/repos/delete", by="alice", json={"name": "lab/repo"}
    ),
    "its holder lost the role": lose_role,
    "its token was revoked": lambda arena: arena.revoke("bob", "work"),
    "its token was replaced": lambda arena: arena.token("bob", "write", "work"),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_a_right_that_ends(arena: Arena, end: Callable[[Arena], object]):
    store, reader = Store.of(arena, API, "bob"), Store.of(arena, API, "bob", write=False)
    address = address_of(reader)
    assert reader.ask("GET", address).status == 200
    end(arena)
    before = arena.state()
    for call in all_calls(store).values():
        invalid(call())
    invalid(reader.reconstruct(FILE.name))
    answer = reader.ask("GET", address)
    assert (answer.status, answer.code) == (403, "link_invalid")
    assert FILE.data[:100] not in answer.body
    assert arena.state() == before


SHUT = {
    "private": change(private=True),
    "gated": change(gated="manual"),
    "gated for all who ask": change(gated="auto"),
}


@pytest.mark.parametrize("shut", SHUT.values(), ids=SHUT.keys())
def test_a_repo_that_is_shut_to_strangers(arena: Arena, shut: Callable[[Arena], None]):
    change(private=False)(arena)
    arena.create("bob/own", by="bob")
    arena.set_role("lab", "bob", "read")
    lose_role(arena)
    readers = [Store.of(arena, API, by, write=False) for by in (None, "bob")]
    proposing = Store.of(arena, API, "bob", revision="main?create_pr=1")
    addresses = [address_of(reader) for reader in readers]
    assert {readers[0].ask("GET", address).status for address in addresses} == {200}
    shut(arena)
    for reader, address in zip(readers, addresses, strict=True):
        invalid(reader.reconstruct(FILE.name))
        assert reader.ask("GET", address).status == 403
    for call in all_calls(proposing).values():
        invalid(call())


def test_files_that_were_removed_from_the_repo_are_not_fetched(arena: Arena):
    reader = Store.of(arena, API, "bob", write=False)
    address = address_of(reader)
    body = {"deletions": {"sha": [FILE.sha256], "rewriteHistory": True}}
    assert arena.ask("POST", f"{API}/lfs-files/batch", by="alice", json=body).status == 200
    assert reader.reconstruct(FILE.name).code == "file_unknown"
    assert reader.ask("GET", address).status == 403


def test_a_right_that_is_lost_while_a_xorb_arrives(arena: Arena):
    """It is asked for again when the bytes are there, and nothing is kept without it."""
    store = Store.of(arena, API, "bob")
    body = OTHER.serialized()

    def rest() -> bytes:
        lose_role(arena)
        return body[50:]

    before = arena.state()
    target = f"{store.address}/v1/xorbs/default/{OTHER.name}"
    named = [("authorization", f"Bearer {store.token}")]
    refused(arena.ask("POST", target, headers=named, body=[body[:50], rest], length=len(body)), 401)
    assert arena.state()["uploaded_xorb"] == before["uploaded_xorb"]
    assert not arena.incoming()
    assert list(arena.services.xorbs.iterate()) == []


def test_an_expired_token_and_address(arena: Arena):
    store = Store.of(arena, API, "bob")
    address = address_of(store)
    settings = arena.services.settings
    arena.clock.ahead += timedelta(seconds=settings.xet_token_ttl_s - 5)
    assert store.reconstruct(FILE.name).status == 200
    arena.clock.ahead += timedelta(seconds=6)
    for call in all_calls(store).values():
        invalid(call())
    arena.clock.ahead += timedelta(seconds=max(0, settings.download_ttl_s - settings.xet_token_ttl_s))
    answer = store.ask("GET", address)
    assert (answer.status, answer.code) == (403, "link_expired")


def claims_of(token: str) -> tuple[dict[str, object], str]:
    body, _, mac = token.partition(".")
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))), mac


def with_claims(claims: object, mac: str) -> str:
    body = json.dumps(claims, sort_keys=True, separators=(",", ":")).encode()
    return f"{base64.urlsafe_b64encode(body).decode().rstrip('=')}.{mac}"


CLAIMS = {
    "epoch": "0" * 12,
    "scope": "public",
    "write": True,
    "repo_id": 10**6,
    "token_id": 1,
    "token_issued": "2020-01-01T00:00:00+00:00",
    "exp": 10**10,
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_an_altered_token(arena: Arena, claim: str):
    store = Store.of(arena, API, "bob", write=False)
    claims, mac = claims_of(store.token)
    assert claims[claim] != CLAIMS[claim]
    for altered in ({**claims, claim: CLAIMS[claim]}, {key: claims[key] for key in claims if key != claim}):
        store.token = with_claims(altered, mac)
        for call in all_calls(store).values():
            invalid(call())


@pytest.mark.parametrize(
    "claim", ["number", "serialization", "xet_hash", "xorb", "repo_id", "token_id", "exp"]
)
def test_an_altered_address(arena: Arena, claim: str):
    path, _, token = address_of(Store.of(arena, API, "bob", write=False)).partition("?token=")
    claims, mac = claims_of(token)
    for altered in ({**claims, claim: 7}, {key: claims[key] for key in claims if key != claim}):
        answer = arena.ask("GET", f"{path}?token={with_claims(altered, mac)}")
        refused(answer, 403, code="link_invalid")


def test_what_was_signed_for_something_else(arena: Arena):
    store = Store.of(arena, API, "bob")
    address, epoch_and_scope = address_of(store), store.address
    _path, _, fetch = address.partition("?token=")
    asked = {"operation": "upload", "objects": [{"oid": "ab" * 32, "size": 3}]}
    entry = arena.ask("POST", "/lab/repo.git/info/lfs/objects/batch", by="bob", json=asked).json
    lfs = entry["objects"][0]["actions"]["upload"]["href"].partition("token=")[2]
    for token in (fetch, lfs, "token-of-bob", "token-of-alice", "", store.token + ".", store.token[:-2]):
        store.token = token
        for call in all_calls(store).values():
            invalid(call())
    fresh = Store.of(arena, API, "bob")
    assert fresh.address == epoch_and_scope
    path = address.partition("?")[0]
    for token in (fresh.token, lfs):
        refused(arena.ask("GET", f"{path}?token={token}"), 403, code="link_invalid")
    # A token of the store opens nothing of the hub beside it.
    headers = [("authorization", f"Bearer {fresh.token}")]
    refused(arena.ask("GET", API, headers=headers), 401)
    refused(arena.ask("GET", "/api/whoami-v2", headers=headers), 401)
    refused(arena.ask("GET", API, headers=[("cookie", f"allmende_session={fresh.token}")]), 404)


def test_tokens_of_another_hub(arena: Arena):
    store = Store.of(arena, API, "bob")
    claims, _mac = claims_of(store.token)
    claims.pop("exp")
    store.token = LinkSigner(b"z" * 32).sign("xet", claims, 600)
    for call in all_calls(store).values():
        invalid(call())


def test_a_token_at_another_address(arena: Arena):
    mine, theirs = Store.of(arena, API, "bob"), Store.of(arena, API, "alice")
    _, _, epoch, scope = mine.address.split("/")
    elsewhere = [
        theirs.address,
        f"/xet/{'0' * 12}/{scope}",
        f"/xet/{epoch}/public",
        f"/xet/{epoch}/{scope.upper()}",
    ]
    for address in elsewhere:
        for call in all_calls(Store(mine.ask, address, mine.token)).values():
            invalid(call())


def test_two_tokens_or_none_that_is_plain(arena: Arena):
    store = Store.of(arena, API, "bob")
    target = f"{store.address}/v1/reconstructions/{FILE.name}"
    good = ("authorization", f"Bearer {store.token}")
    assert arena.ask("GET", target, headers=[good]).status == 200
    for headers in (
        [good, good],
        [good, ("authorization", "Bearer x")],
        [("authorization", f"Bearer {store.token}, Bearer {store.token}")],
        [("authorization", store.token)],
        [("authorization", f"Basic {base64.b64encode(f'bob:{store.token}'.encode()).decode()}")],
        [("cookie", f"token={store.token}")],
        [],
    ):
        refused(arena.ask("GET", target, headers=headers), 401, code="xet_token_invalid")
    refused(arena.ask("GET", f"{target}?token={store.token}"), 401, code="xet_token_invalid")


def test_a_token_of_one_repo_reads_no_other(arena: Arena):
    """Bob may read both; what the token of one says is of that one."""
    arena.create("lab/other", private=True)
    store = Store.of(arena, "/api/models/lab/other", "bob", write=False)
    assert store.reconstruct(FILE.name).code == "file_unknown"


def test_a_fine_grained_token_uploads_where_it_may(arena: Arena):
    arena.create("bob/own", by="bob")
    store = Store.of(arena, "/api/models/bob/own", "bob-fine")
    store.upload(file_of(OTHER))
    answer = arena.ask("GET", f"{API}/xet-write-token/main", by="bob-fine")
    refused(answer, 403, 404)
