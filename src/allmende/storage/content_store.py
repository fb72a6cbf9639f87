"""Where the bytes of contents live: the interface, and the folder that is its default adapter.

A store knows nothing of repos or rights. It takes bytes in, checks that they are what they were said to
be, and gives back a *location* under which it finds them. An S3 adapter fits the same interface: `locate`
is what lets a folder be served without copying and a bucket by a signed URL.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from allmende.errors import BadRequest, NotFound, TooLarge, Unavailable
from allmende.failpoints import reach
from allmende.ids import Sha256
from allmende.storage.durable import (
    DurableFile,
    make_durable_directory,
    out_of_space,
    publish,
    sync_directory,
)

__all__ = [
    "ContentStore",
    "ContentWriter",
    "HashMismatch",
    "LocalContentStore",
    "LocalFile",
    "PartsBusy",
    "SignedUrl",
    "SizeMismatch",
    "StoredFile",
    "location_of",
]

_READ_BYTES = 4 * 1024 * 1024
_APART_BYTES = 1024 * 1024
_WRITERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="content-writer")
"""Write to the disk beside the threads that hash."""
_DOOMED = ".doomed"
_DOOMED_FOR_S = 60
"""A removal takes an instant; a file that is doomed for longer was left behind by a crash."""


class HashMismatch(BadRequest):
    """The bytes do not have the SHA-256 that they were announced with."""

    code = "hash_mismatch"


class SizeMismatch(BadRequest):
    """There are more or fewer bytes than were announced."""

    code = "size_mismatch"


class PartsBusy(Unavailable):
    """Parts of an upload are being written while it is completed, or the other way round."""

    code = "upload_busy"

    def __init__(self) -> None:
        super().__init__("Another request is working on this upload.", hint="Try again in a moment.")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The content is this file."""

    path: Path


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """The content can be fetched here, without further credentials, for a short time."""

    url: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Something that a store keeps."""

    location: str
    size_bytes: int
    written_at: datetime


class ContentWriter(Protocol):
    """Bytes of one content on their way in."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes. Raises SizeMismatch as soon as there are more than announced."""

    def finish(self) -> str:
        """Check size and hash, make the bytes durable, return the location.

        Raises SizeMismatch, HashMismatch.
        """

    def discard(self) -> None:
        """Give up; leaves nothing behind. Harmless after `finish`."""


class ContentStore(Protocol):
    """A place for contents."""

    def open_write(self, sha256: Sha256, size_bytes: int) -> ContentWriter:
        """Start to receive a content that was announced as this hash and size."""

    def write_part(self, upload_id: str, offset: int) -> ContentWriter:
        """Start to receive a part of a larger content, at its byte offset in the whole. Raises PartsBusy."""

    def finish_parts(self, upload_id: str, sha256: Sha256, size_bytes: int) -> str:
        """Check the whole, make it durable, return its location.

        Raises SizeMismatch, HashMismatch, and PartsBusy while a part is being written: what was checked must
        not change afterwards.
        """

    def discard_parts(self, upload_id: str) -> None:
        """Remove what has arrived of an upload in parts."""

    def open_read(self, location: str) -> BinaryIO:
        """A seekable reader of the bytes at `location`. Raises NotFound."""

    def locate(self, location: str) -> LocalFile | SignedUrl:
        """How to serve the bytes without reading them here."""

    def delete(self, location: str) -> None:
        """Remove the bytes; harmless when they are gone already."""

    def delete_older(self, location: str, than: datetime) -> bool:
        """Remove the bytes, unless they were put in place anew since `than`; False when they were.

        Harmless when they are gone already. For garbage collection, which must not take what an upload
        has just brought and not yet recorded.
        """

    def version(self, location: str) -> str:
        """A word that is another when bytes were put in place there anew. Raises NotFound."""

    def delete_version(self, location: str, version: str) -> bool:
        """Remove the bytes, unless they were put in place anew since they had this version; whether it did.

        Harmless when they are gone already. For packing, which must not take what an upload has just brought.
        """

    def iterate(self) -> Iterator[StoredFile]:
        """Everything that is kept, whether or not a content names it."""

    def discard_abandoned(self, older_than_s: float, now: float) -> int:
        """Remove temporary files last touched that long ago; returns how many."""


