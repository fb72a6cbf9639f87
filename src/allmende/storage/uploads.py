"""Uploads in parts that are under way: what was announced, and which parts have arrived.

A part is recorded only after its bytes are synced, so an upload can be resumed after a crash of either
side. The whole is checked against its SHA-256 at the end; the parts' ETags only pair requests.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select

from allmende.errors import BadRequest, NotFound
from allmende.ids import AccountId, RepoId, Sha256
from allmende.storage.schema import possession, upload, upload_part
from allmende.storage.unit_of_work import UnitOfWork

__all__ = [
    "Upload",
    "arrived_parts",
    "begin_upload",
    "check_parts",
    "end_upload",
    "expired_uploads",
    "find_upload",
    "forget_uploader",
    "record_part",
]


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload in parts; part numbers count from 1, every part but the last has `part_bytes`."""

    id: str
    account_id: AccountId
    repo_id: RepoId
    sha256: Sha256
    size_bytes: int
    part_bytes: int
    expires_at: datetime

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.size_bytes // self.part_bytes)

    def part_size(self, number: int) -> int:
        """The exact size in bytes of part `number`; raises BadRequest when there is no such part."""
        if not 1 <= number <= self.parts:
            raise BadRequest(f"This upload has parts 1 to {self.parts}, not {number}.", code="part_unknown")
        return min(self.part_bytes, self.size_bytes - (number - 1) * self.part_bytes)


def begin_upload(
    uow: UnitOfWork,
    account_id: AccountId,
    repo_id: RepoId,
    sha256: Sha256,
    size_bytes: int,
    part_bytes: int,
    ttl_s: int,
) -> Upload:
    """Open an upload, or return the open one of the same account, repo and file, so that it resumes."""
    row = uow.one_or_none(
        select(upload)
        .where(
            upload.c.account_id == account_id,
            upload.c.repo_id == repo_id,
            upload.c.sha256 == sha256,
            upload.c.size_bytes == size_bytes,
            upload.c.part_bytes == part_bytes,
            upload.c.expires_at > uow.now + timedelta(seconds=ttl_s / 2),
        )
        .order_by(upload.c.expires_at.desc())
        .limit(1)
    )
    if row is not None:
        return _upload(row)
    opened = Upload(
        secrets.token_hex(16),
        account_id,
        repo_id,
        sha256,
        size_bytes,
        part_bytes,
        uow.now + timedelta(seconds=ttl_s),
    )
    uow.execute(
        upload.insert().values(
            id=opened.id,
            account_id=account_id,
            repo_id=repo_id,
            sha256=sha256,
            size_bytes=size_bytes,
            part_bytes=part_bytes,
            created_at=uow.now,
            expires_at=opened.expires_at,
        )
    )
    return opened


def find_upload(uow: UnitOfWork, upload_id: str) -> Upload:
    """The open upload; raises NotFound when it was finished, given up or never begun."""
    row = uow.one_or_none(select(upload).where(upload.c.id == upload_id))
    if row is None:
        raise NotFound(
            "This upload is finished or has expired.", hint="Start the upload again.", code="upload_unknown"
        )
    return _upload(row)


def record_part(uow: UnitOfWork, upload_id: str, number: int, size_bytes: int) -> str:
    """Record that the bytes of a part are durable; returns the ETag by which the client names it."""
    etag = secrets.token_hex(16)
    uow.upsert(
        upload_part, {"upload_id": upload_id, "number": number, "size_bytes": size_bytes, "etag": etag}
    )
    return etag


def arrived_parts(uow: UnitOfWork, upload_id: str) -> dict[int, str]:
    """The parts of an upload whose bytes are durable: number to ETag."""
    rows = uow.all(select(upload_part).where(upload_part.c.upload_id == upload_id))
    return {row.number: row.etag for row in rows}


def check_parts(uow: UnitOfWork, opened: Upload, claimed: dict[int, str]) -> None:
    """Raises BadRequest unless exactly the parts that the client names have arrived, all of them."""
    arrived = arrived_parts(uow, opened.id)
    missing = sorted(set(range(1, opened.parts + 1)) - set(arrived))
    if missing:
        raise BadRequest(f"Part {missing[0]} of {opened.parts} has not arrived.", code="part_missing")
    if claimed != arrived:
        raise BadRequest("The parts named do not match the parts that arrived.", code="part_mismatch")


def end_upload(uow: UnitOfWork, upload_id: str) -> None:
    """Forget an upload that is finished or given up."""
    uow.execute(delete(upload).where(upload.c.id == upload_id))


def expired_uploads(uow: UnitOfWork) -> list[Upload]:
    """Uploads whose time is over."""
    return [_upload(row) for row in uow.all(select(upload).where(upload.c.expires_at < uow.now))]


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        account_id=AccountId(row.account_id),
        repo_id=RepoId(row.repo_id),
        sha256=Sha256(row.sha256),
        size_bytes=row.size_bytes,
        part_bytes=row.part_bytes,
        expires_at=row.expires_at,
    )


def forget_uploader(uow: UnitOfWork, account_id: AccountId) -> None:
    """Forget which contents an account has shown to have, and what it was uploading."""
    uow.execute(delete(possession).where(possession.c.account_id == account_id))
    uow.execute(delete(upload).where(upload.c.account_id == account_id))
