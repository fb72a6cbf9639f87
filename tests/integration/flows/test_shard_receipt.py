"""Receiving shards: what is recorded, what a repeat does, and what happens when bytes move meanwhile."""

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from allmende.errors import AllmendeError, Unavailable
from allmende.flows import Ask, Services, ShardProgress, Uploader, receive_shard
from allmende.flows.rebuilding import ShardMismatch
from allmende.flows.shard_receipt import let_go_of_named, let_go_of_rebuilt
from allmende.flows.xorb_sources import XorbUnknown
from allmende.ids import Sha256
from allmende.registry import Actor, Repo
from allmende.storage import (
    Database,
    HashMismatch,
    LocalContentStore,
    LocalXorbStore,
    UnitOfWork,
    XorbKey,
    find_content,
    find_uploaded_xorb,
    find_xet_file,
    forget_content,
    forget_uploaded_xorb,
    list_runs,
    mark_verified,
    possessed,
    read_generation,
    unused_since,
)
from allmende.storage.xet_tables import xet_file
from tests.integration.conftest import HeldClock
from tests.integration.registry.conftest import MakeRepo
from tests.xet_forge import File, Xorb, claim, entry, file_of, pieces, stage

ONE, TWO = Xorb(pieces(1, 8)), Xorb(pieces(2, 8))
FILE = file_of((ONE, 2, 8), TWO, (ONE, 0, 2))

Receive = Callable[..., ShardProgress]


@pytest.fixture
def repo(make_repo: MakeRepo, alice: Actor) -> Repo:
    return make_repo(alice)


@pytest.fixture
def ask(alice: Actor, repo: Repo) -> Ask:
    return asker(alice, repo)


def asker(actor: Actor, repo: Repo) -> Ask:
    assert actor.account is not None
    uploader = Uploader(actor, actor.account, repo)
    return lambda _uow: uploader


@pytest.fixture
def receive(services: Services, ask: Ask) -> Receive:
    def run(*files: File | bytes, on: Services = services) -> ShardProgress:
        shard = claim(*files)
        progress = ShardProgress(sum(file.size_bytes for file in shard.files))
        receive_shard(on, ask, shard, progress)
        with on.database.read() as uow:
            account_id = ask(uow).account.id
        let_go_of_named(on, account_id, shard)
        return progress

    return run


@pytest.fixture
def staged(services: Services, alice: Actor) -> Callable[..., list[str]]:
    assert alice.account is not None
    account_id = alice.account.id
    return lambda *xorbs: [stage(services, account_id, xorb) for xorb in xorbs]


def key_of(actor: Actor, xorb: Xorb) -> XorbKey:
    assert actor.account is not None
    return XorbKey(actor.account.id, xorb.name)


def stored_bytes(services: Services, sha256: Sha256) -> bytes:
    with services.database.read() as uow:
        content = find_content(uow, sha256)
    assert content is not None
    with services.contents.open_read(content.location) as reader:
        return reader.read()


def test_a_file_is_rebuilt_recorded_and_its_uploaders(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor, bob: Actor
) -> None:
    staged(ONE, TWO)
    progress = receive(FILE)
    assert progress.verified_bytes == progress.total_bytes == len(FILE.data)
    assert stored_bytes(services, FILE.sha256) == FILE.data
    assert alice.account is not None
    assert bob.account is not None
    with services.database.read() as uow:
        assert possessed(uow, alice.account.id, [FILE.sha256]) == {FILE.sha256}
        assert possessed(uow, bob.account.id, [FILE.sha256]) == set()
        known = find_xet_file(uow, FILE.name)
        assert known is not None
        assert known.sha256 == FILE.sha256
        runs = [(run.first, run.end, run.offset_bytes) for run in list_runs(uow, key_of(alice, ONE))]
    ends = len(file_of((ONE, 2, 8), TWO).data)
    assert runs == [(0, 2, ends), (2, 8, 0)]
    assert list(services.xorbs.iterate()) == []


