"""The lock on a data folder: one server at a time, and nobody changes the schema under it.

It is an advisory lock of the kernel (`flock`) on a file that stays: it ends with the processes that hold it,
however they end, so there is nothing stale to clear away.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from allmende.errors import Conflict

__all__ = ["LOCK_NAME", "DataInUse", "data_lock"]

LOCK_NAME = "serve.lock"
_POLL_S = 0.05


class DataInUse(Conflict):
    """Another process works on the data folder."""

    code = "data_in_use"


@contextmanager
def data_lock(folder: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock of an existing folder; processes forked meanwhile hold it too.

    Waits up to `wait_s` for one that is just ending. Raises DataInUse.
    """
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait_s
        while not _taken(descriptor):
            if time.monotonic() >= deadline:
                raise DataInUse(
                    f"Another process ({_holder(descriptor)}) works on the data folder {folder}.",
                    hint="Stop it first, or give this hub a folder of its own with --data.",
                )
            time.sleep(_POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return text if text.isdecimal() else "unknown"