class LocalContentStore:
    """Contents as files `ab/cd/<sha256>` in a folder; `incoming/` holds what is still arriving."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        """What is still arriving, of contents and of whatever else is written on the same disk."""
        make_durable_directory(self.incoming)

    def open_write(self, sha256: Sha256, size_bytes: int) -> "LocalContentWriter":
        """See ContentStore."""
        return LocalContentWriter(
            DurableFile(self.incoming), self.root, location_of(sha256), sha256, size_bytes
        )

    def write_part(self, upload_id: str, offset: int) -> "LocalPartWriter":
        """See ContentStore. The parts of one upload share one sparse file, each at its own offset."""
        return LocalPartWriter(self._parts(upload_id), offset)

    def finish_parts(self, upload_id: str, sha256: Sha256, size_bytes: int) -> str:
        """See ContentStore."""
        path = self._parts(upload_id)
        if not path.exists():
            raise SizeMismatch("No part of this upload has arrived.")
        with path.open("r+b", buffering=0) as file:
            _lock_parts(file.fileno(), fcntl.LOCK_EX)
            _check_size(os.fstat(file.fileno()).st_size, size_bytes)
            _check_hash(_sha256_of(file), sha256)
            reach("upload.before_sync")
            with out_of_space():
                os.fsync(file.fileno())
            # Still under the lock: nobody writes between the check of the bytes and their final name.
            location = location_of(sha256)
            publish(path, self.root / location, self.root)
        return location

    def discard_parts(self, upload_id: str) -> None:
        """See ContentStore."""
        self._parts(upload_id).unlink(missing_ok=True)

    def open_read(self, location: str) -> BinaryIO:
        """See ContentStore."""
        try:
            return (self.root / location).open("rb")
        except FileNotFoundError as error:
            raise NotFound(
                f"The bytes at {location} are missing from the store.", code="content_missing"
            ) from error

    def locate(self, location: str) -> LocalFile:
        """See ContentStore."""
        return LocalFile(self.root / location)

    def delete(self, location: str) -> None:
        """See ContentStore."""
        (self.root / location).unlink(missing_ok=True)

    def delete_older(self, location: str, than: datetime) -> bool:
        """See ContentStore."""
        return self._delete_unless(location, lambda found: found.st_mtime >= than.timestamp())

    def version(self, location: str) -> str:
        """See ContentStore. An upload brings a file of its own, with a number of its own."""
        try:
            return _version((self.root / location).stat())
        except FileNotFoundError as error:
            raise NotFound(
                f"The bytes at {location} are missing from the store.", code="content_missing"
            ) from error

    def delete_version(self, location: str, version: str) -> bool:
        """See ContentStore."""
        return self._delete_unless(location, lambda found: _version(found) != version)

    def _delete_unless(self, location: str, spares: Callable[[os.stat_result], bool]) -> bool:
        """Takes the file away first: what arrives in its place meanwhile is not touched."""
        doomed = self.incoming / f"{Path(location).name}{_DOOMED}"
        try:
            (self.root / location).rename(doomed)
        except FileNotFoundError:
            return True
        if spares(doomed.stat()):
            self._put_back(doomed)
            return False
        doomed.unlink()
        return True

    def iterate(self) -> Iterator[StoredFile]:
        """See ContentStore."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*")):
            # It may have been removed since the folder was listed.
            with suppress(FileNotFoundError):
                found = path.stat()
                written_at = datetime.fromtimestamp(found.st_mtime, UTC)
                yield StoredFile(path.relative_to(self.root).as_posix(), found.st_size, written_at)

    def discard_abandoned(self, older_than_s: float, now: float) -> int:
        """See ContentStore."""
        removed = 0
        for path in self.incoming.iterdir():
            if path.suffix == _DOOMED:
                # A removal was killed half-way. What is garbage after all will be found to be so again.
                if now - path.stat().st_ctime > _DOOMED_FOR_S:
                    self._put_back(path)
            elif now - path.stat().st_mtime > older_than_s:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _put_back(self, doomed: Path) -> None:
        final = self.root / location_of(Sha256(doomed.stem))
        with suppress(FileExistsError):
            os.link(doomed, final)
            sync_directory(final.parent)
        doomed.unlink()

    def _parts(self, upload_id: str) -> Path:
        return self.incoming / f"{upload_id}.parts"


