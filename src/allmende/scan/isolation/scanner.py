"""Scanning files from outside: a few servers, each with a child for the file or the batch at hand.

Whatever goes wrong with a file in there ends as a report that quarantines it. Only what is wrong with the
machine itself is raised.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from allmende.scan.budget import Limits
from allmende.scan.failures import CRASHED
from allmende.scan.isolation.answers import Bounds, answered, failed, report_of
from allmende.scan.isolation.descriptors import as_descriptor, open_ordinary
from allmende.scan.isolation.server_process import OpenFile, ScannerUnavailable, ServerProcess
from allmende.scan.verdicts import FileReport

__all__ = ["BATCH_BYTES", "BATCH_FILES", "SMALL_BYTES", "NamedFile", "Scanner"]

NamedFile = tuple[BinaryIO, int, str]
"""An open file, its size in bytes, and what it is called."""

BATCH_FILES: Final = 64
SMALL_BYTES: Final = 1024 * 1024
BATCH_BYTES: Final = 16 * 1024 * 1024
"""What is worth a process of its own is not put into a batch: see `Scanner.scan_batch`."""


class Scanner:
    """Scans files in confined processes, as many at a time as there are `processes`. Safe for all threads.

    Servers are started when they are first needed, and ended by `close`; `begun` is one that was started
    before, and belongs to the scanner from now on. Used as a context, it ends scans that are under way when
    the context is left by an exception.
    """

    def __init__(
        self,
        processes: int = 1,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        begun: ServerProcess | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._bounds = bounds or Bounds()
        self._places = max(1, processes)
        self._free: queue.LifoQueue[ServerProcess | None] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._busy: set[ServerProcess] = set()
        self._closed = False
        for _ in range(self._places - 1):
            self._free.put(None)
        self._free.put(begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            with self._lock:
                self._closed = True
                for server in self._busy:
                    server.kill()
        self.close()

    def scan(self, file: BinaryIO, size_bytes: int, name: str) -> FileReport:
        """The report on a file of this size and name; its position in `file` may move.

        Raises ScannerUnavailable, and OSError where the file cannot be read.
        """
        with as_descriptor(file, size_bytes) as descriptor, self._server() as server:
            opened = OpenFile(descriptor, size_bytes, name)
            ended = server.ask([opened], self._limits, self._bounds)
        if ended is None:
            return failed(CRASHED, "The scanner process broke off.")
        return report_of(ended.answer, ended.code, ended.used_s, self._bounds)

    def scan_batch(self, files: Sequence[NamedFile]) -> list[FileReport]:
        """The reports on files of one owner, in their order: those that `scan` gives, in less time.

        One process reads the files one after another, and tells of each before it opens the next. A file on
        which it fails, and those behind it, are scanned again, each in a process of its own; so a file can
        change no other's report, short of taking the process over. At most `BATCH_FILES` files.

        Raises ScannerUnavailable, and OSError where a file cannot be read.
        """
        if len(files) == 1:
            return [self.scan(*files[0])]
        with ExitStack() as stack:
            opened = [
                OpenFile(stack.enter_context(as_descriptor(file, size_bytes)), size_bytes, name)
                for file, size_bytes, name in files
            ]
            server = stack.enter_context(self._server())
            ended = server.ask(opened, self._limits, self._bounds.of_a_batch())
        known = [] if ended is None else answered(ended.answer, len(files))
        return [*known, *(self.scan(*file) for file in files[len(known) :])]

    def scan_path(self, path: Path, name: str | None = None) -> FileReport:
        """The report on a file that lies in a folder; what it is called there counts, or `name`.

        Raises ScannerUnavailable, and OSError where it is no ordinary file or cannot be read.
        """
        file, size_bytes = open_ordinary(path)
        with file:
            return self.scan(file, size_bytes, name or path.name)

    def level(self) -> str:
        """How far the processes are confined: `filter` (seccomp and limits), or `limits` alone.

        Raises ScannerUnavailable.
        """
        with self._server() as server:
            return server.level

    def close(self) -> None:
        """End the servers; scans that are under way are waited for. Scans that come later are refused."""
        self._closed = True
        places = [self._free.get() for _ in range(self._places)]
        for server in places:
            if server is not None:
                server.close()
        for _ in places:
            self._free.put(None)

    @contextmanager
    def _server(self) -> Iterator[ServerProcess]:
        kept = self._free.get()
        try:
            if self._closed:
                raise ScannerUnavailable("The scanner is closed.")
            if kept is not None and not kept.is_alive:
                kept.close()
                kept = None
            server, kept = kept or ServerProcess(), None
            with self._watched(server):
                yield server
            kept = server
        finally:
            self._free.put(kept)

    @contextmanager
    def _watched(self, server: ServerProcess) -> Iterator[None]:
        with self._lock:
            self._busy.add(server)
        try:
            yield
        except BaseException:
            # What the line carries now belongs to a request that nobody waits for.
            server.kill()
            server.close()
            raise
        finally:
            with self._lock:
                self._busy.discard(server)
