"""A pulled folder is verified without the hub; then one bit of it is turned."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools.demonstration.scene import MERGED, DemoFailed, Scene

__all__ = ["verify_offline"]

_PLACE = 1000


def verify_offline(scene: Scene) -> str:
    """Pull the merge with its proof, verify it by file and policy alone, turn a bit, turn it back."""
    folder = scene.work_folder("verified") / MERGED
    _command(scene, "pull", MERGED, "--into", str(folder), endpoint=scene.hub.url)
    said = _verify(scene, folder, 0)
    weights = folder / "model.safetensors"
    _turn_a_bit(weights)
    try:
        refused = _verify(scene, folder, 1)
    finally:
        _turn_a_bit(weights)
    if refused["files"]["changed"]["first"] != ["model.safetensors"]:
        raise DemoFailed(f"a bit was turned in {weights.name}, and what is named is {refused['reason']}")
    revision = said["revision"]
    return (
        f"`allmende verify` of {MERGED}, pulled, without the hub: all {said['files']['right']} files are as "
        f"published, in a log of {revision['checkpoint']['size']} entries, with {len(revision['envelopes'])} "
        f"signed statements. One bit turned in the weights: refused, and the file is named."
    )


def _turn_a_bit(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(_PLACE)
        data = file.read(1)
        file.seek(_PLACE)
        file.write(bytes([data[0] ^ 1]))


def _verify(scene: Scene, folder: Path, code: int) -> dict[str, Any]:
    # No hub answers under the address: what is offline must not ask it.
    command = ("verify", str(folder), "--offline", "--json")
    said: dict[str, Any] = json.loads(_command(scene, *command, endpoint="http://127.0.0.1:9", code=code))
    return said


def _command(scene: Scene, *arguments: str, endpoint: str, code: int = 0) -> str:
    environ = {
        **os.environ,
        "ALLMENDE_CACHE": str(scene.work_folder("cache")),
        "HF_ENDPOINT": endpoint,
        "XDG_CONFIG_HOME": str(scene.work_folder("config")),
    }
    environ.pop("HF_TOKEN", None)
    command = [sys.executable, "-m", "allmende", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != code:
        raise DemoFailed(f"allmende {arguments[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