def test_a_xorb_of_which_some_chunks_are_in_no_file_stays(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor
) -> None:
    (location,) = staged(ONE)
    receive(file_of((ONE, 0, 3)), file_of((ONE, 4, 8)))
    assert [stored.location for stored in services.xorbs.iterate()] == [location]
    receive(file_of((ONE, 3, 4)))
    assert list(services.xorbs.iterate()) == []
    with services.database.read() as uow:
        found = find_uploaded_xorb(uow, key_of(alice, ONE))
    assert found is not None
    assert found.location is None
    # Its client counts on it, and finds it in three contents.
    receive(file_of((ONE, 1, 8), (ONE, 0, 5)))


class Counting(LocalXorbStore):
    """Remembers what was read."""

    read: list[str]

    def open_read(self, location: str) -> BinaryIO:
        self.read.append(location)
        return super().open_read(location)


def counting(services: Services) -> tuple[Services, Counting]:
    assert isinstance(services.xorbs, LocalXorbStore)
    assert isinstance(services.contents, LocalContentStore)
    store = Counting(services.xorbs.root, services.contents.incoming)
    store.read = []
    return replace(services, xorbs=store), store


def test_a_repeat_reads_nothing_and_writes_no_bytes(
    services: Services, receive: Receive, staged: Callable[..., list[str]], contents: LocalContentStore
) -> None:
    staged(ONE, TWO)
    watched, store = counting(services)
    receive(FILE, on=watched)
    assert len(store.read) == 3
    before = [(path, path.stat().st_ino) for path in contents.root.rglob("*") if path.is_file()]
    progress = receive(FILE, on=watched)
    assert progress.verified_bytes == progress.total_bytes
    assert len(store.read) == 3
    assert [(path, path.stat().st_ino) for path in contents.root.rglob("*") if path.is_file()] == before


def test_a_repeat_renews_what_keeps_the_file_from_garbage_collection(
    services: Services, receive: Receive, staged: Callable[..., list[str]], clock: HeldClock, alice: Actor
) -> None:
    """The commit comes after the shard: what the shard acknowledged must be there when it comes."""
    staged(ONE)
    receive(file_of(ONE))
    clock.advance(days=40)
    receive(file_of(ONE))
    with services.database.write() as uow:
        # A client that was told of the chunks has no rows of a xorb of its own that would protect it.
        clock.advance(seconds=1)
        assert forget_uploaded_xorb(uow, key_of(alice, ONE), clock())
        assert unused_since(uow, [file_of(ONE).sha256], clock() - timedelta(hours=1)) == {}


def test_two_at_once_do_the_work_once(
    services: Services, receive: Receive, staged: Callable[..., list[str]], contents: LocalContentStore
) -> None:
    staged(ONE, TWO)
    watched, store = counting(services)
    failed: list[BaseException] = []
    begin = threading.Barrier(4)

    def run() -> None:
        begin.wait()
        try:
            receive(FILE, on=watched)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(store.read) == 3
    assert len(list(contents.iterate())) == 1
    assert list(contents.incoming.iterdir()) == []


def test_files_that_are_done_stay_done_when_a_later_one_is_refused(
    services: Services, receive: Receive, staged: Callable[..., list[str]]
) -> None:
    staged(ONE)
    with pytest.raises(XorbUnknown):
        receive(file_of((ONE, 0, 4)), file_of(TWO))
    assert stored_bytes(services, file_of((ONE, 0, 4)).sha256) == file_of((ONE, 0, 4)).data


def test_a_name_that_is_unknown_renews_the_scope_of_that_account_alone(
    services: Services, receive: Receive, alice: Actor, bob: Actor
) -> None:
    assert alice.account is not None
    assert bob.account is not None
    for times in (1, 2):
        with pytest.raises(XorbUnknown):
            receive(FILE)
        with services.database.read() as uow:
            assert read_generation(uow, alice.account.id) == times
            assert read_generation(uow, bob.account.id) == 0


def test_a_lie_does_not_renew_the_scope(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor
) -> None:
    staged(ONE)
    with pytest.raises(ShardMismatch):
        receive(entry(file_of(ONE), raw=TWO.raw))
    with pytest.raises(HashMismatch):
        receive(entry(file_of(ONE), sha256="ab" * 32))
    assert alice.account is not None
    with services.database.read() as uow:
        assert read_generation(uow, alice.account.id) == 0


