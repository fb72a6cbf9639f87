"""The process that scans: it loads all readers once, then forks a child for each file or batch of small ones.

Its input is a socket: requests with open files and the end of a pipe. The child gives up everything that it
does not need, scans, writes its reports into the pipe and ends; the server tells how it ended.
"""

import codecs
import contextlib
import ctypes
import encodings
import gc
import json
import os
import pkgutil
import resource
import signal
import socket
import sys
import traceback
from types import FrameType
from typing import Any, NoReturn

from allmende.scan.budget import Limits
from allmende.scan.findings import Finding
from allmende.scan.isolation.wire import receive, send
from allmende.scan.rule_set import RULE_SET, scan_source, warm_up
from allmende.scan.source import Source
from allmende.scan.verdicts import FileReport
from allmende.seccomp import confine

__all__ = ["main"]

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_STDIN, _STDERR = 0, 2
_CPU_GRACE_S = 2
_OPEN_FILES = 64
_MAX_TRACEBACK_CHARS = 8000


def main(descriptor: int) -> None:
    """Serve requests on the socket until the other side closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load_codecs()
    warm_up()
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=descriptor) as line, contextlib.suppress(EOFError, ConnectionError):
        send(line, {"ready": True, "level": _level()})
        while True:
            request, files = receive(line)
            _serve(line, request, files)


def _load_codecs() -> None:
    """A codec is loaded when it is first used, and texts name any of them; in the child it is too late."""
    for found in pkgutil.iter_modules(encodings.__path__):
        with contextlib.suppress(LookupError):
            codecs.lookup(found.name)


def _level() -> str:
    """How far a child is confined: tried in a child, since there is no way back."""
    pid = os.fork()
    if pid == 0:
        confined = confine()
        refused = 0
        for attempt in (lambda: os.open("/", os.O_RDONLY), lambda: socket.socket(), os.fork):  # noqa: PLW0108
            try:
                attempt()
            except PermissionError:
                refused += 1
        os._exit(0 if confined and refused == 3 else 1)
    _, status = os.waitpid(pid, 0)
    return "filter" if status == 0 else "limits"


def _serve(line: socket.socket, request: dict[str, Any], files: list[int]) -> None:
    answer, *sources = files
    pid = os.fork()
    if pid == 0:
        _child(line, request, sources, answer)
    for descriptor in files:
        os.close(descriptor)
    send(line, {"pid": pid})
    _, status, used = os.wait4(pid, 0)
    send(line, {"exit": os.waitstatus_to_exitcode(status), "used_s": used.ru_utime + used.ru_stime})


def _child(line: socket.socket, request: dict[str, Any], sources: list[int], answer: int) -> NoReturn:
    """Scan one file after another and end; whatever happens, nothing of the server's loop is run."""
    code = 1
    try:
        line.close()
        os.set_blocking(answer, True)
        signal.setitimer(signal.ITIMER_REAL, request["bounds"]["wall_s"])
        _watch_the_time()
        _give_up_everything(request)
        gc.disable()
        limits = Limits(**request["limits"])
        for file, source in zip(request["files"], sources, strict=True):
            report, failure = _scanned(file, source, limits)
            _write(answer, _message(report, failure))
            if failure is not None:
                break
            _watch_the_time()
        code = 0
    finally:
        os._exit(code)


def _scanned(file: dict[str, Any], descriptor: int, limits: Limits) -> tuple[FileReport, str | None]:
    """The report, or what was found before the scan failed and how that was: `time`, `memory`, or the
    traceback. The edge of this process: nothing is raised beyond it.
    """
    told: list[Finding] = []
    try:
        with os.fdopen(descriptor, "rb", buffering=0) as opened:
            report = scan_source(Source(opened, file["size_bytes"]), file["name"], limits, told)
        _stop_watching()
    except _OutOfTime:
        failure = "time"
    except MemoryError:
        failure = "memory"
    except Exception:  # noqa: BLE001  # the edge: it ends as a report, with its traceback for the log
        failure = traceback.format_exc()[-_MAX_TRACEBACK_CHARS:]
    else:
        return report, None
    # Out here, the frames of the scan and what they held are gone: there is memory for the answer again.
    _stop_watching()
    return FileReport(RULE_SET, (), tuple(told)), failure


def _message(report: FileReport, failure: str | None) -> bytes:
    return json.dumps({"report": report.row(), "failure": failure}).encode() + b"\n"


class _OutOfTime(BaseException):
    """The time of this process is over; no reader catches it."""


def _watch_the_time() -> None:
    """Have the scan broken off when its time is over, so that what it found can still be told.

    Where this does not help, in one long call of a library, the hard limits end the process.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise _OutOfTime

    signal.signal(signal.SIGXCPU, end)
    signal.signal(signal.SIGALRM, end)


def _stop_watching() -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _give_up_everything(request: dict[str, Any]) -> None:
    bounds = request["bounds"]
    for what, most, grace in (
        (resource.RLIMIT_CPU, bounds["cpu_s"], _CPU_GRACE_S),
        (resource.RLIMIT_AS, _used_bytes() + bounds["memory_bytes"], 0),
        (resource.RLIMIT_FSIZE, request["limits"]["expanded_bytes"] + 64 * 1024 * 1024, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES + len(request["files"]), 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        hard = resource.getrlimit(what)[1]
        soft_bound, hard_bound = (
            bound if hard == resource.RLIM_INFINITY else min(bound, hard) for bound in (most, most + grace)
        )
        resource.setrlimit(what, (soft_bound, hard_bound))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # The messages of the server are no place for what a file makes its scanner say.
    os.dup2(_STDIN, _STDERR)
    if not confine() and request["filtered"]:
        raise OSError("the filter of system calls is refused")


def _used_bytes() -> int:
    """The address space that the server has already, where that is told."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  # the shortest way, in every child
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
