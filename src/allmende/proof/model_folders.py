"""The files of a model on a disk: which there are, and the SHA-256 of each, read by several threads.

Three layouts are known: a plain folder, one that the Hugging Face clients filled (`.cache/huggingface` beside
the files), and a snapshot in their cache, where each file is a link into `blobs`. What a program that opens a
name would read is what is read here, so links to files are followed. Links to folders are not: they are named
as something that does not belong there. Nothing but regular files is opened, and nothing is written.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from allmende.proof.errors import Oversized

__all__ = ["BESIDE", "FolderFile", "list_folder", "read_folder"]

BESIDE = (".allmende", ".cache/huggingface", ".git")
"""Folders right under that of a model which are none of it: ours, the stock clients', and git's."""

_MAX_FILES = 1_000_000
_MAX_DEPTH = 128
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file of the folder. `oddity` says what it is where it is no regular file, nor a link to one."""

    path: str
    size_bytes: int
    sha256: str | None = None
    oddity: str = ""


def list_folder(folder: Path) -> dict[str, FolderFile]:
    """Every file of a model's folder by its path, with slashes; none is opened. Raises OSError, Oversized."""
    found: dict[str, FolderFile] = {}
    for file in _walk(folder, "", 0):
        found[file.path] = file
        if len(found) > _MAX_FILES:
            raise Oversized(f"{folder} has more than {_MAX_FILES} files.")
    return found


def read_folder(
    folder: Path,
    sizes: Mapping[str, int],
    told: Callable[[int], None] | None = None,
    jobs: int = 0,
) -> dict[str, FolderFile]:
    """As `list_folder`, with the digests of those files that have the size that is expected of them.

    A file of another size has other bytes, so it need not be read. `told` hears of bytes as they are read, by
    any thread; `jobs` is how many files are read at a time, one for each processor if it is 0.
    """
    found = list_folder(folder)
    # The largest first: they take longest, and the small ones fill the gaps.
    wanted = sorted(
        (one for path, one in found.items() if not one.oddity and sizes.get(path) == one.size_bytes),
        key=lambda one: -one.size_bytes,
    )
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1, thread_name_prefix="verify") as pool:
        for read in pool.map(lambda one: _read(folder, one, told), wanted):
            found[read.path] = read
    return found


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[FolderFile]:
    if depth > _MAX_DEPTH:
        raise Oversized(f"{folder} is nested deeper than {_MAX_DEPTH} folders.")
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if path not in BESIDE:
                    yield from _walk(Path(entry.path), f"{path}/", depth + 1)
            else:
                yield _described(entry, path)


def _described(entry: "os.DirEntry[str]", path: str) -> FolderFile:
    try:
        found = entry.stat()
    except FileNotFoundError:
        return FolderFile(path, 0, oddity="a link to nothing")
    except OSError:
        return FolderFile(path, 0, oddity="a link that leads nowhere")
    if stat.S_ISREG(found.st_mode):
        return FolderFile(path, found.st_size)
    kind = "a link to a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
    return FolderFile(path, 0, oddity=kind)


def _read(folder: Path, file: FolderFile, told: Callable[[int], None] | None) -> FolderFile:
    digest = sha256()
    size_bytes = 0
    block = bytearray(_READ_BYTES)
    view = memoryview(block)
    # Whatever takes the place of the file by now must not make us wait.
    handle = os.open(folder / file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb", buffering=0) as reader:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return replace(file, oddity="no regular file")
        while count := reader.readinto(block):
            digest.update(view[:count])
            size_bytes += count
            if told is not None:
                told(count)
    return replace(file, size_bytes=size_bytes, sha256=digest.hexdigest())
