"""The entries of a zip file, read from its central directory without unpacking anything.

`zipfile` would read the whole directory into memory, however long it claims to be; this reads a bounded
number of bytes and entries. PKWARE APPNOTE 4.3, with the zip64 records that files over 4 GB need.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from allmende.formats.errors import MalformedZip

__all__ = ["ZipEntry", "first_entry_name", "read_directory", "stored_start"]

_MAX_ENTRIES = 20_000
_MAX_DIRECTORY_BYTES = 4 * 1024 * 1024
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_MAX_COMMENT_BYTES = 65_535
_STORED = 0
_ENCRYPTED = 1
_ZIP64_EXTRA = 1
_IN_ZIP64 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One line of the directory; its sizes and places are what the file claims.

    `header_start` is where its local header stands, before its bytes; `packed_bytes` what it takes there.
    """

    name: str
    size_bytes: int
    method: int
    encrypted: bool
    packed_bytes: int
    header_start: int

    @property
    def compressed(self) -> bool:
        """Whether its bytes do not stand in the file as they are."""
        return self.method != _STORED


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


def stored_start(reader: BinaryIO, size_bytes: int, entry: ZipEntry) -> int:
    """Where the bytes of an entry (as packed) begin, all of them inside the file.

    Raises MalformedZip where its local header is not there, or names another entry.
    """
    if entry.encrypted:
        raise MalformedZip(f"The entry {entry.name[:100]!r} is encrypted.")
    name_at = entry.header_start + _LOCAL.size
    if name_at > size_bytes:
        raise MalformedZip(f"The entry {entry.name[:100]!r} lies outside of the file.")
    header = _LOCAL.unpack(_read_at(reader, entry.header_start, _LOCAL.size))
    start: int = name_at + header[9] + header[10]
    if header[0] != b"PK\x03\x04" or header[3] != entry.method:
        raise MalformedZip(f"The entry {entry.name[:100]!r} is not where the directory says it is.")
    if start + entry.packed_bytes > size_bytes:
        raise MalformedZip(f"The entry {entry.name[:100]!r} ends outside of the file.")
    if _read_at(reader, name_at, header[9]).decode("utf-8", errors="replace") != entry.name:
        raise MalformedZip(f"The entry {entry.name[:100]!r} has another name before its bytes.")
    return start


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
        extra_at = name_at + fields[10]
        at = extra_at + fields[11] + fields[12]
        if at > len(directory):
            raise MalformedZip("The directory of the zip file ends inside an entry.")
        entries.append(_entry(name, fields, directory[extra_at : extra_at + fields[11]]))
    return tuple(entries)


def _entry(name: bytes, fields: tuple[int, ...], extra: bytes) -> ZipEntry:
    size, packed, start = fields[9], fields[8], fields[16]
    wide = _zip64_numbers(extra)
    # In zip64 only those of the three that do not fit into 32 bits are there, in this order (4.5.3).
    if size == _IN_ZIP64 and wide:
        size = wide.pop(0)
    if packed == _IN_ZIP64 and wide:
        packed = wide.pop(0)
    if start == _IN_ZIP64 and wide:
        start = wide.pop(0)
    text = name.decode("utf-8", errors="replace")
    return ZipEntry(text, size, fields[4], bool(fields[3] & _ENCRYPTED), packed, start)


def _zip64_numbers(extra: bytes) -> list[int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        if kind == _ZIP64_EXTRA:
            return [int.from_bytes(body[i : i + 8], "little") for i in range(0, len(body) - 7, 8)]
        at += 4 + length
    return []


def _read_at(reader: BinaryIO, start: int, count: int) -> bytes:
    reader.seek(start)
    data = reader.read(count)
    while len(data) < count:
        more = reader.read(count - len(data))
        if not more:
            raise MalformedZip("The zip file is shorter than its size says.")
        data += more
    return data
