"""1 GiB over Xet against the same file by LFS and plain HTTP: the stock client both times, turn by turn."""

import json
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from bench.findings import Finding, Series, versus
from bench.place import Place
from bench.plain_http import BenchFailed, call
from bench.processes import cpu_seconds, peak_memory_mb
from bench.repos import client_environment, new_repo, stock_call

__all__ = ["measure_xet"]

SIZE_BYTES = 1024**3
_BLOCK_BYTES = 1024 * 1024
_XORB_BYTES = 64 * 1024 * 1024
_IDLE_S = 120.0
_NAME = "weights.bin"


@dataclass(frozen=True, slots=True)
class _Side:
    """One way of the same client: its calls, round by round, and all processor time that they caused.

    What the hub does in the background after an answer is in `until_idle_cpu_s` and not in the series.
    """

    name: str
    xet: bool
    uploads: Series = field(default_factory=Series)
    downloads: Series = field(default_factory=Series)
    repeats: Series = field(default_factory=Series)
    until_idle_cpu_s: list[float] = field(default_factory=list)


def measure_xet(place: Place, rounds: int) -> list[Finding]:
    """Upload, repeated upload and download of 1 GiB, each round with other bytes and with fresh caches."""
    xet, lfs = _Side("xet", xet=True), _Side("lfs", xet=False)
    alone: list[float] = []
    for number in range(rounds):
        with _random_file(place, number) as file:
            for side in (xet, lfs) if number % 2 else (lfs, xet):
                _one_round(place, side, f"{side.name}-{number}", file)
            alone.append(stock_call(client_environment(place), "hash_file", str(file)))
    return [
        _upload_finding(xet, lfs, peak_memory_mb(place.hub.pid)),
        versus(
            "xet_download",
            "1 GiB download over Xet, time against plain HTTP",
            1.5,
            xet.downloads,
            lfs.downloads,
            ("xet", "plain"),
        ),
        _repeat_finding(xet, alone),
    ]


def _upload_finding(xet: _Side, lfs: _Side, peak_mb: float) -> Finding:
    found = versus(
        "xet_upload",
        "1 GiB upload over Xet, time against LFS",
        1.5,
        xet.uploads,
        lfs.uploads,
        ("xet", "lfs"),
    )
    for side in (xet, lfs):
        found.details[f"{side.name}_cpu_s_until_idle"] = side.until_idle_cpu_s
        found.details[f"{side.name}_median_cpu_s"] = median(side.uploads.cpu_seconds)
        found.details[f"{side.name}_median_cpu_s_until_idle"] = median(side.until_idle_cpu_s)
    found.details["hub_peak_memory_mb"] = peak_mb
    return found


def _repeat_finding(xet: _Side, alone: list[float]) -> Finding:
    return Finding(
        "xet_repeat",
        "Second upload of the same file over Xet, time against the first",
        median(xet.repeats.seconds) / median(xet.uploads.seconds),
        "x the first",
        0.10,
        details={
            "ratio_of_minima": min(xet.repeats.seconds) / min(xet.uploads.seconds),
            "repeat_s": xet.repeats.seconds,
            "first_s": xet.uploads.seconds,
            "hashing_by_the_client_alone_s": alone,
            "repeat_cpu_s": xet.repeats.cpu_seconds,
        },
    )


def _one_round(place: Place, side: _Side, name: str, file: Path) -> None:
    """Everything of one side. Afterwards the hub has forgotten the bytes: the other is to send them too."""
    home = place.folder / f"home-{name}"
    environment = client_environment(place, xet=side.xet, home=home)
    repo, upload = new_repo(place, name), partial(stock_call, environment, "upload_file")
    used = cpu_seconds(place.hub.pid)
    with _bytes_are_sent(place, over_xet=side.xet):
        _timed(place, side.uploads, partial(upload, repo, str(file)))
    _wait_until_idle(place)
    side.until_idle_cpu_s.append(cpu_seconds(place.hub.pid) - used)
    if side.xet:
        _timed(place, side.repeats, partial(upload, repo, str(file)))
        _wait_until_idle(place)
    # With what it remembers the client would load nothing.
    shutil.rmtree(home, ignore_errors=True)
    into = place.folder / f"into-{name}"
    _timed(place, side.downloads, partial(stock_call, environment, "download_file", repo, _NAME, str(into)))
    if (into / _NAME).stat().st_size != SIZE_BYTES:
        raise BenchFailed(f"the download of {repo} is not whole")
    for folder in (home, into):
        shutil.rmtree(folder, ignore_errors=True)
    call("DELETE", f"{place.hub.url}/api/repos/delete", place.token, {"name": name, "type": "model"})
    place.hub.command("admin", "gc")


def _timed(place: Place, series: Series, measure: Callable[[], float]) -> None:
    used = cpu_seconds(place.hub.pid)
    series.seconds.append(measure())
    series.cpu_seconds.append(cpu_seconds(place.hub.pid) - used)


@contextmanager
def _random_file(place: Place, number: int) -> Iterator[Path]:
    """Other bytes in each run and round; nothing of them can be compressed or is there twice."""
    file, source = place.folder / _NAME, random.Random(f"{time.time_ns()} {number}")
    with file.open("wb") as output:
        for _ in range(SIZE_BYTES // _BLOCK_BYTES):
            output.write(source.randbytes(_BLOCK_BYTES))
    try:
        yield file
    finally:
        file.unlink()


@contextmanager
def _bytes_are_sent(place: Place, *, over_xet: bool) -> Iterator[None]:
    """Raises BenchFailed where the bytes did not go the way that is measured."""
    seen = len(place.hub.log)
    yield
    lines = place.hub.log[seen:].splitlines()
    xorbs = sum("POST /xet/" in line and "/v1/xorbs/" in line for line in lines)
    puts = sum(" PUT /" in line or line.startswith("PUT /") for line in lines)
    if over_xet and (xorbs < SIZE_BYTES // _XORB_BYTES or puts):
        raise BenchFailed(f"the client sent {xorbs} xorbs and {puts} bodies by LFS")
    if not over_xet and (xorbs or not puts):
        raise BenchFailed(f"the client without Xet sent {xorbs} xorbs and {puts} bodies by LFS")


def _wait_until_idle(place: Place) -> None:
    """Until no job waits or runs, so that no background work is measured with the next call."""
    deadline = time.monotonic() + _IDLE_S
    while time.monotonic() < deadline:
        counts = json.loads(place.hub.command("admin", "jobs", "--json"))["counts"]
        if not any(count["jobs"] for count in counts if count["state"] in {"waiting", "running"}):
            return
        time.sleep(0.5)
    raise BenchFailed(f"the hub was not idle within {_IDLE_S:.0f} s")
