"""Open files as a scanning process gets them: descriptors that can be read and not written to."""

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["as_descriptor", "open_ordinary"]

_MIB: Final = 1024 * 1024


def open_ordinary(path: Path) -> tuple[BinaryIO, int]:
    """A file that lies in a folder, unbuffered, and its size in bytes. The caller closes it.

    Raises OSError where it is no ordinary file or cannot be read.
    """
    # Opening a named pipe would wait for a writer that may never come.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "This is no ordinary file", str(path))
    return os.fdopen(descriptor, "rb", buffering=0), status.st_size


@contextmanager
def as_descriptor(file: BinaryIO, size_bytes: int) -> Iterator[int]:
    """An open descriptor with the bytes of `file`; what has none, or could be written to, is copied."""
    try:
        descriptor = file.fileno()
    except (UnsupportedOperation, AttributeError):
        descriptor = -1
    if descriptor >= 0 and fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        yield descriptor
        return
    with tempfile.NamedTemporaryFile(buffering=0) as copy:
        file.seek(0)
        left = size_bytes
        while left > 0 and (block := file.read(min(_MIB, left))):
            copy.write(block)
            left -= len(block)
        with Path(copy.name).open("rb", buffering=0) as reading:
            yield reading.fileno()
