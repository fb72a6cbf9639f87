"""One process with the readers loaded, and the line to it: started, asked, ended."""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import allmende
from allmende.errors import Unavailable
from allmende.scan.budget import Limits
from allmende.scan.isolation.answers import Answer, Bounds, read_answer
from allmende.scan.isolation.wire import receive, send

__all__ = ["Ended", "OpenFile", "ScannerUnavailable", "ServerProcess"]

_log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file as it is handed over: an open descriptor, its size, and what it is called."""

    descriptor: int
    size_bytes: int
    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that has ended: what it wrote, with which code it ended, and how long it had computed."""

    answer: Answer
    code: int
    used_s: float


class ServerProcess:
    """A server, starting as soon as it is made; the first question waits until it is ready.

    Raises ScannerUnavailable, when it is made or when it is first asked.
    """

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

    @cached_property
    def level(self) -> str:
        """How far its children are confined. Waits until it is ready; raises ScannerUnavailable."""
        self._line.settimeout(_START_S)
        try:
            return str(receive(self._line)[0]["level"])
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

    def ask(self, files: Sequence[OpenFile], limits: Limits, bounds: Bounds) -> Ended | None:
        """Have one child read these files, one after another, within `bounds` for all of them together.

        None where the server did not answer in order; it is ended then.
        """
        request = {
            "files": [
                {"name": file.name[-_MAX_NAME_CHARS:], "size_bytes": file.size_bytes} for file in files
            ],
            "limits": asdict(limits),
            "bounds": asdict(bounds),
            "filtered": self.level == "filter",
        }
        ours, theirs = os.pipe()
        try:
            try:
                self._line.settimeout(_ANSWER_S)
                send(self._line, request, [theirs, *(file.descriptor for file in files)])
            finally:
                os.close(theirs)
            pid = int(receive(self._line)[0]["pid"])
            answer = read_answer(ours, bounds)
            if not (answer.in_time and answer.in_bounds):
                # The server has not waited for it yet, so the number is still this child's.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            ended = receive(self._line)[0]
            return Ended(answer, int(ended["exit"]), float(ended["used_s"]))
        except (EOFError, OSError, ValueError, KeyError):
            if not self._is_given_up:
                _log.exception("the scanner process broke off at %r", files[0].name[:200])
            self.kill()
            self.close()
            return None
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
