"""Commands of `allmende` in processes of their own, forked from one that has loaded all of it already.

To start Python and load a hub takes 2 s of processor time, a fork a hundredth of that, and the tests start
hubs and commands by the thousand. A process of pytest starts one nursery, when it first asks for a command;
what that forks runs the same entry as the installed program, with its own arguments, environment, folder,
descriptors and session. That commands start from nothing is shown by tests/integration/cli/test_serve.py,
by what runs under a tracer, and by the demonstration.
"""

import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

__all__ = ["Forked", "run_command", "start_command"]

_REQUEST_BYTES = 128 * 1024
_START_S = 60.0
_starting = threading.Lock()
_ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Forked:
    """A process that the nursery forked: as much of `subprocess.Popen` as tests use."""

    args: Sequence[str]
    pid: int
    _status: socket.socket
    returncode: int | None = field(default=None, init=False)

    def poll(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """How it ended. Raises subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                told = self._status.recv(64)
            except (BlockingIOError, TimeoutError):
                return None
            self._status.close()
            if not told:
                raise RuntimeError("the nursery has ended")
            self.returncode = int(told)
        return self.returncode


def start_command(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    start_new_session: bool = False,
) -> Forked:
    """Start `allmende` with these arguments; the others are those of `subprocess.Popen`, without pipes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = {
        "arguments": list(arguments),
        "environment": dict(os.environ if env is None else env),
        "folder": str(cwd or Path.cwd()),
        "new_session": start_new_session,
    }
    with theirs, Path(os.devnull).open("r+b") as null:
        out = null if stdout == subprocess.DEVNULL else stdout
        chosen = (
            null if stdin == subprocess.DEVNULL else stdin,
            out,
            out if stderr == subprocess.STDOUT else null if stderr == subprocess.DEVNULL else stderr,
        )
        descriptors = [each if isinstance(each, int) else each.fileno() for each in chosen]
        socket.send_fds(_nursery(), [json.dumps(request).encode()], [*descriptors, theirs.fileno()])
    ours.settimeout(_START_S)
    return Forked(("allmende", *arguments), int(ours.recv(64)), ours)


def run_command(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str = "",  # noqa: A002 (named as that of subprocess.run)
    timeout: float = 120.0,
) -> "subprocess.CompletedProcess[str]":
    """Run `allmende` to its end. Raises subprocess.TimeoutExpired, and has ended it then."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(input.encode())
        given.seek(0)
        process = start_command(arguments, env=env, cwd=cwd, stdin=given, stdout=out, stderr=err)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
        return subprocess.CompletedProcess(process.args, code, *said)


def _nursery() -> socket.socket:
    """The line to the nursery of this process."""
    with _starting:
        return _started()


@cache
def _started() -> socket.socket:
    """The line to a new nursery, which ends when the line does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return ours


def _load_everything() -> None:
    """What any command imports, now or inside a function."""
    import allmende

    for module in pkgutil.walk_packages(allmende.__path__, "allmende."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            import_module(module.name)
    for name in ("granian.server", "alembic.context", "alembic.runtime.migration"):
        import_module(name)


def _fork_when_asked(line: socket.socket) -> list[str]:
    """Fork at each request; returns in the new processes alone, each with its arguments."""
    ready = selectors.DefaultSelector()
    ready.register(line, selectors.EVENT_READ)
    statuses: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for key, _events in ready.select():
            if key.fileobj is not line:
                pid, status = statuses.pop(key.fd)
                ready.unregister(key.fd)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with status:
                    _tell(status, code)
                continue
            message, descriptors, _flags, _address = socket.recv_fds(line, _REQUEST_BYTES, 4)
            if not message:
                sys.exit(0)
            *standard, last = descriptors
            status = socket.socket(fileno=last)
            pid = os.fork()
            if pid == 0:
                ready.close()
                for each in (line, status, *(other for _pid, other in statuses.values())):
                    each.close()
                for descriptor in statuses:
                    os.close(descriptor)
                return _become(json.loads(message), standard)
            for descriptor in standard:
                os.close(descriptor)
            _tell(status, pid)
            watched = os.pidfd_open(pid)
            statuses[watched] = (pid, status)
            ready.register(watched, selectors.EVENT_READ)


def _tell(status: socket.socket, number: int) -> None:
    """Whoever asked may be gone, and with it the other end."""
    try:
        status.send(str(number).encode())
    except (BrokenPipeError, ConnectionResetError):
        return


def _become(request: Mapping[str, object], standard: Sequence[int]) -> list[str]:
    """Make this process what was asked for, as a start from nothing would find it."""
    from allmende import failpoints

    if request["new_session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(str(request["folder"]))
    environment = request["environment"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    failpoints.arm()
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (a descriptor, open as long as the process)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    arguments = request["arguments"]
    assert isinstance(arguments, list)
    return [str(each) for each in arguments]


if __name__ == "__main__":
    # Ctrl-C is for whoever started pytest, which then ends the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _load_everything()
    gc.collect()
    gc.freeze()
    sys.argv = ["allmende", *_fork_when_asked(socket.socket(fileno=int(sys.argv[1])))]
    from allmende.cli import main

    main()
