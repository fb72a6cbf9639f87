"""What lies between the members of a zip file, and whether they lie apart from one another."""

import struct
from collections.abc import Iterator
from itertools import pairwise

from allmende.scan.containers.zip_records import Entry, Oddity, ZipRecords
from allmende.scan.source import Source

__all__ = ["Piece", "uncovered"]

Piece = tuple[int, int]
"""Offset and size of bytes that belong to no member."""

_PROVEN_OVERLAPS = 3
"""One size that damage made larger reaches over the members behind it, and no other does."""
_BLOCK_BYTES = 64 * 1024
_DESCRIPTOR_SIGNATURE = b"PK\7\x08"
_APK_SIGNATURE = b"APK Sig Block 42"


def uncovered(source: Source, records: ZipRecords, oddities: list[Oddity]) -> Iterator[Piece]:
    """The pieces that no member accounts for; overlaps and pieces are added to `oddities`.

    Descriptors and zeros are no such pieces, nor is the signature block of Android packages.
    """
    before: Entry | None = None
    reached = 0
    ordered = sorted(records.entries, key=lambda entry: entry.offset)
    shared = sum(one.end > other.offset for one, other in pairwise(ordered))
    if shared >= _PROVEN_OVERLAPS:
        oddities.append(Oddity("shared", f"{shared} members share bytes with the one behind them."))
    for entry in ordered:
        yield from _gap(source, before, reached, entry.offset, oddities)
        if entry.end > reached:
            before, reached = entry, entry.end
    yield from _gap(source, before, reached, records.directory, oddities)


def _gap(
    source: Source, before: Entry | None, reached: int, following: int, oddities: list[Oddity]
) -> Iterator[Piece]:
    if following < reached:
        what = f"A record at {following} overlaps what ends at {reached}."
        oddities.append(Oddity("overlap", what, following))
        return
    if before is not None and before.streamed:
        reached += _descriptor_bytes(source.read_at(reached, 24), before)
    if _is_zero(source, reached, following) and before is not None:
        return
    if following == reached or source.read_at(max(reached, following - 16), 16) == _APK_SIGNATURE:
        return
    kind = "prefix" if before is None else "gap"
    oddities.append(Oddity(kind, f"{following - reached} bytes belong to no member.", reached))
    yield reached, following - reached


def _descriptor_bytes(data: bytes, entry: Entry) -> int:
    """The size of the descriptor at the beginning of `data`: with or without signature, in 32 or 64 bits."""
    for form in ("<3L", "<L2Q"):
        if max(entry.packed_bytes, entry.size_bytes) >= 2**32 and form == "<3L":
            continue
        told = struct.pack(form, entry.crc, entry.packed_bytes, entry.size_bytes)
        for descriptor in (_DESCRIPTOR_SIGNATURE + told, told):
            if data.startswith(descriptor):
                return len(descriptor)
    return 0


def _is_zero(source: Source, start: int, end: int) -> bool:
    while start < end:
        block = source.read_at(start, min(_BLOCK_BYTES, end - start))
        if block.strip(b"\0"):
            return False
        start += len(block)
    return True
