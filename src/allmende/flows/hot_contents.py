"""Plain copies of packed contents that are asked for often: a cache of bounded size, used and not relied on.

A copy is verified as it is written. It is a file like that of a plain content, so it is served as fast.
"""

import os
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from allmende.ids import Sha256
from allmende.storage import ContentWriter, LocalContentStore, location_of

__all__ = ["HotContents"]

_IN_USE_S = 60.0
"""A copy that was given out so recently may not have been opened yet."""
_WINDOW_S = 3600.0
_MOST_COUNTED = 10_000


class HotContents:
    """The copies in a store of their own, and how often this process was asked for packed contents."""

    def __init__(self, store: LocalContentStore, max_bytes: int, reads: int) -> None:
        """A content is hot when it was read `reads` times within an hour."""
        self._store = store
        self._max_bytes = max_bytes
        self._reads = reads
        self._lock = threading.Lock()
        self._asked: OrderedDict[Sha256, list[float]] = OrderedDict()

    @property
    def incoming(self) -> Path:
        """Where files are that are being written."""
        return self._store.incoming

    def find(self, sha256: Sha256) -> Path | None:
        """Where a copy of the content is; finding it counts as a use."""
        path = self._store.root / location_of(sha256)
        try:
            os.utime(path, (time.time(), path.stat().st_mtime))
        except FileNotFoundError:
            return None
        return path

    def open_read(self, sha256: Sha256) -> BinaryIO | None:
        """A reader of the copy, if there is one."""
        path = self.find(sha256)
        if path is None:
            return None
        try:
            return path.open("rb")
        except FileNotFoundError:  # it had to make room since it was found
            return None

    def note(self, sha256: Sha256) -> bool:
        """A packed content is asked for from its beginning; whether it became hot by that."""
        now = time.monotonic()
        with self._lock:
            asked = self._asked.setdefault(sha256, [])
            self._asked.move_to_end(sha256)
            asked.append(now)
            del asked[: -self._reads]
            if len(self._asked) > _MOST_COUNTED:
                self._asked.popitem(last=False)
            hot = len(asked) == self._reads and now - asked[0] < _WINDOW_S
            if hot:
                # It becomes hot once: what is found from then on is the copy.
                del self._asked[sha256]
        return hot

    def open_write(self, sha256: Sha256, size_bytes: int) -> ContentWriter | None:
        """Begin a copy; None where there is no room for it. Those make room whose last use is longest ago."""
        copies = sorted(self._copies())
        total_bytes = size_bytes + sum(size for _used, size, _path in copies)
        for used_at, copy_bytes, path in copies:
            if total_bytes <= self._max_bytes or time.time() - used_at < _IN_USE_S:
                break
            path.unlink(missing_ok=True)
            total_bytes -= copy_bytes
        return self._store.open_write(sha256, size_bytes) if total_bytes <= self._max_bytes else None

    def sweep(self, older_than_s: float) -> int:
        """Remove copies written so long ago, as nobody verifies them, and what was given up half-written.

        Returns how many copies.
        """
        removed = 0
        for _used, _size, path in self._copies():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > older_than_s:
                    path.unlink()
                    removed += 1
        self._store.discard_abandoned(_WINDOW_S, time.time())
        return removed

    def forget(self, sha256: Sha256) -> None:
        """Remove the copy of a content that is no more, if there is one."""
        self._store.delete(location_of(sha256))

    def copies(self) -> list[Sha256]:
        """The contents of which there are copies."""
        return [Sha256(path.name) for _used, _size, path in self._copies()]

    def _copies(self) -> list[tuple[float, int, Path]]:
        found: list[tuple[float, int, Path]] = []
        for kept in self._store.iterate():
            path = self._store.root / kept.location
            with suppress(FileNotFoundError):
                found.append((path.stat().st_atime, kept.size_bytes, path))
        return found
