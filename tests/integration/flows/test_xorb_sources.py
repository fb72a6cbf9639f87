"""Where the bytes of a xorb lie that an upload names, for whoever names it."""

from collections.abc import Callable

import pytest

from allmende.flows import Services, ShardProgress, Uploader, receive_shard
from allmende.flows.shard_receipt import let_go_of_rebuilt
from allmende.flows.xorb_sources import XorbSource, XorbSources, XorbUnknown
from allmende.ids import Sha256
from allmende.registry import Actor, LinkContent, Repo, find_account
from allmende.storage import (
    FileXorb,
    XorbKey,
    add_content,
    add_file_xorbs,
    begin_xet_file,
    complete_xet_file,
    mark_verified,
    take_possession,
)
from allmende.xorbs import pack_chunks
from tests.integration.registry.conftest import Commit, MakeRepo
from tests.xet_forge import File, Xorb, claim, file_of, pieces, stage

ONE, TWO = Xorb(pieces(1, 6)), Xorb(pieces(2, 6))


@pytest.fixture
def repo(make_repo: MakeRepo, alice: Actor) -> Repo:
    return make_repo(alice, private=True)


def uploader_of(actor: Actor, repo: Repo) -> Uploader:
    assert actor.account is not None
    return Uploader(actor, actor.account, repo)


@pytest.fixture
def send(services: Services, alice: Actor, repo: Repo) -> Callable[..., None]:
    def run(*files: File) -> None:
        assert alice.account is not None
        for xorb in dict.fromkeys(xorb for file in files for xorb in file.xorbs):
            stage(services, alice.account.id, xorb)
        receive_shard(services, lambda _uow: uploader_of(alice, repo), claim(*files), ShardProgress(0))

    return run


def found(services: Services, uploader: Uploader, xorb: Xorb) -> XorbSource:
    with services.database.read() as uow:
        return XorbSources(uow, uploader).find(xorb.name)


def read(services: Services, source: XorbSource, first: int, end: int) -> bytes | None:
    pieces_of = source.pieces(first, end)
    if pieces_of is None:
        return None
    parts = []
    for piece in pieces_of:
        with piece.open(services) as reader:
            reader.seek(piece.offset_bytes)
            parts.append(reader.read(piece.size_bytes))
    return b"".join(parts)


def every_range() -> list[tuple[int, int]]:
    return [(first, end) for first in range(6) for end in range(first + 1, 7)]


def test_what_waits_is_its_uploaders_alone(
    services: Services, alice: Actor, bob: Actor, repo: Repo, make_repo: MakeRepo
) -> None:
    mine = uploader_of(alice, repo)
    stage(services, mine.account.id, ONE)
    source = found(services, mine, ONE)
    assert source.own is not None
    for first, end in every_range():
        assert read(services, source, first, end) == b"".join(ONE.pieces[first:end])
    with pytest.raises(XorbUnknown):
        found(services, uploader_of(bob, make_repo(bob, "own")), ONE)
    with pytest.raises(XorbUnknown):
        found(services, mine, TWO)


def test_what_was_rebuilt_lies_in_several_contents(
    services: Services, alice: Actor, repo: Repo, send: Callable[..., None]
) -> None:
    send(file_of((ONE, 2, 5)), file_of(TWO, (ONE, 0, 3)), file_of((ONE, 4, 6), TWO))
    for stored in list(services.xorbs.iterate()):
        services.xorbs.delete(stored.location)
    mine = uploader_of(alice, repo)
    for xorb in (ONE, TWO):
        assert let_go_of_rebuilt(services, XorbKey(mine.account.id, xorb.name))
        source = found(services, mine, xorb)
        for first, end in every_range():
            assert read(services, source, first, end) == b"".join(xorb.pieces[first:end])


def test_chunks_that_are_nowhere(
    services: Services, alice: Actor, repo: Repo, send: Callable[..., None]
) -> None:
    """A run lies in a content that is damaged: its chunks alone are gone."""
    send(file_of((ONE, 0, 4)), file_of((ONE, 3, 6)))
    mine = uploader_of(alice, repo)
    assert let_go_of_rebuilt(services, XorbKey(mine.account.id, ONE.name))
    with services.database.write() as uow:
        mark_verified(uow, file_of((ONE, 0, 4)).sha256, damage="The bytes are wrong.")
    source = found(services, mine, ONE)
    assert read(services, source, 3, 6) == b"".join(ONE.pieces[3:6])
    for first in range(3):
        assert read(services, source, first, 6) is None


def test_a_xorb_that_the_hub_made_is_known_to_whoever_may_use_the_content(
    services: Services,
    alice: Actor,
    bob: Actor,
    repo: Repo,
    make_repo: MakeRepo,
    commit: Commit,
    send: Callable[..., None],
) -> None:
    file = file_of((ONE, 1, 5))
    made = Xorb(ONE.pieces[1:5])
    send(file)
    his = uploader_of(bob, make_repo(bob, "own"))
    for sought in (made, ONE):
        with pytest.raises(XorbUnknown):
            found(services, his, sought)
    public = make_repo(alice, "public")
    commit(alice, public, LinkContent("w.bin", file.sha256, len(file.data)))
    source = found(services, his, made)
    assert source.own is None
    assert read(services, source, 0, 4) == file.data
    assert read(services, source, 1, 3) == b"".join(made.pieces[1:3])
    with pytest.raises(XorbUnknown):
        found(services, his, ONE)


def test_a_damaged_content_offers_nothing(
    services: Services, alice: Actor, repo: Repo, send: Callable[..., None]
) -> None:
    file = file_of((ONE, 1, 5))
    send(file)
    with services.database.write() as uow:
        mark_verified(uow, file.sha256, damage="The bytes are wrong.")
    with pytest.raises(XorbUnknown):
        found(services, uploader_of(alice, repo), Xorb(ONE.pieces[1:5]))


def test_the_same_xorb_in_a_sound_and_a_damaged_content(
    services: Services, alice: Actor, repo: Repo, send: Callable[..., None]
) -> None:
    """Two files begin with the same 64 MiB: rows alone stand for them here."""
    file = file_of((ONE, 1, 5))
    send(file)
    other = Sha256("ab" * 32)
    with services.database.write() as uow:
        account = find_account(uow, "alice")
        assert account is not None
        add_content(uow, other, len(file.data), "ab/ab/other")
        take_possession(uow, account.id, other)
        begin_xet_file(uow, TWO.name, other)
        made = Xorb(ONE.pieces[1:5])
        add_file_xorbs(
            uow, [FileXorb(TWO.name, 0, made.name, 0, len(file.data), pack_chunks(file.chunks))], []
        )
        assert complete_xet_file(uow, TWO.name, 1)
        mark_verified(uow, other, damage="The bytes are wrong.")
    source = found(services, uploader_of(alice, repo), made)
    assert read(services, source, 0, 4) == file.data


def test_more_xorbs_than_are_held_in_memory(services: Services, alice: Actor, repo: Repo) -> None:
    mine = uploader_of(alice, repo)
    xorbs = [Xorb(pieces(seed, 1)) for seed in range(40)]
    for xorb in xorbs:
        stage(services, mine.account.id, xorb)
    with services.database.read() as uow:
        sources = XorbSources(uow, mine)
        for _again in range(2):
            for xorb in xorbs:
                assert sources.find(xorb.name).chunks == xorb.chunks
