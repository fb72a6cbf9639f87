"""fsck finds each kind of damage, and calls nothing damage that is none."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from allmende.flows import FsckReport, Services, fsck
from allmende.ids import GitOid, Sha256
from allmende.registry import Actor, AddFile, LinkContent, Repo, delete_contents, duplicate_repo
from allmende.storage import Database, LocalContentStore, find_content, mark_verified
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

DATA = b"the weights"
Break = Callable[[str], None]


@pytest.fixture
def repo(make_repo: MakeRepo, alice: Actor) -> Repo:
    return make_repo(alice)


@pytest.fixture
def weights(repo: Repo, commit: Commit, upload: Upload, alice: Actor) -> Sha256:
    sha256 = upload(alice, DATA)
    commit(alice, repo, LinkContent("a/model.bin", sha256, len(DATA)), AddFile("a/b/note.txt", b"a note"))
    return sha256


@pytest.fixture
def path(weights: Sha256, contents: LocalContentStore) -> Path:
    return contents.root / weights[:2] / weights[2:4] / weights


@pytest.fixture
def sql(tmp_path: Path) -> Break:
    """Change rows behind the back of the code, as a fault would; foreign keys are not looked at."""

    def run(statement: str) -> None:
        with closing(sqlite3.connect(tmp_path / "hub.db")) as connection, connection:
            assert connection.execute(statement).rowcount > 0

    return run


def problems(report: FsckReport) -> list[tuple[str, str]]:
    return [(found.kind, found.subject) for found in report.problems]


def test_a_sound_hub_has_no_problem(services: Services, weights: Sha256) -> None:
    for deep in (False, True):
        report = fsck(services, deep=deep)
        assert report.sound
        assert report.notes == ()
        assert (report.contents, report.content_bytes, report.repos) == (1, len(DATA), 1)
        assert report.objects >= 8


def test_bytes_that_are_missing_are_found(services: Services, weights: Sha256, path: Path) -> None:
    path.unlink()
    assert problems(fsck(services, deep=False)) == [("content_damaged", weights)]
    assert problems(fsck(services, deep=True)) == [("content_damaged", weights)]


def test_bytes_that_are_cut_are_found(services: Services, weights: Sha256, path: Path) -> None:
    path.write_bytes(DATA[:-1])
    report = fsck(services, deep=False)
    assert problems(report) == [("content_damaged", weights)]
    assert report.problems[0].detail == "There are 10 bytes instead of 11."


def test_a_bit_that_flipped_is_found_by_the_deep_check(
    services: Services, weights: Sha256, path: Path
) -> None:
    path.write_bytes(b"the weightS")
    assert fsck(services, deep=False).sound
    assert problems(fsck(services, deep=True)) == [("content_damaged", weights)]


def test_damage_that_scrubbing_found_is_told_without_reading_again(
    services: Services, database: Database, weights: Sha256
) -> None:
    with database.write() as uow:
        mark_verified(uow, weights, damage="The bytes are wrong.")
    assert problems(fsck(services, deep=False)) == [("content_damaged", weights)]
    assert fsck(services, deep=True).sound, "they are right again"


@pytest.mark.parametrize("kind", ["blob", "tree", "commit"])
def test_a_git_object_that_is_missing_is_found(
    services: Services, weights: Sha256, sql: Break, kind: str
) -> None:
    sql(f"DELETE FROM git_object WHERE oid = (SELECT max(oid) FROM git_object WHERE kind = '{kind}')")
    assert {found[0] for found in problems(fsck(services, deep=False))} == {"object_missing"}


def test_a_git_object_that_the_repo_may_not_read_any_more_is_found(
    services: Services, weights: Sha256, repo: Repo, sql: Break
) -> None:
    sql("DELETE FROM repo_object WHERE oid = (SELECT max(oid) FROM git_object WHERE kind = 'blob')")
    assert problems(fsck(services, deep=False)) == [("object_missing", f"model {repo.full_name}")]


def test_a_git_object_with_other_bytes_is_found_by_the_deep_check(
    services: Services, weights: Sha256, sql: Break, database: Database
) -> None:
    sql("UPDATE git_object SET data = x'00' WHERE oid = (SELECT max(oid) FROM git_object WHERE kind='blob')")
    with database.read() as uow:
        oid = GitOid(uow.execute(text("SELECT max(oid) FROM git_object WHERE kind='blob'")).scalar_one())
    assert fsck(services, deep=False).sound
    assert problems(fsck(services, deep=True)) == [("object_damaged", oid)]


def test_a_pointer_to_what_the_repo_does_not_hold_is_found(
    services: Services, weights: Sha256, repo: Repo, sql: Break
) -> None:
    sql("DELETE FROM repo_content")
    assert problems(fsck(services, deep=False)) == [("content_missing", f"model {repo.full_name}")]


def test_a_content_that_was_deleted_on_purpose_is_a_note_also_in_a_duplicate(
    services: Services, database: Database, weights: Sha256, repo: Repo, alice: Actor
) -> None:
    with database.write() as uow:
        delete_contents(uow, services.queue, alice, repo, [weights], rewrite=False)
        duplicate_repo(uow, services.queue, alice, repo, "alice", "copy", private=None)
    report = fsck(services, deep=True)
    assert report.sound
    assert [(note.kind, note.subject) for note in report.notes] == [
        ("content_deleted", "model alice/model"),
        ("content_deleted", "model alice/copy"),
    ]


def test_a_file_without_a_row_is_a_note(
    services: Services, database: Database, contents: LocalContentStore, weights: Sha256
) -> None:
    stray = contents.root / "00" / "11" / ("0011" + "a" * 60)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"stray")
    report = fsck(services, deep=True)
    assert report.sound
    assert [(note.kind, note.subject) for note in report.notes] == [
        ("orphan", stray.relative_to(contents.root).as_posix())
    ]
    with database.read() as uow:
        assert find_content(uow, weights) is not None
