"""What the hub keeps of models that are akin, and what it sends of them: what is new."""

import hashlib
import json
import os
import subprocess
import sys
import time
from typing import Any

from tools.demonstration.scene import BASE, LIAR, MERGED, PUBLISHER, TRAINED, DemoFailed, Scene

__all__ = ["store_what_is_new"]

_PACKED_S = 300.0
_MEGABYTE = 1_000_000
_MOST_KEPT = 0.75
"""Of the files that are packed, so much may be kept at most; less where training was real."""
_MOST_MOVED = 0.15
_MOST_SENT = 0.05
_TOUCHED_BYTES = 4096


def store_what_is_new(scene: Scene) -> str:
    """Have all models packed, pull the merge, whose base is here, and push what was made of the base."""
    scene.hub.command("admin", "pack", "now")
    status = _packed(scene)
    kept = status["stored_bytes"] / status["content_bytes"]
    if kept > _MOST_KEPT:
        raise DemoFailed(f"packed, {status['stored_bytes']} of {status['content_bytes']} bytes are kept")
    _pull(scene, BASE)
    said = _pull(scene, MERGED)
    moved = said["moved_bytes"] / said["size_bytes"]
    if moved > _MOST_MOVED:
        raise DemoFailed(f"{said['moved_bytes']} of {said['size_bytes']} bytes of {MERGED} were moved")
    pushed = _push_what_is_new(scene)
    large, small = status["content_bytes"] / _MEGABYTE, status["stored_bytes"] / _MEGABYTE
    came, whole = said["moved_bytes"] / _MEGABYTE, said["size_bytes"] / _MEGABYTE
    return (
        f"Of {large:.1f} MB in large files the hub keeps {small:.1f} MB ({large / small:.1f} times less). "
        f"`allmende pull {MERGED}` with its base at hand moved {came:.1f} of {whole:.1f} MB, and its weights "
        "are what was published. `allmende push` of a model that touches the end of that base sent "
        f"{pushed['sent_bytes'] / _MEGABYTE:.2f} of {pushed['size_bytes'] / _MEGABYTE:.1f} MB."
    )


def _packed(scene: Scene) -> dict[str, Any]:
    """The state of the packing once the four models are packed."""
    expected = sum(_weights_bytes(scene, repo) for repo in (BASE, TRAINED, MERGED, LIAR))
    deadline = time.monotonic() + _PACKED_S
    while True:
        status: dict[str, Any] = json.loads(scene.hub.command("admin", "pack", "status", "--json"))
        if status["packed_bytes"] >= expected:
            return status
        if time.monotonic() > deadline:
            raise DemoFailed(f"within {_PACKED_S:.0f} s the models were not packed: {status}")
        time.sleep(1.0)


def _weights_bytes(scene: Scene, repo: str) -> int:
    info = scene.client(None).model_info(repo, files_metadata=True)
    return sum(file.size or 0 for file in info.siblings or [] if file.rfilename == "model.safetensors")


def _pull(scene: Scene, repo: str) -> dict[str, Any]:
    """Pull a repo with the command, and compare its weights with what the hub lists."""
    folder = scene.work_folder("pulled") / repo
    environ = {
        **os.environ,
        "ALLMENDE_CACHE": str(scene.work_folder("cache")),
        "HF_ENDPOINT": scene.hub.url,
        "XDG_CONFIG_HOME": str(scene.work_folder("config")),
    }
    environ.pop("HF_TOKEN", None)
    command = [sys.executable, "-m", "allmende", "pull", repo, "--into", str(folder), "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise DemoFailed(f"allmende pull {repo} ended with {done.returncode}: {done.stderr}")
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found not in _listed(scene, repo):
        raise DemoFailed(f"{repo} was pulled with other weights than the hub lists")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _push_what_is_new(scene: Scene) -> dict[str, Any]:
    """Change the end of the base's weights, and push that to a private repo, which goes again."""
    repo = f"{PUBLISHER}/pushed-for-show"
    data = bytearray((scene.work_folder("pulled") / BASE / "model.safetensors").read_bytes())
    for place in range(len(data) - _TOUCHED_BYTES, len(data), 4):
        data[place] ^= 1
    folder = scene.work_folder("changed")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(data)
    environ = {
        **os.environ,
        "ALLMENDE_CACHE": str(scene.work_folder("cache")),
        "HF_ENDPOINT": scene.hub.url,
        "HF_TOKEN": scene.token(PUBLISHER),
    }
    command = [sys.executable, "-m", "allmende", "push", str(folder), repo, "--private", "--base", BASE]
    try:
        done = subprocess.run(
            [*command, "--json"], env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise DemoFailed(f"allmende push {repo} ended with {done.returncode}: {done.stderr}")
        said: dict[str, Any] = json.loads(done.stdout)
        if said["sent_bytes"] > _MOST_SENT * said["size_bytes"]:
            raise DemoFailed(f"{said['sent_bytes']} of {said['size_bytes']} bytes were pushed")
        info = scene.client(PUBLISHER).model_info(repo, files_metadata=True)
        listed = {file.lfs.sha256 for file in info.siblings or [] if file.lfs is not None}
        if listed != {hashlib.sha256(data).hexdigest()}:
            raise DemoFailed(f"{repo} holds other weights than were pushed")
    finally:
        scene.client(PUBLISHER).delete_repo(repo, missing_ok=True)
    return said


def _listed(scene: Scene, repo: str) -> set[str]:
    """The SHA-256 of the weights as the hub lists it."""
    info = scene.client(None).model_info(repo, files_metadata=True)
    weights = [file for file in info.siblings or [] if file.rfilename == "model.safetensors"]
    return {file.lfs.sha256 for file in weights if file.lfs is not None}
