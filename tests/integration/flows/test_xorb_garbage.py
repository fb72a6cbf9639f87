"""What goes and what stays of the Xet transfer: nothing that a client may still name."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from allmende.flows import Services, ShardProgress, Uploader, collect_garbage, fsck, receive_shard
from allmende.flows.known_chunks import CLIENT_MEMORY, shard_for_chunk
from allmende.flows.maintenance import sweep
from allmende.flows.shard_receipt import let_go_of_named
from allmende.flows.xorb_garbage import sweep_xorbs
from allmende.flows.xorb_sources import XorbUnknown
from allmende.jobs import JobContext
from allmende.registry import Actor, Repo
from allmende.settings import load_settings
from allmende.storage import (
    LocalContentStore,
    LocalXorbStore,
    XorbKey,
    find_content,
    find_uploaded_xorb,
    let_go_of_bytes,
    read_epoch,
)
from tests.integration.conftest import HeldClock
from tests.integration.registry.conftest import MakeRepo
from tests.xet_forge import File, Xorb, claim, file_of, pieces, stage

ONE, TWO = Xorb(pieces(1, 6)), Xorb(pieces(2, 6))
GRACE = timedelta(days=30)


@pytest.fixture
def services(services: Services, tmp_path: Path) -> Services:
    settings = load_settings({"data": tmp_path}, {})
    assert settings.unreferenced_grace_s == GRACE.total_seconds()
    return replace(services, settings=settings)


@pytest.fixture
def mine(alice: Actor, make_repo: MakeRepo) -> Uploader:
    repo: Repo = make_repo(alice)
    assert alice.account is not None
    return Uploader(alice, alice.account, repo)


@pytest.fixture
def put(services: Services, mine: Uploader, clock: HeldClock) -> Callable[..., None]:
    def run(*xorbs: Xorb) -> None:
        for xorb in xorbs:
            stage(services, mine.account.id, xorb)
        set_times(services, clock())

    return run


@pytest.fixture
def receive(services: Services, mine: Uploader, clock: HeldClock) -> Callable[..., None]:
    def run(*files: File, let_go: bool = True) -> None:
        shard = claim(*files)
        receive_shard(services, lambda _uow: mine, shard, ShardProgress(0))
        if let_go:
            let_go_of_named(services, mine.account.id, shard)
        set_times(services, clock())

    return run


def set_times(services: Services, now: datetime) -> None:
    """Files have the time of the machine; what is as young as the machine says gets the held clock's time."""
    for store in (services.contents, services.xorbs):
        assert isinstance(store, LocalContentStore | LocalXorbStore)
        for stored in store.iterate():
            if stored.written_at > now:
                os.utime(store.root / stored.location, (now.timestamp(), now.timestamp()))


def rows(services: Services, mine: Uploader, *xorbs: Xorb) -> list[bool]:
    with services.database.read() as uow:
        return [find_uploaded_xorb(uow, XorbKey(mine.account.id, xorb.name)) is not None for xorb in xorbs]


def epoch(services: Services) -> str:
    with services.database.read() as uow:
        return read_epoch(uow)


def test_the_grace_is_longer_than_clients_remember() -> None:
    assert GRACE > CLIENT_MEMORY


def test_a_xorb_that_nobody_names_goes_after_the_grace(
    services: Services, mine: Uploader, put: Callable[..., None], clock: HeldClock
) -> None:
    put(ONE)
    clock.advance(days=20)
    put(TWO)
    clock.advance(days=10, seconds=1)
    before = epoch(services)
    size = sum(map(len, ONE.pieces))
    for dry_run in (True, True, False):
        report = collect_garbage(services, dry_run=dry_run)
        assert (report.xorbs, report.xorb_bytes) == (1, size)
    assert rows(services, mine, ONE, TWO) == [False, True]
    assert len(list(services.xorbs.iterate())) == 1
    assert collect_garbage(services, dry_run=False).xorbs == 0
    assert epoch(services) == before
    assert fsck(services, deep=True).sound


def test_a_xorb_that_is_named_stays_and_the_content_that_holds_it_too(
    services: Services,
    mine: Uploader,
    put: Callable[..., None],
    receive: Callable[..., None],
    clock: HeldClock,
) -> None:
    put(ONE, TWO)
    receive(file_of(ONE), file_of(TWO))
    clock.advance(days=25)
    receive(file_of((ONE, 0, 3)))
    clock.advance(days=6)
    report = collect_garbage(services, dry_run=False)
    assert (report.xorbs, report.contents) == (1, 1)
    assert rows(services, mine, ONE, TWO) == [True, False]
    receive(file_of((ONE, 2, 6)))
    with pytest.raises(XorbUnknown):
        receive(file_of((TWO, 2, 6)))
    clock.advance(days=31)
    collect_garbage(services, dry_run=False)
    assert list(services.contents.iterate()) == list(services.xorbs.iterate()) == []
    assert fsck(services, deep=True).sound