class LocalContentWriter:
    """Hashes on the way in, so that the bytes are read once."""

    def __init__(self, file: DurableFile, root: Path, location: str, sha256: Sha256, size_bytes: int) -> None:
        self._file = file
        self._root = root
        self._location = location
        self._expected = sha256
        self._expected_bytes = size_bytes
        self._hash = hashlib.sha256()
        self._received_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See ContentWriter."""
        self._received_bytes += len(data)
        if self._received_bytes > self._expected_bytes:
            raise SizeMismatch(f"More bytes arrived than the {self._expected_bytes} announced.")
        if len(data) < _APART_BYTES:
            self._hash.update(data)
            self._file.write(data)
        else:
            # Neither holds the interpreter's lock: with a free core they cost as much as the slower one.
            writing = _WRITERS.submit(self._file.write, data)
            self._hash.update(data)
            writing.result()
        reach("upload.receiving")

    def finish(self) -> str:
        """See ContentWriter."""
        _check_size(self._received_bytes, self._expected_bytes)
        _check_hash(self._hash.hexdigest(), self._expected)
        self._file.publish(self._root / self._location, self._root)
        return self._location

    def discard(self) -> None:
        """See ContentWriter."""
        self._file.discard()


class LocalPartWriter:
    """Writes one part into the shared file of its upload. Hashing waits for the whole."""

    def __init__(self, path: Path, offset: int) -> None:
        with out_of_space():
            self._fd: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._path = path
        self._offset = offset
        try:
            _lock_parts(self._fd, fcntl.LOCK_SH)
            if not _is_still(path, self._fd):
                raise PartsBusy
        except BaseException:
            self.discard()
            raise

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See ContentWriter."""
        if self._fd is None:
            raise ValueError("the part is closed")
        view = memoryview(data)
        with out_of_space():
            while view:
                written = os.pwrite(self._fd, view, self._offset)
                self._offset += written
                view = view[written:]

    def finish(self) -> str:
        """Sync the part, so that its acknowledgement holds after a crash."""
        if self._fd is None:
            raise ValueError("the part is closed")
        with out_of_space():
            os.fsync(self._fd)
        # The first part made the file; without its name the bytes are not found again.
        sync_directory(self._path.parent)
        self.discard()
        return ""

    def discard(self) -> None:
        """Close; a part that was begun is overwritten by its repeat."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _lock_parts(fd: int, kind: int) -> None:
    """Writers of parts share the file; whoever checks and publishes the whole has it alone."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PartsBusy from error


def _is_still(path: Path, fd: int) -> bool:
    """Whether `fd` is the file at `path`: between opening and locking it may have been published."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def _version(found: os.stat_result) -> str:
    return f"{found.st_ino}.{found.st_size}.{found.st_mtime_ns}"


def location_of(sha256: Sha256) -> str:
    """Where a `LocalContentStore` keeps a content."""
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _sha256_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_READ_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _check_size(received: int, expected: int) -> None:
    if received > expected:
        raise TooLarge(f"{received} bytes arrived, {expected} were announced.", code="size_mismatch")
    if received != expected:
        raise SizeMismatch(
            f"{received} bytes arrived, {expected} were announced.", hint="Upload the file again."
        )


def _check_hash(found: str, expected: str) -> None:
    if found != expected:
        raise HashMismatch(
            f"The bytes that arrived have SHA-256 {found}, announced was {expected}.",
            hint="The file changed or was damaged on the way; upload it again.",
        )
