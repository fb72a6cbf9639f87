"""Tar archives put together header by header, so that they can say what no writer would write."""

from collections.abc import Iterable

__all__ = ["END", "archive", "member", "pax"]

END = bytes(1024)


def member(
    name: bytes | str,
    data: bytes = b"",
    *,
    kind: bytes = b"0",
    link: bytes = b"",
    size: bytes | None = None,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    checksum: int | None = None,
    mode: bytes = b"0000644\0",
) -> bytes:
    """One header with its data, padded to whole blocks."""
    raw = name.encode() if isinstance(name, str) else name
    told = b"%011o\0" % len(data) if size is None else size
    block = bytearray(512)
    block[:100] = raw[:100].ljust(100, b"\0")
    block[100:108] = mode
    block[108:124] = b"0000000\x000000000\0"
    block[124:136] = told.ljust(12, b"\0")
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157:257] = link[:100].ljust(100, b"\0")
    block[257:265] = magic
    block[345:500] = prefix.ljust(155, b"\0")
    total = sum(block) if checksum is None else checksum
    block[148:156] = b"%06o\0 " % total
    return bytes(block) + data + bytes(-len(data) % 512)


def pax(records: Iterable[tuple[str, str]], *, kind: bytes = b"x") -> bytes:
    """An extended header with these records."""
    body = b""
    for key, value in records:
        text = f" {key}={value}\n".encode()
        length = len(text) + 1
        while len(str(length)) + len(text) != length:
            length = len(str(length)) + len(text)
        body += str(length).encode() + text
    return member("PaxHeaders/x", body, kind=kind)


def archive(*parts: bytes, end: bytes = END) -> bytes:
    """These members and the end of the archive."""
    return b"".join(parts) + end
