"""Packing contents: what is packed when, on what, and that their bytes stay the same throughout."""

import hashlib
import threading

import pytest

from allmende.flows import Services, enqueue_packing, fsck, open_content, packing_status, set_packing_paused
from allmende.flows.content_packing import pack_content
from allmende.flows.packing_pace import PackingPace
from allmende.flows.traffic import Traffic
from allmende.jobs import JobContext, JobInterrupted
from allmende.registry import Actor
from allmende.storage import add_content, contents_to_pack, hub_figures
from tests.integration.flows.packed_hub import PackedHub, family, settings_of_packing


def test_a_model_and_its_fine_tune_take_little_more_than_one(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(1, 1e-6)
    first = packed.publish(alice, "base", base)[1]
    second = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    assert packed.content(first).is_packed
    assert packed.content(second).is_packed
    assert packed.plain_files() == 0
    assert (packed.read(first), packed.read(second)) == (base, tuned)
    with packed.database.read() as uow:
        figures = hub_figures(uow)
    assert figures.stored_bytes < 0.8 * figures.content_bytes
    assert figures.saved_by_prediction_bytes > 0
    assert fsck(packed.services, deep=True).problems == ()


def test_every_range_is_the_same(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(2, 1e-4)
    packed.publish(alice, "base", base)
    sha256 = packed.publish(alice, "tuned", tuned)[1]
    packed.pack()
    with open_content(packed.services, packed.content(sha256)) as reader:
        assert reader.seek(0, 2) == len(tuned)
        for start, count in ((0, 1), (7, 500), (99_999, 70_001), (len(tuned) - 3, 99), (len(tuned) + 5, 1)):
            reader.seek(start)
            assert reader.read(count) == tuned[start : start + count]


def test_what_saves_too_little_stays_plain_and_is_not_tried_again(packed: PackedHub, alice: Actor) -> None:
    import numpy as np

    noise = np.random.default_rng(3).bytes(300_000)
    sha256 = packed.publish(alice, "noise", noise, file="noise.bin")[1]
    packed.pack()
    assert not packed.content(sha256).is_packed
    assert packed.read(sha256) == noise
    packed.clock.advance(hours=2)
    with packed.database.write() as uow:
        packed.services.queue.enqueue(uow, "pack_missing", {})
    assert "pack" not in packed.pack()


def run_pack(services: Services, *, now: bool = False) -> None:
    """Every job `pack` that is due, with these settings."""
    if now:
        with services.database.write() as uow:
            for found in contents_to_pack(uow, None, 0, uow.now, 100):
                enqueue_packing(services, uow, found.sha256, now=True)
    while (job := services.queue.claim(("pack",), 1e6, "test")) is not None:
        pack_content(services, JobContext(services.queue, job))
        services.queue.finish(job)


def test_young_files_wait_unless_they_are_asked_for_now(packed: PackedHub, alice: Actor) -> None:
    base, tuned = family(4, 1e-6)
    packed.publish(alice, "base", base)
    sha256 = packed.publish(alice, "tuned", tuned)[1]
    packed.run_jobs()
    patient = settings_of_packing(packed.services, pack_quiet_s=3600)
    packed.clock.advance(seconds=2)
    run_pack(patient)
    assert not packed.content(sha256).is_packed
    run_pack(patient, now=True)
    assert packed.content(sha256).is_packed


def test_what_was_not_examined_is_not_packed(packed: PackedHub, alice: Actor) -> None:
    sha256 = packed.publish(alice, "base", family(12)[0])[1]
    run_pack(packed.services, now=True)
    assert not packed.content(sha256).is_packed


def test_a_plain_file_that_is_not_what_it_was_is_marked(packed: PackedHub, alice: Actor) -> None:
    sha256 = packed.publish(alice, "base", family(13)[0])[1]
    packed.run_jobs()
    path = packed.services.settings.contents_dir / packed.content(sha256).location
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    run_pack(packed.services, now=True)
    found = packed.content(sha256)
    assert not found.is_packed
    assert found.damaged is not None
    assert list(packed.services.packs.iterate()) == []


def test_small_files_stay_as_they_are(packed: PackedHub, alice: Actor) -> None:
    sha256 = packed.publish(alice, "small", b"a" * 9_999, file="small.bin")[1]
    assert "pack" not in packed.pack()
    assert not packed.content(sha256).is_packed


class TestPause:
    def test_nothing_is_packed_until_it_is_resumed(self, packed: PackedHub, alice: Actor) -> None:
        set_packing_paused(packed.services, paused=True)
        base, tuned = family(5, 1e-6)
        packed.publish(alice, "base", base)
        sha256 = packed.publish(alice, "tuned", tuned)[1]
        packed.pack()
        assert not packed.content(sha256).is_packed
        assert packing_status(packed.services).paused
        set_packing_paused(packed.services, paused=False)
        packed.pack()
        assert packed.content(sha256).is_packed

    def test_what_runs_stops(self, packed: PackedHub, context: JobContext) -> None:
        pace = PackingPace(packed.services, context)
        pace.checkpoint()
        set_packing_paused(packed.services, paused=True)
        pace._next_look = 0.0
        with pytest.raises(JobInterrupted):
            pace.checkpoint()

    def test_the_settings_can_forbid_it(self, packed: PackedHub, alice: Actor) -> None:
        off = settings_of_packing(packed.services, packing=False)
        base, tuned = family(6, 1e-6)
        packed.publish(alice, "base", base)
        sha256 = packed.publish(alice, "tuned", tuned)[1]
        packed.run_jobs()
        run_pack(off, now=True)
        assert not packed.content(sha256).is_packed
        assert not packing_status(off).enabled

    def test_what_is_in_the_wrong_scope_is_made_plain_all_the_same(
        self, packed: PackedHub, alice: Actor
    ) -> None:
        base, tuned = family(14, 1e-6)
        packed.publish(alice, "base", base)
        repo, sha256 = packed.publish(alice, "tuned", tuned)
        packed.pack()
        off = settings_of_packing(packed.services, packing=False)
        packed.show(alice, repo, private=True)
        run_pack(off, now=True)
        assert not packed.content(sha256).is_packed
        assert packed.scopes(sha256) == set()
        assert packed.read(sha256) == tuned


class TestGivingWay:
    def test_the_hub_is_busy_while_it_answers_and_a_second_after(self) -> None:
        traffic = Traffic()
        assert not traffic.is_busy
        with traffic.request():
            assert traffic.is_busy
        assert traffic.is_busy
        traffic._last -= 2.0
        assert not traffic.is_busy

    def test_a_block_of_work_is_followed_by_a_rest_while_somebody_is_answered(
        self, services: Services, context: JobContext
    ) -> None:
        pace = PackingPace(services, context)
        pace.checkpoint()
        assert pace.rested_s == 0.0
        with services.traffic.request():
            pace._began -= 0.02
            pace.checkpoint()
        assert 0.15 < pace.rested_s < 0.6


class TestMeanwhile:
    def test_an_open_reader_of_the_plain_file_goes_on(self, packed: PackedHub, alice: Actor) -> None:
        base, tuned = family(7, 1e-6)
        packed.publish(alice, "base", base)
        sha256 = packed.publish(alice, "tuned", tuned)[1]
        before = packed.content(sha256)
        with open_content(packed.services, before) as reader:
            start = reader.read(1000)
            packed.pack()
            assert packed.content(sha256).is_packed
            assert start + reader.read() == tuned
        # Whoever looked it up before the switch and opens it now is given the recipe.
        with open_content(packed.services, before) as reader:
            assert reader.read() == tuned

    def test_the_same_bytes_uploaded_while_it_is_packed(
        self, packed: PackedHub, alice: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from allmende.flows import packing_steps

        base, tuned = family(8, 1e-6)
        packed.publish(alice, "base", base)
        sha256 = packed.publish(alice, "tuned", tuned)[1]
        dropping = packing_steps._drop_plain

        def upload_first(*given: object) -> None:
            # Between the switch and the removal the bytes arrive once more, and are recorded.
            if given[1].sha256 == sha256:  # type: ignore[attr-defined]
                packed.upload(bob, tuned)
            dropping(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(packing_steps, "_drop_plain", upload_first)
        packed.pack()
        found = packed.content(sha256)
        assert not found.is_packed
        assert packed.services.contents.open_read(found.location).read() == tuned
        assert fsck(packed.services, deep=True).problems == ()
        monkeypatch.undo()
        packed.clock.advance(hours=2)
        with packed.database.write() as uow:
            packed.services.queue.enqueue(uow, "pack_missing", {})
        packed.pack()
        assert packed.content(sha256).is_packed
        assert packed.read(sha256) == tuned

    def test_a_file_put_in_place_and_not_yet_recorded_is_left(
        self, packed: PackedHub, alice: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from allmende.flows import packing_steps

        base, tuned = family(9, 1e-6)
        packed.publish(alice, "base", base)
        sha256 = packed.publish(alice, "tuned", tuned)[1]
        location = packed.content(sha256).location
        dropping = packing_steps._drop_plain

        def put_first(*given: object) -> None:
            if given[1].sha256 == sha256:  # type: ignore[attr-defined]
                writer = packed.services.contents.open_write(sha256, len(tuned))
                writer.write(tuned)
                writer.finish()
            dropping(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(packing_steps, "_drop_plain", put_first)
        packed.pack()
        assert packed.content(sha256).is_packed
        with packed.database.write() as uow:
            add_content(uow, sha256, len(tuned), location)
        assert packed.services.contents.open_read(location).read() == tuned

    def test_deleted_while_it_is_packed(
        self, packed: PackedHub, alice: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from allmende.errors import Conflict
        from allmende.flows import collect_garbage, packing_steps

        base, tuned = family(10, 1e-6)
        packed.publish(alice, "base", base)
        repo, sha256 = packed.publish(alice, "tuned", tuned)
        settle = packing_steps._settle

        def delete_first(task: object, uow: object, *more: object) -> None:
            if task.sha256 == sha256:  # type: ignore[attr-defined]
                from allmende.registry import delete_repo

                delete_repo(uow, alice, repo)  # type: ignore[arg-type]
            settle(task, uow, *more)  # type: ignore[arg-type]

        monkeypatch.setattr(packing_steps, "_settle", delete_first)
        with pytest.raises(Conflict):
            packed.pack()
        # Nothing of the run was kept, not even the deletion that came within its transaction.
        assert not packed.content(sha256).is_packed
        assert packed.read(sha256) == tuned
        monkeypatch.undo()
        packed.delete(alice, repo)
        packed.clock.advance(hours=30)
        packed.age_files()
        assert collect_garbage(packed.services, dry_run=False).contents >= 1
        assert fsck(packed.services, deep=True).problems == ()

    def test_many_readers_at_once(self, packed: PackedHub, alice: Actor) -> None:
        base, tuned = family(11, 1e-6)
        packed.publish(alice, "base", base)
        sha256 = packed.publish(alice, "tuned", tuned)[1]
        packed.pack()
        found: list[str] = []

        def read() -> None:
            found.append(hashlib.sha256(packed.read(sha256)).hexdigest())

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [sha256] * 6
