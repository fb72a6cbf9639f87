"""Real hubs in processes of their own, for tests that talk to one as anybody would."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from tests.databases import new_database_file
from tests.nursery import run_command, start_command
from tools.serving import HubProcess, Process

DEATH_S = 60.0

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
class RunningHub(HubProcess):
    """A hub under `allmende serve`, with people on it. Use as a context manager.

    Its process is forked from one that is loaded already; with `from_nothing`, or a wrapper, Python starts.
    """

    people: Mapping[str, Any] | None = field(default_factory=lambda: USERS)
    from_nothing: bool = False

    def start(self, wrapper: tuple[str, ...] = ()) -> None:
        """Start serving; a new hub gets its people first."""
        place = self.data / "allmende.db"
        if self.people is not None and not place.exists():
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            new_database_file(place)
            self.apply(self.people)
        super().start(wrapper)

    def wait_dead(self, timeout_s: float = DEATH_S) -> None:
        """Wait until the process that serves has died by a failpoint, then end what is left."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not self.is_running or not self.answers():
                self.kill()
                return
            time.sleep(0.02)
        raise AssertionError("the hub is still alive")

    def _run(self, arguments: Sequence[str], stdin: str) -> "subprocess.CompletedProcess[str]":
        if self.from_nothing:
            return super()._run(arguments, stdin)
        return run_command(arguments, env=self.whole_environment(), input=stdin)

    def _begin(self, arguments: Sequence[str], wrapper: Sequence[str], log: IO[bytes]) -> Process:
        if self.from_nothing or wrapper:
            return super()._begin(arguments, wrapper, log)
        environment = self.whole_environment()
        return start_command(
            arguments, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
