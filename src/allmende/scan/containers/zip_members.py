"""Opening the members of zip files: stored, or compressed by deflate, bzip2 or LZMA."""

import bz2
import lzma
import zlib
from collections.abc import Generator, Iterator
from typing import Final

from allmende.scan.containers.unpacking import Decompressor, pieces
from allmende.scan.containers.zip_records import Entry
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import UNREADABLE, Scan, Unreadable
from allmende.scan.source import Source, gathered

__all__ = ["DISAGREEMENT", "METHODS", "RULES", "opened_anyway", "opened_member"]

DISAGREEMENT = Rule(
    "zip-disagreement",
    Severity.HIGH,
    "headers of the archive disagree",
    "A zip file describes each member twice. Here the two differ, so that one program checks another "
    "thing than the next one loads.",
    "Pack the files again.",
    "CVE-2025-1944, CVE-2025-10156.",
)
NO_CHECKSUM = Rule(
    "zip-without-checksum",
    Severity.LOW,
    "members without checksum",
    "The archive was written without checksums. torch reads it all the same; zip programs call it broken.",
    "Leave the checksums on.",
    "torch.serialization.set_crc32_options.",
)
RULES = (DISAGREEMENT, NO_CHECKSUM)

_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
METHODS: Final = frozenset((_STORED, _DEFLATED, _BZIP2, _LZMA))
"""The ways of compression that are opened here."""

_CHECKED_STORED_BYTES = 1024 * 1024


def opened_member(source: Source, entry: Entry, scan: Scan) -> Source:
    """The bytes of a member; what does not come out as the directory says is found.

    Stored bytes are not copied. Raises LimitReached, and Unreadable for broken properties.
    """
    packed = source.window(entry.start, entry.packed_bytes)
    if entry.method == _STORED:
        if entry.packed_bytes != entry.size_bytes:
            scan.found(DISAGREEMENT, "size", detail=f"The sizes of the stored {entry.name!r} differ.")
        if entry.packed_bytes <= _CHECKED_STORED_BYTES:
            _check_sum(zlib.crc32(packed.read_at(0, packed.size_bytes)), entry, scan)
        return packed
    unpacked = _Unpacked(packed, entry, scan)
    opened = gathered(unpacked.pieces())
    if unpacked.failure is None and unpacked.consumed_bytes != entry.packed_bytes:
        what = f"The compressed data of {entry.name!r} end after {unpacked.consumed_bytes} bytes."
        scan.found(DISAGREEMENT, "packed size", detail=what)
        rest = packed.window(unpacked.consumed_bytes, packed.size_bytes)
        scan.inside(f"{entry.name} (behind its end)", rest, raw=True)
    if unpacked.failure is not None:
        # What came out before the break is looked into all the same.
        scan.found(UNREADABLE, "zip", detail=unpacked.failure.message, inside=entry.name)
    if opened.size_bytes != entry.size_bytes:
        scan.found(
            DISAGREEMENT,
            "size",
            detail=f"{entry.name!r} has {opened.size_bytes} bytes, not {entry.size_bytes}.",
        )
    _check_sum(unpacked.checksum, entry, scan)
    return opened


def opened_anyway(source: Source, entry: Entry, scan: Scan) -> Source:
    """The bytes of a member of which something is already known to be wrong: as far as they come out.

    Where nothing does, they are taken as they lie there. Raises LimitReached.
    """
    packed = source.window(entry.start, entry.packed_bytes)
    if entry.method not in METHODS - {_STORED}:
        return packed
    try:
        opened = gathered(_Unpacked(packed, entry, scan).pieces())
    except Unreadable:
        return packed
    return opened if opened.size_bytes else packed


class _Unpacked:
    """What comes out of a member, and what is known once it has come out."""

    def __init__(self, packed: Source, entry: Entry, scan: Scan) -> None:
        self.checksum = 0
        self.consumed_bytes = 0
        self.failure: Unreadable | None = None
        self._packed = packed
        self._decompressor = _decompressor(entry, packed)
        self._budget = scan.budget

    def pieces(self) -> Iterator[bytes]:
        """Piece by piece, up to the end or a break. Raises LimitReached."""
        try:
            self.consumed_bytes = yield from self._summed(
                pieces(self._packed, self._decompressor, self._budget)
            )
        except Unreadable as failure:
            self.failure = failure

    def _summed(self, unpacked: Generator[bytes, None, int]) -> Generator[bytes, None, int]:
        while True:
            try:
                piece = next(unpacked)
            except StopIteration as end:
                return int(end.value)
            self.checksum = zlib.crc32(piece, self.checksum)
            yield piece


def _check_sum(checked: int, entry: Entry, scan: Scan) -> None:
    if checked != entry.crc and entry.crc == 0:
        scan.found(NO_CHECKSUM)
    elif checked != entry.crc:
        scan.found(DISAGREEMENT, "checksum", detail=f"The bytes of {entry.name!r} have another checksum.")


def _decompressor(entry: Entry, packed: Source) -> Decompressor:
    if entry.method == _DEFLATED:
        return zlib.decompressobj(-15)
    if entry.method == _BZIP2:
        return bz2.BZ2Decompressor()
    head = packed.read_at(0, 9)
    if len(head) < 9 or head[2] != 5:
        raise Unreadable(f"The LZMA properties of {entry.name!r} cannot be read.", entry.start)
    code = head[4]
    # The format packs three numbers into this byte; what the library takes of them is narrower still.
    if code >= 225 or code % 9 + code // 9 % 5 > 4:
        raise Unreadable(f"The LZMA properties of {entry.name!r} are impossible.", entry.start)
    filters = [
        {
            "id": lzma.FILTER_LZMA1,
            "lc": code % 9,
            "lp": code // 9 % 5,
            "pb": code // 45,
            "dict_size": min(int.from_bytes(head[5:9], "little"), 64 * 1024 * 1024),
        }
    ]
    return _BehindHeader(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), 9)


class _BehindHeader:
    """A decompressor that leaves out the first bytes."""

    def __init__(self, inner: lzma.LZMADecompressor, skipped_bytes: int) -> None:
        self._inner = inner
        self._left = skipped_bytes

    @property
    def eof(self) -> bool:
        """Whether the stream is over."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more going in."""
        return self._inner.needs_input

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end of the stream."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """As the decompressor does, behind the header."""
        skipped = min(self._left, len(data))
        self._left -= skipped
        return self._inner.decompress(data[skipped:], max_length)
