"""Packs as files: written so that they are there after a power cut or not at all, and read anywhere.

The order is the whole point: write to a temporary name, sync the file, rename it to its own, sync the folder;
only then may the database speak of it. What a crash leaves is a file that the database does not know.
"""

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from allmende.archive.errors import MalformedPack
from allmende.archive.records import (
    PACK_HEAD_BYTES,
    RECORD_HEAD_BYTES,
    Kind,
    RecordHead,
    label_bytes,
    pack_head,
    parse_pack_head,
    parse_record_head,
    record_head,
)
from allmende.codecs import DamagedObject, Decoding
from allmende.errors import StorageFull
from allmende.failpoints import reach

__all__ = [
    "MAX_PACK_BYTES",
    "PackFolder",
    "PackPart",
    "PackWriter",
    "Record",
    "out_of_space",
    "records_of",
    "sync_folder",
]

MAX_PACK_BYTES = 64 * 1024 * 1024
"""A pack ends before it grows larger, except one with a single encoding."""

_KEPT_OPEN = 32
_MOST_PARTS = 512
_ENDING = ".pack"
_TEMPORARY = ".part"


@dataclass(frozen=True, slots=True)
class Record:
    """A record in a pack: its head, and where it and its body begin."""

    pack: int
    start: int
    head: RecordHead

    @property
    def body_start(self) -> int:
        """Where the body begins in the pack."""
        return self.start + self.head.prefix_bytes

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.body_start + self.head.body_bytes


class OpenFile:
    """A file that is open as long as anything refers to it, so that what a reader holds stays readable."""

    def __init__(self, path: Path, flags: int) -> None:
        self.descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)

    def __del__(self) -> None:
        # Where opening failed there is nothing to close.
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class PackPart:
    """A run of bytes of a file, as plain bytes of an encoding or a body. Keeps the file open."""

    def __init__(self, file: OpenFile, start: int, size_bytes: int) -> None:
        self._file = file
        self._start = start
        self.size_bytes = size_bytes

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain. Raises DamagedObject also where the disk itself cannot read."""
        self._check_range(start, count)
        return _read(self._file, self._start + start, count)

    def fill(self, out: memoryview, start: int, decoding: Decoding) -> None:
        """See Fillable."""
        self._check_range(start, len(out))
        decoding.read(self._file, self._file.descriptor, self._start + start, out)

    def _check_range(self, start: int, count: int) -> None:
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject(f"There are {self.size_bytes} bytes, and {count} at {start} were asked for.")


class PackFolder:
    """The folder of a store's packs, by their numbers. A few are kept open; for use by many threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: OrderedDict[int, OpenFile] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, number: int) -> Path:
        """Where the pack of this number lies."""
        return self.folder / f"{number:010d}{_ENDING}"

    def temporary(self, number: int) -> Path:
        """Where it is written before."""
        return self.folder / f"{number:010d}{_TEMPORARY}"

    def numbers(self) -> list[int]:
        """The packs that are there, by their names alone, in order."""
        return sorted(_number(path, _ENDING) for path in self.folder.glob(f"*{_ENDING}") if _is_ours(path))

    def leftovers(self) -> list[Path]:
        """Files of writers that did not come to their end."""
        return sorted(self.folder.glob(f"*{_TEMPORARY}"))

    def total_bytes(self) -> int:
        """The size of all files in the folder."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def part(self, number: int, start: int, size_bytes: int) -> PackPart:
        """A run of bytes of a pack. Raises FileNotFoundError, for a pack may have been replaced meanwhile."""
        return PackPart(self.open(number), start, size_bytes)

    def open(self, number: int) -> OpenFile:
        """The pack's file. Raises FileNotFoundError."""
        with self._lock:
            file = self._open.get(number)
            if file is None:
                file = self._open[number] = OpenFile(self.path(number), os.O_RDONLY)
            self._open.move_to_end(number)
            while len(self._open) > _KEPT_OPEN:
                self._open.popitem(last=False)
            return file

    def remove(self, number: int) -> None:
        """Remove a pack that no row names any more. Readers that have it open are not disturbed."""
        with self._lock:
            self._open.pop(number, None)
        self.path(number).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            self._open.clear()


