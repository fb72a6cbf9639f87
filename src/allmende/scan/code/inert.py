"""Formats in which nothing runs: pictures, sound, tables, fonts, logs of training. Known, so not unknown.

Claimed by their signature. That one of them is a second format at the same time is found by the walk.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from allmende.scan.code.embedded_pickles import examine_stored
from allmende.scan.code.secrets import examine_secrets
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Claim, Probe, Reader, Scan
from allmende.scan.source import Source

__all__ = ["READERS", "RULES"]

ACTIVE_DOCUMENT = Rule(
    "active-document",
    Severity.MEDIUM,
    "a document with actions of its own",
    "The document starts scripts or programs when it is opened.",
    "Publish it without actions.",
    "ISO 32000-2, actions.",
)
MATLAB_OBJECT = Rule(
    "matlab-object",
    Severity.MEDIUM,
    "objects or function handles of MATLAB",
    "Loading the file makes objects whose classes may run code.",
    "Save plain arrays.",
    "MAT-file format, mxOBJECT_CLASS and mxFUNCTION_CLASS.",
)
RULES = (ACTIVE_DOCUMENT, MATLAB_OBJECT)

_KINDS: Final = frozenset(
    ("avif", "bmp", "flac", "gif", "heic", "ico", "jpeg", "matroska", "mp3", "mp4",
     "ogg",
     "png", "sqlite", "tiff", "wav", "webp")
)  # fmt: skip
_FONTS: Final = (b"OTTO\0", b"wOFF", b"wOF2", b"\0\1\0\0\0")
_OTHERS: Final = {
    b"tree\n": "LightGBM",
    b"CBM1": "CatBoost",
    b"\xba\x16\x4f\x2f": "fastText",
    b"SIMPLE  =": "FITS",
    b"CDF\x01": "NetCDF",
    b"CDF\x02": "NetCDF",
    b"MThd": "MIDI",
    b"caff": "Core Audio",
    b"FORM": "AIFF",
    b".snd": "Sun audio",
    b"#!AMR": "AMR",
    b"<lf>": "dictionary",
    b"vw 8": "Vowpal Wabbit",
}
_TABLE_MAGIC: Final = bytes.fromhex("57fb808b247547db")
_PDF_ACTIONS: Final = (b"/JavaScript", b"/JS ", b"/JS(", b"/Launch", b"/OpenAction<</S/JavaScript")
_BLOCK_BYTES: Final = 1024 * 1024
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS: Final = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_MAX_CHUNKS: Final = 10_000
_MAX_SEARCHED: Final = 64 * 1024 * 1024
_PICKLE_BEHIND: Final = re.compile(rb"(?:\xff\xd9|;)(\x80[\x02-\x05](?:\x95.{8}|[c\x8c}\](Xq]))", re.DOTALL)


def _known(probe: Probe) -> str | None:
    """The name of a harmless format with these bytes; None where there is none."""
    head, source = probe.head, probe.source
    kind = probe.format_name
    if kind in _KINDS:
        return kind
    if head.startswith(_FONTS) and source.size_bytes > 64:
        return "font"
    for signature, name in _OTHERS.items():
        if head.startswith(signature):
            return name
    if source.read_at(source.size_bytes - 8, 8) == _TABLE_MAGIC:
        return "LevelDB table"
    if head[16:20] in (b"\xde\xc0\xef\xbe", b"\xbe\xef\xc0\xde"):
        return "LMDB"
    return "sentencepiece" if _is_sentencepiece(head) else "TensorBoard log" if _is_event_log(head) else None


def _is_sentencepiece(head: bytes) -> bool:
    """Protobuf: field 1 is a piece with its text (field 1) and its score (field 2, a float)."""
    if len(head) < 16 or head[0] != 0x0A or head[2] != 0x0A:
        return False
    length, text = head[1], head[3]
    return 4 < length < 128 and text < length and head[4 + text : 5 + text] == b"\x15"


def _is_event_log(head: bytes) -> bool:
    """A TFRecord whose first event has a time (field 1, double) and names the version of the file."""
    return (
        len(head) > 40
        and head[4:8] == b"\0\0\0\0"
        and head[12:13] == b"\x09"
        and b"brain.Event:" in head[:64]
    )


def _claims(probe: Probe) -> Claim:
    return Claim.NONE if _known(probe) is None else Claim.CONTENT


def _read(source: Source, scan: Scan) -> None:
    """Nothing in it runs; texts of pictures may hold what nobody should read."""
    if source.read_at(0, len(_PNG)) == _PNG:
        for text in _texts_of_png(source):
            examine_secrets(text, scan, "text of the picture")
    examine_stored(source, scan)
    end = _end_of(source)
    if 0 < end < source.size_bytes:
        scan.inside("bytes behind the end", source.window(end, source.size_bytes - end), raw=True)


def _end_of(source: Source) -> int:
    """Where a picture or a sound ends by its own header; 0 where that is not known."""
    head = source.read_at(0, 12)
    size_bytes: int
    if head.startswith(b"RIFF"):
        size_bytes = int.from_bytes(head[4:8], "little")
        return 8 + size_bytes + size_bytes % 2
    if head.startswith(b"BM"):
        return int.from_bytes(head[2:6], "little")
    if not head.startswith((_PNG, b"\xff\xd8\xff", b"GIF8")):
        return 0
    if head.startswith(_PNG):
        position = len(_PNG)
        for _ in range(_MAX_CHUNKS):
            size_bytes, kind = struct.unpack(">I4s", source.read_at(position, 8).ljust(8, b"\0"))
            position += 12 + size_bytes
            if kind == b"IEND" or position >= source.size_bytes:
                return position
        return 0
    data = source.read_at(0, _MAX_SEARCHED)
    match = _PICKLE_BEHIND.search(data)
    return match.start(1) if match is not None else 0


def _texts_of_png(source: Source) -> Iterator[str]:
    """The chunks with texts, unpacked where they are short (PNG specification, 11.3.4)."""
    position = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        head = source.read_at(position, 8)
        if len(head) < 8:
            return
        size_bytes, kind = struct.unpack(">I4s", head)
        if kind in _TEXT_CHUNKS and size_bytes <= _BLOCK_BYTES:
            data = source.read_at(position + 8, size_bytes)
            yield data.decode("latin-1")
            start = data.find(b"\x78")
            if kind != b"tEXt" and start >= 0:
                try:
                    unpacked = zlib.decompressobj().decompress(data[start:], _BLOCK_BYTES)
                except zlib.error:
                    unpacked = b""
                yield unpacked.decode("utf-8", "replace")
        position += 12 + size_bytes


def _pdf_claims(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.head.startswith(b"%PDF-") else Claim.NONE


def _read_pdf(source: Source, scan: Scan) -> None:
    """Look for actions in what is not compressed."""
    kept = b""
    for offset in range(0, source.size_bytes, _BLOCK_BYTES):
        block = kept + source.read_at(offset, _BLOCK_BYTES)
        for action in _PDF_ACTIONS:
            if action in block:
                scan.found(ACTIVE_DOCUMENT, action)
        kept = block[-32:]


def _array_claims(probe: Probe) -> Claim:
    """MATLAB files of version 5 to 7: a text of 116 bytes, version, and the order of bytes."""
    sound = (
        len(probe.head) > 128
        and probe.head[126:128] in (b"IM", b"MI")
        and probe.head[124:126] in (b"\0\1", b"\1\0")
    )
    return Claim.CONTENT if sound else Claim.NONE


def _read_matlab(source: Source, scan: Scan) -> None:
    """Walk the elements at the top; function handles and objects are told by their class."""
    order = "<" if source.read_at(126, 2) == b"IM" else ">"
    position = 128
    while position + 8 <= source.size_bytes:
        kind, size_bytes = struct.unpack(f"{order}2I", source.read_at(position, 8))
        if kind == 14 and source.read_at(position + 16, 1) in (b"\x10", b"\x03") and order == "<":
            scan.found(MATLAB_OBJECT, offset=position)
        position += 8 + size_bytes


READERS = (
    Reader("inert", "inert", _claims, _read),
    Reader("pdf", "pdf", _pdf_claims, _read_pdf),
    Reader("matlab", "matlab", _array_claims, _read_matlab),
)
