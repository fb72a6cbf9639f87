"""Repos to measure with: an empty one, one with a thousand files, one that looks like a model."""

import http.client
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.place import OWNER, Place
from bench.plain_http import BenchFailed, call

__all__ = [
    "FILES",
    "client_environment",
    "model_folder",
    "new_repo",
    "rest",
    "settle",
    "stock_call",
    "thousand_files",
    "upload_folder",
]

FILES = 1000
_ROOT = Path(__file__).resolve().parent.parent
_SETTLE_S = 60.0
_REST_S = 600.0
_LOOK_S = 2.0
_CLIENT_S = 300


def new_repo(place: Place, name: str) -> str:
    """An empty public model of the bench's account; returns its full name."""
    call("POST", f"{place.hub.url}/api/repos/create", place.token, {"name": name, "type": "model"})
    return f"{OWNER}/{name}"


def thousand_files(folder: Path, marker: str) -> Path:
    """A folder `files` with a thousand small, different text files, about 1 KiB each; returns its parent."""
    (folder / "files").mkdir(parents=True)
    for number in range(FILES):
        line = f"{marker} {number:04}\n"
        (folder / "files" / f"{number:04}.txt").write_text(line * (1024 // len(line)), "utf-8")
    return folder


def model_folder(folder: Path) -> Path:
    """What a small model has: a card, settings, a tokenizer, and weights with a hundred tensors."""
    folder.mkdir(parents=True)
    card = (
        "---\nlicense: apache-2.0\nlibrary_name: transformers\ntags:\n- bench\nlanguage: en\n---\n# A model\n"
    )
    (folder / "README.md").write_text(card + "It stands still while it is measured.\n" * 40, "utf-8")
    config = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 64}
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).write_text(json.dumps({**config, "name": name}), "utf-8")
    (folder / "vocab.txt").write_text("\n".join(f"word{number}" for number in range(5000)), "utf-8")
    header = {
        f"layer.{n}.weight": {"dtype": "F32", "shape": [8, 8], "data_offsets": [256 * n, 256 * (n + 1)]}
        for n in range(100)
    }
    encoded = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(encoded)) + encoded + bytes(25_600))
    return folder


def client_environment(place: Place, *, xet: bool = True, home: Path | None = None) -> dict[str, str]:
    """The process environment for a stock client that talks to this hub and to nobody else.

    What it remembers is in `home`; in one folder for all if none is given.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {
        **inherited,
        **({} if xet else {"HF_HUB_DISABLE_XET": "1"}),
        "HF_ENDPOINT": place.hub.url,
        "HF_TOKEN": place.token,
        "HF_HOME": str(home or place.folder / "client"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def upload_folder(place: Place, repo: str, folder: Path) -> float:
    """Upload through the stock client, in one commit; seconds of the call.

    Over Xet it would make several commits of a folder.
    """
    return stock_call(client_environment(place, xet=False), "upload_folder", repo, str(folder))


def stock_call(environment: dict[str, str], *arguments: str) -> float:
    """A call of `bench.stock_client` in a process of its own; its seconds, the start of Python left out."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.stock_client", *arguments],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_CLIENT_S,
    )
    if done.returncode:
        raise BenchFailed(f"the stock client failed: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def settle(place: Place, repo: str, path: str = ".gitattributes") -> None:
    """Wait until the hub has examined the head, so that no background work is measured with the rest."""
    parts = urlsplit(place.hub.url)
    deadline = time.monotonic() + _SETTLE_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(parts.netloc, timeout=_SETTLE_S)
        headers = {"Authorization": f"Bearer {place.token}"}
        connection.request("HEAD", f"/{repo}/resolve/main/{path}", headers=headers)
        answer = connection.getresponse()
        connection.close()
        if answer.status != 200:
            raise BenchFailed(f"{path} of {repo} was answered with {answer.status}")
        if answer.headers.get("X-HF-Warning") is None:
            return
        time.sleep(0.1)
    raise BenchFailed(f"{repo} was not examined within {_SETTLE_S:.0f} s")


def rest(place: Place, but: str) -> None:
    """Wait until the hub has nothing to do in the background, but jobs of the kind `but` that wait.

    Lineage is measured after a model was examined, and takes longer: what is timed meanwhile shares
    processors and interpreter with it.
    """
    deadline = time.monotonic() + _REST_S
    while time.monotonic() < deadline:
        counts = json.loads(place.hub.command("admin", "jobs", "--limit", "1", "--json"))["counts"]
        if not any(
            one["state"] == "running" or (one["state"] == "waiting" and one["kind"] != but) for one in counts
        ):
            return
        time.sleep(_LOOK_S)
    raise BenchFailed(f"the hub still works in the background after {_REST_S:.0f} s")