class PackWriter:
    """One new pack, under a temporary name until `publish`."""

    def __init__(self, packs: PackFolder, number: int) -> None:
        self.number = number
        self._packs = packs
        with out_of_space():
            # One that is there was left by a writer that was killed: who holds the lock writes over it.
            self._file = OpenFile(packs.temporary(number), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self.size_bytes = 0
        self._published = False
        try:
            self._write([pack_head(number)])
        except BaseException:
            self.discard()
            raise

    def append(self, kind: Kind, label: bytes, parts: Sequence[bytes | memoryview]) -> Record:
        """Write a record. Raises StorageFull when the disk has no room."""
        head = record_head(kind, label, parts)
        start = self.size_bytes
        self._write([head, *parts])
        return Record(self.number, start, parse_record_head(head[:RECORD_HEAD_BYTES], label))

    def part(self, start: int, size_bytes: int) -> PackPart:
        """What was written already, to be read."""
        return PackPart(self._file, start, size_bytes)

    def publish(self) -> None:
        """Make the pack durable under its own name."""
        reach("archive.before_sync")
        with out_of_space():
            os.fsync(self._file.descriptor)
        reach("archive.before_rename")
        os.rename(self._packs.temporary(self.number), self._packs.path(self.number))
        self._published = True
        reach("archive.before_folder_sync")
        sync_folder(self._packs.folder)

    def discard(self) -> None:
        """Remove it, published or not."""
        self._packs.temporary(self.number).unlink(missing_ok=True)
        if self._published:
            self._packs.remove(self.number)

    def _write(self, parts: Sequence[bytes | memoryview]) -> None:
        reach("archive.writing")
        for first in range(0, len(parts), _MOST_PARTS):
            some = parts[first : first + _MOST_PARTS]
            whole = sum(map(len, some))
            with out_of_space():
                written = os.writev(self._file.descriptor, some)
                rest = memoryview(b"".join(some))[written:] if written < whole else memoryview(b"")
                while rest:
                    rest = rest[os.write(self._file.descriptor, rest) :]
            self.size_bytes += whole


def records_of(packs: PackFolder, number: int) -> Iterator[Record]:
    """The records of a pack, without their bodies. Raises MalformedPack where it cannot be read further."""
    file = packs.open(number)
    size_bytes = os.fstat(file.descriptor).st_size
    if parse_pack_head(_beginning(file, 0, PACK_HEAD_BYTES)) != number:
        raise MalformedPack("The pack bears another number than its file.")
    at = PACK_HEAD_BYTES
    while at < size_bytes:
        head = _beginning(file, at, RECORD_HEAD_BYTES)
        label = _beginning(file, at + RECORD_HEAD_BYTES, label_bytes(head))
        record = Record(number, at, parse_record_head(head, label))
        if record.end > size_bytes:
            raise MalformedPack("The pack ends in the middle of a record.")
        yield record
        at = record.end


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def out_of_space() -> Iterator[None]:
    """Turn a full disk or an exhausted quota into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "The disk has no room left; nothing of this was kept.",
                hint="Free some space, then do the same again.",
            ) from error
        raise


def _beginning(file: OpenFile, start: int, count: int) -> bytes:
    """`count` bytes, or fewer at the end of the file."""
    return os.pread(file.descriptor, count, start)


def _read(file: OpenFile, start: int, count: int) -> memoryview:
    try:
        found = os.pread(file.descriptor, count, start)
        while len(found) < count and (
            more := os.pread(file.descriptor, count - len(found), start + len(found))
        ):
            found += more
    except OSError as error:
        raise DamagedObject(f"The disk cannot read a pack: {error.strerror}.") from error
    if len(found) < count:
        raise DamagedObject("A pack is shorter than it was.")
    return memoryview(found)


def _is_ours(path: Path) -> bool:
    return path.name[: -len(_ENDING)].isdecimal()


def _number(path: Path, ending: str) -> int:
    return int(path.name[: -len(ending)])
