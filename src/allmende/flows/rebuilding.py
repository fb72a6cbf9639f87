"""Rebuilding a file from the chunks that an upload says it is made of.

First only the chunks' hashes are looked at: they must be where the uploader may name them, and give the
file's Xet hash. Then the bytes are read, and must have its SHA-256 before they get its name.
"""

import hashlib
import threading
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from allmende.codecs import DamagedObject
from allmende.errors import BadRequest, NotFound
from allmende.failpoints import reach
from allmende.flows.chunk_maps import ChunkMap, small_chunk_map
from allmende.flows.services import Services
from allmende.flows.xorb_sources import Piece, XorbSource, XorbSources, XorbUnknown
from allmende.ids import Sha256, XetHash
from allmende.storage import HashMismatch, XorbRun, find_content
from allmende.xorbs import Chunk, ShardFile, ShardXorb, Term, TreeHasher, range_hash, to_hex

__all__ = [
    "BytesMissing",
    "Rebuilding",
    "ShardMismatch",
    "ShardProgress",
    "check_file",
    "chunks_of_file",
    "rebuild",
]

_BLOCK_BYTES = 4 * 1024 * 1024
_SMALL_BYTES = 4 * 1024**3
_LEAST_CHUNK_BYTES = 4096
"""On average; clients cut at 8 KiB or more, except at the end of a file."""
_SPARE_CHUNKS = 16
_MOST_RUNS = 10_000


class ShardMismatch(BadRequest):
    """A shard says something of a file or a xorb that is not so."""

    code = "shard_mismatch"


class BytesMissing(NotFound):
    """A stored file is shorter than it was."""

    code = "bytes_missing"


