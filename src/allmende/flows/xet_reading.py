"""Giving files to clients of the Xet transfer: which xorbs they are made of, and the bytes of those xorbs.

The xorbs are the hub's own: runs of chunks of one content. They are stored nowhere. Their serialized form is
made as it is sent: for each chunk a header of eight bytes and the chunk as it is, so that every offset
follows from the chunks' sizes. The client verifies nothing that it gets, so every chunk is verified before it
is sent.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

from allmende.flows.services import Services
from allmende.ids import XetHash
from allmende.registry import Repo
from allmende.storage import FileXorb, UnitOfWork, XetFile, list_file_xorbs
from allmende.xorbs import FRAME_HEADER_BYTES, Chunk, chunk_hash, frame_header, packed_sizes, unpack_chunks

__all__ = [
    "ChunkDamaged",
    "ReconstructionTerm",
    "SerializedXorb",
    "XorbRange",
    "offers_xet",
    "reconstruct",
]

_PAGE = 64
_BLOCK_BYTES = 512 * 1024


class ChunkDamaged(Exception):
    """Stored bytes are not the chunk that they should be; nothing of it was sent."""


@dataclass(frozen=True, slots=True)
class XorbRange:
    """Chunks `first` to `end` (exclusive) of a xorb, and the bytes that they take in its serialized form."""

    number: int
    first: int
    end: int
    start_byte: int
    end_byte: int
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class ReconstructionTerm:
    """The next part of a file: chunks of a xorb, `size_bytes` unpacked."""

    xorb: XetHash
    size_bytes: int
    chunks: XorbRange


def offers_xet(services: Services, repo: Repo) -> bool:
    """Whether clients are told the Xet hashes of a repo's files: decided for a repo as a whole."""
    return services.settings.xet_reads and repo.xet_reads


def reconstruct(
    uow: UnitOfWork, file: XetFile, start_byte: int, end_byte: int
) -> tuple[int, list[ReconstructionTerm]]:
    """What to fetch for the bytes from `start_byte` to `end_byte` (exclusive) of a file.

    Returns how many bytes of the first term lie before `start_byte`, and the terms.
    """
    terms: list[ReconstructionTerm] = []
    skipped = 0
    at_byte = start_byte
    while at_byte < end_byte:
        page = list_file_xorbs(uow, file.xet_hash, start_byte=at_byte, end_byte=end_byte, limit=_PAGE)
        if not page:
            break
        for xorb in page:
            before, term = _term(xorb, start_byte, end_byte)
            if not terms:
                skipped = before
            terms.append(term)
        at_byte = page[-1].offset_bytes + page[-1].size_bytes
    return skipped, terms


def _term(xorb: FileXorb, start_byte: int, end_byte: int) -> tuple[int, ReconstructionTerm]:
    starts = list(accumulate(packed_sizes(xorb.chunks), initial=0))
    within = max(0, start_byte - xorb.offset_bytes)
    until = min(xorb.size_bytes, end_byte - xorb.offset_bytes)
    first = bisect_right(starts, within) - 1
    end = bisect_left(starts, until)
    chunks = XorbRange(
        xorb.number,
        first,
        end,
        starts[first] + first * FRAME_HEADER_BYTES,
        starts[end] + end * FRAME_HEADER_BYTES,
    )
    return within - starts[first], ReconstructionTerm(xorb.hash, starts[end] - starts[first], chunks)


class SerializedXorb:
    """The serialized form of a xorb, made from the content in which it lies."""

    def __init__(self, xorb: FileXorb) -> None:
        self._offset_bytes = xorb.offset_bytes
        self._chunks = unpack_chunks(xorb.chunks)
        frames = (FRAME_HEADER_BYTES + chunk.size_bytes for chunk in self._chunks)
        self._starts = list(accumulate(frames, initial=0))

    @property
    def size_bytes(self) -> int:
        """Of the whole serialized form, which has no footer."""
        return self._starts[-1]

    def read(self, content: BinaryIO, start_byte: int, end_byte: int) -> Iterator[bytes]:
        """The bytes from `start_byte` to `end_byte` (exclusive), in blocks of about half a MiB.

        Every chunk that they touch is verified whole. Raises ChunkDamaged.
        """
        first = bisect_right(self._starts, start_byte) - 1
        end = bisect_left(self._starts, end_byte)
        content.seek(self._place(first))
        while first < end:
            until = min(end, bisect_left(self._starts, self._starts[first] + _BLOCK_BYTES))
            block = _frames(content, self._chunks[first:until])
            cut_left = max(0, start_byte - self._starts[first])
            cut_right = min(len(block), end_byte - self._starts[first])
            yield block if (cut_left, cut_right) == (0, len(block)) else block[cut_left:cut_right]
            first = until

    def read_until(self, end_byte: int) -> int:
        """Up to which byte the content is read for the bytes up to `end_byte` (exclusive)."""
        return self._place(bisect_left(self._starts, end_byte))

    def _place(self, number: int) -> int:
        """Where in the content a chunk begins, or the last one ends."""
        return self._offset_bytes + self._starts[number] - number * FRAME_HEADER_BYTES


def _frames(content: BinaryIO, chunks: Sequence[Chunk]) -> bytes:
    """The frames of chunks that lie one after another from the reader's position on."""
    data = memoryview(content.read(sum(chunk.size_bytes for chunk in chunks)))
    parts: list[bytes | memoryview] = []
    start = 0
    for chunk in chunks:
        end = start + chunk.size_bytes
        body = data[start:end]
        if chunk_hash(body) != chunk.hash:
            raise ChunkDamaged(f"A chunk of {chunk.size_bytes} bytes does not have its hash.")
        parts += (frame_header(chunk.size_bytes), body)
        start = end
    return b"".join(parts)
