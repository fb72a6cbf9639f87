"""Real hubs in processes of their own, for tests that talk to one as anybody would."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_S = 60.0
STOP_S = 20.0
ADDRESS = re.compile(r"Allmende is at (http://\S+)")

USERS = {
    "users": [
        {"name": "alice", "fullname": "Alice", "token": "token-of-alice", "token_role": "write"},
        {"name": "bob", "fullname": "Bob", "token": "token-of-bob", "token_role": "write"},
        {"name": "rea", "fullname": "Rea", "token": "token-of-rea", "token_role": "read"},
        {"name": "root", "fullname": "Root", "token": "token-of-root", "token_role": "admin"},
    ],
    "orgs": [{"name": "lab", "fullname": "The Lab", "members": {"alice": "admin", "rea": "read"}}],
}
"""Who lives on a test hub."""


@dataclass
class RunningHub:
    """A hub under `allmende serve`. Use as a context manager: leaving it ends every process of it."""

    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    people: Mapping[str, Any] | None = field(default_factory=lambda: USERS)
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
    def log(self) -> str:
        """Everything that the hub has printed so far."""
        path = self.data.with_name(f"{self.data.name}.log")
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        """The main process, which leads a process group of its own."""
        assert self.process is not None
        return self.process.pid

    def command(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        """Run the command line on this hub's data; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "allmende", *arguments],
            env=self._environment(),
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def start(self, wrapper: tuple[str, ...] = ()) -> None:
        """Start serving, on the port of the last time if there was one; returns when it answers."""
        if self.people is not None and not (self.data / "allmende.db").exists():
            self.command("admin", "apply", "-", stdin=json.dumps(self.people))
        port = self.url.rpartition(":")[2] or "0"
        seen = len(self.log)
        with self.data.with_name(f"{self.data.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "allmende", "serve", "--port", port, *self.options],
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while (found := ADDRESS.search(self.log[seen:])) is None or not self._answers(found[1]):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the hub did not start:\n{self.log[seen:]}")
            time.sleep(0.05)
        self.url = found[1].rstrip("/")

    def stop(self) -> None:
        """End it as an operator would, and by force what is left after that."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the hub did not stop within {STOP_S} s:\n{self.log[-4000:]}") from None
        self.kill()

    def kill(self) -> None:
        """kill -9, the whole process group: as in a power cut."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_S)

    def wait_dead(self, timeout_s: float = START_S) -> None:
        """Wait until the process that serves has died by a failpoint, then end what is left."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None or not self._answers(self.url):
                self.kill()
                return
            time.sleep(0.02)
        raise AssertionError("the hub is still alive")

    def _answers(self, url: str) -> bool:
        import httpx2

        try:
            return httpx2.get(f"{url}/readyz", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALLMENDE_")}
        return {**inherited, "ALLMENDE_DATA": str(self.data), **self.environment}
