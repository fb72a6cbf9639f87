"""The headers of tar archives, one block each (POSIX pax, GNU, ustar, version 7)."""

import re
from dataclasses import dataclass
from typing import Final

from allmende.scan.scanning import Unreadable
from allmende.scan.source import Source

__all__ = ["BLOCK", "TarHeader", "header_text", "is_header", "lies_in_a_member", "read_header"]

BLOCK: Final = 512
"""What headers and the data of members are padded to, in bytes."""

_OCTAL: Final = re.compile(rb"[0-7]+")
_ODD_OCTAL: Final = re.compile(rb"[+]?(?:0[oO])?([0-7_]*[0-7])")  # what Python takes for a number
_MOST_HEADERS: Final = 100_000


@dataclass(frozen=True, slots=True)
class TarHeader:
    """One member: its name, its kind, what it links to, and where its data lie."""

    name: str
    other_name: str
    """What programs make of it that take the prefix where the format has none."""
    kind: int
    link: str
    size_bytes: int
    start: int


def _checksum_is_right(block: bytes) -> bool:
    """Whether the sum is right, of bytes with or without sign: some old programs wrote the latter."""
    told = block[148:156].split(b"\0")[0].strip()
    return bool(_OCTAL.fullmatch(told)) and int(told, 8) in _sums(block)


def _sums(block: bytes) -> tuple[int, int]:
    counted = block[:148] + b" " * 8 + block[156:]
    plain = sum(counted)
    return plain, plain - 256 * sum(byte > 127 for byte in counted)


def is_header(block: bytes) -> bool:
    """Whether a tar program takes this block for a header: by its checksum, or by the magic alone."""
    if len(block) < BLOCK or not block[:156].strip(b"\0 "):
        return False
    if block[257:262] == b"ustar" or _checksum_is_right(block):
        return True
    told = block[148:156]
    if told[0] in (0x80, 0xFF):
        return int.from_bytes(told[1:], "big") in _sums(block)
    odd = _ODD_OCTAL.fullmatch(told.split(b"\0")[0].strip())
    return odd is not None and int(odd[1].replace(b"_", b""), 8) in _sums(block)


def read_header(source: Source, position: int) -> TarHeader:
    """The header at `position`, without its extensions. Raises Unreadable."""
    block = source.read_at(position, BLOCK)
    if len(block) < BLOCK or not _checksum_is_right(block):
        raise Unreadable("A header is cut off or has the wrong checksum.", position)
    prefix, name = header_text(block[345:500]), header_text(block[:100])
    longer = f"{prefix}/{name}" if prefix else name
    return TarHeader(
        longer if block[257:263] == b"ustar\0" else name,
        longer,
        block[156],
        header_text(block[157:257]),
        _number(block[124:136], position) if block[156] not in b"12345" else 0,
        position + BLOCK,
    )


def header_text(data: bytes) -> str:
    """A name in a header: up to the first zero."""
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()


def _number(data: bytes, position: int) -> int:
    if data[0] == 0x80:
        return int.from_bytes(data[1:], "big")
    text = data.split(b"\0")[0].strip()
    if not re.fullmatch(rb"[0-7]*", text):
        raise Unreadable("The size of a member is no number, or negative.", position)
    return int(text or b"0", 8)


def lies_in_a_member(source: Source, start: int, end: int) -> bool:
    """Whether `source` is a tar archive in which the bytes from `start` to `end` are part of one member."""
    position = 0
    if not is_header(source.read_at(0, BLOCK)):
        return False
    for _ in range(_MOST_HEADERS):
        try:
            header = read_header(source, position)
        except Unreadable:
            return False
        if header.start > start or end <= header.start + header.size_bytes:
            return header.start <= start
        position = header.start + -(-header.size_bytes // BLOCK) * BLOCK
    return False
