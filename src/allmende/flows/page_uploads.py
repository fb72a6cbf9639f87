"""Large files on their way from a browser: opened in small parts so that a lost line costs little.

What is asked for is the same as of any client: every byte, unless the caller has shown to have them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from allmende.errors import BadRequest, TooLarge
from allmende.flows.chunk_maps import enqueue_chunking
from allmende.flows.services import Services
from allmende.ids import AccountId, Sha256
from allmende.registry import Account, Actor, Repo, usable
from allmende.storage import (
    UnitOfWork,
    Upload,
    add_content,
    arrived_parts,
    begin_upload,
    take_possession,
)

__all__ = ["PartedUpload", "is_present", "keep_uploaded", "open_parts"]

_MIB = 1024 * 1024
_PART_BYTES = 16 * _MIB
"""What a lost line costs at most, beside what is under way."""
_MAX_PARTS = 1000
_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class PartedUpload:
    """An upload in parts, and the parts that have arrived: number to ETag."""

    upload: Upload
    arrived: dict[int, str]


def is_present(
    services: Services, uow: UnitOfWork, actor: Actor, repo: Repo, sha256: Sha256, size_bytes: int
) -> bool:
    """Whether the actor may link this content without sending it; a damaged one is welcome again.

    Raises TooLarge, and BadRequest when a content that the actor has is of another size.
    """
    if size_bytes > services.settings.max_file_bytes:
        most = services.settings.max_file_bytes
        raise TooLarge(
            f"This hub accepts files of at most {most} bytes.",
            code="file_too_large",
            places={"most_bytes": most},
        )
    found = usable(uow, actor, repo, [sha256]).get(sha256)
    if found is not None and found.size_bytes != size_bytes:
        raise BadRequest(f"The content of this SHA-256 has {found.size_bytes} bytes.", code="size_mismatch")
    return found is not None and found.damaged is None


def open_parts(
    services: Services, uow: UnitOfWork, account: Account, repo: Repo, sha256: Sha256, size_bytes: int
) -> PartedUpload:
    """Open an upload, or take up the open one of the same person, repo and bytes."""
    settings = services.settings
    opened = begin_upload(
        uow,
        account.id,
        repo.id,
        sha256,
        size_bytes,
        _part_bytes(size_bytes, settings.multipart_part_bytes),
        settings.upload_ttl_s,
    )
    return PartedUpload(opened, arrived_parts(uow, opened.id))


def keep_uploaded(
    services: Services, file: BinaryIO, sha256: Sha256, size_bytes: int
) -> Callable[[UnitOfWork, AccountId], None]:
    """Store bytes that the hub has received itself; they are durable when it returns.

    What it returns must be called in a transaction, for whoever sent them. Raises HashMismatch, SizeMismatch,
    StorageFull.
    """
    writer = services.contents.open_write(sha256, size_bytes)
    try:
        while data := file.read(_COPY_BYTES):
            writer.write(data)
        location = writer.finish()
    finally:
        writer.discard()

    def record(uow: UnitOfWork, account_id: AccountId) -> None:
        add_content(uow, sha256, size_bytes, location)
        take_possession(uow, account_id, sha256)
        enqueue_chunking(uow, services.queue, sha256)

    return record


def _part_bytes(size_bytes: int, largest_bytes: int) -> int:
    """Small parts, or larger ones where the parts would be too many."""
    least = -(-size_bytes // _MAX_PARTS)
    return max(min(_PART_BYTES, largest_bytes), -(-least // _MIB) * _MIB)
