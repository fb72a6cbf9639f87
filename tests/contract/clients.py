"""The stock clients, each in the environment of its version and in a process of its own, under guard.

Nothing of a client runs inside pytest: what is shown is what a user's shell shows, with the variables that
`docs/clients.md` asks for and no others. After each call the record of the guard is read, so that a request
to a foreign host fails the test even where the client swallowed the refusal. The guard sees Python's sockets;
those of native code, such as `hf_xet`, are seen by `tracer.py`.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
GUARD = Path(__file__).parent / "guard"

VERSIONS = {"newest": "2.4.0", "client-1": "1.33.0", "client-1.19": "1.19.0"}
"""The tested versions of huggingface_hub, by the name of the environment they are in."""

SWITCHES = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "DISABLE_SAFETENSORS_CONVERSION": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
}
"""What keeps clients from phoning elsewhere; see `docs/clients.md`."""

NO_XET = {"HF_HUB_DISABLE_XET": "1"}
"""What makes a client send and load large files by LFS and plain HTTP."""


_QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_COLOR": "1"}


class ClientFailed(AssertionError):
    """A script or a command of a client ended otherwise than expected."""


class LeftHome(AssertionError):
    """A client asked for a host beyond this machine."""


class NotGuarded(AssertionError):
    """No process of the client wrote that the guard stands: nothing is shown."""


@dataclass(frozen=True)
class Client:
    """One client version, talking to one hub as one user, with a home and a cache of its own."""

    name: str
    programs: Path
    home: Path
    endpoint: str
    token: str | None
    timeout_s: float = 110.0
    extra: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, str] = field(default_factory=lambda: {**SWITCHES, **_QUIET})
    wrapper: tuple[str, ...] = ()

    def without_xet(self) -> "Client":
        """The same, with Xet switched off: the way by LFS and plain HTTP."""
        return replace(self, extra={**self.extra, **NO_XET})

    def with_nothing_set(self) -> "Client":
        """The same, with the address of the hub and a token alone."""
        return replace(self, switches={})

    def under(self, *wrapper: str) -> "Client":
        """The same, with each process started by another command, such as a tracer."""
        return replace(self, wrapper=wrapper)

    @property
    def version(self) -> str:
        """The version that this environment must hold."""
        return VERSIONS[self.name]

    @property
    def sends_over_xet(self) -> bool:
        """Whether its large files go up over Xet. 1.19 leaves that to the hub, which chooses LFS."""
        return self.name != "client-1.19"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of its processes."""
        self.home.mkdir(parents=True, exist_ok=True)
        chosen = {
            "PATH": f"{self.programs}{os.pathsep}{os.environ.get('PATH', '')}",
            "HOME": str(self.home),
            "HF_ENDPOINT": self.endpoint,
            "PYTHONPATH": os.pathsep.join([str(GUARD), str(ROOT)]),
            "CONTRACT_GUARD_RECORD": str(self.guard_record),
            **self.switches,
        }
        if self.token is not None:
            chosen["HF_TOKEN"] = self.token
        return {**chosen, **self.extra}

    @property
    def guard_record(self) -> Path:
        """Where the guard writes that it stands, and what it stopped."""
        return self.home / "guard.txt"

    def run(self, script: str, **arguments: Any) -> Any:
        """Run `scripts/{script}.py` with `arguments`; returns what it answered (the last line it printed)."""
        done = self._finish(self.start(str(SCRIPTS / f"{script}.py"), stdin=json.dumps(arguments)))
        if done.returncode:
            raise ClientFailed(f"{script} with {self.name} failed:\n{done.stderr[-8000:]}")
        lines = done.stdout.strip().splitlines()
        return json.loads(lines[-1]) if lines else None

    def hf(self, *arguments: str, code: int = 0) -> str:
        """Run the `hf` command; it must end with `code`. Returns what it printed, errors included."""
        done = self._finish(self.start_hf(*arguments))
        printed = f"{done.stdout}{done.stderr}"
        if done.returncode != code:
            raise ClientFailed(f"hf {' '.join(arguments)} ended with {done.returncode}:\n{printed[-8000:]}")
        return printed

    def start_hf(self, *arguments: str) -> "Running":
        """Start the `hf` command without waiting for it."""
        return self.start(str(self.programs / "hf"), *arguments)

    def start(self, program: str, *arguments: str, stdin: str = "") -> "Running":
        """Start a Python program of this environment without waiting for it."""
        command = [*self.wrapper, str(self.programs / "python"), program, *arguments]
        process = subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Running(process, stdin)

    def assert_stayed_home(self) -> None:
        """No process of this client asked for a host beyond this machine; raises LeftHome, NotGuarded."""
        lines = self.guard_record.read_text("utf-8").splitlines()
        if "guarded" not in lines:
            raise NotGuarded
        foreign = [line for line in lines if line != "guarded"]
        if foreign:
            raise LeftHome("; ".join(foreign))

    def _finish(self, running: "Running") -> "subprocess.CompletedProcess[str]":
        done = running.wait(self.timeout_s)
        self.assert_stayed_home()
        return done


@dataclass(frozen=True)
class Running:
    """A client at work."""

    process: "subprocess.Popen[str]"
    stdin: str

    def wait(self, timeout_s: float) -> "subprocess.CompletedProcess[str]":
        """What it printed; raises ClientFailed when it does not end in time."""
        try:
            out, err = self.process.communicate(self.stdin, timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise ClientFailed(f"no end within {timeout_s} s:\n{out[-2000:]}{err[-6000:]}") from None
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)

    def kill(self) -> None:
        """End it at once, as a power cut or an impatient user would."""
        self.process.kill()
        self.process.communicate()
