"""Knowing the hash of a chunk, a xorb or a file opens nothing, and no answer tells whether the hub has it."""

import json
import re
from collections.abc import Iterator

import pytest

from allmende.registry import find_account
from allmende.storage import (
    FileXorb,
    add_content,
    add_file_xorbs,
    begin_xet_file,
    complete_xet_file,
    take_possession,
)
from allmende.xorbs import pack_chunks
from tests.attack.arena import Arena, build, sha256
from tests.xet_forge import File, Reply, Store, Xorb, chunks_in, entry, file_of, lines_of, pieces, shard_of

BOB = "/api/models/bob/own"


def even(seed: int) -> tuple[bytes, ...]:
    """Chunks that are as long as those of every other xorb here."""
    return tuple(piece[-9000:] for piece in pieces(seed, 6))


HIDDEN = Xorb(even(1))
"""In a file of a private repo of alice."""
WAITING = Xorb(even(2))
"""Uploaded by alice, and in no file yet."""
LOOSE = Xorb(even(3))
"""In a file that alice uploaded and committed nowhere."""
GATED = Xorb(even(4))
"""In a file of a public repo of alice with a gate."""
ABSENT = Xorb(even(5))
"""Nowhere."""
FOREIGN = {"hidden": HIDDEN, "waiting": WAITING, "loose": LOOSE, "gated": GATED}


def put(arena: Arena, api: str, path: str, file: File, by: str = "alice") -> None:
    Store.of(arena, api, by).upload(file)
    link = ("lfsFile", {"path": path, "algo": "sha256", "oid": file.sha256})
    done = arena.commit(api, link, by=by)
    assert done.status == 200, done


def fill(arena: Arena) -> None:
    arena.create("bob/own", by="bob")
    arena.create("alice/hidden", private=True)
    arena.create("alice/gated")
    put(arena, "/api/models/alice/hidden", "w.bin", file_of(HIDDEN))
    put(arena, "/api/models/alice/gated", "w.bin", file_of(GATED))
    gate = arena.ask("PUT", "/api/models/alice/gated/settings", by="alice", json={"gated": "manual"})
    assert gate.status == 200
    store = Store.of(arena, "/api/models/alice/hidden", "alice")
    assert store.put_xorb(WAITING).status == 200
    store.upload(file_of(LOOSE))


@pytest.fixture(scope="module")
def arena(tmp_path_factory) -> Iterator[Arena]:
    with build(tmp_path_factory.mktemp("possession")) as built:
        fill(built)
        yield built


@pytest.fixture
def bob(arena: Arena) -> Store:
    return Store.of(arena, BOB, "bob")


def told(answer: Reply, *names: str) -> tuple[int, dict[str, str], bytes]:
    """What an answer says, without what is of this one request, and with the hashes left out."""
    body = answer.body.replace(answer.headers["x-request-id"].encode(), b"ID")
    headers = {key: value for key, value in answer.headers.items() if key not in {"x-request-id", "date"}}
    for name in names:
        body = body.replace(name.encode(), b"HASH")
        headers = {key: value.replace(name, "HASH") for key, value in headers.items()}
    # The verified bytes of a line depend on nothing but the moment at which it was written.
    return answer.status, headers, re.sub(rb'"verified":\d+', b'"verified":N', body)


