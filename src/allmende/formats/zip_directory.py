"""The names in a zip file, read from its central directory without unpacking anything.

`zipfile` would read the whole directory into memory, however long it claims to be; this reads a bounded
number of bytes and entries. PKWARE APPNOTE 4.3, with the zip64 records that files over 4 GB need.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from allmende.formats.errors import MalformedZip

__all__ = ["ZipEntry", "first_entry_name", "read_directory"]

_MAX_ENTRIES = 20_000
_MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_MAX_COMMENT_BYTES = 65_535


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One line of the directory; its sizes are what the file claims."""

    name: str
    size_bytes: int
    compressed: bool


def first_entry_name(head: bytes) -> str | None:
    """The name in the local header at the very beginning of `head`, if a whole one is there."""
    if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        return None
    length = _LOCAL.unpack_from(head)[9]
    raw = head[_LOCAL.size : _LOCAL.size + length]
    return raw.decode("utf-8", errors="replace") if len(raw) == length else None


def read_directory(reader: BinaryIO, size_bytes: int) -> tuple[ZipEntry, ...]:
    """The entries of the central directory, in its order.

    Raises MalformedZip, with the code `zip_beyond_limits` where the directory is too long to be read.
    """
    start, length, count = _locate(reader, size_bytes)
    if length > _MAX_DIRECTORY_BYTES or count > _MAX_ENTRIES:
        raise MalformedZip(
            f"The directory of the zip file has {count} entries in {length} bytes; "
            f"at most {_MAX_ENTRIES} in {_MAX_DIRECTORY_BYTES} are read.",
            code="zip_beyond_limits",
        )
    if start + length > size_bytes:
        raise MalformedZip("The directory of the zip file lies outside of the file.")
    return _entries(_read_at(reader, start, length), count)


def _locate(reader: BinaryIO, size_bytes: int) -> tuple[int, int, int]:
    tail_start = max(0, size_bytes - _END.size - _MAX_COMMENT_BYTES)
    tail = _read_at(reader, tail_start, size_bytes - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise MalformedZip("The zip file has no end record; it may be cut off.")
    _, _, _, _, count, length, start, _ = _END.unpack_from(tail, at)
    if count != 0xFFFF and length != 0xFFFFFFFF and start != 0xFFFFFFFF:
        return start, length, count
    return _locate64(reader, size_bytes, tail_start + at) or (start, length, count)


def _locate64(reader: BinaryIO, size_bytes: int, end_at: int) -> tuple[int, int, int] | None:
    if end_at < _LOCATOR.size:
        return None
    signature, _, record_at, _ = _LOCATOR.unpack(_read_at(reader, end_at - _LOCATOR.size, _LOCATOR.size))
    if signature != b"PK\x06\x07":
        return None
    if record_at + _END64.size > size_bytes:
        raise MalformedZip("The zip64 end record lies outside of the file.")
    fields = _END64.unpack(_read_at(reader, record_at, _END64.size))
    if fields[0] != b"PK\x06\x06":
        raise MalformedZip("The zip64 end record is not where the file says it is.")
    return fields[9], fields[8], fields[7]


def _entries(directory: bytes, count: int) -> tuple[ZipEntry, ...]:
    entries = []
    at = 0
    for _ in range(count):
        if len(directory) - at < _CENTRAL.size or directory[at : at + 4] != b"PK\x01\x02":
            raise MalformedZip("The directory of the zip file ends before its last entry.")
        fields = _CENTRAL.unpack_from(directory, at)
        name_at = at + _CENTRAL.size
        name = directory[name_at : name_at + fields[10]]
        entries.append(ZipEntry(name.decode("utf-8", errors="replace"), fields[9], fields[4] != 0))
        at = name_at + fields[10] + fields[11] + fields[12]
        if at > len(directory):
            raise MalformedZip("The directory of the zip file ends inside an entry.")
    return tuple(entries)


def _read_at(reader: BinaryIO, start: int, count: int) -> bytes:
    reader.seek(start)
    data = reader.read(count)
    while len(data) < count:
        more = reader.read(count - len(data))
        if not more:
            raise MalformedZip("The zip file is shorter than its size says.")
        data += more
    return data