class LetGo(LocalXorbStore):
    """A store whose bytes go, at the moment of reading, into a content that another request has built."""

    meanwhile: Callable[[], object]
    times = 1

    def open_read(self, location: str) -> BinaryIO:
        if self.times:
            self.times -= 1
            self.meanwhile()
        return super().open_read(location)


def racing(services: Services, meanwhile: Callable[[], object], times: int = 1) -> Services:
    assert isinstance(services.xorbs, LocalXorbStore)
    assert isinstance(services.contents, LocalContentStore)
    store = LetGo(services.xorbs.root, services.contents.incoming)
    store.meanwhile, store.times = meanwhile, times
    return replace(services, xorbs=store)


def test_a_xorb_that_is_let_go_before_it_is_read_is_found_in_its_content(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor
) -> None:
    staged(ONE)
    race = racing(services, lambda: receive(file_of(ONE)))
    progress = receive(file_of((ONE, 0, 5)), on=race)
    assert stored_bytes(services, file_of((ONE, 0, 5)).sha256) == file_of((ONE, 0, 5)).data
    assert progress.verified_bytes == progress.total_bytes
    assert list(services.xorbs.iterate()) == []


def test_a_xorb_that_moves_again_and_again(
    services: Services, receive: Receive, staged: Callable[..., list[str]]
) -> None:
    """Its client uploads it once more at each moment of reading: the repeat of the shard is asked for."""
    staged(ONE)
    race = racing(services, lambda: staged(ONE), times=3)
    with pytest.raises((Unavailable, XorbUnknown)):
        receive(file_of(ONE), on=race)
    receive(file_of(ONE))


@pytest.mark.parametrize("damage", ["lost", "cut", "changed"])
def test_a_waiting_xorb_whose_bytes_are_damaged_is_asked_for_again(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor, damage: str
) -> None:
    """Its client remembers that it was uploaded and never sends it again, unless it finds a new scope."""
    assert alice.account is not None
    assert isinstance(services.xorbs, LocalXorbStore)
    (location,) = staged(ONE)
    path = services.xorbs.root / location
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] if damage == "cut" else path.read_bytes()[:-1] + b"x")
    with pytest.raises(AllmendeError):
        receive(file_of(ONE))
    with services.database.read() as uow:
        assert read_generation(uow, alice.account.id) == 1
    staged(ONE)
    receive(file_of(ONE))
    assert stored_bytes(services, file_of(ONE).sha256) == file_of(ONE).data


@pytest.mark.parametrize("damage", ["lost", "cut", "changed"])
def test_a_content_whose_damage_nobody_knew_of_is_found_by_the_upload_that_builds_on_it(
    services: Services,
    receive: Receive,
    staged: Callable[..., list[str]],
    contents: LocalContentStore,
    alice: Actor,
    damage: str,
) -> None:
    assert alice.account is not None
    base = file_of(ONE)
    staged(ONE)
    receive(base)
    (path,) = [contents.root / stored.location for stored in contents.iterate()]
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(base.data[:-1] if damage == "cut" else base.data[:-1] + b"x")
    with pytest.raises(AllmendeError):
        receive(file_of((ONE, 3, 8)))
    with services.database.read() as uow:
        assert read_generation(uow, alice.account.id) == 1
        content = find_content(uow, base.sha256)
    assert content is not None
    assert content.damaged is not None
    staged(ONE)
    receive(base, file_of((ONE, 3, 8)))
    assert stored_bytes(services, base.sha256) == base.data


def test_a_lie_marks_nothing_as_damaged(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor
) -> None:
    staged(ONE, TWO)
    receive(file_of(ONE))
    with pytest.raises(HashMismatch):
        receive(entry(file_of((ONE, 1, 4), TWO), sha256="ab" * 32))
    with services.database.read() as uow:
        content = find_content(uow, file_of(ONE).sha256)
        waiting = find_uploaded_xorb(uow, key_of(alice, TWO))
    assert content is not None
    assert content.damaged is None
    assert waiting is not None
    assert waiting.location is not None


