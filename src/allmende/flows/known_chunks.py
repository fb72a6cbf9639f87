"""Answering a client that asks whether a chunk is stored already: with a shard, or with nothing.

The answer lists chunks of a content and so tells what it is made of. It is given only for contents that the
asker may use; to all others the chunk is unknown, whether the hub has it or not.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from allmende.flows.services import Services
from allmende.flows.xorb_sources import Ask, Uploader
from allmende.ids import XetHash
from allmende.registry import usable
from allmende.storage import (
    UnitOfWork,
    UploadedXorb,
    XetFile,
    find_dedup_chunk,
    mention_xet_file,
    numbered_xorbs,
    waiting_xorbs,
)
from allmende.xorbs import Chunk, from_hex, unpack_chunks, write_shard

__all__ = ["CLIENT_MEMORY", "shard_for_chunk"]

CLIENT_MEMORY = timedelta(days=21)
"""How long clients build on what they have uploaded or were told."""

_PAGE = 200
_MOST_FILES = 2000
"""Files that are looked at for one chunk: the beginnings of some formats stand in very many."""
_BEFORE = 8
_AFTER = 56
"""Xorbs around the one that holds the chunk; with it some 4 GiB of a file. A client asks again further on."""
_MOST_WAITING = 64
"""Of the asker's own xorbs: the last 4 GiB that it sent."""
_MENTION_AGAIN = timedelta(days=1)


def shard_for_chunk(services: Services, ask: Ask, chunk_hash: XetHash) -> bytes | None:
    """A shard of xorbs around the chunk that the asker may name; None when there are none.

    Xorbs that the asker's account uploaded and no file was made of yet are known to it too: an upload that
    broke off goes on where it was. Raises what `ask` raises.
    """
    with services.database.read() as uow:
        uploader = ask(uow)
        now = uow.now
        found = _usable_file(uow, uploader, chunk_hash)
        if found is None:
            return _shard(_waiting(uow, uploader, from_hex(chunk_hash)), now)
        file, number = found
        xorbs = numbered_xorbs(uow, file.xet_hash, max(0, number - _BEFORE), number + _AFTER)
    if now - file.mentioned_at > _MENTION_AGAIN:
        # Garbage collection spares what a client may still name.
        with services.database.write() as uow:
            mention_xet_file(uow, file.xet_hash)
    # Each xorb once: a content of zeros is one xorb again and again.
    return _shard({xorb.hash: xorb.chunks for xorb in xorbs}, now)


def _usable_file(uow: UnitOfWork, uploader: Uploader, chunk_hash: XetHash) -> tuple[XetFile, int] | None:
    for start in range(0, _MOST_FILES, _PAGE):
        files = find_dedup_chunk(uow, chunk_hash, start, _PAGE)
        contents = usable(uow, uploader.actor, uploader.repo, [file.sha256 for file, _number in files])
        for file, number in files:
            content = contents.get(file.sha256)
            if content is not None and content.damaged is None:
                return file, number
        if len(files) < _PAGE:
            break
    return None


def _waiting(uow: UnitOfWork, uploader: Uploader, chunk_hash: bytes) -> dict[XetHash, bytes]:
    """The account's own xorbs that wait for their files, if the chunk is in one of them."""
    waiting = waiting_xorbs(uow, uploader.account.id, _MOST_WAITING)
    if not any(chunk.hash == chunk_hash for xorb in waiting for chunk in _candidates(xorb, chunk_hash)):
        return {}
    return {xorb.key.hash: xorb.chunks for xorb in waiting}


def _candidates(xorb: UploadedXorb, chunk_hash: bytes) -> list[Chunk]:
    """The chunks of a xorb, if the bytes of the hash are somewhere in their list at all."""
    return unpack_chunks(xorb.chunks) if chunk_hash in xorb.chunks else []


def _shard(xorbs: Mapping[XetHash, bytes], now: datetime) -> bytes | None:
    if not xorbs:
        return None
    described = [(from_hex(xorb_hash), unpack_chunks(chunks)) for xorb_hash, chunks in xorbs.items()]
    created_at = int(now.timestamp())
    return write_shard(described, created_at, created_at + int(CLIENT_MEMORY.total_seconds()))
