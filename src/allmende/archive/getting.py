"""Getting a content out of a store: verified, atomic, and going on where an earlier attempt was cut off."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from allmende.archive.archive import Archive
from allmende.archive.entries import Entry, open_content
from allmende.archive.pack_files import out_of_space, sync_folder
from allmende.archive.verifying import READ_BYTES
from allmende.codecs import DamagedObject
from allmende.errors import Conflict
from allmende.ids import Sha256

__all__ = ["FileInTheWay", "get_content", "is_content"]

_AHEAD_THREADS = min(4, os.cpu_count() or 1)

Tell = Callable[[int], None]
"""So many bytes more are done."""


class FileInTheWay(Conflict):
    """Another file has the name under which a content is to be written."""

    code = "file_in_the_way"


def get_content(archive: Archive, entry: Entry, path: Path, *, replace: bool, tell: Tell) -> bool:
    """Write an entry's content to a file of this path; answers False where it is there already.

    The path has the whole content or what it had before. What is cut off stays beside it, hidden, and the
    next attempt goes on from there. Raises FileInTheWay, DamagedObject, StorageFull.
    """
    if path.is_dir():
        raise FileInTheWay(f"There is a folder at {path}.", hint="Name another folder with --into.")
    if path.exists():
        if is_content(path, entry, tell):
            return False
        if not replace:
            raise FileInTheWay(
                f"There is another file at {path}.", hint="Say --replace, or name another folder with --into."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    with _part(path.parent / f".allmende-{entry.sha256[:32]}.part") as part:
        if not _complete(archive, entry, part, tell):
            # What an earlier attempt left was not what it wrote: a power cut does that.
            part.truncate(0)
            if not _complete(archive, entry, part, tell):
                raise DamagedObject(f"What the store has of {entry.name} is another content.")
        with out_of_space():
            os.fsync(part.fileno())
        os.rename(part.name, path)
    sync_folder(path.parent)
    return True


def is_content(path: Path, entry: Entry, tell: Tell) -> bool:
    """Whether a file is this entry's content already. What is read of it counts as done."""
    if path.stat().st_size != entry.size_bytes:
        return False
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            hashed.update(block)
            tell(len(block))
    return Sha256(hashed.hexdigest()) == entry.sha256


@contextmanager
def _part(path: Path) -> Iterator[BinaryIO]:
    """The file of what is there so far, for this process alone."""
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FileInTheWay(f"Another process is writing {path}.") from error
        # Who had it before may have given it its name between the opening and the lock.
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise FileInTheWay(f"Another process has just written {path}.")
        yield file


def _complete(archive: Archive, entry: Entry, part: BinaryIO, tell: Tell) -> bool:
    """Write what is missing behind what is there; answers whether the whole is right."""
    hashed = hashlib.sha256()
    part.seek(0)
    done = 0
    while block := part.read(READ_BYTES):
        hashed.update(block)
        done += len(block)
    if done > entry.size_bytes:
        return False
    tell(done)
    with (
        ThreadPoolExecutor(_AHEAD_THREADS) as ahead,
        open_content(archive, entry.sha256, ahead) as reader,
        out_of_space(),
    ):
        reader.seek(done)
        while block := reader.read(READ_BYTES):
            part.write(block)
            hashed.update(block)
            tell(len(block))
        part.flush()
    return Sha256(hashed.hexdigest()) == entry.sha256
