"""Whether the hub answers somebody at this moment: what work that nobody waits for gives way to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Traffic"]

_LINGERS_S = 1.0
"""Requests come in rows: between two of a download the hub is not idle."""


class Traffic:
    """Counts the requests that are being answered by this process."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._answering = 0
        self._last = float("-inf")

    @contextmanager
    def request(self) -> Iterator[None]:
        """Somebody is answered within the block."""
        with self._lock:
            self._answering += 1
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1
                self._last = time.monotonic()
                if not self._answering:
                    self._lock.notify_all()

    def give_way(self, most_s: float) -> None:
        """Wait as long as somebody is answered at this very moment, but not longer than so many seconds.

        For work in small pieces, before each: threads of one process compute by turns, so that a piece is
        time that the answer comes later.
        """
        with self._lock:
            self._lock.wait_for(lambda: not self._answering, most_s)

    @property
    def is_busy(self) -> bool:
        """Whether somebody is answered, or was a second ago."""
        with self._lock:
            return self._answering > 0 or time.monotonic() - self._last < _LINGERS_S
