"""Where packs live: files of many encodings, written once, durable before a row names them, read anywhere."""

import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from allmende.codecs import DamagedObject, Decoding, EncodingHead, KeptHeads, Plain
from allmende.failpoints import reach
from allmende.storage.content_store import StoredFile
from allmende.storage.durable import DurableFile, make_durable_directory

__all__ = ["LocalPackStore", "PackStore", "PackWriter"]

_OPEN_PACKS = 64


class PackWriter(Protocol):
    """A pack on its way in."""

    @property
    def size_bytes(self) -> int:
        """How many bytes were appended so far."""
        ...

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """Append an encoding; returns its offset. Raises StorageFull."""
        ...

    def read(self, offset_bytes: int, size_bytes: int) -> Plain:
        """What was appended there, also before the pack is finished."""
        ...

    def finish(self) -> str:
        """Make all of it durable; returns its location. Raises StorageFull."""
        ...

    def discard(self) -> None:
        """Give up; leaves nothing behind. Harmless after `finish`."""
        ...


class PackStore(Protocol):
    """A place for packs."""

    def open_write(self) -> PackWriter:
        """Begin a pack."""
        ...

    def read(self, location: str, offset_bytes: int, size_bytes: int) -> Plain:
        """An encoding in a pack; once it was read from, readable though the pack is removed."""
        ...

    def size_of(self, location: str) -> int | None:
        """How many bytes a pack has; None when it is not there."""
        ...

    def delete(self, location: str) -> None:
        """Remove a pack; harmless when it is gone already."""
        ...

    def iterate(self) -> Iterator[StoredFile]:
        """Everything that is kept, whether or not a row names it."""
        ...


class LocalPackStore:
    """Packs as files in a folder; `temporary` is a folder on the same disk for what is being written."""

    def __init__(self, root: Path, temporary: Path) -> None:
        self.root = root
        self._temporary = temporary
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Descriptor] = OrderedDict()
        self._heads = KeptHeads()
        make_durable_directory(root)

    def open_write(self) -> "_LocalPackWriter":
        """See PackStore."""
        return _LocalPackWriter(DurableFile(self._temporary), self.root)

    def read(self, location: str, offset_bytes: int, size_bytes: int) -> Plain:
        """See PackStore."""
        return _Encoding(lambda: self._descriptor(location), offset_bytes, size_bytes, self._heads, location)

    def size_of(self, location: str) -> int | None:
        """See PackStore."""
        try:
            return (self.root / location).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, location: str) -> None:
        """See PackStore."""
        with self._lock:
            self._open.pop(location, None)
        (self.root / location).unlink(missing_ok=True)

    def iterate(self) -> Iterator[StoredFile]:
        """See PackStore."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            # It may have been removed since the folder was listed.
            with suppress(FileNotFoundError):
                found = path.stat()
                written_at = datetime.fromtimestamp(found.st_mtime, UTC)
                yield StoredFile(path.relative_to(self.root).as_posix(), found.st_size, written_at)

    def _descriptor(self, location: str) -> "_Descriptor":
        with self._lock:
            found = self._open.get(location) or _open_pack(self.root / location, location)
            self._open[location] = found
            self._open.move_to_end(location)
            if len(self._open) > _OPEN_PACKS:
                self._open.popitem(last=False)
        return found


class _Descriptor:
    """An open file that is closed when nobody reads from it any more."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


def _open_pack(path: Path, location: str) -> _Descriptor:
    try:
        return _Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError as error:
        raise DamagedObject(f"The pack at {location} is missing from the store.") from error


class _Slice:
    """Part of a file, read by offset: for any number of threads at once."""

    def __init__(self, opening: "_Opening", offset_bytes: int, size_bytes: int) -> None:
        self._opening = opening
        self._descriptor: _Descriptor | None = None
        self._offset_bytes = offset_bytes
        self.size_bytes = size_bytes

    def read_at(self, start: int, count: int) -> memoryview:
        """See allmende.codecs.Plain."""
        self._check_range(start, count)
        fd, at = self._opened().fd, self._offset_bytes + start
        try:
            found = os.pread(fd, count, at)
            while len(found) < count:  # more than the system reads at once
                more = os.pread(fd, count - len(found), at + len(found))
                if not more:
                    raise DamagedObject("A pack ends before an encoding in it does.")
                found += more
        except OSError as error:
            raise DamagedObject(f"A pack cannot be read: {error.strerror}.") from error
        return memoryview(found)

    def fill(self, out: memoryview, start: int, decoding: Decoding) -> None:
        """See allmende.codecs.Fillable."""
        self._check_range(start, len(out))
        descriptor = self._opened()
        decoding.read(descriptor, descriptor.fd, self._offset_bytes + start, out)

    def _check_range(self, start: int, count: int) -> None:
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject(f"An encoding of {self.size_bytes} bytes has no {count} bytes at {start}.")

    def _opened(self) -> _Descriptor:
        if self._descriptor is None:
            self._descriptor = self._opening()
        return self._descriptor


class _Encoding(_Slice):
    """An encoding in a pack that will not change any more."""

    def __init__(
        self, opening: "_Opening", offset_bytes: int, size_bytes: int, heads: KeptHeads, location: str
    ) -> None:
        super().__init__(opening, offset_bytes, size_bytes)
        self._heads = heads
        self._place = location, offset_bytes, size_bytes

    def head(self) -> EncodingHead:
        """What stands before its payloads. Raises as `read_head`."""
        return self._heads.head(self._place, self)


class _Opening(Protocol):
    def __call__(self) -> _Descriptor: ...


class _LocalPackWriter:
    """Appends to a temporary file, which can be read meanwhile."""

    def __init__(self, file: DurableFile, root: Path) -> None:
        self._file = file
        self._root = root
        self.size_bytes = 0
        # Read through a descriptor of its own, which outlives the temporary name.
        self._reading = _Descriptor(os.open(file.path, os.O_RDONLY | os.O_CLOEXEC))

    def append(self, parts: Sequence[bytes | memoryview]) -> int:
        """See PackWriter."""
        offset_bytes = self.size_bytes
        reach("pack.writing")
        self._file.write_all(parts)
        self.size_bytes += sum(map(len, parts))
        return offset_bytes

    def read(self, offset_bytes: int, size_bytes: int) -> Plain:
        """See PackWriter."""
        return _Slice(lambda: self._reading, offset_bytes, size_bytes)

    def finish(self) -> str:
        """See PackWriter."""
        name = secrets.token_hex(16)
        location = f"{name[:2]}/{name}"
        reach("pack.before_publish")
        self._file.publish(self._root / location, self._root)
        reach("pack.published")
        return location

    def discard(self) -> None:
        """See PackWriter."""
        self._file.discard()
