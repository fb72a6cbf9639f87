"""The records of a zip file (APPNOTE 6.3): end of directory, central directory, local headers.

They are read as a strict reader would; what a lenient one would accept besides is told as an `Oddity`, so
that the archive can be judged and still be read.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from allmende.scan.budget import Budget
from allmende.scan.scanning import Unreadable
from allmende.scan.source import Source

__all__ = [
    "CENTRAL",
    "END",
    "LOCAL",
    "Entry",
    "Oddity",
    "ZipRecords",
    "bounds_of_last",
    "ends_with_record",
    "extents",
    "has_directory",
    "local_entry",
    "read_records",
]

LOCAL, CENTRAL, END, END64, LOCATOR64 = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7"
_END_BYTES, _END64_BYTES, _LOCATOR_BYTES, _CENTRAL_BYTES, _LOCAL_BYTES = 22, 56, 20, 46, 30
_TAIL_BYTES = 65_535 + _END_BYTES
_MAX_DIRECTORY_BYTES = 256 * 1024 * 1024
_DESCRIPTOR = 0x08
_UTF8 = 0x800
_UNICODE_PATH = 0x7075
_COMPARED_FLAGS = 0x2849  # encryption, descriptor, strong encryption, UTF-8 names, masked headers
_U32_MAX, _U16_MAX = 0xFFFFFFFF, 0xFFFF


@dataclass(frozen=True, slots=True)
class Oddity:
    """Where two readers of the archive would differ. `kind` is one of `zip_reader`'s rules."""

    kind: str
    detail: str
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A member, as the central directory has it; `start` is where its data begin."""

    name: str
    flags: int
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    attributes: int
    system: int
    offset: int
    start: int = 0
    streamed: bool = False
    """Whether the local header leaves sizes and checksum to a descriptor behind the data."""

    @property
    def end(self) -> int:
        """Where the data end; a descriptor may follow."""
        return self.start + self.packed_bytes


@dataclass(frozen=True, slots=True)
class ZipRecords:
    """All members in the order of the directory, and all oddities."""

    entries: tuple[Entry, ...]
    oddities: tuple[Oddity, ...]
    directory: int
    """Where the directory begins."""
    locals: tuple[Entry, ...]
    """Members as their local headers have them, where those differ."""
    comment: bytes = b""


@dataclass(frozen=True, slots=True)
class _End:
    """The end record: where it lies and what it says."""

    offset: int
    count: int
    directory_bytes: int
    directory_offset: int
    comment: bytes
    records_offset: int
    """Where the end records begin: that of zip64, if there is one."""


def _ends(source: Source) -> Iterator[int]:
    """The offsets of what looks like an end record, from the last one on."""
    start = max(0, source.size_bytes - _TAIL_BYTES)
    tail = source.read_at(start, _TAIL_BYTES)
    position = tail.rfind(END, 0, max(0, len(tail) - _END_BYTES + len(END)))
    while position >= 0:
        yield start + position
        position = tail.rfind(END, 0, position)


def has_directory(source: Source) -> bool:
    """Whether an end record at the tail leads to a directory, wherever the archive begins.

    Programs differ in which end record they take, so any of them will do.
    """
    return any(_leads_to_directory(source, offset) for offset in _ends(source))


def extents(source: Source) -> Iterator[tuple[int, int]]:
    """From where to where each archive reaches that `has_directory` found, by what its end record says.

    It is the whole file where that is in doubt: where the archive begins at the beginning, or where a program
    that counts from there would find another directory.
    """
    for offset in _ends(source):
        if not _leads_to_directory(source, offset):
            continue
        whole = (0, source.size_bytes)
        count, size_bytes, told, comment_bytes = struct.unpack_from(
            "<H2LH", source.read_at(offset, _END_BYTES), 10
        )
        try:
            end = _with_zip64(source, _End(offset, count, size_bytes, told, b"", offset), [])
        except Unreadable:
            yield whole
            continue
        start = end.records_offset - end.directory_bytes - end.directory_offset
        doubtful = start <= 0 or source.read_at(end.directory_offset, 4) == CENTRAL
        yield whole if doubtful else (start, offset + _END_BYTES + comment_bytes)


def bounds_of_last(source: Source) -> tuple[int, int]:
    """From where to where the last archive of the file reaches, by its own end record. Raises Unreadable."""
    offset = next(_ends(source), None)
    if offset is None:
        raise Unreadable("There is no end of central directory record.")
    count, size_bytes, told, comment_bytes = struct.unpack_from(
        "<H2LH", source.read_at(offset, _END_BYTES), 10
    )
    end = _with_zip64(source, _End(offset, count, size_bytes, told, b"", offset), [])
    start = end.records_offset - end.directory_bytes - end.directory_offset
    return start, offset + _END_BYTES + comment_bytes


def ends_with_record(source: Source) -> bool:
    """Whether the last end record and its comment are the end of the file."""
    offset = next(_ends(source), None)
    if offset is None:
        return False
    comment_bytes = int.from_bytes(source.read_at(offset + _END_BYTES - 2, 2), "little")
    return offset + _END_BYTES + comment_bytes == source.size_bytes


def _leads_to_directory(source: Source, offset: int) -> bool:
    record = source.read_at(offset, _END_BYTES)
    size_bytes, told = struct.unpack_from("<2L", record, 12)
    before = source.read_at(max(0, offset - _LOCATOR_BYTES), 4)
    return (
        before == LOCATOR64
        or source.read_at(told, 4) == CENTRAL
        or source.read_at(offset - size_bytes, 4) == CENTRAL
    )


def read_records(source: Source, budget: Budget) -> ZipRecords:
    """Read directory and local headers. Raises Unreadable, and LimitReached for too many members."""
    oddities: list[Oddity] = []
    end = _read_end(source, oddities)
    shift = end.records_offset - end.directory_bytes - end.directory_offset
    if shift < 0:
        raise Unreadable("The central directory lies behind its end record.", end.offset)
    if shift:
        oddities.append(Oddity("prefix", f"The archive begins at byte {shift} of the file."))
    placed: list[Entry] = []
    differing: list[Entry] = []
    for entry in _read_directory(source, end, shift, oddities):
        budget.add_members()
        found = local_entry(source, entry.offset + shift)
        if found is None:
            what = f"The local header of {entry.name!r} is missing."
            oddities.append(Oddity("disagreement", what, entry.offset + shift))
            continue
        local, extra = found
        if _compare(source, entry, local, extra, oddities):
            differing.append(local)
        packed_bytes = min(entry.packed_bytes, source.size_bytes - local.start)
        placed.append(
            replace(
                entry,
                offset=local.offset,
                start=local.start,
                streamed=local.streamed,
                packed_bytes=packed_bytes,
            )
        )
    directory = end.directory_offset + shift
    return ZipRecords(tuple(placed), tuple(oddities), directory, tuple(differing), end.comment)


def _read_end(source: Source, oddities: list[Oddity]) -> _End:
    offset = next(_ends(source), None)
    if offset is None:
        raise Unreadable("There is no end of central directory record.")
    fields = struct.unpack("<4s4H2LH", source.read_at(offset, _END_BYTES))
    _, disk, first_disk, here, count, size_bytes, directory, comment_bytes = fields
    comment = source.read_at(offset + _END_BYTES, source.size_bytes)[: _U16_MAX + 1]
    if len(comment) != comment_bytes:
        oddities.append(
            Oddity("hidden", f"{len(comment)} bytes follow the end record, which tells of {comment_bytes}.")
        )
    if any(signature in comment for signature in (END, CENTRAL, LOCAL)):
        oddities.append(Oddity("hidden", "The comment holds records of another archive.", offset))
    if disk or first_disk or here != count:
        raise Unreadable("The archive claims to be split over several files.", offset)
    return _with_zip64(source, _End(offset, count, size_bytes, directory, comment, offset), oddities)


def _with_zip64(source: Source, end: _End, oddities: list[Oddity]) -> _End:
    place = end.offset - _LOCATOR_BYTES
    locator = source.read_at(place, _LOCATOR_BYTES) if place >= 0 else b""
    if not locator.startswith(LOCATOR64):
        if end.count == _U16_MAX or _U32_MAX in (end.directory_bytes, end.directory_offset):
            raise Unreadable("The zip64 end record is missing.", end.offset)
        return end
    (offset,) = struct.unpack_from("<Q", locator, 8)
    # Some programs go where the locator points, some take what lies right before it.
    near = place - _END64_BYTES
    at = near if near >= 0 and source.read_at(near, 4) == END64 else offset
    record = source.read_at(at, _END64_BYTES)
    if not record.startswith(END64) or len(record) < _END64_BYTES:
        raise Unreadable("The zip64 end record cannot be found.", offset)
    told = at + 12 + int.from_bytes(record[4:12], "little")
    if told != place or (at != offset and source.read_at(offset, 4) == END64):
        oddities.append(Oddity("hidden", "The zip64 end record and its locator lie apart.", at))
    count, size_bytes, directory = struct.unpack_from("<3Q", record, 32)
    small = ((end.count, count, _U16_MAX), (end.directory_bytes, size_bytes, _U32_MAX),
             (end.directory_offset, directory, _U32_MAX))  # fmt: skip
    if any(old not in (new, unset) for old, new, unset in small):
        oddities.append(Oddity("directory", "The two end records disagree.", at))
    return _End(end.offset, count, size_bytes, directory, end.comment, at)


def _read_directory(source: Source, end: _End, shift: int, oddities: list[Oddity]) -> Iterator[Entry]:
    """All entries that are there: some programs go by their number, some by the size of the directory."""
    if end.directory_bytes > _MAX_DIRECTORY_BYTES:
        raise Unreadable("The size of the central directory is impossible.", end.offset)
    data = source.read_at(end.directory_offset + shift, end.directory_bytes)
    position = count = 0
    while data[position : position + 4] == CENTRAL and position + _CENTRAL_BYTES <= len(data):
        entry, position = _central_entry(data, position, oddities)
        count += 1
        yield entry
    if count != end.count:
        oddities.append(Oddity("directory", f"The directory has {count} entries, not {end.count}."))
    if position != len(data):
        oddities.append(Oddity("directory", f"{len(data) - position} bytes follow the last entry."))


def _central_entry(data: bytes, position: int, oddities: list[Oddity]) -> tuple[Entry, int]:
    fields = struct.unpack_from("<4s6H3L5H2L", data, position)
    made_by, flags, method, crc = fields[1], fields[3], fields[4], fields[7]
    packed, size_bytes, name_bytes, extra_bytes, comment_bytes = fields[8:13]
    attributes, offset = fields[15], fields[16]
    at = position + _CENTRAL_BYTES
    name = data[at : at + name_bytes]
    extra = data[at + name_bytes : at + name_bytes + extra_bytes]
    if len(name) < name_bytes or len(extra) < extra_bytes:
        raise Unreadable("The central directory ends inside an entry.", position)
    if _unicode_name(extra, name) not in (None, name) and name.isascii():
        oddities.append(Oddity("disagreement", f"{_text(name, flags)!r} has another name besides."))
    large = _zip64_values(extra)
    if size_bytes == _U32_MAX and large:
        size_bytes = large.pop(0)
    if packed == _U32_MAX and large:
        packed = large.pop(0)
    if offset == _U32_MAX and large:
        offset = large.pop(0)
    entry = Entry(
        _text(name, flags), flags, method, crc, packed, size_bytes, attributes, made_by >> 8, offset
    )
    return entry, at + name_bytes + extra_bytes + comment_bytes


def _text(name: bytes, flags: int) -> str:
    return name.decode("utf-8" if flags & _UTF8 else "cp437", "replace")


def _zip64_values(extra: bytes) -> list[int]:
    values = _extra_field(extra, 1)
    return list(struct.unpack(f"<{len(values) // 8}Q", values[: len(values) // 8 * 8]))


def _unicode_name(extra: bytes, name: bytes) -> bytes | None:
    """The name in Info-ZIP's field for names in UTF-8, where that belongs to this name."""
    field = _extra_field(extra, _UNICODE_PATH)
    valid = field[:1] == b"\1" and int.from_bytes(field[1:5], "little") == zlib.crc32(name)
    return field[5:] if valid else None


