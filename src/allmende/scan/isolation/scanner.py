"""Scanning files from outside: a few servers, each with a child for the file at hand.

Whatever goes wrong with a file in there ends as a report that quarantines it. Only what is wrong with the
machine itself is raised.
"""

import errno
import fcntl
import logging
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import UnsupportedOperation
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import allmende
from allmende.errors import Unavailable
from allmende.scan.budget import Limits
from allmende.scan.failures import CRASHED
from allmende.scan.isolation.answers import Bounds, failed, read_answer, report_of
from allmende.scan.isolation.wire import receive, send
from allmende.scan.verdicts import FileReport

__all__ = ["Scanner", "ScannerUnavailable"]

_log = logging.getLogger(__name__)

_MIB: Final = 1024 * 1024
_START_S: Final = 60.0
_ANSWER_S: Final = 60.0
_ORDERLY_END_S: Final = 5.0
_MAX_NAME_CHARS: Final = 4096
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from allmende.scan.isolation.server import main; main(int(sys.argv[2]))"
)


class ScannerUnavailable(Unavailable):
    """The process that scans cannot be started on this machine, or the scanner is closed."""

    code = "scanner_unavailable"


class Scanner:
    """Scans files in confined processes, as many at a time as there are `processes`. Safe for all threads.

    Servers are started when they are first needed, and ended by `close`. Used as a context, it ends scans
    that are under way when the context is left by an exception.
    """

    def __init__(
        self, processes: int = 1, limits: Limits | None = None, bounds: Bounds | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._bounds = bounds or Bounds()
        self._places = max(1, processes)
        self._free: queue.LifoQueue[_Server | None] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._busy: set[_Server] = set()
        self._closed = False
        for _ in range(self._places):
            self._free.put(None)

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
        with _as_descriptor(file, size_bytes) as descriptor, self._server() as server:
            return server.scan(descriptor, size_bytes, name, self._limits, self._bounds)

    def scan_path(self, path: Path, name: str | None = None) -> FileReport:
        """The report on a file that lies in a folder; what it is called there counts, or `name`.

        Raises ScannerUnavailable, and OSError where it is no ordinary file or cannot be read.
        """
        # Opening a named pipe would wait for a writer that may never come.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "This is no ordinary file", str(path))
            return self.scan(file, status.st_size, name or path.name)

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
    def _server(self) -> Iterator["_Server"]:
        kept = self._free.get()
        try:
            if self._closed:
                raise ScannerUnavailable("The scanner is closed.")
            if kept is not None and not kept.is_alive:
                kept.close()
                kept = None
            server, kept = kept or _Server(), None
            with self._watched(server):
                yield server
            kept = server
        finally:
            self._free.put(kept)

    @contextmanager
    def _watched(self, server: "_Server") -> Iterator[None]:
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


class _Server:
    """One process with the readers loaded, and the line to it."""

    def __init__(self) -> None:
        self._is_given_up = False
        self._line, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, _sources(), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={"LANG": "C.UTF-8", "PATH": os.defpath},
                start_new_session=True,
            )
        except OSError as error:
            self._line.close()
            raise ScannerUnavailable(f"The scanner cannot be started: {error}.") from error
        finally:
            theirs.close()
        self._line.settimeout(_START_S)
        try:
            self.level = str(receive(self._line)[0]["level"])
        except (EOFError, OSError, ValueError, KeyError) as error:
            self.kill()
            self.close()
            raise ScannerUnavailable(
                "The scanner does not start.", hint="Its messages are in the log."
            ) from error

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked again."""
        return self._process.poll() is None

    def scan(self, descriptor: int, size_bytes: int, name: str, limits: Limits, bounds: Bounds) -> FileReport:
        """Ask for one file. A server that does not answer in order is ended."""
        request = {
            "name": name[-_MAX_NAME_CHARS:],
            "size_bytes": size_bytes,
            "limits": asdict(limits),
            "bounds": asdict(bounds),
            "filtered": self.level == "filter",
        }
        ours, theirs = os.pipe()
        try:
            try:
                self._line.settimeout(_ANSWER_S)
                send(self._line, request, [descriptor, theirs])
            finally:
                os.close(theirs)
            pid = int(receive(self._line)[0]["pid"])
            answer = read_answer(ours, bounds)
            if not (answer.in_time and answer.in_bounds):
                # The server has not waited for it yet, so the number is still this child's.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            ended = receive(self._line)[0]
            return report_of(answer, int(ended["exit"]), float(ended["used_s"]), bounds)
        except (EOFError, OSError, ValueError, KeyError):
            if not self._is_given_up:
                _log.exception("the scanner process broke off at %r", name[:200])
            self.kill()
            self.close()
            return failed(CRASHED, "The scanner process broke off.")
        finally:
            os.close(ours)

    def close(self) -> None:
        """End it in order, or else at once."""
        self._line.close()
        try:
            self._process.wait(_ORDERLY_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def kill(self) -> None:
        """End the whole session of the server, children and all. For any thread."""
        self._is_given_up = True
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _sources() -> str:
    """Where the package lies, so that the server runs the same code, installed or not."""
    return str(Path(allmende.__file__).resolve().parent.parent)


@contextmanager
def _as_descriptor(file: BinaryIO, size_bytes: int) -> Iterator[int]:
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
