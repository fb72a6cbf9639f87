"""Files in a compressed stream: gzip, bzip2, xz, LZMA, zlib, lz4; and containers that are never unpacked.

All streams that follow one another are taken apart, as loaders do. 7z, RAR and others would need
packages that one machine has and another has not, and a verdict must not depend on that: they are
quarantined by their signature.
"""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import lz4.frame

from allmende.scan.budget import LimitReached
from allmende.scan.containers.unpacking import NOT_UNPACKED, Decompressor, pieces
from allmende.scan.findings import Rule, Severity
from allmende.scan.provable import proven_by
from allmende.scan.scanning import (
    HEAD_BYTES,
    LIMIT_REACHED,
    UNREADABLE,
    Claim,
    Probe,
    Reader,
    Scan,
    Unreadable,
)
from allmende.scan.source import Source, gathered

__all__ = ["READERS", "RULES"]

TRAILING_BYTES = Rule(
    "stream-trailing-bytes",
    Severity.LOW,
    "bytes behind the end of the compressed data",
    "Programs that unpack the file do not look at them.",
    "Pack the file again.",
    "CWE-436: interpretation conflict.",
)
RULES = (TRAILING_BYTES,)

_KEPT_HINTS: Final = frozenset({"pickle", "joblib", "torch", "numpy"})
_TRIAL_BYTES: Final = 512
_CHECKSUM_BYTES: Final = 4
_ZEROS_BYTES: Final = 64 * 1024
_ZFILE_BYTES: Final = 2 + 19
_MAX_STREAMS: Final = 1000
_LZMA_MEMORY_BYTES: Final = 256 * 1024 * 1024
_LZMA_PROPERTIES: Final = 225
_LZMA_MAX_BYTES: Final = 2**38
_LZMA_LEAST_WINDOW_BYTES: Final = 4096
_LZMA_TRIAL_WINDOW_BYTES: Final = 1024 * 1024

_GZIP, _BZIP2, _XZ, _LZ4 = b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x04\x22\x4d\x18"

_NOT_UNPACKED: Final = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"\x02\x21\x4c\x18": "lz4 (legacy)",
    b"LZIP\0": "lzip",
    b"LZIP\1": "lzip",
    b"\x89LZO\0\r\n\x1a\n": "lzop",
    b"MSCF\0\0\0\0": "cabinet",
    b"xar!\0\x1c": "xar",
    b"\xff\x06\0\0sNaPpY": "snappy",
    b"!<arch>\n": "ar",
    b"hsqs": "squashfs",
    **{bytes([number]) + b"\x2a\x4d\x18": "zstd or lz4 (skippable frame)" for number in range(0x50, 0x60)},
}
_CLOSED_PATTERNS: Final = {
    re.compile(rb"07070[12][0-9A-Fa-f]{104}"): "cpio",
    re.compile(rb"070707[0-7]{70}"): "cpio",
    re.compile(rb"\x1f\x9d[\x09-\x10\x89-\x90]"): "compress",
}


def _gzip() -> Decompressor:
    return zlib.decompressobj(31)


def _zlib() -> Decompressor:
    return zlib.decompressobj(15)


def _xz() -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES)


def _lzma() -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY_BYTES)


def _lz4() -> Decompressor:
    decompressor: Decompressor = lz4.frame.LZ4FrameDecompressor()
    return decompressor


def _starts(signature: bytes) -> Callable[[Probe], Claim]:
    def claims(probe: Probe) -> Claim:
        return Claim.CONTENT if probe.head.startswith(signature) else Claim.NONE

    return claims


def _bzip2_claims(probe: Probe) -> Claim:
    head = probe.head
    sound = (
        head.startswith(_BZIP2) and head[3:4] in b"123456789" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90")
    )
    return Claim.CONTENT if sound else Claim.NONE


def _zlib_claims(probe: Probe) -> Claim:
    head = probe.head
    if len(head) < 8 or head[0] & 0x0F != 8 or head[0] >> 4 > 7 or head[1] & 0x20:
        return Claim.NONE
    if int.from_bytes(head[:2], "big") % 31:
        return Claim.NONE
    claim = _trial(_zlib(), head)
    return Claim.CONTENT if claim is Claim.NONE and _only_the_checksum_is_wrong(probe) else claim


def _only_the_checksum_is_wrong(probe: Probe) -> bool:
    """Whether the data are whole and end four bytes before the end of a file that the head holds whole."""
    raw = zlib.decompressobj(-15)
    try:
        raw.decompress(probe.head[2:])
    except zlib.error:
        return False
    return raw.eof and len(raw.unused_data) == _CHECKSUM_BYTES and probe.source.size_bytes < HEAD_BYTES


