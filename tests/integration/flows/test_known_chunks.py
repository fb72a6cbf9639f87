"""Answers to clients that ask whether a chunk is stored already."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from allmende.flows import Ask, Services, ShardProgress, Uploader, receive_shard
from allmende.flows.known_chunks import shard_for_chunk
from allmende.flows.shard_receipt import let_go_of_named
from allmende.ids import XetHash
from allmende.registry import Actor, LinkContent, Repo
from allmende.storage import find_xet_file, mark_verified
from allmende.xorbs import chunk_hash, from_hex, is_dedup_eligible, pack_chunks, to_hex
from tests.integration.conftest import HeldClock
from tests.integration.registry.conftest import Commit, MakeRepo
from tests.xet_forge import File, Xorb, chunks_in, claim, file_of, pieces, stage

ONE, TWO = Xorb(pieces(1, 6)), Xorb(pieces(2, 6))
Upload = Callable[..., None]


def first_of(xorb: Xorb, number: int = 0) -> XetHash:
    return Xorb(xorb.pieces[number : number + 1]).name


@pytest.fixture
def repo(make_repo: MakeRepo, alice: Actor) -> Repo:
    return make_repo(alice)


def asker(actor: Actor, repo: Repo) -> Ask:
    assert actor.account is not None
    uploader = Uploader(actor, actor.account, repo)
    return lambda _uow: uploader


@pytest.fixture
def ask(alice: Actor, repo: Repo) -> Ask:
    return asker(alice, repo)


@pytest.fixture
def send(services: Services, alice: Actor, ask: Ask) -> Upload:
    """Upload files as alice."""

    def run(*files: File) -> None:
        assert alice.account is not None
        for xorb in dict.fromkeys(xorb for file in files for xorb in file.xorbs):
            stage(services, alice.account.id, xorb)
        shard = claim(*files)
        receive_shard(services, ask, shard, ShardProgress(0))
        let_go_of_named(services, alice.account.id, shard)

    return run


def told(services: Services, ask: Ask, chunk: XetHash) -> dict[XetHash, list[XetHash]] | None:
    answer = shard_for_chunk(services, ask, chunk)
    if answer is None:
        return None
    return {name: [to_hex(each.hash) for each in chunks] for name, chunks in chunks_in(answer).items()}


def test_the_first_chunk_of_a_file_tells_of_all_of_it(services: Services, ask: Ask, send: Upload) -> None:
    file = file_of(ONE, (TWO, 2, 4))
    send(file)
    xorb = Xorb(ONE.pieces + TWO.pieces[2:4])
    names = [Xorb((piece,)).name for piece in xorb.pieces]
    assert told(services, ask, names[0]) == {xorb.name: names}


def test_a_chunk_within_is_told_of_only_where_clients_ask(services: Services, ask: Ask, send: Upload) -> None:
    send(file_of(ONE))
    assert told(services, ask, first_of(ONE, 3)) is None
    assert told(services, ask, first_of(TWO)) is None


def test_an_eligible_chunk_within_is_told_of(services: Services, ask: Ask, send: Upload) -> None:
    """One in 1024 by its hash; here one is looked for."""
    base = pieces(7, 1)[0]
    eligible = next(
        piece for number in range(100_000) if is_dedup_eligible(chunk_hash(piece := base + b"%d" % number))
    )
    xorb = Xorb((*ONE.pieces, eligible, *TWO.pieces))
    send(file_of(xorb))
    assert told(services, ask, Xorb((eligible,)).name) is not None


def test_the_asker_must_be_allowed_to_use_the_content(
    services: Services,
    ask: Ask,
    send: Upload,
    bob: Actor,
    repo: Repo,
    make_repo: MakeRepo,
    commit: Commit,
    alice: Actor,
) -> None:
    file = file_of(ONE)
    send(file)
    his = asker(bob, make_repo(bob, "own"))
    assert told(services, his, first_of(ONE)) is None
    commit(alice, repo, LinkContent("w.bin", file.sha256, len(file.data)))
    assert told(services, his, first_of(ONE)) is not None


def test_damaged_contents_are_not_told_of(services: Services, ask: Ask, send: Upload) -> None:
    send(file_of(ONE))
    with services.database.write() as uow:
        mark_verified(uow, file_of(ONE).sha256, damage="The bytes are wrong.")
    assert told(services, ask, first_of(ONE)) is None


def test_own_xorbs_that_wait_are_told_of_by_any_of_their_chunks(
    services: Services, ask: Ask, alice: Actor, bob: Actor, make_repo: MakeRepo
) -> None:
    assert alice.account is not None
    stage(services, alice.account.id, ONE)
    stage(services, alice.account.id, TWO)
    for number in range(6):
        assert set(told(services, ask, first_of(ONE, number)) or ()) == {ONE.name, TWO.name}
    assert told(services, asker(bob, make_repo(bob, "own")), first_of(ONE)) is None


def test_bytes_within_a_list_of_chunks_are_no_chunk(services: Services, ask: Ask, alice: Actor) -> None:
    """Thirty-two bytes that stand across the hashes of two chunks: they are in the list, and no hash."""
    assert alice.account is not None
    stage(services, alice.account.id, ONE)
    packed = pack_chunks(ONE.chunks)
    assert told(services, ask, to_hex(packed[20:52])) is None


def test_being_told_keeps_a_file_from_being_collected(
    services: Services, ask: Ask, send: Upload, clock: HeldClock
) -> None:
    file = file_of(ONE)
    send(file)

    def mentioned_at():
        with services.database.read() as uow:
            found = find_xet_file(uow, file.name)
        assert found is not None
        return found.mentioned_at

    begun = clock()
    clock.advance(hours=23)
    assert told(services, ask, first_of(ONE)) is not None
    assert mentioned_at() == begun, "once a day is enough"
    clock.advance(hours=2)
    assert told(services, ask, first_of(ONE)) is not None
    assert mentioned_at() == begun + timedelta(hours=25)


def test_an_answer_says_until_when_it_holds(
    services: Services, ask: Ask, send: Upload, clock: HeldClock
) -> None:
    send(file_of(ONE))
    answer = shard_for_chunk(services, ask, first_of(ONE))
    assert answer is not None
    created, expires = (
        int.from_bytes(answer[at : at + 8], "little") for at in (len(answer) - 96, len(answer) - 88)
    )
    assert (created, expires) == (int(clock().timestamp()), int(clock().timestamp()) + 21 * 24 * 3600)
    assert from_hex(ONE.name) in answer