def test_a_content_that_is_collected_between_comparing_and_recording_is_written_anew(
    services: Services,
    database: Database,
    receive: Receive,
    staged: Callable[..., list[str]],
    contents: LocalContentStore,
    alice: Actor,
) -> None:
    file = file_of(ONE)
    staged(ONE, TWO)
    receive(file)
    staged(ONE)
    with database.write() as uow:
        # As if it had come by LFS: then it is compared, and not only passed over.
        uow.execute(xet_file.delete())

    def collect() -> None:
        with database.write() as uow:
            found = find_content(uow, file.sha256)
            assert found is not None
            contents.delete(found.location)
            forget_content(uow, file.sha256)

    receive(file, on=racing(services, collect))
    assert stored_bytes(services, file.sha256) == file.data
    with database.read() as uow:
        assert find_xet_file(uow, file.name) is not None


def test_bytes_that_the_store_has_are_compared_and_not_written(
    services: Services,
    receive: Receive,
    staged: Callable[..., list[str]],
    upload: Callable[..., Sha256],
    bob: Actor,
) -> None:
    file = file_of(ONE)
    upload(bob, file.data)
    assert isinstance(services.contents, LocalContentStore)
    (path,) = [services.contents.root / stored.location for stored in services.contents.iterate()]
    before = path.stat()
    staged(ONE)
    receive(file)
    assert path.stat().st_ino == before.st_ino


def test_a_damaged_content_is_healed_by_an_upload(
    services: Services, receive: Receive, staged: Callable[..., list[str]], contents: LocalContentStore
) -> None:
    file = file_of(ONE)
    staged(ONE)
    receive(file)
    (path,) = [contents.root / stored.location for stored in contents.iterate()]
    path.write_bytes(b"x" * len(file.data))
    with services.database.write() as uow:
        mark_verified(uow, file.sha256, damage="The bytes are wrong.")
    with pytest.raises(XorbUnknown):
        receive(file)
    staged(ONE)
    receive(file)
    assert path.read_bytes() == file.data
    with services.database.read() as uow:
        content = find_content(uow, file.sha256)
    assert content is not None
    assert content.damaged is None


class Ended(AllmendeError):
    """The right has ended."""

    code = "ended"


def test_a_right_that_ends_meanwhile_leaves_no_row(
    services: Services, alice: Actor, ask: Ask, staged: Callable[..., list[str]]
) -> None:
    staged(ONE)
    shard = claim(file_of(ONE))
    for allowed in range(4):
        left = [None] * allowed

        def until(uow: UnitOfWork, left: list[None] = left) -> Uploader:
            if not left:
                raise Ended("ended")
            left.pop()
            return ask(uow)

        with pytest.raises(Ended):
            receive_shard(services, until, shard, ShardProgress(0))
        with services.database.read() as uow:
            assert find_content(uow, file_of(ONE).sha256) is None, allowed
            assert find_xet_file(uow, file_of(ONE).name) is None
        assert not list((Path(services.contents.root) / "incoming").iterdir())  # type: ignore[attr-defined]


def test_bytes_are_not_let_go_while_a_chunk_is_in_no_sound_content(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor
) -> None:
    staged(ONE)
    receive(file_of((ONE, 0, 7)))
    assert not let_go_of_rebuilt(services, key_of(alice, ONE))
    with services.database.write() as uow:
        mark_verified(uow, file_of((ONE, 0, 7)).sha256, damage="The bytes are wrong.")
    receive(file_of((ONE, 7, 8)))
    assert len(list(services.xorbs.iterate())) == 1
    with services.database.write() as uow:
        mark_verified(uow, file_of((ONE, 0, 7)).sha256, damage=None)
    assert let_go_of_rebuilt(services, key_of(alice, ONE))
    assert not let_go_of_rebuilt(services, key_of(alice, ONE))


