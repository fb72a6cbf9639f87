"""How far a long work is, on the terminal of who waits for it."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from allmende.cli.output import size_text

__all__ = ["ByteProgress", "EntryProgress", "ReadingProgress"]

_PROGRESS_EVERY_S = 0.2
_BAR_CHARS = 30


class _Bar:
    """A bar on the terminal that goes again; nothing where no terminal is."""

    def __init__(self, words: Callable[[int, int], str]) -> None:
        self._words = words
        self._shown = sys.stderr.isatty()
        self._next = time.monotonic() + _PROGRESS_EVERY_S

    def __enter__(self) -> Self:
        """Nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The line goes, also when Ctrl-C ends it."""
        self.clear()

    def clear(self) -> None:
        """Take the line away, for others to be printed."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def show(self, done: int, of: int) -> None:
        """So much of all is done."""
        if self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_EVERY_S
            share = min(1.0, done / max(1, of))
            filled = int(_BAR_CHARS * share)
            bar = "█" * filled + "░" * (_BAR_CHARS - filled)
            print(f"\r\x1b[K{bar} {share:.0%} {self._words(done, of)}", end="", file=sys.stderr, flush=True)


class ReadingProgress(_Bar):
    """How many of the values of a model are read."""

    def __init__(self) -> None:
        super().__init__(lambda _, of: f"of {of:,} weights")

    def tell(self, done: int, of: int) -> None:
        """So many of all values are read."""
        self.show(done, of)


class EntryProgress(_Bar):
    """How many entries of a log are read."""

    def __init__(self) -> None:
        super().__init__(lambda _, of: f"of {of:,} entries")


class ByteProgress(_Bar):
    """How many of all bytes are done; told by any thread."""

    def __init__(self, total_bytes: int) -> None:
        super().__init__(lambda _, of: f"of {size_text(of)}")
        self._total = total_bytes
        self._done = 0
        self._lock = threading.Lock()

    def add(self, more_bytes: int) -> None:
        """So many bytes more are done."""
        with self._lock:
            self._done += more_bytes
            self.show(self._done, self._total)