def test_a_file_of_which_a_client_was_told_stays(
    services: Services,
    mine: Uploader,
    put: Callable[..., None],
    receive: Callable[..., None],
    clock: HeldClock,
) -> None:
    put(ONE, TWO)
    receive(file_of(ONE), file_of(TWO))
    clock.advance(days=29)
    assert shard_for_chunk(services, lambda _uow: mine, Xorb(ONE.pieces[:1]).name) is not None
    clock.advance(days=2)
    collect_garbage(services, dry_run=False)
    with services.database.read() as uow:
        assert find_content(uow, file_of(ONE).sha256) is not None
        assert find_content(uow, file_of(TWO).sha256) is None
    # The client names what it was told of.
    receive(file_of((ONE, 0, 2)))


def test_collecting_earlier_than_clients_forget_begins_an_epoch(
    services: Services, mine: Uploader, put: Callable[..., None], clock: HeldClock, tmp_path: Path
) -> None:
    for grace, begins in (
        (CLIENT_MEMORY.total_seconds(), False),
        (CLIENT_MEMORY.total_seconds() - 1, True),
        (0, True),
    ):
        settings = load_settings({"data": tmp_path, "unreferenced_grace_s": int(grace)}, {})
        hasty = replace(services, settings=settings)
        before = epoch(services)
        collect_garbage(hasty, dry_run=True)
        assert epoch(services) == before
        collect_garbage(hasty, dry_run=False)
        assert (epoch(services) != before) is begins


def test_bytes_that_no_row_names_go_when_none_is_coming(
    services: Services, mine: Uploader, put: Callable[..., None], clock: HeldClock
) -> None:
    put(ONE)
    assert isinstance(services.xorbs, LocalXorbStore)
    for age in (timedelta(days=31), timedelta(minutes=5)):
        received = services.xorbs.receive(TWO.name)
        received.write(TWO.serialized())
        location, _, _ = received.finish()
        at = (clock() - age).timestamp()
        os.utime(services.xorbs.root / location, (at, at))
    notes = fsck(services, deep=True).notes
    assert [note.kind for note in notes] == ["orphan", "orphan"]
    report = collect_garbage(services, dry_run=False)
    assert (report.xorbs, report.xorb_bytes) == (0, sum(map(len, TWO.pieces)))
    assert len(list(services.xorbs.iterate())) == 2


def test_young_bytes_stay_even_without_any_grace(
    services: Services, put: Callable[..., None], clock: HeldClock, tmp_path: Path
) -> None:
    """An upload puts its bytes in place first and writes its row after it."""
    settings = load_settings({"data": tmp_path, "unreferenced_grace_s": 0}, {})
    received = services.xorbs.receive(TWO.name)
    received.write(TWO.serialized())
    received.finish()
    set_times(services, clock())
    clock.advance(minutes=59)
    collect_garbage(replace(services, settings=settings), dry_run=False)
    assert len(list(services.xorbs.iterate())) == 1
    clock.advance(minutes=2)
    collect_garbage(replace(services, settings=settings), dry_run=False)
    assert list(services.xorbs.iterate()) == []


def test_sweeping_lets_go_of_what_a_crash_left(
    services: Services,
    mine: Uploader,
    put: Callable[..., None],
    receive: Callable[..., None],
    context: JobContext,
) -> None:
    put(ONE, TWO)
    receive(file_of(ONE), let_go=False)
    assert len(list(services.xorbs.iterate())) == 2
    sweep(services, context)
    (left,) = services.xorbs.iterate()
    assert TWO.name in left.location
    assert rows(services, mine, ONE, TWO) == [True, True]
    assert sweep_xorbs(services) == 0
    receive(file_of((ONE, 1, 5)))


def test_a_crash_between_row_and_bytes_leaves_bytes_alone(
    services: Services,
    mine: Uploader,
    put: Callable[..., None],
    receive: Callable[..., None],
    clock: HeldClock,
) -> None:
    put(ONE)
    receive(file_of(ONE), let_go=False)
    (stored,) = services.xorbs.iterate()
    with services.database.write() as uow:
        assert let_go_of_bytes(uow, XorbKey(mine.account.id, ONE.name), stored.location)
    assert fsck(services, deep=True).sound
    clock.advance(days=31)
    receive(file_of(ONE))
    collect_garbage(services, dry_run=False)
    assert list(services.xorbs.iterate()) == []
    receive(file_of((ONE, 1, 2)))


def test_many_xorbs_are_collected_page_by_page(
    services: Services,
    mine: Uploader,
    put: Callable[..., None],
    clock: HeldClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("allmende.flows.xorb_garbage._PAGE", 3)
    put(*(Xorb(pieces(seed, 1)) for seed in range(10, 20)))
    clock.advance(days=31)
    put(ONE)
    assert len(fsck(services, deep=False).problems) == 0
    assert collect_garbage(services, dry_run=False).xorbs == 10
    assert rows(services, mine, ONE) == [True]


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_fsck_finds_a_waiting_xorb_that_is_damaged(
    services: Services, put: Callable[..., None], damage: str
) -> None:
    put(ONE, TWO)
    assert fsck(services, deep=False).sound
    assert isinstance(services.xorbs, LocalXorbStore)
    (path,) = services.xorbs.root.glob(f"*/{ONE.name}.*")
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    for deep in (False, True):
        (problem,) = fsck(services, deep=deep).problems
        assert problem.kind == {"lost": "xorb_missing", "cut": "xorb_damaged"}[damage]
        assert problem.subject == ONE.name
