"""Sweeping and scrubbing, with time held still."""

import logging
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from allmende.flows import Services
from allmende.flows.maintenance import scrub, sweep
from allmende.ids import RepoId, Sha256
from allmende.jobs import JobContext, JobInterrupted, SqlJobQueue
from allmende.registry import Actor
from allmende.storage import (
    Content,
    Database,
    LocalContentStore,
    begin_upload,
    expired_uploads,
    find_content,
    find_upload,
    forget_content,
)
from tests.integration.conftest import HeldClock
from tests.integration.registry.conftest import Upload

AGE_S = 3600
HASH = Sha256("ab" * 32)


def read(database: Database, sha256: Sha256) -> Content:
    with database.read() as uow:
        found = find_content(uow, sha256)
    assert found is not None
    return found


def damage(contents: LocalContentStore, sha256: Sha256, data: bytes) -> None:
    (contents.root / sha256[:2] / sha256[2:4] / sha256).write_bytes(data)


# --- scrub -----------------------------------------------------------------------------------------------


def test_contents_are_read_again_when_their_verification_is_old(
    services: Services,
    context: JobContext,
    database: Database,
    clock: HeldClock,
    upload: Upload,
    alice: Actor,
) -> None:
    old = upload(alice, b"old")
    clock.advance(seconds=AGE_S)
    young = upload(alice, b"young")
    young_at = clock()
    clock.advance(seconds=1)
    scrub(services, context)
    assert read(database, old).verified_at == clock()
    assert read(database, young).verified_at == young_at


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"rigHt", "The bytes have the SHA-256"),
        (b"right.", "There are 6 bytes instead of 5."),
        (None, "missing"),
    ],
)
def test_damage_is_marked_and_logged_as_an_error(
    services: Services,
    context: JobContext,
    database: Database,
    contents: LocalContentStore,
    clock: HeldClock,
    upload: Upload,
    alice: Actor,
    caplog: pytest.LogCaptureFixture,
    data: bytes | None,
    sentence: str,
) -> None:
    sha256 = upload(alice, b"right")
    if data is None:
        contents.delete(read(database, sha256).location)
    else:
        damage(contents, sha256, data)
    clock.advance(seconds=AGE_S + 1)
    with caplog.at_level(logging.ERROR, "allmende.flows"):
        scrub(services, context)
    assert sentence in str(read(database, sha256).damaged)
    assert sha256 in caplog.text


def test_a_run_is_bounded_and_the_next_one_goes_on_with_the_oldest(
    services: Services,
    context: JobContext,
    database: Database,
    clock: HeldClock,
    upload: Upload,
    alice: Actor,
) -> None:
    hashes = []
    for n in range(5):
        hashes.append(upload(alice, f"content {n}".encode()))
        clock.advance(seconds=1)
    clock.advance(seconds=AGE_S)

    def verified_now() -> list[int]:
        return [n for n in range(5) if read(database, hashes[n]).verified_at == clock()]

    scrub(services, context, max_bytes=10)
    assert verified_now() == [0, 1]
    clock.advance(seconds=1)
    scrub(services, context, max_bytes=1)
    assert verified_now() == [2]


def test_bytes_that_were_uploaded_anew_while_the_old_ones_were_read_are_not_called_damaged(
    services: Services,
    context: JobContext,
    database: Database,
    contents: LocalContentStore,
    clock: HeldClock,
    upload: Upload,
    alice: Actor,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sha256 = upload(alice, b"right")
    damage(contents, sha256, b"wrong")
    clock.advance(seconds=AGE_S + 1)
    opens = contents.open_read

    def heals_after_opening(_self: LocalContentStore, location: str) -> BinaryIO:
        reader = opens(location)
        upload(alice, b"right")
        return reader

    monkeypatch.setattr(LocalContentStore, "open_read", heals_after_opening)
    scrub(services, context)
    assert read(database, sha256).damaged is None
    assert "damaged" not in caplog.text


def test_fresh_bytes_heal_a_damaged_content(
    services: Services,
    context: JobContext,
    database: Database,
    contents: LocalContentStore,
    clock: HeldClock,
    upload: Upload,
    alice: Actor,
) -> None:
    sha256 = upload(alice, b"right")
    damage(contents, sha256, b"wrong")
    clock.advance(seconds=AGE_S + 1)
    scrub(services, context)
    assert read(database, sha256).damaged
    upload(alice, b"right")
    assert read(database, sha256).damaged is None


def test_scrubbing_gives_way(
    services: Services,
    context: JobContext,
    database: Database,
    clock: HeldClock,
    upload: Upload,
    alice: Actor,
) -> None:
    sha256 = upload(alice, b"right")
    clock.advance(seconds=AGE_S + 1)
    context.ask_to_stop()
    with pytest.raises(JobInterrupted):
        scrub(services, context)
    assert read(database, sha256).verified_at < clock()


def test_a_content_that_is_collected_while_it_is_read_is_no_damage(
    services: Services,
    context: JobContext,
    database: Database,
    contents: LocalContentStore,
    clock: HeldClock,
    upload: Upload,
    alice: Actor,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sha256 = upload(alice, b"garbage")
    clock.advance(seconds=AGE_S + 1)
    opens = contents.open_read

    def collected_before_opening(_self: LocalContentStore, location: str) -> BinaryIO:
        with database.write() as uow:
            forget_content(uow, sha256)
        contents.delete(location)
        return opens(location)

    monkeypatch.setattr(LocalContentStore, "open_read", collected_before_opening)
    scrub(services, context)
    assert "damaged" not in caplog.text


# --- sweep -----------------------------------------------------------------------------------------------


def test_uploads_whose_time_is_over_go_with_their_bytes(
    services: Services,
    context: JobContext,
    database: Database,
    contents: LocalContentStore,
    clock: HeldClock,
    alice: Actor,
) -> None:
    assert alice.account is not None
    ids = []
    for n, ttl_s in enumerate((100, 1000)):
        with database.write() as uow:
            opened = begin_upload(uow, alice.account.id, RepoId(n), HASH, 1000, 500, ttl_s)
        writer = contents.write_part(opened.id, 0)
        writer.write(b"x" * 500)
        writer.finish()
        ids.append(opened.id)
    clock.advance(seconds=101)
    sweep(services, context)
    with database.read() as uow:
        assert expired_uploads(uow) == []
        assert find_upload(uow, ids[1]).id == ids[1]
    assert sorted(path.name for path in (contents.root / "incoming").iterdir()) == [f"{ids[1]}.parts"]


def test_temporary_files_go_when_no_upload_can_still_want_them(
    services: Services, context: JobContext, contents: LocalContentStore, clock: HeldClock
) -> None:
    incoming = contents.root / "incoming"
    limit_s = services.settings.upload_ttl_s + 3600
    for name, age_s in (("old.part", limit_s + 1), ("young.part", limit_s - 1)):
        path: Path = incoming / name
        path.write_bytes(b"x")
        os.utime(path, (clock().timestamp() - age_s,) * 2)
    sweep(services, context)
    assert [path.name for path in incoming.iterdir()] == ["young.part"]


def test_done_jobs_are_forgotten_after_a_week(
    services: Services, context: JobContext, queue: SqlJobQueue, database: Database, clock: HeldClock
) -> None:
    with database.write() as uow:
        queue.enqueue(uow, "old", {})
    run = queue.claim(("old",), 60, "w")
    assert run is not None
    queue.finish(run)
    clock.advance(days=7)
    sweep(services, context)
    assert queue.counts()["old", "done"] == 1
    clock.advance(seconds=1)
    sweep(services, context)
    assert ("old", "done") not in queue.counts()