def _extra_field(extra: bytes, wanted: int) -> bytes:
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == wanted:
            return extra[position + 4 : position + 4 + length]
        position += 4 + length
    return b""


def local_entry(source: Source, offset: int) -> tuple[Entry, bytes] | None:
    """What the local header at `offset` says, and its extra fields; None where there is none."""
    header = source.read_at(offset, _LOCAL_BYTES)
    if len(header) < _LOCAL_BYTES or not header.startswith(LOCAL):
        return None
    _, _, flags, method, _, _, crc, packed, size_bytes, name_bytes, extra_bytes = struct.unpack(
        "<4s5H3L2H", header
    )
    rest = source.read_at(offset + _LOCAL_BYTES, name_bytes + extra_bytes)
    extra = rest[name_bytes:]
    large = _zip64_values(extra)
    if size_bytes == _U32_MAX and large:
        size_bytes = large.pop(0)
    if packed == _U32_MAX and large:
        packed = large.pop(0)
    start = offset + _LOCAL_BYTES + name_bytes + extra_bytes
    streamed = bool(flags & _DESCRIPTOR)
    name = _text(rest[:name_bytes], flags)
    return Entry(name, flags, method, crc, packed, size_bytes, 0, 0, offset, start, streamed), extra


def _compare(source: Source, entry: Entry, local: Entry, extra: bytes, oddities: list[Oddity]) -> bool:
    """Whether the two headers differ; all that is odd about the local one is told."""
    differing = _differing(local, entry)
    if differing:
        what = f"{' and '.join(differing)} of {entry.name!r} differ from the directory."
        oddities.append(Oddity("disagreement", what, local.offset))
    if _is_renamed(local.name, entry.name):
        oddities.append(
            Oddity("renamed", f"{entry.name!r} is {local.name!r} by its own header.", local.offset)
        )
    if any(signature in extra for signature in (LOCAL, CENTRAL, END)):
        oddities.append(Oddity("hidden", f"An extra field of {entry.name!r} holds records.", local.offset))
    if local.start + entry.packed_bytes > source.size_bytes:
        what = f"The data of {entry.name!r} go beyond the end of the file."
        oddities.append(Oddity("disagreement", what, local.offset))
    return bool(differing)


def _is_renamed(here: str, there: str) -> bool:
    """Whether two names are of two files: not another encoding or spelling, and not one damaged byte."""
    one, other = (name.replace("\\", "/").strip("./").casefold() for name in (here, there))
    if one == other or not (one + other).isascii() or not (one and other):
        return False
    return len(one) != len(other) or sum(a != b for a, b in zip(one, other, strict=True)) > 1


def _differing(local: Entry, entry: Entry) -> list[str]:
    """In what the two headers differ; what is left to a descriptor may be zero."""
    return [
        what
        for what, here, there, optional in (
            ("name", local.name, entry.name, False),
            ("method", local.method, entry.method, False),
            ("flags", local.flags & _COMPARED_FLAGS, entry.flags & _COMPARED_FLAGS, False),
            ("checksum", local.crc, entry.crc, local.streamed),
            ("packed size", local.packed_bytes, entry.packed_bytes, local.streamed),
            ("size", local.size_bytes, entry.size_bytes, local.streamed),
        )
        if here != there and not (optional and here == 0)
    ]