@pytest.mark.parametrize("xorb", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("version", [1, 2])
def test_a_foreign_xorb_cannot_be_named(arena: Arena, xorb: Xorb, version: int):
    before = arena.state()

    def answers(named: Xorb) -> Iterator[tuple[int, dict[str, str], bytes]]:
        for file in (file_of(named), file_of((named, 0, 1)), file_of((named, 2, 5), (named, 0, 2))):
            for xorbs in ([], [named], [named.records(ABSENT.chunks)]):
                answer = Store.of(arena, BOB, "bob").put_shard(shard_of([file], xorbs), version)
                yield told(answer, named.name, file.name, file.sha256)

    of_foreign, of_absent = list(answers(xorb)), list(answers(ABSENT))
    assert of_foreign == of_absent
    for status, headers, body in of_foreign:
        assert (status, headers.get("x-error-code")) == (
            (400, "xorb_unknown") if version == 1 else (200, None)
        )
        assert b"HASH, which this hub does not have from you" in body
    assert {key: count for key, count in arena.state().items() if key != "xet_scope"} == {
        key: count for key, count in before.items() if key != "xet_scope"
    }


@pytest.mark.parametrize("xorb", FOREIGN.values(), ids=FOREIGN.keys())
def test_chunks_are_not_learned_by_asking(arena: Arena, bob: Store, xorb: Xorb):
    for place in range(6):
        names = [Xorb(of.pieces[place : place + 1]).name for of in (xorb, ABSENT)]
        answers = [told(bob.call("GET", f"/v1/chunks/default/{name}"), name) for name in names]
        assert answers[0] == answers[1]
        assert answers[0][:2][0] == 404
    alice = Store.of(arena, "/api/models/alice/hidden", "alice")
    assert alice.call("GET", f"/v1/chunks/default/{Xorb(xorb.pieces[:1]).name}").status == 200


@pytest.mark.parametrize("xorb", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("by", [None, "bob", "bob-reads"])
def test_a_file_is_not_read_by_its_hash(arena: Arena, xorb: Xorb, version: int, by: str | None):
    reader = Store.of(arena, BOB, by, write=False)
    foreign, absent = file_of(xorb).name, file_of(ABSENT).name
    for asked in (None, "bytes=0-5", "bytes=5-18446744073709551614", "bytes=99999999-999999999"):
        answers = [told(reader.reconstruct(name, asked, version), name) for name in (foreign, absent)]
        assert answers[0] == answers[1]
        assert (answers[0][0], answers[0][1]["x-error-code"]) == (404, "file_unknown")


@pytest.mark.parametrize("xorb", FOREIGN.values(), ids=FOREIGN.keys())
def test_uploading_what_is_there_is_like_uploading_what_is_not(tmp_path, xorb: Xorb):
    with build(tmp_path) as arena:
        fill(arena)
        bob = Store.of(arena, BOB, "bob")
        replies: dict[str, list[object]] = {}
        for name, of in (("foreign", xorb), ("absent", ABSENT)):
            file = file_of(of)
            replies[name] = [
                told(bob.put_xorb(of), of.name),
                told(bob.put_xorb(of), of.name),
                told(bob.put_shard(shard_of([file])), of.name, file.name),
                told(bob.put_shard(shard_of([file])), of.name, file.name),
                told(bob.call("GET", f"/v1/chunks/default/{Xorb(of.pieces[:1]).name}"), of.name)[0],
                told(bob.reconstruct(file.name), file.name),
            ]
        assert replies["foreign"] == replies["absent"]
        assert b'{"was_inserted":true}' in str(replies["foreign"][0]).encode()


def test_the_same_bytes_of_two_accounts_are_two_uploads(tmp_path):
    with build(tmp_path) as arena:
        fill(arena)
        bob = Store.of(arena, BOB, "bob")
        bob.upload(file_of(WAITING))
        alice = Store.of(arena, "/api/models/alice/hidden", "alice")
        # Hers waits still, and is hers to name.
        assert alice.put_shard(shard_of([file_of((WAITING, 1, 3))])).status == 200
        assert arena.state()["uploaded_xorb"] == 5


def test_a_foreign_file_cannot_be_claimed_by_its_hashes_alone(arena: Arena):
    """Whoever knows Xet hash, SHA-256, chunks and range hashes of a file still has nothing to name."""
    for xorb in FOREIGN.values():
        file = file_of(xorb)
        answer = Store.of(arena, BOB, "bob").put_shard(shard_of([file]))
        assert answer.code == "xorb_unknown"
        # The same with terms that bob has, and the names of the file that he has not.
        own = Store.of(arena, BOB, "bob")
        assert own.put_xorb(ABSENT).status == 200
        other = file_of(ABSENT)
        for body in (
            entry(other, raw=file.raw),
            entry(other, sha256=file.sha256),
            entry(other, raw=file.raw, sha256=file.sha256),
        ):
            answer = Store.of(arena, BOB, "bob").put_shard(shard_of([body]))
            assert answer.code in {"shard_mismatch", "hash_mismatch"}
        link = ("lfsFile", {"path": "w.bin", "algo": "sha256", "oid": file.sha256})
        assert arena.commit(BOB, link, by="bob").code == "content_not_uploaded"


def test_a_xorb_of_a_public_and_a_private_file_opens_the_public_one_alone(tmp_path):
    with build(tmp_path) as arena:
        fill(arena)
        arena.create("alice/shown")
        mixed = Xorb(pieces(20, 8))
        shown, hidden = file_of((mixed, 0, 4)), file_of((mixed, 4, 8))
        alice = Store.of(arena, "/api/models/alice/shown", "alice")
        alice.upload(shown, hidden)
        for api, file in (("/api/models/alice/shown", shown), ("/api/models/alice/hidden", hidden)):
            link = ("lfsFile", {"path": "mixed.bin", "algo": "sha256", "oid": file.sha256})
            assert arena.commit(api, link).status == 200
        reader = Store.of(arena, "/api/models/alice/shown", "bob", write=False)
        assert reader.read(shown.name) == shown.data
        told_of = reader.reconstruct(shown.name).json
        secret = {chunk.hash for chunk in hidden.chunks}
        (info,) = next(iter(told_of["fetch_info"].values()))
        whole = reader.fetch(info["url"]).body
        assert not any(piece in whole for piece in mixed.pieces[4:])
        assert reader.reconstruct(hidden.name).status == 404
        bob = Store.of(arena, BOB, "bob")
        answer = bob.call("GET", f"/v1/chunks/default/{Xorb(mixed.pieces[:1]).name}")
        assert {
            chunk.hash for chunks in chunks_in(answer.body).values() for chunk in chunks
        } & secret == set()
        for place in range(4, 8):
            name = Xorb(mixed.pieces[place : place + 1]).name
            assert bob.call("GET", f"/v1/chunks/default/{name}").status == 404
        for terms in ([mixed], [(mixed, 4, 8)], [(mixed, 3, 5)], [(mixed, 0, 3)]):
            answer = Store.of(arena, BOB, "bob").put_shard(shard_of([file_of(*terms)]))
            assert answer.code == "xorb_unknown", "the xorb itself is hers, public parts and all"
        # What bob may name is the xorb that the hub makes of the public file.
        assert bob.put_shard(shard_of([file_of((Xorb(mixed.pieces[:4]), 1, 3))], [])).status == 200


def test_forty_private_copies_do_not_hide_a_public_one(tmp_path):
    """Others have newer files that begin with the same xorb: whoever may read an older one builds on it."""
    with build(tmp_path) as arena:
        fill(arena)
        arena.create("alice/shown")
        shared = Xorb(pieces(30, 4))
        put(arena, "/api/models/alice/shown", "w.bin", file_of(shared))
        copies(arena, file_of(shared), 40)
        first = Xorb(shared.pieces[:1]).name
        bob = Store.of(arena, BOB, "bob")
        answer = bob.call("GET", f"/v1/chunks/default/{first}")
        assert shared.name in chunks_in(answer.body)
        assert bob.put_shard(shard_of([file_of((shared, 0, 2))], [])).status == 200


def copies(arena: Arena, file: File, count: int) -> None:
    """Private contents of alice in which the same hub xorb lies, as of files that share their first 64 MiB.

    Made of rows alone: such a file has more than 64 MiB, and forty of them would take their time.
    """
    for number in range(count):
        with arena.services.database.write() as uow:
            alice = find_account(uow, "alice")
            assert alice is not None
            oid = sha256(b"%d" % number)
            add_content(uow, oid, len(file.data), f"{oid[:2]}/{oid[2:4]}/{oid}")  # type: ignore[arg-type]
            take_possession(uow, alice.id, oid)  # type: ignore[arg-type]
            begin_xet_file(uow, f"{number:064x}", oid)  # type: ignore[arg-type]
            xorb = FileXorb(
                f"{number:064x}",  # type: ignore[arg-type]
                0,
                file.xorbs[0].name,
                0,
                len(file.data),
                pack_chunks(file.chunks),
            )
            asked = [(Xorb(file.xorbs[0].pieces[:1]).name, xorb.xet_hash, 0)]
            add_file_xorbs(uow, [xorb], asked)
            assert complete_xet_file(uow, xorb.xet_hash, 1)


def copy_call(arena: Arena, source: str, target: str, files: list[dict[str, str]], by: str | None = "bob"):
    body = {"target": {"type": "model", "name": target}, "files": files}
    return arena.ask("POST", f"{source}/lfs-files/duplicate", by=by, json=body)


def test_copies_between_repos_open_nothing(arena: Arena):
    def named(file: File) -> dict[str, str]:
        return {"xetHash": file.name, "sha256": file.sha256, "filename": "w.bin"}

    # From a repo that he does not see, and from one that does not exist.
    hidden, missing = (
        copy_call(arena, f"/api/models/alice/{name}", "bob/own", [named(file_of(HIDDEN))])
        for name in ("hidden", "absent")
    )
    assert (hidden.status, hidden.code, hidden.body) == (missing.status, missing.code, missing.body)
    assert hidden.status == 404
    gated = copy_call(arena, "/api/models/alice/gated", "bob/own", [named(file_of(GATED))])
    assert (gated.status, gated.code) == (403, "GatedRepo")
    # From his own repo, naming what it does not hold.
    for xorb in FOREIGN.values():
        file, other = file_of(xorb), file_of(ABSENT)
        answers = [copy_call(arena, BOB, "bob/own", [named(each)]) for each in (file, other)]
        sayings = [
            json.dumps(answer.json).replace(each.sha256, "OID")
            for answer, each in zip(answers, (file, other), strict=True)
        ]
        assert sayings[0] == sayings[1]
        assert len(answers[0].json["failed"]) == 1
        link = ("lfsFile", {"path": "w.bin", "algo": "sha256", "oid": file.sha256})
        assert arena.commit(BOB, link, by="bob").code == "content_not_uploaded"
    # Into a repo that he does not see, that does not exist, and that is not his.
    into = [copy_call(arena, BOB, f"alice/{name}", []) for name in ("hidden", "absent")]
    assert into[0].body == into[1].body
    assert {answer.status for answer in into} == {404}
    assert copy_call(arena, BOB, "bob/own", [], by=None).status == 401
    assert copy_call(arena, BOB, "bob/own", [], by="bob-reads").status == 403


def test_the_lines_of_a_refused_shard_say_nothing_of_foreign_bytes(arena: Arena):
    lines = lines_of(Store.of(arena, BOB, "bob").put_shard(shard_of([file_of(HIDDEN)]), 2))
    assert [line["verified"] for line in lines[:-1]] == [0] * (len(lines) - 1)
    assert lines[-1]["type"] == "error"


def test_the_scope_is_renewed_for_the_account_that_named_something_unknown_alone(arena: Arena):
    before = {by: Store.of(arena, BOB, by, write=False).address for by in ("alice", "bob", "rea", None)}
    old = Store.of(arena, BOB, "bob")
    assert old.put_shard(shard_of([file_of(Xorb(pieces(90, 2)))])).code == "xorb_unknown"
    after = {by: Store.of(arena, BOB, by, write=False).address for by in ("alice", "bob", "rea", None)}
    assert after.pop("bob") != before.pop("bob")
    assert after == before
    # A client in the middle of its work goes on at the address that it has.
    old.upload(file_of(Xorb(pieces(91, 2))))
