"""Commands of `allmende` against the hub of the demonstration."""

import os
import subprocess
import sys

from tools.demonstration.scene import DemoFailed, Scene

__all__ = ["command", "run"]


def command(scene: Scene, *arguments: str, token: str | None = None) -> str:
    """What a command prints; raises DemoFailed where it does not end with 0."""
    done = run(scene, *arguments, token=token)
    if done.returncode:
        raise DemoFailed(f"allmende {arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def run(scene: Scene, *arguments: str, token: str | None = None) -> "subprocess.CompletedProcess[str]":
    """A command that has ended; without a token of somebody without an account."""
    environ = {
        **os.environ,
        "HF_ENDPOINT": scene.hub.url,
        "XDG_CONFIG_HOME": str(scene.work_folder("config")),
    }
    environ.pop("HF_TOKEN", None)
    if token is not None:
        environ["HF_TOKEN"] = token
    program = [sys.executable, "-m", "allmende", *arguments]
    return subprocess.run(program, env=environ, capture_output=True, text=True, timeout=120, check=False)
