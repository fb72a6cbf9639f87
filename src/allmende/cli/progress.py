"""How far the reading of a model's values is, on the terminal of who waits for it."""

import sys
import time
from types import TracebackType
from typing import Self

__all__ = ["ReadingProgress"]

_PROGRESS_EVERY_S = 0.2
_BAR_CHARS = 30


class ReadingProgress:
    """A line on the terminal that says how many values are read; nothing where no terminal is."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next = time.monotonic() + _PROGRESS_EVERY_S

    def __enter__(self) -> Self:
        """Nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The line goes, also when Ctrl-C ends it."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def tell(self, done: int, of: int) -> None:
        """So many of all values are read."""
        if self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_EVERY_S
            filled = _BAR_CHARS * done // max(1, of)
            bar = "█" * filled + "░" * (_BAR_CHARS - filled)
            print(
                f"\r\x1b[K{bar} {done / max(1, of):.0%} of {of:,} weights",
                end="",
                file=sys.stderr,
                flush=True,
            )
