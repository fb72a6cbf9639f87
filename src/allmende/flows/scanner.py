"""The hub's scanner: the bounded child process of `allmende.scan`, started when first needed, and counted."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol

from allmende.scan import FileReport, Scanner

__all__ = ["FileScanner", "HubScanner"]


class FileScanner(Protocol):
    """What looks into files without running them."""

    def scan(self, file: BinaryIO, size_bytes: int, name: str) -> FileReport:
        """The report of a file of this name."""

    def close(self) -> None:
        """End what belongs to it."""


class HubScanner:
    """A `FileScanner` that starts with the first file, for all threads of the process."""

    def __init__(self, start: Callable[[], FileScanner] = Scanner) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._inner: FileScanner | None = None
        self._statuses: Counter[str] = Counter()
        self._seconds = 0.0

    def scan(self, file: BinaryIO, size_bytes: int, name: str) -> FileReport:
        """The report of a file; whatever goes wrong with the file is a finding in it."""
        with self._lock:
            if self._inner is None:
                self._inner = self._start()
            inner = self._inner
        started = time.perf_counter()
        report = inner.scan(file, size_bytes, name)
        with self._lock:
            self._seconds += time.perf_counter() - started
            self._statuses[report.status().word] += 1
        return report

    def close(self) -> None:
        """End the child process, if there is one; a later file starts another."""
        with self._lock:
            inner, self._inner = self._inner, None
        if inner is not None:
            inner.close()

    def figures(self) -> tuple[Mapping[str, int], float]:
        """Files scanned by this process, by status under the default policy, and the seconds it took."""
        with self._lock:
            return dict(self._statuses), self._seconds
