"""An independent reader accepts what a hub serves under `/log`: signatures, tiles, entries, proofs."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from allmende.merkle import Checkpoint, bundle_names, read_checkpoint, read_log_proof, read_note, tile_names
from tests.contract.clients import SCRIPTS
from tests.hubs import RunningHub

pytestmark = pytest.mark.clients

ENTRIES = 300
WAIT_S = 60.0


def get(hub: RunningHub, path: str) -> bytes:
    with urllib.request.urlopen(f"{hub.url}/{path}", timeout=20) as answer:
        body: bytes = answer.read()
    return body


def await_entries(hub: RunningHub, at_least: int) -> Checkpoint:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            checkpoint = read_checkpoint(read_note(get(hub, "log/checkpoint")).text)
        except urllib.error.HTTPError:
            continue
        if checkpoint.size >= at_least:
            return checkpoint
        time.sleep(0.2)
    raise AssertionError("the log does not come up to the acts")


def test_the_judge_accepts_what_a_hub_serves(require_environment, tmp_path: Path):
    python = require_environment("log-judge") / "python"
    hub = RunningHub(tmp_path / "data", options=("--workers", "0"))
    hub.people = {"users": [{"name": f"user{number}", "fullname": "U"} for number in range(ENTRIES)]}
    folder = tmp_path / "copy"
    with hub:
        size = await_entries(hub, ENTRIES).size
        tiles = [name.path for name in tile_names(size)] + [name.path for name in bundle_names(size)]
        for path in ("log/checkpoint", *(f"log/{tile}" for tile in tiles)):
            target = folder / path.removeprefix("log/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(get(hub, path))
        given = [read_log_proof(get(hub, f"log/proof/{index}")) for index in (0, 1, 255, 256, size - 1)]
        keys = get(hub, "log/vkey").decode().split()
    proofs = {
        "inclusion": [[proof.index, [each.hex() for each in proof.hashes]] for proof in given],
        "consistency": [],
    }
    (folder / "proofs.json").write_text(json.dumps(proofs), "utf-8")
    command = [str(python), str(SCRIPTS / "judge_log.py"), str(folder), *keys]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    judged: dict[str, Any] = json.loads(ended.stdout)
    assert (judged["size"], judged["keys"]) == (size, 1)
