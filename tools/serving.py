"""A hub in a process of its own, started and ended as an operator would: for demonstration, bench and tests.

Needs nothing but the standard library and an interpreter that has allmende.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

__all__ = ["HubFailed", "HubProcess"]

_START_S = 60.0
_STOP_S = 20.0
_COMMAND_S = 120.0
_LOG_SHOWN_CHARS = 4000
_ADDRESS = re.compile(r"Allmende is at (http://\S+)")


class HubFailed(Exception):
    """The hub, or a command on its data, did not do what it was started for; says what it printed."""


class Process(Protocol):
    """What a hub's process is asked: as much of `subprocess.Popen`."""

    returncode: Any

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...


@dataclass
class HubProcess:
    """`allmende serve` on one data folder. As a context manager it is gone when the block ends.

    It prints into `<data>.log` beside the folder. Started again, it takes the port that it had.
    """

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    port: int = 0
    python: str = sys.executable
    url: str = ""
    process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log_file(self) -> Path:
        """Where it prints."""
        return self.data.with_name(f"{self.data.name}.log")

    @property
    def log(self) -> str:
        """Everything that it has printed so far."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    @property
    def pid(self) -> int:
        """The main process; it leads a group of its own. Raises HubFailed when none was started."""
        if self.process is None:
            raise HubFailed("the hub was not started")
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the main process lives."""
        return self.process is not None and self.process.poll() is None

    def command(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run an `allmende` command on this data; what it printed. Raises HubFailed, with `check`."""
        done = self._run(arguments, stdin)
        if check and done.returncode:
            words = " ".join(arguments)
            raise HubFailed(f"allmende {words} ended with {done.returncode}:\n{done.stderr}{done.stdout}")
        return done.stdout

    def apply(self, people: Mapping[str, Any]) -> None:
        """Make the accounts exist, server running or not; applying the same again changes nothing."""
        self.command("admin", "apply", "-", stdin=json.dumps(people))

    def start(self, wrapper: tuple[str, ...] = ()) -> None:
        """Start serving; returns when the hub says that it is ready, raises HubFailed if it does not.

        `wrapper` is a command to run it under, such as a tracer.
        """
        self.data.parent.mkdir(parents=True, exist_ok=True)
        port = self.url.rpartition(":")[2] or str(self.port)
        seen = len(self.log)
        with self.log_file.open("ab") as log:
            # A group of its own: Ctrl-C reaches us alone, and we end the hub in order.
            self.process = self._begin(("serve", "--port", port, *self.options), wrapper, log)
        try:
            self.url = self._wait_until_ready(self.process, seen)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it as an operator would, and by force what is left after that; no process of it remains.

        Raises HubFailed when force was needed.
        """
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise HubFailed(
                    f"the hub did not stop within {_STOP_S:.0f} s:\n{self.log[-_LOG_SHOWN_CHARS:]}"
                ) from None
        self.kill()

    def kill(self) -> None:
        """Kill with -9, the whole process group: as in a power cut."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # all of the group may be gone already
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_STOP_S)

    def answers(self) -> bool:
        """Whether it is ready for requests."""
        return bool(self.url) and _is_ready(self.url)

    def _wait_until_ready(self, process: Process, seen: int) -> str:
        deadline = time.monotonic() + _START_S
        while True:
            printed = self.log[seen:]
            found = _ADDRESS.search(printed)
            if found is not None and _is_ready(found[1].rstrip("/")):
                return found[1].rstrip("/")
            if process.poll() is not None or time.monotonic() > deadline:
                raise HubFailed(f"the hub did not start:\n{printed[-_LOG_SHOWN_CHARS:]}")
            time.sleep(0.05)

    def _run(self, arguments: Sequence[str], stdin: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.python, "-m", "allmende", *arguments],
            env=self.whole_environment(),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_S,
        )

    def _begin(self, arguments: Sequence[str], wrapper: Sequence[str], log: IO[bytes]) -> Process:
        return subprocess.Popen(
            [*wrapper, self.python, "-m", "allmende", *arguments],
            env=self.whole_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def whole_environment(self) -> dict[str, str]:
        """What its processes find in their environment."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALLMENDE_")}
        return {**inherited, "ALLMENDE_DATA": str(self.data), **self.environment}


def _is_ready(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
