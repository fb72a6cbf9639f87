"""Uploads in parts: resumable, exact, bound to their account."""

import pytest

from allmende.errors import BadRequest, NotFound
from allmende.ids import AccountId, RepoId, Sha256
from allmende.storage import (
    Database,
    UnitOfWork,
    Upload,
    begin_upload,
    check_parts,
    end_upload,
    expired_uploads,
    find_upload,
    record_part,
)

SHA = Sha256("cd" * 32)


def begin(uow: UnitOfWork, account: int = 1, size_bytes: int = 250) -> Upload:
    return begin_upload(uow, AccountId(account), RepoId(1), SHA, size_bytes, 100, 3600)


def test_part_sizes_add_up(database: Database) -> None:
    with database.write() as uow:
        upload = begin(uow)
    assert [upload.part_size(number) for number in (1, 2, 3)] == [100, 100, 50]
    for number in (0, 4):
        with pytest.raises(BadRequest):
            upload.part_size(number)


def test_beginning_again_resumes_and_strangers_get_their_own(database: Database) -> None:
    with database.write() as uow:
        first = begin(uow)
        assert begin(uow).id == first.id
        assert begin(uow, account=2).id != first.id
        assert begin(uow, size_bytes=251).id != first.id


def test_only_exactly_the_arrived_parts_complete(database: Database) -> None:
    with database.write() as uow:
        upload = begin(uow)
        etags = {number: record_part(uow, upload.id, number, upload.part_size(number)) for number in (1, 2)}
        with pytest.raises(BadRequest, match="Part 3 of 3"):
            check_parts(uow, upload, etags)
        etags[3] = record_part(uow, upload.id, 3, 50)
        check_parts(uow, upload, etags)
        etags[2] = record_part(uow, upload.id, 2, 100)  # a repeated part replaces the first
        check_parts(uow, upload, etags)
        with pytest.raises(BadRequest, match="do not match"):
            check_parts(uow, upload, {**etags, 2: "false"})


def test_an_ended_upload_is_gone(database: Database) -> None:
    with database.write() as uow:
        upload = begin(uow)
        record_part(uow, upload.id, 1, 100)
        end_upload(uow, upload.id)
        with pytest.raises(NotFound):
            find_upload(uow, upload.id)


def test_uploads_expire(database: Database, clock: object) -> None:
    with database.write() as uow:
        upload = begin(uow)
        assert expired_uploads(uow) == []
    clock.advance(seconds=3601)  # type: ignore[attr-defined]
    with database.write() as uow:
        assert [expired.id for expired in expired_uploads(uow)] == [upload.id]
        assert begin(uow).id != upload.id
