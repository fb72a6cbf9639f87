"""What is served under `/log` and `/witness`, as a stranger gets it."""

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, run_log
from allmende.log import add_peer, key_entries, newest_entry
from allmende.merkle import (
    AddCheckpoint,
    KnownLog,
    monitoring_path,
    read_log_proof,
    read_note,
    read_policy,
    read_verifier_key,
)
from allmende.proof import new_root_key, read_key_set, sign_key_set
from allmende.registry import Actor, create_repo


@pytest.fixture
def client(services: Services, alice: Actor) -> Iterator[TestClient]:
    with services.database.write() as uow:
        create_repo(uow, services.queue, alice, "model", "alice", "open")
        create_repo(uow, services.queue, alice, "model", "alice", "hidden", private=True)
    run_log(services)
    with TestClient(create_app(services)) as opened:
        yield opened


def test_checkpoint_keys_and_policy_belong_together(client: TestClient):
    checkpoint = client.get("/log/checkpoint")
    keys = [read_verifier_key(text) for text in client.get("/log/vkey").text.split()]
    signed = KnownLog(keys[0].name, tuple(keys)).open(checkpoint.content)
    assert read_policy(client.get("/log/policy").content).accept(checkpoint.content).log == keys[0]
    assert client.get("/api/allmende/v1/log").json()["size"] == signed.checkpoint.size
    assert client.get("/api/allmende/v1/keys").json()["log"][0]["key"] == keys[0].text


def test_statements_of_what_is_public_are_shown_and_no_others(client: TestClient, services: Services):
    size = client.get("/api/allmende/v1/log").json()["size"]
    shown = {}
    for number in range(size):
        answer = client.get(f"/log/statement/{number}")
        if answer.status_code == 200:
            shown[number] = answer.json()
        else:
            assert (answer.status_code, answer.json()["code"]) == (404, "log_entry_not_found")
    kinds = [json.loads(b64decode(one["statement"]))["kind"] for one in shown.values()]
    assert sorted(kinds) == ["key", "publish"]
    for one in shown.values():
        entry = json.loads(b64decode(one["entry"]))
        committed = sha256(bytes.fromhex(one["salt"]) + b64decode(one["statement"])).hexdigest()
        assert entry["commitment"] == committed
    missing = client.get("/log/statement/9999").json()
    with services.database.read() as uow:
        [key] = key_entries(uow)
    assert client.get(f"/log/statement/{(key + 1) % size}").json() == missing


@pytest.mark.parametrize("path", ["00", "-1", "1.0", "x", "1" * 40, "%31%30%30%30"])
def test_what_is_no_number_is_not_found(client: TestClient, path: str):
    for kind in ("proof", "statement"):
        assert client.get(f"/log/{kind}/{path}").status_code == 404


def test_tiles_beyond_what_is_signed_are_not_there(client: TestClient):
    size = client.get("/api/allmende/v1/log").json()["size"]
    whole = client.get(f"/log/tile/0/000.p/{size}")
    assert len(whole.content) == 32 * size
    assert "immutable" in whole.headers["cache-control"]
    assert client.get("/log/tile/0/000.p/2").content == whole.content[:64]
    for path in (f"0/000.p/{size + 1}", "0/000", "0/001", "1/000", "64/000", "0/0", "%2e%2e/checkpoint", "x"):
        assert client.get(f"/log/tile/{path}").status_code == 404


def test_a_proof_is_a_file(client: TestClient):
    assert read_log_proof(client.get("/log/proof/0").content).index == 0


def test_the_hub_cosigns_over_http_and_shows_what_it_cosigned(client: TestClient, services: Services):
    note = read_note(client.get("/log/checkpoint").content)
    path = monitoring_path(services.log.origin)
    assert client.get(f"/witness/{path}").status_code == 404
    with services.database.write() as uow:
        add_peer(uow, services.log.log_keys[0], None)
    answer = client.post("/witness/add-checkpoint", content=bytes(AddCheckpoint(0, (), note)))
    assert answer.status_code == 200
    again = client.post("/witness/add-checkpoint", content=bytes(AddCheckpoint(0, (), note)))
    assert again.headers["content-type"] == "text/x.tlog.size"
    shown = read_note(client.get(f"/witness/{path}").content)
    assert (shown.text, len(shown.signatures)) == (note.text, 2)
    witness = read_verifier_key(client.get("/witness/vkey").text.strip())
    assert witness.name in answer.text


def test_sets_of_keys_are_served_with_their_history(client: TestClient, services: Services):
    for number in ("", "/1", "/x", "/0", "/01"):
        answer = client.get(f"/log/keys{number}")
        assert (answer.status_code, answer.json()["code"]) == (404, "key_set_missing")
    assert client.get("/api/allmende/v1/keys").json()["root"] is None
    assert "vouch for themselves" in client.get("/log").text
    root, sets = new_root_key("hub.example.org/root"), services.log.key_sets
    published = []
    for _ in range(2):
        unsigned = sets.next(root.verifier).text.encode()
        published.append(bytes(sets.publish(sign_key_set(unsigned, root)).note))
        services.log.keys.add_log_key()
    assert [client.get(f"/log/keys/{number}").content for number in (1, 2)] == published
    assert client.get("/log/keys").content == published[1]
    assert read_key_set(published[1]).keys.number == 2
    told = client.get("/api/allmende/v1/keys").json()
    assert (told["root"], told["key_set"]) == (root.verifier.text, 2)
    assert root.verifier.text in client.get("/log").text
    deadline = time.monotonic() + 60.0
    expected = {"number": 2, "digest": read_key_set(published[1]).keys.digest, "root": root.verifier.text}
    said: dict[str, object] = {}
    while said.get("set") != expected and time.monotonic() < deadline:
        # The hub's own thread may be at it, and then this one does nothing.
        run_log(services)
        with services.database.read() as uow:
            newest = newest_entry(uow, "key")
        assert newest is not None
        said = json.loads(newest.statement or b"")["keys"]
    assert said["set"] == expected
