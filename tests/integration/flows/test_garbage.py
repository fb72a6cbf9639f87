"""Garbage collection: what goes, what stays, and who wins when somebody comes at the same moment."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from allmende.facts import content_facts, revision_facts
from allmende.flows import Services, collect_garbage, fsck
from allmende.git import count_unowned_objects
from allmende.ids import Sha256
from allmende.registry import Actor, LinkContent, Repo, delete_repo, find_repo_by_id
from allmende.storage import (
    Database,
    LocalContentStore,
    add_content,
    find_content,
    forget_content,
    take_possession,
)
from tests.integration.conftest import HeldClock
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.weights import safetensors
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

GRACE_S = 3600


def set_age(contents: LocalContentStore, clock: HeldClock, sha256: Sha256, age_s: float) -> None:
    """The files of the store have the time of the machine; give one the time of the held clock."""
    path = path_of(contents, sha256)
    written_at = clock().timestamp() - age_s
    os.utime(path, (written_at, written_at))


def path_of(contents: LocalContentStore, sha256: Sha256) -> Path:
    return contents.root / sha256[:2] / sha256[2:4] / sha256


def put_file(contents: LocalContentStore, data: bytes) -> tuple[Sha256, str]:
    """Bytes in the store, without a row."""
    sha256 = Sha256(hashlib.sha256(data).hexdigest())
    writer = contents.open_write(sha256, len(data))
    writer.write(data)
    return sha256, writer.finish()


@pytest.fixture
def old(contents: LocalContentStore, clock: HeldClock, upload: Upload, alice: Actor) -> Sha256:
    """A content that nobody links, older than the grace period."""
    sha256 = upload(alice, b"old")
    set_age(contents, clock, sha256, 0)
    clock.advance(seconds=GRACE_S + 1)
    return sha256


def known(database: Database, sha256: Sha256) -> bool:
    with database.read() as uow:
        return find_content(uow, sha256) is not None


def test_a_content_that_nobody_holds_goes_after_the_grace_period(
    services: Services, database: Database, contents: LocalContentStore, old: Sha256
) -> None:
    seen = collect_garbage(services, dry_run=True)
    assert (seen.contents, seen.content_bytes) == (1, 3)
    assert known(database, old)
    assert collect_garbage(services, dry_run=False).contents == 1
    assert not known(database, old)
    assert not path_of(contents, old).exists()
    assert collect_garbage(services, dry_run=False).contents == 0


def test_a_young_content_stays(
    services: Services,
    database: Database,
    contents: LocalContentStore,
    clock: HeldClock,
    upload: Upload,
    alice: Actor,
) -> None:
    sha256 = upload(alice, b"young")
    set_age(contents, clock, sha256, 0)
    clock.advance(seconds=GRACE_S)
    assert collect_garbage(services, dry_run=False).contents == 0
    assert known(database, sha256)


def test_a_content_that_was_uploaded_again_lately_stays(
    services: Services, database: Database, old: Sha256, upload: Upload, alice: Actor, bob: Actor
) -> None:
    upload(bob, b"old")
    assert collect_garbage(services, dry_run=False).contents == 0
    assert known(database, old)


def test_a_content_that_a_repo_holds_stays_until_the_repo_is_gone(
    services: Services,
    database: Database,
    clock: HeldClock,
    contents: LocalContentStore,
    make_repo: MakeRepo,
    alice: Actor,
    upload: Upload,
    commit: Commit,
    run_jobs: RunJobs,
) -> None:
    data = safetensors(a=(3,))
    sha256 = upload(alice, data)
    set_age(contents, clock, sha256, 0)
    repo = make_repo(alice)
    head = commit(alice, repo, LinkContent("model.safetensors", sha256, len(data))).commit_oid
    run_jobs()
    clock.advance(seconds=10 * GRACE_S)
    assert collect_garbage(services, dry_run=False).contents == 0
    with database.write() as uow:
        delete_repo(uow, alice, repo)
    dry = collect_garbage(services, dry_run=True)
    report = collect_garbage(services, dry_run=False)
    assert (report.contents, report.content_bytes, report.repos_forgotten) == (1, len(data), 1)
    assert report.git_objects == dry.git_objects > 3
    with database.read() as uow:
        assert find_content(uow, sha256) is None
        assert content_facts(uow, [sha256]) == {}
        assert count_unowned_objects(uow) == 0
        assert len(revision_facts(uow, repo.id, head)) == 0
    assert list(contents.iterate()) == []
    assert fsck(services, deep=True).sound


def test_git_objects_that_another_repo_owns_too_stay(
    services: Services, database: Database, make_repo: MakeRepo, alice: Actor
) -> None:
    first, second = make_repo(alice, "one"), make_repo(alice, "two")
    with database.write() as uow:
        delete_repo(uow, alice, first)
    collect_garbage(services, dry_run=False)
    assert fsck(services, deep=True).sound
    with database.read() as uow:
        assert find_repo_by_id(uow, second.id) is not None


def test_files_without_a_row_go_when_they_are_old(
    services: Services, contents: LocalContentStore, clock: HeldClock
) -> None:
    old, _ = put_file(contents, b"left behind by a crash")
    young, _ = put_file(contents, b"about to be recorded")
    set_age(contents, clock, old, GRACE_S + 1)
    set_age(contents, clock, young, 1)
    assert collect_garbage(services, dry_run=True).orphans == 1
    report = collect_garbage(services, dry_run=False)
    assert (report.orphans, report.orphan_bytes) == (1, 22)
    assert [stored.location[-64:] for stored in contents.iterate()] == [young]


class Race(LocalContentStore):
    """A store in which somebody puts the same bytes in place at the very moment of their removal."""

    def delete_older(self, location: str, than: object) -> bool:
        sha256 = Sha256(location[-64:])
        data = path_of(self, sha256).read_bytes()
        put_file(self, data)
        now = than.timestamp() + GRACE_S  # type: ignore[attr-defined]
        os.utime(path_of(self, sha256), (now, now))
        return super().delete_older(location, than)  # type: ignore[arg-type]


def test_an_upload_at_the_very_moment_wins(
    services: Services, database: Database, contents: LocalContentStore, old: Sha256, alice: Actor
) -> None:
    race = replace(services, contents=Race(contents.root))
    assert collect_garbage(race, dry_run=False).contents == 0
    # The uploader comes to its own transaction only now.
    with database.write() as uow:
        add_content(uow, old, 3, f"{old[:2]}/{old[2:4]}/{old}")
        assert alice.account is not None
        take_possession(uow, alice.account.id, old)
    assert fsck(services, deep=True).sound
    assert path_of(contents, old).read_bytes() == b"old"


def test_a_removal_that_was_killed_half_way_is_undone(
    contents: LocalContentStore, clock: HeldClock, old: Sha256
) -> None:
    doomed = contents.root / "incoming" / f"{old}.doomed"
    path_of(contents, old).rename(doomed)
    changed_at = doomed.stat().st_ctime
    contents.discard_abandoned(1e9, changed_at + 30)
    assert doomed.exists(), "it may be under way"
    contents.discard_abandoned(1e9, changed_at + 61)
    assert path_of(contents, old).read_bytes() == b"old"
    assert not doomed.exists()


def test_what_was_killed_between_bytes_and_row_is_finished_by_the_next_run(
    services: Services, database: Database, contents: LocalContentStore, old: Sha256
) -> None:
    path_of(contents, old).unlink()
    assert collect_garbage(services, dry_run=False).contents == 1
    assert not known(database, old)


def test_a_file_that_arrived_in_the_place_of_a_doomed_one_is_not_touched(
    database: Database, contents: LocalContentStore, clock: HeldClock, old: Sha256
) -> None:
    with database.write() as uow:
        forget_content(uow, old)
    doomed = contents.root / "incoming" / f"{old}.doomed"
    path_of(contents, old).rename(doomed)
    put_file(contents, b"old")
    contents.discard_abandoned(1e9, doomed.stat().st_ctime + 61)
    assert path_of(contents, old).read_bytes() == b"old"
    assert not doomed.exists()


def test_a_repo_of_garbage_is_collected_page_by_page(
    services: Services,
    database: Database,
    contents: LocalContentStore,
    clock: HeldClock,
    monkeypatch: pytest.MonkeyPatch,
    upload: Upload,
    make_repo: MakeRepo,
    commit: Commit,
    alice: Actor,
) -> None:
    monkeypatch.setattr("allmende.flows.garbage._PAGE", 3)
    repo: Repo = make_repo(alice)
    hashes = [upload(alice, f"content {n}".encode()) for n in range(11)]
    commit(alice, repo, *(LinkContent(f"{n}.bin", hashes[n], None) for n in (2, 5)))
    for sha256 in hashes:
        set_age(contents, clock, sha256, 0)
    clock.advance(seconds=GRACE_S + 1)
    assert collect_garbage(services, dry_run=False).contents == 9
    assert {stored.location[-64:] for stored in contents.iterate()} == {hashes[2], hashes[5]}
