"""Many small things: a commit of a thousand files, their listing, and the information of a model."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.findings import Finding, percentile
from bench.place import Place
from bench.plain_http import BenchFailed, call
from bench.processes import cpu_seconds
from bench.repos import FILES, model_folder, new_repo, settle, thousand_files, upload_folder

__all__ = ["measure_commit", "measure_model_info", "measure_tree"]

CLIENTS = 8
_ALONE_S = 5.0
_TOGETHER_S = 10.0
_START_S = 2.0
_ROOT = Path(__file__).resolve().parent.parent


def measure_commit(place: Place, rounds: int) -> list[Finding]:
    """`upload_folder` of a thousand files of 1 KiB by the stock client, in one commit of a new repo.

    Xet is switched off, since with it the client makes several commits. The files are too small for Xet.
    """
    seconds = []
    for number in range(rounds):
        repo = new_repo(place, f"commit-{number}")
        folder = thousand_files(place.folder / "commits" / str(number), f"commit {number}")
        seconds.append(upload_folder(place, repo, folder))
        settle(place, repo)
    details = {"seconds": seconds, "least_s": min(seconds)}
    what = "One commit of 1,000 small files by the stock client"
    return [Finding("commit", what, median(seconds), "s", 3.0, details=details)]


def measure_tree(place: Place, rounds: int) -> list[Finding]:
    """The listing of a folder with a thousand files: one page, all of it, over a kept connection."""
    repo = new_repo(place, "tree")
    upload_folder(place, repo, thousand_files(place.folder / "tree", "tree"))
    settle(place, repo)
    target = f"/api/models/{repo}/tree/main/files?recursive=true&expand=false"
    entries = call("GET", f"{place.hub.url}{target}", place.token)
    if len(entries) != FILES:
        raise BenchFailed(f"the listing has {len(entries)} entries instead of {FILES}")
    asked = _ask(place, target, 1, _ALONE_S * rounds / 5)
    return [_latency("tree", "Listing of 1,000 files, p50", asked, 30.0)]


def measure_model_info(place: Place, rounds: int) -> list[Finding]:
    """`/api/models/{repo}` of an examined model with a token: one client's latency, eight clients' rate."""
    repo = new_repo(place, "model")
    upload_folder(place, repo, model_folder(place.folder / "model"))
    settle(place, repo)
    target = f"/api/models/{repo}"
    told = call("GET", f"{place.hub.url}{target}", place.token)
    if not told.get("safetensors"):
        raise BenchFailed("the model is not examined: its parameters are missing")
    alone = _ask(place, target, 1, _ALONE_S * rounds / 5)
    seconds = _TOGETHER_S * rounds / 5
    together = _ask(place, target, CLIENTS, seconds)
    rate = Finding(
        "model_info_rate",
        f"model_info by {CLIENTS} clients",
        len(together.latencies) / seconds,
        "/s",
        150.0,
        "at least",
        {**together.details, "seconds": seconds},
    )
    return [_latency("model_info", "model_info, p50", alone, 5.0), rate]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The latencies of all requests, in seconds, and the hub's processor time for all of them."""

    latencies: list[float]
    hub_cpu_s: float

    @property
    def details(self) -> dict[str, float]:
        """What the JSON says of it."""
        in_ms = {f"p{percent}_ms": percentile(self.latencies, percent) * 1e3 for percent in (50, 90, 99)}
        return {
            **in_ms,
            "least_ms": min(self.latencies) * 1e3,
            "requests": len(self.latencies),
            "hub_cpu_ms_per_request": self.hub_cpu_s / len(self.latencies) * 1e3,
        }


def _latency(name: str, what: str, asked: _Asked, goal_ms: float) -> Finding:
    return Finding(name, what, asked.details["p50_ms"], "ms", goal_ms, details=asked.details)


def _ask(place: Place, target: str, clients: int, seconds: float) -> _Asked:
    """Ask by so many clients, each a process, that begin together."""
    used = cpu_seconds(place.hub.pid)
    begin = time.time() + _START_S
    command = [sys.executable, "-S", "-m", "bench.load", urlsplit(place.hub.url).netloc, target]
    running = [
        subprocess.Popen(
            [*command, str(begin), str(seconds)],
            cwd=_ROOT,
            env={**os.environ, "TOKEN": place.token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(clients)
    ]
    latencies: list[float] = []
    failures = []
    for client in running:
        printed, said = client.communicate(timeout=seconds + 60)
        if client.returncode:
            failures.append(said[-500:])
        else:
            latencies += json.loads(printed)
    if failures:
        raise BenchFailed(f"{len(failures)} of {clients} clients failed: {failures[0]}")
    return _Asked(latencies, cpu_seconds(place.hub.pid) - used)
