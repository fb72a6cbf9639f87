"""Reading an uploaded shard: which chunks a client's new xorbs hold, and of which chunks its files consist.

Strict and bounded: every count is held against the bytes that are left before anything is made of it, and
lists of chunks stay packed until they are asked for. Nothing here knows whether a xorb exists, or whether a
file's hash is that of its chunks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from allmende.ids import Sha256, XetHash
from allmende.xorbs import shard_layout as layout
from allmende.xorbs.chunk import Chunk, unpack_chunks
from allmende.xorbs.errors import MalformedShard
from allmende.xorbs.hashes import to_hex
from allmende.xorbs.xorb import MAX_CHUNK_BYTES, MAX_XORB_BYTES, MAX_XORB_CHUNKS

__all__ = ["MAX_SHARD_BYTES", "Shard", "ShardFile", "ShardXorb", "Term", "read_shard"]

MAX_SHARD_BYTES = 65 * 1024 * 1024
"""The largest shard that is read: the 64 MiB that clients fill, and slack for the entry that crosses them."""

_PACKED_FIELDS = np.dtype([("size", "<u4"), ("hash", "V32")])
_NO_KEY = bytes(32)
_ZERO_HASH = XetHash("0" * 64)


class Term(NamedTuple):
    """A run of chunks of one xorb, `first` up to but without `end`, and its bytes unpacked."""

    xorb: XetHash
    size_bytes: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A file as the row of its terms; for each term a range hash, which proves that its chunks are known."""

    xet_hash: XetHash
    sha256: Sha256 | None
    terms: tuple[Term, ...]
    range_hashes: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        """The length of the file."""
        return sum(term.size_bytes for term in self.terms)


@dataclass(frozen=True, slots=True)
class ShardXorb:
    """A xorb and, still in the bytes of the shard, its chunks."""

    hash: XetHash
    chunk_count: int
    _records: memoryview = field(repr=False, compare=False)

    def packed(self) -> bytes:
        """Its chunks in the stored form that `unpack_chunks` reads."""
        records = np.frombuffer(self._records, layout.RECORD_FIELDS)
        packed = np.empty(len(records), _PACKED_FIELDS)
        packed["size"] = records["numbers"][:, 1]
        packed["hash"] = records["hash"]
        return packed.tobytes()

    def chunks(self) -> list[Chunk]:
        """Its chunks, in order."""
        return unpack_chunks(self.packed())


@dataclass(frozen=True, slots=True)
class Shard:
    """What an uploaded shard says, in its order."""

    files: tuple[ShardFile, ...]
    xorbs: tuple[ShardXorb, ...]


def read_shard(data: bytes) -> Shard:
    """Reads a shard as clients upload it, with a footer or without.

    Raises MalformedShard for whatever breaks the format, and for what it allows but an upload may not have:
    terms without range hashes, and chunk hashes under a key.
    """
    if len(data) > MAX_SHARD_BYTES:
        raise MalformedShard(f"A shard has at most {MAX_SHARD_BYTES} bytes; this one has {len(data)}.")
    footer_bytes = _header(data)
    body = memoryview(data)[: len(data) - footer_bytes]
    files, files_end = _files(body, layout.HEADER.size)
    xorbs, xorbs_end = _xorbs(body, files_end)
    if footer_bytes:
        _check_footer(data, files_end, xorbs_end, len(files), xorbs)
    elif xorbs_end != len(data):
        raise MalformedShard(f"{len(data) - xorbs_end} bytes follow the last section of the shard.")
    return Shard(files, xorbs)


def _header(data: bytes) -> int:
    if len(data) < layout.HEADER.size:
        raise MalformedShard(f"A shard of {len(data)} bytes has no room for its header.")
    tag, version, footer_bytes = layout.HEADER.unpack_from(data)
    if tag != layout.TAG:
        raise MalformedShard("The bytes do not begin like a shard.")
    if version != layout.HEADER_VERSION:
        raise MalformedShard(f"The shard has version {version}; only {layout.HEADER_VERSION} is read.")
    if footer_bytes not in {0, layout.FOOTER.size}:
        raise MalformedShard(f"A shard's footer has {layout.FOOTER.size} bytes or none, not {footer_bytes}.")
    if layout.HEADER.size + footer_bytes > len(data):
        raise MalformedShard(f"A shard of {len(data)} bytes has no room for its footer.")
    return int(footer_bytes)


def _record(body: memoryview, at: int) -> tuple[bytes, int, int, int, int]:
    if at + layout.RECORD_BYTES > len(body):
        raise MalformedShard(f"The shard ends inside the section at byte {at}.")
    fields: tuple[bytes, int, int, int, int] = layout.RECORD.unpack_from(body, at)
    return fields


def _check_room(body: memoryview, at: int, records: int) -> None:
    if records > (len(body) - at) // layout.RECORD_BYTES:
        raise MalformedShard(f"The entry at byte {at} claims {records} records, beyond the end of the shard.")


def _files(body: memoryview, at: int) -> tuple[tuple[ShardFile, ...], int]:
    files: list[ShardFile] = []
    while True:
        raw_hash, flags, count, _, _ = _record(body, at)
        at += layout.RECORD_BYTES
        if raw_hash == layout.BOOKEND:
            return tuple(files), at
        if flags & ~(layout.VERIFICATION_FLAG | layout.METADATA_FLAG):
            raise MalformedShard(f"A file has the unknown flags {flags:#010x}.")
        if count and not flags & layout.VERIFICATION_FLAG:
            raise MalformedShard("A file has no range hashes; an upload needs one for each term.")
        with_proofs = 2 if flags & layout.VERIFICATION_FLAG else 1
        with_metadata = 1 if flags & layout.METADATA_FLAG else 0
        records = count * with_proofs + with_metadata
        _check_room(body, at, records)
        files.append(_file(raw_hash, body[at : at + records * layout.RECORD_BYTES], count, with_metadata))
        at += records * layout.RECORD_BYTES


