"""A server of the scanner whose one reader does what the file says: what a reader taken over could try.

The file is a program of one word and an argument. It is started in place of the real server by a test.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from allmende.scan.budget import Limits
from allmende.scan.findings import Finding, Rule, Severity
from allmende.scan.isolation import server
from allmende.scan.rule_set import RULES
from allmende.scan.scanning import Claim, Reader, Scan, scan_with
from allmende.scan.source import Source
from allmende.scan.verdicts import FileReport

FOUND_BEFORE = "pickle-refused-global"
SAID = "notebook-shell-line"
_MIB = 1024 * 1024


def main(descriptor: int) -> None:
    """Serve as the real one does, with the one reader."""
    setattr(server, "scan_source", scan_source)  # noqa: B010  # in place of what the server imported
    server.main(descriptor)


def scan_source(
    source: Source, name: str, limits: Limits | None = None, told: list[Finding] | None = None
) -> FileReport:
    """What the real one does, with the one reader."""
    reader = Reader("hostile", "hostile", lambda _: Claim.CONTENT, _read)
    return scan_with((reader,), source, name, "hostile", limits or Limits(), told)


def _read(source: Source, scan: Scan) -> None:
    word, _, argument = source.read_all(10_000).decode().partition(" ")
    if word in ATTEMPTS:
        scan.found(_rule(Severity.MEDIUM), _outcome(ATTEMPTS[word]), inside=word)
    elif word != "ordinary":
        scan.found(_rule(Severity.CRITICAL), word)
        DEEDS[word](argument)


def _rule(severity: Severity) -> Rule:
    return next(rule for _, rule in sorted(RULES.items()) if rule.severity is severity)


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return "done"


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def _executable_memory() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    if libc.mmap(None, 4096, 7, 0x22, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")


def _raise_limits() -> None:
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except ValueError as error:
        raise OSError(errno.EPERM, str(error)) from error


ATTEMPTS: dict[str, Callable[[], object]] = {
    "open-for-reading": lambda: os.open("/etc/hostname", os.O_RDONLY),
    "open-for-writing": lambda: os.open("/tmp/hostile", os.O_WRONLY | os.O_CREAT),
    "remove": lambda: Path("/tmp/hostile").unlink(),
    "list": lambda: next(os.scandir("/")),
    "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "socketpair": socket.socketpair,
    "fork": os.fork,
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "spawn": lambda: subprocess.run(["/bin/true"], check=False),
    "kill-the-server": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "kill-all": lambda: os.kill(-1, 0),
    "signal-by-owner": lambda: fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid()),
    "trace": lambda: _call("ptrace", 16, os.getppid(), 0, 0),
    "read-another-process": lambda: _call("process_vm_readv", os.getppid(), 0, 0, 0, 0, 0),
    "executable-memory": _executable_memory,
    "take-back-the-limits": _raise_limits,
    "namespaces": lambda: _call("unshare", 0x10000000),
    "read-the-line": lambda: [os.read(number, 1) for number in range(5, 64)],
}
"""What must fail; the outcome is the name of the error, or `done`."""


def _loop(_argument: str) -> None:
    while True:
        pass


def _sleep(_argument: str) -> None:
    held = threading.Lock()
    held.acquire()
    held.acquire()


def _deaf_loop(_argument: str) -> None:
    for number in (signal.SIGXCPU, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        pass


def _grow(_argument: str) -> None:
    held = []
    while True:
        held.append(bytes(8 * _MIB))


def _grow_at_once(_argument: str) -> None:
    _ = bytearray(1 << 45)


def _recurse(_argument: str) -> None:
    _recurse(_argument)


def _segfault(_argument: str) -> None:
    ctypes.string_at(1)


def _flood(argument: str) -> None:
    raise ValueError("x" * int(argument))


def _answer(argument: str) -> None:
    """Write into every open descriptor, the pipe among them, in place of a report."""
    data = bytes.fromhex(argument) or b"x" * _MIB
    for number in range(3, 64):
        try:
            while os.write(number, data) and not argument:
                pass
        except OSError:
            continue
    os._exit(0)


def _write_to_the_log(_argument: str) -> None:
    for number in range(3):
        with contextlib.suppress(OSError):
            os.write(number, b"hostile words in the log\n")


def _close_the_pipe(_argument: str) -> None:
    for number in range(3, 64):
        try:
            os.close(number)
        except OSError:
            continue
    _deaf_loop("")


DEEDS: dict[str, Callable[[str], None]] = {
    "loop": _loop,
    "sleep": _sleep,
    "deaf-loop": _deaf_loop,
    "grow": _grow,
    "grow-at-once": _grow_at_once,
    "recurse": _recurse,
    "segfault": _segfault,
    "exit": lambda argument: os._exit(int(argument)),
    "raise": _flood,
    "answer": _answer,
    "write-to-the-log": _write_to_the_log,
    "close-the-pipe": _close_the_pipe,
}
"""What ends or holds up the process."""
