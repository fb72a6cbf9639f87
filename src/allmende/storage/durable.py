"""Writing a file so that it is there after a power cut, or not at all.

The order is the whole point, and a system-call trace in the tests holds it: write to a temporary name,
sync the file, rename it to its own name, sync the folder. Only then may a database row name it.
"""

import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from allmende.errors import StorageFull
from allmende.failpoints import reach

__all__ = [
    "DurableFile",
    "make_durable_directory",
    "out_of_space",
    "publish",
    "replace_durably",
    "sync_directory",
]

_MOST_PARTS = 512
"""In one call; the system's own limit is 1,024."""

_synced_folders: set[Path] = set()
"""Folders that this process has synced into the ones that hold them: some 65,000 for a store at most."""


class DurableFile:
    """A file under a temporary name in `temporary`, until `publish` gives it its own.

    Use as a context manager: leaving it without `publish` removes every trace.
    """

    def __init__(self, temporary: Path) -> None:
        self.path = temporary / f"{secrets.token_hex(16)}.part"
        with out_of_space():
            self._fd: int | None = os.open(
                self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.discard()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`; raises StorageFull when the disk has no room."""
        if self._fd is None:
            raise ValueError("the file is closed")
        view = memoryview(data)
        with out_of_space():
            while view:
                view = view[os.write(self._fd, view) :]

    def write_all(self, parts: Sequence[bytes | memoryview]) -> None:
        """Append many parts with few system calls; raises StorageFull when the disk has no room."""
        if self._fd is None:
            raise ValueError("the file is closed")
        for start in range(0, len(parts), _MOST_PARTS):
            some = parts[start : start + _MOST_PARTS]
            with out_of_space():
                written = os.writev(self._fd, some)
            if written < sum(map(len, some)):
                # Rare, and then of no haste: the rest of them one by one.
                self.write(b"".join(some)[written:])

    def publish(self, final: Path, root: Path) -> None:
        """Sync, rename to `final`, sync its folder: on return the bytes are durable under that name.

        `root` is a folder above `final` that is durable already.
        """
        reach("upload.before_sync")
        self.sync()
        publish(self.path, final, root)

    def sync(self) -> None:
        """Make the bytes durable under the temporary name, and close the file."""
        if self._fd is None:
            raise ValueError("the file is closed")
        with out_of_space():
            os.fsync(self._fd)
        os.close(self._fd)
        self._fd = None

    def discard(self) -> None:
        """Close and remove the temporary file, if it still is one."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self.path.unlink(missing_ok=True)


def publish(synced: Path, final: Path, root: Path) -> None:
    """Rename a file whose bytes are synced already, and sync the folder it comes to lie in.

    `root` is a folder above `final` that is durable already; the folders between are made durable.
    """
    _make_folders(final, root)
    reach("upload.before_rename")
    os.rename(synced, final)
    reach("upload.before_directory_sync")
    sync_directory(final.parent)


def replace_durably(final: Path, data: bytes) -> None:
    """Write a small file whole, in place of what may be there: readers see the old bytes or the new."""
    make_durable_directory(final.parent)
    with DurableFile(final.parent) as file:
        file.write(data)
        file.sync()
        os.rename(file.path, final)
    sync_directory(final.parent)


def make_durable_directory(path: Path) -> None:
    """Create `path` and its missing parents, each synced into the folder that holds it."""
    if path.is_dir():
        return
    make_durable_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def _make_folders(final: Path, root: Path) -> None:
    """Create the folders between `root` and `final`, and see that each is synced into the one that holds it.

    A folder that is there already proves nothing: the thread that made it may not have come to syncing it,
    or a process was killed in between. So each is synced once in the life of this process.
    """
    for folder in reversed(final.relative_to(root).parents[:-1]):
        path = root / folder
        if path in _synced_folders and path.is_dir():
            continue
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)
        _synced_folders.add(path)


def sync_directory(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def out_of_space() -> Iterator[None]:
    """Turn a full disk or an exhausted quota into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "The hub's disk is full; nothing of this upload was kept.",
                hint="Tell the operator of this hub; then upload again.",
            ) from error
        raise