def test_a_run_in_a_damaged_content_gives_way_to_one_in_a_sound_content(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor
) -> None:
    staged(ONE)
    receive(file_of((ONE, 0, 7)))
    with services.database.write() as uow:
        mark_verified(uow, file_of((ONE, 0, 7)).sha256, damage="The bytes are wrong.")
    receive(file_of((ONE, 0, 7), (ONE, 0, 1)), file_of((ONE, 7, 8)))
    assert list(services.xorbs.iterate()) == []


def test_runs_that_others_stand_between_are_two(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor
) -> None:
    """Terms of the own xorb around one of a content that the hub had: they do not follow each other."""
    known = file_of(TWO)
    staged(TWO)
    receive(known)
    with services.database.write() as uow:
        assert forget_uploaded_xorb(uow, key_of(alice, TWO), services.database.clock() + timedelta(days=1))
    staged(ONE)
    file = file_of((ONE, 0, 3), (TWO, 2, 4), (ONE, 3, 8))
    receive(file)
    with services.database.read() as uow:
        runs = [(run.first, run.end, run.offset_bytes) for run in list_runs(uow, key_of(alice, ONE))]
    assert runs == [(0, 3, 0), (3, 8, len(file_of((ONE, 0, 3), (TWO, 2, 4)).data))]
    assert list(services.xorbs.iterate()) == []
    receive(file_of((ONE, 4, 8)), file_of((ONE, 2, 5)))


def test_runs_beyond_the_most_are_left_out(
    services: Services,
    receive: Receive,
    staged: Callable[..., list[str]],
    alice: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("allmende.flows.rebuilding._MOST_RUNS", 2)
    staged(ONE, TWO)
    receive(file_of((ONE, 0, 2), (TWO, 0, 3), (ONE, 4, 6), (TWO, 3, 8), (ONE, 2, 4)))
    with services.database.read() as uow:
        assert [(run.first, run.end) for run in list_runs(uow, key_of(alice, ONE))] == [(0, 2)]
        assert [(run.first, run.end) for run in list_runs(uow, key_of(alice, TWO))] == [(0, 3)]
    assert len(list(services.xorbs.iterate())) == 2
    receive(file_of(ONE), file_of(TWO))
    assert list(services.xorbs.iterate()) == []


def test_terms_that_go_on_where_the_last_one_ended_are_one_run(
    services: Services, receive: Receive, staged: Callable[..., list[str]], alice: Actor
) -> None:
    staged(ONE)
    receive(file_of((ONE, 0, 2), (ONE, 2, 5), (ONE, 5, 8)))
    with services.database.read() as uow:
        assert [(run.first, run.end) for run in list_runs(uow, key_of(alice, ONE))] == [(0, 8)]


def test_a_file_far_larger_than_what_was_uploaded_takes_little_memory(
    services: Services, receive: Receive, staged: Callable[..., list[str]]
) -> None:
    zero = Xorb((bytes(128 * 1024),))
    staged(zero)
    file = file_of(*[zero.whole()] * 400)
    shard = claim(file)
    file.data  # noqa: B018 - made before memory is measured
    tracemalloc.start()
    try:
        receive(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert shard.files[0].size_bytes == 400 * 128 * 1024
    assert peak < 10 * 1024 * 1024


def test_many_terms_are_recorded_without_keeping_others_from_writing(
    services: Services, ask: Ask, staged: Callable[..., list[str]]
) -> None:
    """Whoever writes meanwhile waits as long as the longest transaction takes."""
    many = Xorb(pieces(5, 400, 5200))
    staged(many)
    # No term goes on where the last one ended.
    file = file_of(*[(many, place * 7 % 400, place * 7 % 400 + 1) for place in range(8000)])
    shard = claim(file)
    longest: list[float] = []

    class Timed(Database):
        @contextmanager
        def write(self) -> Iterator[UnitOfWork]:
            with super().write() as uow:
                started = time.thread_time()
                yield uow
            longest.append(time.thread_time() - started)

    database = Timed(services.database.url.render_as_string(), services.database.clock)
    try:
        receive_shard(replace(services, database=database), ask, shard, ShardProgress(0))
    finally:
        database.close()
    assert max(longest) < 0.3
