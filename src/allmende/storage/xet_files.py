"""Contents under their Xet hashes: how a file is cut into chunks, and the xorbs that the hub makes of it.

A Xet hash names one way to cut a content; the rows of one hash are therefore the same whoever writes them,
and writing them twice is harmless. A file counts only when it is complete: its last row says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, func, select, update

from allmende.ids import Sha256, XetHash
from allmende.storage.contents import Content, batches, content_from_row
from allmende.storage.schema import content, possession
from allmende.storage.unit_of_work import UnitOfWork
from allmende.storage.xet_tables import dedup_chunk, file_xorb, xet_file

__all__ = [
    "FileXorb",
    "XetFile",
    "add_file_xorbs",
    "begin_xet_file",
    "complete_xet_file",
    "contents_without_xet_file",
    "find_dedup_chunk",
    "find_xet_file",
    "list_file_xorbs",
    "mark_canonical",
    "mention_xet_file",
    "numbered_xorbs",
    "wants_canonical_cut",
    "xet_hashes_of",
    "xorbs_by_hash",
]


@dataclass(frozen=True, slots=True)
class XetFile:
    """A content under a Xet hash."""

    xet_hash: XetHash
    sha256: Sha256
    mentioned_at: datetime


@dataclass(frozen=True, slots=True)
class FileXorb:
    """Xorb `number` of a file: the chunks (packed) of `size_bytes` bytes at `offset_bytes` of the content."""

    xet_hash: XetHash
    number: int
    hash: XetHash
    offset_bytes: int
    size_bytes: int
    chunks: bytes


def begin_xet_file(uow: UnitOfWork, xet_hash: XetHash, sha256: Sha256) -> None:
    """Make room for the xorbs of a file; harmless when it is there."""
    uow.insert_new(
        xet_file,
        [
            {
                "xet_hash": xet_hash,
                "sha256": sha256,
                "complete": False,
                "canonical": False,
                "created_at": uow.now,
                "mentioned_at": uow.now,
            }
        ],
    )


def add_file_xorbs(
    uow: UnitOfWork, xorbs: Sequence[FileXorb], asked_for: Iterable[tuple[XetHash, XetHash, int]]
) -> None:
    """Add xorbs of a file that was begun, and the chunks by which clients ask for them.

    Of each such chunk: its hash, the file's hash, the number of the xorb.
    """
    uow.insert_new(
        file_xorb,
        [
            {
                "xet_hash": each.xet_hash,
                "number": each.number,
                "hash": each.hash,
                "offset_bytes": each.offset_bytes,
                "size_bytes": each.size_bytes,
                "chunks": each.chunks,
            }
            for each in xorbs
        ],
    )
    uow.insert_new(
        dedup_chunk,
        [{"hash": chunk, "xet_hash": xet_hash, "number": number} for chunk, xet_hash, number in asked_for],
    )


def complete_xet_file(uow: UnitOfWork, xet_hash: XetHash, xorbs: int) -> bool:
    """All `xorbs` of the file are recorded: from now on it can be read and found.

    False, and nothing is changed, when some are missing: the content was gone for a while and took them
    along.
    """
    counting = select(func.count()).select_from(file_xorb).where(file_xorb.c.xet_hash == xet_hash)
    if uow.execute(counting).scalar_one() != xorbs:
        return False
    uow.execute(update(xet_file).where(xet_file.c.xet_hash == xet_hash).values(complete=True))
    return True


def mark_canonical(uow: UnitOfWork, xet_hash: XetHash) -> None:
    """The hub's own chunker cuts the content like this: under this hash everybody is told of it."""
    uow.execute(update(xet_file).where(xet_file.c.xet_hash == xet_hash).values(canonical=True))


def wants_canonical_cut(uow: UnitOfWork, sha256: Sha256) -> bool:
    """Whether the hub should cut a content itself: nobody has yet, or it came from several accounts.

    Otherwise the second of them would be shown how the first one's client cut it.
    """
    cuts = uow.all(select(xet_file.c.canonical).where(xet_file.c.sha256 == sha256, xet_file.c.complete))
    if not cuts:
        return True
    if any(cut.canonical for cut in cuts):
        return False
    counting = select(func.count()).select_from(possession).where(possession.c.sha256 == sha256)
    return int(uow.execute(counting).scalar_one()) > 1


def find_xet_file(uow: UnitOfWork, xet_hash: XetHash) -> XetFile | None:
    """The file, if it is complete."""
    row = uow.one_or_none(select(xet_file).where(xet_file.c.xet_hash == xet_hash, xet_file.c.complete))
    return None if row is None else _file(row)


