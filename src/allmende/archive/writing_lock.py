"""The lock of those who write to a store: one at a time. Readers do not ask for it.

It is an advisory lock of the kernel (`flock`) on a file that stays: it ends with the process that holds it,
however that ends, so there is nothing stale to clear away.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from allmende.archive.errors import StoreInUse

__all__ = ["LOCK_NAME", "WritingLock"]

LOCK_NAME = "write.lock"
_POLL_S = 0.05


class WritingLock:
    """The lock of one store, in this process; threads exclude each other too.

    The thread that holds it may take it again within.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._within = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self, wait_s: float) -> Iterator[None]:
        """Hold the lock; waits up to `wait_s` for whoever has it. Raises StoreInUse."""
        self.take(wait_s)
        try:
            yield
        finally:
            self.release()

    def take(self, wait_s: float) -> None:
        """Take the lock, to be released by the same thread. Raises StoreInUse."""
        deadline = time.monotonic() + wait_s
        if not self._within.acquire(timeout=max(0.0, wait_s)):
            raise _in_use(self._folder, str(os.getpid()))
        if self._depth == 0:
            try:
                self._descriptor = _locked(self._folder, deadline)
            except BaseException:
                self._within.release()
                raise
        self._depth += 1

    def release(self) -> None:
        """Release it once."""
        self._depth -= 1
        if self._depth == 0:
            # A child that another thread has just forked has the descriptor too, until it runs its program:
            # closing alone would leave the lock with it.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
        self._within.release()


def _locked(folder: Path, deadline: float) -> int:
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _taken(descriptor):
            if time.monotonic() >= deadline:
                raise _in_use(folder, _holder(descriptor))
            time.sleep(_POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _in_use(folder: Path, holder: str) -> StoreInUse:
    return StoreInUse(
        f"Another process ({holder}) writes to the store {folder}.",
        hint="Do it again when that is done, or wait for it longer with --wait SECONDS.",
    )


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return text if text.isdecimal() else "unknown"
