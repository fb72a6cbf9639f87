"""What the hub knows of the chunks of a content: recording it, and the jobs that find it out.

Uploads over Xet bring their chunks with them. Whatever came by LFS or git is cut by the job, with the same
chunker as clients have, so that a later upload of the same bytes finds them, and they can be read over Xet.
"""

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from types import MappingProxyType
from typing import IO, BinaryIO

from allmende.codecs import DamagedObject
from allmende.errors import NotFound
from allmende.failpoints import reach
from allmende.flows.lost_bytes import mark_damaged
from allmende.flows.reading import open_content
from allmende.flows.services import Services
from allmende.ids import Sha256, XetHash
from allmende.jobs import JobContext, JobQueue, Schedule
from allmende.storage import (
    Content,
    FileXorb,
    UnitOfWork,
    add_file_xorbs,
    begin_xet_file,
    complete_xet_file,
    contents_without_xet_file,
    find_content,
    mark_canonical,
    wants_canonical_cut,
)
from allmende.xorbs import (
    MAX_XORB_BYTES,
    MAX_XORB_CHUNKS,
    PACKED_CHUNK_BYTES,
    Chunk,
    TreeHasher,
    chunks_of,
    is_dedup_eligible,
    pack_chunks,
    to_hex,
    unpack_chunks,
    xorb_hash,
)

__all__ = [
    "CHUNKING",
    "ChunkMap",
    "chunk_contents",
    "enqueue_chunking",
    "record_chunk_map",
    "small_chunk_map",
    "write_chunk_map",
]

_log = logging.getLogger(__name__)

CHUNKING = Schedule("chunk_missing", every_s=3600.0)
"""What a crash between an upload and the end of its chunk map left undone is done within the hour, and what
was there before this version. A kind of its own, as the jobs for single contents would pass for it."""

_PRIORITY = -10
"""Below what people wait for."""
_ROWS = 64
"""Xorbs recorded in one transaction: some 4 GiB of a file, some 2 MiB of rows."""
_PAGE = 200
_MEMORY_BYTES = 8 * 1024 * 1024
_READ_CHUNKS = 8192

Asked = tuple[XetHash, XetHash, int]
ChunkMap = list[tuple[FileXorb, list[Asked]]]
"""The xorbs that the hub makes of a file, each with the chunks by which clients ask for it."""


def enqueue_chunking(uow: UnitOfWork, queue: JobQueue, sha256: Sha256) -> None:
    """Have a content cut into chunks if that is wanted; part of the transaction that records it."""
    if wants_canonical_cut(uow, sha256):
        queue.enqueue(uow, "chunk", {"sha256": sha256}, key=f"chunk:{sha256}", priority=_PRIORITY)


def small_chunk_map(
    xet_hash: XetHash, chunks: Iterable[Chunk], known: Mapping[bytes, XetHash]
) -> ChunkMap | None:
    """How a file is cut into chunks, if that is little enough to be recorded in one transaction.

    `known` are hashes of lists of chunks (packed) that need not be computed again.
    """
    found = list(islice(_xorbs_of(xet_hash, chunks, known), _ROWS + 1))
    return found if len(found) <= _ROWS else None


def write_chunk_map(uow: UnitOfWork, xet_hash: XetHash, sha256: Sha256, chunk_map: ChunkMap) -> None:
    """Record a whole chunk map; the content must be there."""
    reach("shard.before_chunk_map")
    _write(uow, xet_hash, sha256, chunk_map)
    reach("shard.before_complete")
    complete_xet_file(uow, xet_hash, len(chunk_map))


def record_chunk_map(services: Services, xet_hash: XetHash, sha256: Sha256, chunks: Iterable[Chunk]) -> None:
    """Record how a content of any size is cut into chunks, in several transactions; the last makes it count.

    Ends without effect when the content is gone meanwhile, also if it came back: the next run of the job does
    it then. A repeat after a crash writes the same rows.
    """
    xorbs = _xorbs_of(xet_hash, chunks)
    recorded = 0
    while page := list(islice(xorbs, _ROWS)):
        with services.database.write() as uow:
            if find_content(uow, sha256) is None:
                return
            _write(uow, xet_hash, sha256, page)
        recorded += len(page)
    reach("shard.before_complete")
    with services.database.write() as uow:
        complete_xet_file(uow, xet_hash, recorded)


