"""The files of a model on this machine and their SHA-256, as a signature covers them.

Nothing is passed over in silence: a symbolic link, a pipe, or a name that is not text is refused, since
whoever verifies would see something else.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from allmende.errors import BadRequest, NotFound, TooLarge
from allmende.proof import MAX_FILES, SignedFile, is_ignored

__all__ = ["ModelFile", "hash_files", "list_model"]

_MAX_DEPTH = 100
_READERS = 4


class ModelMissing(NotFound):
    """There is nothing at the path of a model."""

    code = "path_missing"


class Unsignable(BadRequest):
    """A name in a folder is of something that a signature cannot cover."""

    code = "not_signable"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model before it is read."""

    path: str
    """As the signature names it."""
    place: Path
    size_bytes: int


def list_model(root: Path, ignored: frozenset[str]) -> list[ModelFile]:
    """Every file below a folder, or the file itself; `ignored` paths are left out.

    Raises ModelMissing, Unsignable and TooLarge.
    """
    if not root.exists():
        raise ModelMissing(f"There is nothing at {root}.")
    return [ModelFile(path, place, place.stat().st_size) for path, place in _files(root, ignored)]


def hash_files(files: list[ModelFile], tell: Callable[[int], None]) -> list[SignedFile]:
    """The same with SHA-256, several at a time; `tell` hears of bytes that were read. Raises OSError."""

    def read(file: ModelFile) -> SignedFile:
        with file.place.open("rb") as reader:
            digest = hashlib.file_digest(reader, hashlib.sha256).hexdigest()
            size_bytes = reader.tell()
        tell(size_bytes)
        return SignedFile(file.path, digest, size_bytes)

    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(read, files))


def _files(root: Path, ignored: frozenset[str]) -> Iterator[tuple[str, Path]]:
    if not root.is_dir():
        yield root.name, root
        return
    for count, found in enumerate(_walk(root, "", 0, ignored)):
        if count >= MAX_FILES:
            raise TooLarge(f"There are more than {MAX_FILES} files in {root}.")
        yield found


def _walk(folder: Path, prefix: str, depth: int, ignored: frozenset[str]) -> Iterator[tuple[str, Path]]:
    if depth >= _MAX_DEPTH:
        raise TooLarge(f"The folder {folder} lies more than {_MAX_DEPTH} levels deep.")
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + entry.name
        if is_ignored(path, ignored):
            continue
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            yield from _walk(Path(entry.path), f"{path}/", depth + 1, ignored)
            continue
        if not stat.S_ISREG(mode):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "no ordinary file"
            raise Unsignable(
                f"{entry.path} is {kind}, and a signature does not cover that.",
                hint=f"Leave it out with --ignore {path}.",
            )
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Unsignable(f"The name of {os.fsencode(entry.path)!r} is not UTF-8.") from error
        yield path, Path(entry.path)
