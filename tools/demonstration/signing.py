"""A signed model: verified by the hub without being read, and what changed afterwards."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tools.demonstration.scene import PUBLISHER, SIGNED, DemoFailed, Scene

__all__ = ["sign_and_verify"]

_VERIFIED_S = 90.0
_CARD = "---\nlicense: apache-2.0\n---\n\n# A signed model\n\nToo small to be of use: it shows a signature.\n"


def sign_and_verify(scene: Scene) -> str:
    """Sign a folder, say whom to trust, publish it; then change its card."""
    namespace = SIGNED.partition("/")[0]
    folder = _signed_folder(scene)
    key = scene.work_folder("signing") / "key.pub"
    policy = {"version": 1, "signers": [{"name": "release key", "key": key.read_text("ascii")}]}
    _call(scene, "PUT", f"trust/{namespace}", json.dumps(policy).encode())
    client = scene.client(PUBLISHER)
    client.create_repo(SIGNED, exist_ok=True)
    signed = client.upload_folder(repo_id=SIGNED, folder_path=folder, commit_message="Sign it")
    report = _verdict(scene, signed.oid, "valid")
    tampered = client.upload_file(
        repo_id=SIGNED,
        path_in_repo="README.md",
        path_or_fileobj=f"{_CARD}\nEdited later.\n".encode(),
        commit_message="Edit the card",
    )
    changed = _verdict(scene, tampered.oid, "mismatch")["files"]["changed"]["first"]
    if changed != ["README.md"]:
        raise DemoFailed(f"the card was changed, and the hub names {changed}")
    return (
        f"{SIGNED} is signed by {report['signer']!r} over {report['files']['covered']['count']} files, and "
        "verified without reading a file. After an edit the hub names the file that is no longer the signed "
        f"one: {changed[0]}."
    )


def _signed_folder(scene: Scene) -> Path:
    """A model of one small tensor with its signature, made once."""
    import numpy as np
    from safetensors.numpy import save_file

    folder, keys = scene.work_folder("signed"), scene.work_folder("signing")
    if not (folder / "model.sig").exists():
        (folder / "README.md").write_text(_CARD, "utf-8")
        save_file({"weight": np.arange(64, dtype=np.float32)}, folder / "model.safetensors")
        _make_key(keys)
        command = [sys.executable, "-m", "allmende", "sign", str(folder), "--key", str(keys / "key.pem")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise DemoFailed(f"allmende sign ended with {done.returncode}: {done.stderr}")
    return folder


def _make_key(folder: Path) -> None:
    from allmende.proof import generate_signer

    signer = generate_signer()
    (folder / "key.pem").touch(mode=0o600)
    (folder / "key.pem").write_text(signer.pem(), "ascii")
    (folder / "key.pub").write_text(signer.public.pem, "ascii")


def _verdict(scene: Scene, commit: str, state: str) -> dict[str, Any]:
    """What the hub says of the signature in a revision; waits until it says something."""
    deadline = time.monotonic() + _VERIFIED_S
    while time.monotonic() < deadline:
        found = _call(scene, "GET", f"models/{SIGNED}/signatures/{commit}")["signatures"]
        if found and found[0]["state"] == state:
            report: dict[str, Any] = found[0]["report"]
            return report
        time.sleep(0.2)
    raise DemoFailed(f"within {_VERIFIED_S:.0f} s the signature of {SIGNED} was not {state}")


def _call(scene: Scene, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310  # the hub of this demonstration
        f"{scene.hub.url}/api/allmende/v1/{path}",
        data=body,
        method=method,
        headers={"Authorization": f"Bearer {scene.token(PUBLISHER)}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        said: dict[str, Any] = json.load(answer)
    return said