class ShardProgress:
    """How far the work is, in bytes of the files; written and read by several threads."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self.verified_bytes = 0
        self.recording = False
        self._lock = threading.Lock()

    def add(self, size_bytes: int) -> None:
        """So many bytes more are verified; less than none when they have to be read again."""
        with self._lock:
            self.verified_bytes += size_bytes


@dataclass
class Rebuilding:
    """What walking over the terms of a file gives."""

    pieces: list[Piece] = field(default_factory=list)
    runs: list[XorbRun] = field(default_factory=list)
    named: set[XetHash] = field(default_factory=set)
    chunk_map: ChunkMap | None = None
    """Unless the file is so large that its map is recorded in transactions of its own."""
    _run_until: int = -1
    """Where in the file the last run ends."""

    def append_run(self, run: XorbRun, until: int) -> None:
        """Add a run that ends at byte `until` of the file, or extend the last one that it goes on from.

        It goes on only if it does so both in the xorb and in the file: other terms may stand between.
        """
        last = self.runs[-1] if self.runs else None
        follows = last is not None and last.key == run.key and last.end == run.first
        if last is not None and follows and self._run_until == run.offset_bytes:
            self.runs[-1] = replace(last, end=run.end)
        elif len(self.runs) < _MOST_RUNS:
            self.runs.append(run)
        else:
            return  # chunks of which no run is known stay in the uploaded xorb
        self._run_until = until


def check_file(
    sources: XorbSources, file: ShardFile, sha256: Sha256, described: Mapping[XetHash, ShardXorb]
) -> Rebuilding:
    """Check what a file is said to be made of; no byte of it is read yet.

    Raises XorbUnknown, ShardMismatch.
    """
    found = Rebuilding()
    small = file.size_bytes <= _SMALL_BYTES
    known: dict[bytes, XetHash] = {}
    hasher = TreeHasher()
    offset_bytes = count = 0
    for number, term in enumerate(file.terms):
        source = sources.find(term.xorb)
        count += term.end - term.first
        if count > _SPARE_CHUNKS + (offset_bytes + term.size_bytes) // _LEAST_CHUNK_BYTES:
            raise ShardMismatch(f"The file {file.xet_hash} is cut into chunks that are too small.")
        if term.xorb not in found.named:
            _check_description(source, described.get(term.xorb))
            if small:
                known[source.packed] = term.xorb
        chunks = _chunks_of_term(source, term)
        if range_hash(chunk.hash for chunk in chunks) != file.range_hashes[number]:
            raise ShardMismatch(f"Term {number} of the file {file.xet_hash} does not verify.")
        pieces = source.pieces(term.first, term.end)
        if pieces is None:
            raise XorbUnknown(term.xorb)
        _append(found.pieces, pieces)
        found.named.add(term.xorb)
        if source.own is not None:
            run = XorbRun(source.own, term.first, term.end, sha256, offset_bytes)
            found.append_run(run, offset_bytes + term.size_bytes)
        for chunk in chunks:
            hasher.add(chunk.hash, chunk.size_bytes)
        offset_bytes += term.size_bytes
    if to_hex(hasher.file_hash()) != file.xet_hash:
        raise ShardMismatch(f"The chunks of the file {file.xet_hash} do not have this hash.")
    if small:
        found.chunk_map = small_chunk_map(file.xet_hash, chunks_of_file(sources, file), known)
    return found


def _check_description(source: XorbSource, described: ShardXorb | None) -> None:
    """A shard repeats which chunks its new xorbs have; it must be those that were uploaded."""
    if described is not None and described.packed() != source.packed:
        raise ShardMismatch(f"The shard lists other chunks for the xorb {described.hash} than it has.")


def _chunks_of_term(source: XorbSource, term: Term) -> list[Chunk]:
    chunks = source.chunks[term.first : term.end]
    if term.end > len(source.chunks) or source.size_bytes(term.first, term.end) != term.size_bytes:
        raise ShardMismatch(
            f"Chunks {term.first} to {term.end} of the xorb {term.xorb} are not {term.size_bytes} bytes."
        )
    return chunks


def chunks_of_file(sources: XorbSources, file: ShardFile) -> Iterator[Chunk]:
    """The chunks of a file that was checked, in their order. Raises XorbUnknown when rights ended since."""
    for term in file.terms:
        yield from sources.find(term.xorb).chunks[term.first : term.end]


def _append(pieces: list[Piece], more: list[Piece]) -> None:
    """Join what lies one after the other: a file in one piece is one read."""
    for piece in more:
        if pieces and piece.follows(pieces[-1]):
            pieces[-1] = replace(pieces[-1], size_bytes=pieces[-1].size_bytes + piece.size_bytes)
        else:
            pieces.append(piece)


def rebuild(
    services: Services, pieces: list[Piece], sha256: Sha256, size_bytes: int, progress: ShardProgress
) -> str | None:
    """Put the bytes in place and return where; None when the store has them, then they are only compared.

    Raises HashMismatch, NotFound when bytes were moved meanwhile.
    """
    with services.database.read() as uow:
        known = find_content(uow, sha256)
    if known is not None and known.damaged is None and known.size_bytes == size_bytes:
        digest = hashlib.sha256()
        for block in _blocks(services, pieces, progress):
            digest.update(block)
        if digest.hexdigest() != sha256:
            raise HashMismatch(
                f"The bytes of the upload have SHA-256 {digest.hexdigest()}, announced was {sha256}."
            )
        return None
    writer = services.contents.open_write(sha256, size_bytes)
    try:
        for block in _blocks(services, pieces, progress):
            writer.write(block)
        return writer.finish()
    finally:
        writer.discard()


def _blocks(services: Services, pieces: list[Piece], progress: ShardProgress) -> Iterator[memoryview]:
    """The bytes of the pieces, one after another; a block is valid until the next is asked for.

    While a block is worked on the next one is read.
    """
    size_bytes = sum(piece.size_bytes for piece in pieces)
    buffers = [memoryview(bytearray(min(size_bytes, _BLOCK_BYTES))) for _ in range(2)]
    reading = _read(services, pieces, buffers, progress)
    if size_bytes <= _BLOCK_BYTES:
        yield from reading
        return
    with ThreadPoolExecutor(1, thread_name_prefix="shard-reader") as ahead:
        coming = ahead.submit(next, reading, None)
        try:
            while (block := coming.result()) is not None:
                coming = ahead.submit(next, reading, None)
                yield block
        finally:
            wait([coming])
            reading.close()


def _read(
    services: Services, pieces: list[Piece], buffers: list[memoryview], progress: ShardProgress
) -> Generator[memoryview]:
    """Read the pieces into the buffers in turn."""
    reader: BinaryIO | None = None
    opened: Piece | None = None
    counted = 0
    try:
        for piece in pieces:
            if reader is None or opened is None or opened.location != piece.location:
                if reader is not None:
                    reader.close()
                reader, opened = piece.open(services), piece
            reader.seek(piece.offset_bytes)
            left_bytes = piece.size_bytes
            while left_bytes:
                buffers.reverse()
                block = buffers[0][:left_bytes]
                read_bytes = reader.readinto(block)  # type: ignore[attr-defined]
                if not read_bytes:
                    raise BytesMissing(f"The bytes at {piece.location} are fewer than they were.")
                left_bytes -= read_bytes
                progress.add(read_bytes)
                counted += read_bytes
                reach("shard.rebuilding")
                yield block[:read_bytes]
    except (NotFound, DamagedObject):
        progress.add(-counted)
        raise
    finally:
        if reader is not None:
            reader.close()