def chunk_contents(services: Services, context: JobContext) -> None:
    """Cut the content that the payload names as `sha256`; without one, every content that has no chunk map.

    A repeat goes on with the first that is not done. Raises JobInterrupted when the job should stop.
    """
    named = context.payload.get("sha256")
    if named is not None:
        with services.database.read() as uow:
            found = find_content(uow, Sha256(str(named)))
        if found is not None and found.damaged is None and found.size_bytes:
            _chunk_content(services, context, found)
        return
    after: Sha256 | None = None
    while True:
        with services.database.read() as uow:
            page = contents_without_xet_file(uow, after, _PAGE)
        for content in page:
            context.checkpoint()
            _chunk_content(services, context, content)
        if len(page) < _PAGE:
            return
        after = page[-1].sha256


def _chunk_content(services: Services, context: JobContext, content: Content) -> None:
    """The chunks wait in a temporary file: their own names in the database come from the hash of them all.

    Bytes that are not the content any more have chunks like any others, so its hash is taken along.
    """

    def report(read_bytes: int) -> None:
        context.checkpoint()
        context.progress(read_bytes / content.size_bytes, f"{content.sha256}: {read_bytes} bytes")

    hasher = TreeHasher()
    with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES) as spool:
        try:
            with open_content(services, content) as reader:
                hashing = _Hashing(reader)
                for chunk in chunks_of(hashing, report):
                    hasher.add(chunk.hash, chunk.size_bytes)
                    spool.write(pack_chunks([chunk]))
        except (NotFound, DamagedObject) as error:
            _log.warning("content %s is not cut into chunks: %s", content.sha256, error.message)
            return
        if hashing.hexdigest() != content.sha256:
            mark_damaged(services, content, "Its bytes do not have its hash.")
            return
        spool.seek(0)
        xet_hash = to_hex(hasher.file_hash())
        record_chunk_map(services, xet_hash, content.sha256, _unspooled(spool))
        with services.database.write() as uow:
            mark_canonical(uow, xet_hash)


class _Hashing:
    """Passes on what it reads, and takes the SHA-256 of it."""

    def __init__(self, reader: BinaryIO) -> None:
        self._reader = reader
        self._digest = hashlib.sha256()

    def read(self, size_bytes: int) -> bytes:
        block = self._reader.read(size_bytes)
        self._digest.update(block)
        return block

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _unspooled(spool: IO[bytes]) -> Iterator[Chunk]:
    while packed := spool.read(_READ_CHUNKS * PACKED_CHUNK_BYTES):
        yield from unpack_chunks(packed)


def _xorbs_of(
    xet_hash: XetHash, chunks: Iterable[Chunk], known: Mapping[bytes, XetHash] = MappingProxyType({})
) -> Iterator[tuple[FileXorb, list[Asked]]]:
    """The chunks of a file in xorbs as large as may be, and which chunks clients will ask for."""
    offset_bytes = 0
    for number, group in enumerate(_groups(chunks)):
        size_bytes = sum(chunk.size_bytes for chunk in group)
        eligible = {chunk.hash for chunk in group if is_dedup_eligible(chunk.hash)}
        if number == 0:
            eligible.add(group[0].hash)
        packed = pack_chunks(group)
        hash_of_group = known.get(packed) or to_hex(xorb_hash(group))
        yield (
            FileXorb(xet_hash, number, hash_of_group, offset_bytes, size_bytes, packed),
            [(to_hex(chunk), xet_hash, number) for chunk in sorted(eligible)],
        )
        offset_bytes += size_bytes


def _groups(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    group: list[Chunk] = []
    size_bytes = 0
    for chunk in chunks:
        if group and (len(group) == MAX_XORB_CHUNKS or size_bytes + chunk.size_bytes > MAX_XORB_BYTES):
            yield group
            group, size_bytes = [], 0
        group.append(chunk)
        size_bytes += chunk.size_bytes
    if group:
        yield group


def _write(uow: UnitOfWork, xet_hash: XetHash, sha256: Sha256, page: ChunkMap) -> None:
    begin_xet_file(uow, xet_hash, sha256)
    add_file_xorbs(uow, [xorb for xorb, _asked in page], chain.from_iterable(asked for _xorb, asked in page))