def _file(raw_hash: bytes, records: memoryview, count: int, with_metadata: int) -> ShardFile:
    proofs_at = count * layout.RECORD_BYTES
    terms = tuple(_terms(records[:proofs_at]))
    proofs = records[proofs_at : 2 * proofs_at]
    range_hashes = tuple([fields[0] for fields in layout.RECORD.iter_unpack(proofs)])
    xet_hash = to_hex(raw_hash)
    if (xet_hash == _ZERO_HASH) != (not terms):
        raise MalformedShard("The empty file, and no other, has no terms and the hash of zeros.")
    sha256 = None
    if with_metadata:
        sha256 = Sha256(to_hex(_record(records, len(records) - layout.RECORD_BYTES)[0]))
    return ShardFile(xet_hash, sha256, terms, range_hashes)


def _terms(records: memoryview) -> Iterator[Term]:
    for xorb, _, size_bytes, first, end in layout.RECORD.iter_unpack(records):
        if not first < end <= MAX_XORB_CHUNKS:
            raise MalformedShard(f"A term has the chunks {first} to {end} of a xorb, which is no range.")
        if not end - first <= size_bytes <= min((end - first) * MAX_CHUNK_BYTES, MAX_XORB_BYTES):
            raise MalformedShard(f"A term of {end - first} chunks has {size_bytes} bytes.")
        yield Term(to_hex(xorb), size_bytes, first, end)


def _xorbs(body: memoryview, start: int) -> tuple[tuple[ShardXorb, ...], int]:
    xorbs: list[ShardXorb] = []
    at = start
    while True:
        raw_hash, _, count, _, _ = _record(body, at)
        begin = at + layout.RECORD_BYTES
        if raw_hash == layout.BOOKEND:
            _check_chunks(body[start:at], xorbs)
            return tuple(xorbs), begin
        if not 0 < count <= MAX_XORB_CHUNKS:
            raise MalformedShard(f"A xorb has {count} chunks; from 1 to {MAX_XORB_CHUNKS} are allowed.")
        _check_room(body, begin, count)
        at = begin + count * layout.RECORD_BYTES
        xorbs.append(ShardXorb(to_hex(raw_hash), count, body[begin:at]))


def _check_chunks(section: memoryview, xorbs: list[ShardXorb]) -> None:
    """Checks the chunks of all xorbs at once, since a section may hold over a million of them."""
    numbers = np.frombuffer(section, layout.RECORD_FIELDS)["numbers"]
    counts = np.array([xorb.chunk_count for xorb in xorbs], np.int64)
    is_chunk = np.ones(len(numbers), np.bool_)
    is_chunk[np.cumsum(counts + 1) - counts - 1] = False
    begins, sizes = numbers[:, 0].astype(np.int64), numbers[:, 1].astype(np.int64)
    if np.any(is_chunk & ((sizes == 0) | (sizes > MAX_CHUNK_BYTES))):
        raise MalformedShard(f"A chunk of a xorb is empty, or longer than {MAX_CHUNK_BYTES} bytes.")
    ends = np.where(is_chunk, begins + sizes, 0)
    if np.any(is_chunk[1:] & (begins[1:] != ends[:-1])):
        raise MalformedShard("A chunk of a xorb does not begin where the one before it ends.")
    if np.any(ends > MAX_XORB_BYTES):
        raise MalformedShard(f"The chunks of a xorb have more than {MAX_XORB_BYTES} bytes.")


def _check_footer(
    data: bytes, files_end: int, xorbs_end: int, files: int, xorbs: tuple[ShardXorb, ...]
) -> None:
    """Checks that a footer describes the sections as they were found; the lookup tables are not read."""
    footer_at = len(data) - layout.FOOTER.size
    version, files_at, xorbs_at, *lookups, key, _, _, _, _, _, end = layout.FOOTER.unpack_from(
        data, footer_at
    )
    if version != layout.FOOTER_VERSION:
        raise MalformedShard(f"The shard's footer has version {version}.")
    if (files_at, xorbs_at, end) != (layout.HEADER.size, files_end, footer_at):
        raise MalformedShard("The shard's footer does not say where its sections begin.")
    if key != _NO_KEY:
        raise MalformedShard("The chunk hashes of the shard are under a key; an upload shows them plainly.")
    entries = (
        (layout.FILE_LOOKUP_BYTES, files),
        (layout.XORB_LOOKUP.itemsize, len(xorbs)),
        (layout.CHUNK_LOOKUP.itemsize, sum(xorb.chunk_count for xorb in xorbs)),
    )
    expected_at = xorbs_end
    for (entry_bytes, entries_at_most), begin, count in zip(
        entries, lookups[::2], lookups[1::2], strict=True
    ):
        if begin != expected_at or count not in {0, entries_at_most}:
            raise MalformedShard(
                "A lookup table of the shard is not where it should be, or of another length."
            )
        expected_at += count * entry_bytes
    if expected_at != footer_at:
        raise MalformedShard(
            f"{footer_at - expected_at} bytes stand between the shard's tables and its footer."
        )