def _lzma_claims(probe: Probe) -> Claim:
    """By the header, as liblzma guesses it, and by joblib's prefix; then by what comes out."""
    head = probe.head
    if len(head) < 14 or head[0] >= _LZMA_PROPERTIES or head[13]:
        return Claim.NONE
    window_bytes = int.from_bytes(head[1:5], "little")
    told = int.from_bytes(head[5:13], "little")
    common = head[:2] == b"\x5d\0"
    # Whole numbers and truth values look like headers that tell a size; packers leave it open, or tell it
    # in headers of the one common form and with a window that is not tiny.
    sized = common and told < _LZMA_MAX_BYTES and window_bytes >= _LZMA_LEAST_WINDOW_BYTES
    streamed = told == 2**64 - 1 and (common or window_bytes.bit_count() in (1, 2))
    if not sized and not streamed:
        return Claim.NONE
    # The beginning unpacks with a small window too, so that a huge one hides nothing.
    small = min(window_bytes, _LZMA_TRIAL_WINDOW_BYTES).to_bytes(4, "little")
    return _trial(_lzma(), head[:1] + small + head[5:])


def _trial(decompressor: Decompressor, head: bytes) -> Claim:
    """Whether the beginning unpacks: two bytes are no signature. Empty blocks may give nothing."""
    try:
        out = decompressor.decompress(head, _TRIAL_BYTES)
    except (zlib.error, lzma.LZMAError, EOFError):
        return Claim.NONE
    return Claim.CONTENT if out or len(head) == HEAD_BYTES else Claim.NONE


def _reader(name: str, claims: Callable[[Probe], Claim], make: Callable[[], Decompressor]) -> Reader:
    def read(source: Source, scan: Scan) -> None:
        failures: list[Unreadable | LimitReached] = []
        unpacked = gathered(_until_failure(_all_streams(source, scan, make), failures))
        # What came out before a failure is looked into all the same.
        scan.inside("unpacked", unpacked, hint=scan.hint if scan.hint in _KEPT_HINTS else "")
        for failure in failures:
            if isinstance(failure, LimitReached):
                scan.found(proven_by(failure) or LIMIT_REACHED, failure.limit, detail=failure.message)
            else:
                scan.found(UNREADABLE, name, detail=failure.message, offset=failure.offset)

    return Reader(name, name, claims, read)


def _until_failure(unpacked: Iterator[bytes], failures: list[Unreadable | LimitReached]) -> Iterator[bytes]:
    try:
        yield from unpacked
    except (Unreadable, LimitReached) as failure:
        failures.append(failure)


def _all_streams(source: Source, scan: Scan, make: Callable[[], Decompressor]) -> Iterator[bytes]:
    """What comes out of all streams, one behind the other; zeros may follow them."""
    signature = source.read_at(0, 2)
    offset = 0
    over: list[LimitReached] = []
    for _ in range(_MAX_STREAMS):
        offset += yield from pieces(source.window(offset, source.size_bytes), make(), scan.budget, over)
        offset = _behind_zeros(source, offset)
        following = source.read_at(offset, 32)
        if not following and over:
            raise over[0]
        if not following:
            return
        if following[:2] != signature:
            scan.found(TRAILING_BYTES, following, offset=offset)
            scan.inside("trailing bytes", source.window(offset, source.size_bytes), raw=True)
            if over:
                raise over[0]
            return
    raise LimitReached("streams", f"There are more than {_MAX_STREAMS} compressed streams.")


def _behind_zeros(source: Source, offset: int) -> int:
    """Where the zeros that may stand between two streams are over."""
    while block := source.read_at(offset, _ZEROS_BYTES):
        kept = block.lstrip(b"\0")
        offset += len(block) - len(kept)
        if kept:
            break
    return offset


def _read_zfile(source: Source, scan: Scan) -> None:
    """`ZF`, the length as text in 19 bytes, sometimes a space, a zlib stream (joblib before 0.10)."""
    start = _ZFILE_BYTES + (source.read_at(_ZFILE_BYTES, 1) == b" ")
    packed = source.window(start, source.size_bytes)
    failures: list[Unreadable | LimitReached] = []
    unpacked = gathered(_until_failure(pieces(packed, _zlib(), scan.budget), failures))
    scan.inside("unpacked", unpacked, hint="joblib")
    for failure in failures:
        raise failure


def _name_of_closed(head: bytes) -> str | None:
    named = next((name for signature, name in _NOT_UNPACKED.items() if head.startswith(signature)), None)
    return named or next((name for pattern, name in _CLOSED_PATTERNS.items() if pattern.match(head)), None)


def _reads_nothing(source: Source, scan: Scan) -> None:
    scan.found(NOT_UNPACKED, _name_of_closed(source.read_at(0, HEAD_BYTES)) or "")


def _closed_claims(probe: Probe) -> Claim:
    return Claim.NONE if _name_of_closed(probe.head) is None else Claim.CONTENT


READERS = (
    _reader("gzip", _starts(_GZIP), _gzip),
    _reader("bzip2", _bzip2_claims, bz2.BZ2Decompressor),
    _reader("xz", _starts(_XZ), _xz),
    _reader("lzma", _lzma_claims, _lzma),
    _reader("lz4", _starts(_LZ4), _lz4),
    _reader("zlib", _zlib_claims, _zlib),
    Reader("joblib (old)", "joblib (old)", _starts(b"ZF0x"), _read_zfile),
    Reader("closed container", "closed container", _closed_claims, _reads_nothing),
)
