"""A hub in a process of its own, started and ended as an operator would: for the demonstration and the bench.

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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["HubFailed", "HubProcess"]

_START_S = 60.0
_STOP_S = 20.0
_COMMAND_S = 120.0
_LOG_SHOWN_CHARS = 4000
_ADDRESS = re.compile(r"Allmende is at (http://\S+)")


class HubFailed(Exception):
    """The hub, or a command on its data, did not do what it was started for; says what it printed."""


@dataclass
class HubProcess:
    """`allmende serve` on one data folder. As a context manager it is gone when the block ends."""

    data: Path
    log: Path
    port: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

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

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run an `allmende` command on this data and return what it printed; raises HubFailed."""
        done = subprocess.run(
            [self.python, "-m", "allmende", *arguments],
            env=self._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_S,
        )
        if done.returncode:
            raise HubFailed(f"allmende {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def apply(self, people: Mapping[str, Any]) -> None:
        """Make the accounts exist, server running or not; applying the same again changes nothing."""
        self.command("admin", "apply", "-", stdin=json.dumps(people))

    def start(self) -> None:
        """Start serving; returns when the hub says that it is ready, raises HubFailed if it does not."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        seen = len(self._printed())
        with self.log.open("ab") as log:
            # A group of its own: Ctrl-C reaches us alone, and we end the hub in order.
            self.process = subprocess.Popen(
                [self.python, "-m", "allmende", "serve", "--port", str(self.port)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.url = self._wait_until_ready(self.process, seen)
        except BaseException:
            self._kill(self.process)
            raise

    def stop(self) -> None:
        """End it in order, and by force what is left after that; no process of it remains."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            print(f"The hub did not stop within {_STOP_S:.0f} s and was killed.", file=sys.stderr)
        self._kill(process)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], seen: int) -> str:
        deadline = time.monotonic() + _START_S
        while True:
            printed = self._printed()[seen:]
            found = _ADDRESS.search(printed)
            if found is not None and _is_ready(found[1].rstrip("/")):
                return found[1].rstrip("/")
            if process.poll() is not None or time.monotonic() > deadline:
                raise HubFailed(f"the hub did not start:\n{printed[-_LOG_SHOWN_CHARS:]}")
            time.sleep(0.05)

    def _printed(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALLMENDE_")}
        return {**inherited, "ALLMENDE_DATA": str(self.data), **self.environment}

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):  # all of the group may be gone already
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_S)


def _is_ready(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