def xet_hashes_of(uow: UnitOfWork, hashes: Iterable[Sha256]) -> dict[Sha256, XetHash]:
    """The Xet hash of each content that has one: the canonical one, or else the first that was recorded."""
    found: dict[Sha256, XetHash] = {}
    for batch in batches(sorted(set(hashes))):
        query = (
            select(xet_file.c.sha256, xet_file.c.xet_hash)
            .where(xet_file.c.sha256.in_(batch), xet_file.c.complete)
            .order_by(xet_file.c.canonical, xet_file.c.created_at.desc(), xet_file.c.xet_hash.desc())
        )
        found.update({Sha256(row.sha256): XetHash(row.xet_hash) for row in uow.all(query)})
    return found


def list_file_xorbs(
    uow: UnitOfWork, xet_hash: XetHash, *, start_byte: int, end_byte: int, limit: int
) -> list[FileXorb]:
    """The xorbs that hold the bytes from `start_byte` to `end_byte` (exclusive), at most `limit`."""
    query = (
        select(file_xorb)
        .where(
            file_xorb.c.xet_hash == xet_hash,
            file_xorb.c.offset_bytes < end_byte,
            file_xorb.c.offset_bytes + file_xorb.c.size_bytes > start_byte,
        )
        .order_by(file_xorb.c.number)
        .limit(limit)
    )
    return [_xorb(row) for row in uow.all(query)]


def numbered_xorbs(uow: UnitOfWork, xet_hash: XetHash, first: int, end: int) -> list[FileXorb]:
    """The xorbs of a file from number `first` to `end` (exclusive), those that there are."""
    query = (
        select(file_xorb)
        .where(file_xorb.c.xet_hash == xet_hash, file_xorb.c.number >= first, file_xorb.c.number < end)
        .order_by(file_xorb.c.number)
    )
    return [_xorb(row) for row in uow.all(query)]


def xorbs_by_hash(
    uow: UnitOfWork, xorb_hash: XetHash, start: int, limit: int
) -> list[tuple[FileXorb, Sha256]]:
    """Where a xorb of this hash lies: in which contents, the newest first, a page of them."""
    query = (
        select(file_xorb, xet_file.c.sha256)
        .join(xet_file, xet_file.c.xet_hash == file_xorb.c.xet_hash)
        .where(file_xorb.c.hash == xorb_hash, xet_file.c.complete)
        .order_by(xet_file.c.created_at.desc(), xet_file.c.xet_hash, file_xorb.c.number)
        .offset(start)
        .limit(limit)
    )
    return [(_xorb(row), Sha256(row.sha256)) for row in uow.all(query)]


def find_dedup_chunk(
    uow: UnitOfWork, chunk_hash: XetHash, start: int, limit: int
) -> list[tuple[XetFile, int]]:
    """The complete files that hold a chunk, each with the number of the xorb, the newest first, a page."""
    query = (
        select(xet_file, dedup_chunk.c.number)
        .join(xet_file, xet_file.c.xet_hash == dedup_chunk.c.xet_hash)
        .where(dedup_chunk.c.hash == chunk_hash, xet_file.c.complete)
        .order_by(xet_file.c.created_at.desc(), xet_file.c.xet_hash)
        .offset(start)
        .limit(limit)
    )
    return [(_file(row), row.number) for row in uow.all(query)]


def mention_xet_file(uow: UnitOfWork, xet_hash: XetHash) -> None:
    """Record that a client is told of the file's chunks now, and may name them for three weeks."""
    uow.execute(update(xet_file).where(xet_file.c.xet_hash == xet_hash).values(mentioned_at=uow.now))


def contents_without_xet_file(uow: UnitOfWork, after: Sha256 | None, limit: int) -> list[Content]:
    """Sound contents that are not cut into chunks yet, in the order of their hashes, after `after`."""
    done = exists().where(xet_file.c.sha256 == content.c.sha256, xet_file.c.complete)
    query = (
        select(content)
        .where(~done, content.c.damaged.is_(None), content.c.size_bytes > 0)
        .order_by(content.c.sha256)
        .limit(limit)
    )
    if after is not None:
        query = query.where(content.c.sha256 > after)
    return [content_from_row(row) for row in uow.all(query)]


def _file(row: Row[Any]) -> XetFile:
    return XetFile(XetHash(row.xet_hash), Sha256(row.sha256), row.mentioned_at)


def _xorb(row: Row[Any]) -> FileXorb:
    return FileXorb(
        XetHash(row.xet_hash),
        row.number,
        XetHash(row.hash),
        row.offset_bytes,
        row.size_bytes,
        row.chunks,
    )
