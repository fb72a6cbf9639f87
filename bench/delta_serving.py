"""Packed contents over HTTP: whole downloads beside the same contents plain, and how soon a range begins.

Two hubs get the same three models, a root, its cast to bfloat16 and a fine-tune of that; one of them packs
them. The fine-tune then is two predictions away from the root. Both are asked turn by turn, by one client.
"""

import http.client
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from urllib.parse import urlsplit

from bench.findings import Finding, Series, percentile
from bench.place import OWNER, Place
from bench.plain_http import BenchFailed, download
from bench.processes import cpu_seconds
from bench.repos import new_repo, rest, settle, upload_folder
from tools.serving import HubProcess

__all__ = ["measure_serving"]

_FILE = "model.safetensors"
_RANGE_BYTES = 64 * 1024
_RANGES = 100


@dataclass(frozen=True, slots=True)
class _Side:
    """One hub with the models, and what was measured of it."""

    place: Place
    whole: Series = field(default_factory=Series)
    first_byte_s: list[float] = field(default_factory=list)
    range_cpu_s: list[float] = field(default_factory=list)
    """What the hub's processes used for each range, on average."""


def measure_serving(place: Place, models: list[Path], rounds: int) -> list[Finding]:
    """`models` are folders, each the parent of the next; the last one is asked for."""
    size = (models[-1] / _FILE).stat().st_size
    with _hub(place, "plain") as plain, _hub(place, "packed") as packed:
        for one in (plain, packed):
            _publish(one, models)
        share = _pack(packed)
        for one in (plain, packed):
            rest(one, "pack")
        sides = {"plain": _Side(plain), "packed": _Side(packed)}
        for number in range(rounds + 1):
            for side in list(sides.values())[:: 1 if number % 2 else -1]:
                _download(side, _url(side.place, models[-1]), size, kept=number > 0)
        for side in sides.values():
            _ranges(side, _url(side.place, models[-1]), size)
    return [_whole(sides["plain"].whole, sides["packed"].whole, size, share), _first(sides)]


@contextmanager
def _hub(place: Place, name: str) -> Iterator[Place]:
    """A hub of its own that packs nothing by itself, nor keeps a plain copy of what is asked for often."""
    token = f"hf_{secrets.token_urlsafe(24)}"
    environment = {"ALLMENDE_HOT_READS": "1000000", "ALLMENDE_PACK_QUIET_S": "1000000000"}
    hub = HubProcess(data=place.folder / f"delta-{name}", environment=environment)
    hub.apply({"users": [{"name": OWNER, "fullname": "Bench", "token": token, "token_role": "write"}]})
    with hub:
        yield Place(place.folder, hub, token)


def _publish(place: Place, models: list[Path]) -> None:
    """Each model with a card that names the one before as its base."""
    base = ""
    for model in models:
        repo = new_repo(place, model.name)
        folder = place.folder / "delta-upload"
        folder.mkdir()
        try:
            declared = f"base_model: {base}\n" if base else ""
            (folder / "README.md").write_text(f"---\nlicense: apache-2.0\n{declared}---\n", "utf-8")
            (folder / _FILE).symlink_to(model / _FILE)
            upload_folder(place, repo, folder)
            settle(place, repo)
        finally:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        base = repo


def _pack(place: Place) -> float:
    """Have everything packed; how many times smaller that is. Raises BenchFailed where nothing is."""
    figures = json.loads(place.hub.command("admin", "pack", "now", "--wait", "--json"))
    if not figures["packed_bytes"]:
        raise BenchFailed(f"nothing was packed: {figures}")
    return float(figures["content_bytes"]) / float(figures["stored_bytes"])


def _url(place: Place, model: Path) -> str:
    return f"{place.hub.url}/{OWNER}/{model.name}/resolve/main/{_FILE}"


def _download(side: _Side, url: str, size: int, *, kept: bool) -> None:
    """A download; the first of each hub is not kept, since caches are cold then."""
    used = cpu_seconds(side.place.hub.pid)
    seconds = download(url, size, side.place.token)
    if kept:
        side.whole.seconds.append(seconds)
        side.whole.cpu_seconds.append(cpu_seconds(side.place.hub.pid) - used)


def _ranges(side: _Side, url: str, size: int) -> None:
    """The same ranges of each hub, on one connection, until their first byte is there."""
    parts, random = urlsplit(url), Random(11)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    used = cpu_seconds(side.place.hub.pid)
    for _ in range(_RANGES):
        start = random.randrange(size - _RANGE_BYTES)
        headers = {
            "Authorization": f"Bearer {side.place.token}",
            "Range": f"bytes={start}-{start + _RANGE_BYTES - 1}",
        }
        started = time.perf_counter()
        connection.request("GET", parts.path, headers=headers)
        answer = connection.getresponse()
        first = answer.read(1)
        side.first_byte_s.append(time.perf_counter() - started)
        rest = answer.read()
        if answer.status != 206 or len(first) + len(rest) != _RANGE_BYTES:
            raise BenchFailed(f"a range of {url} was answered with {answer.status} and {len(rest)} bytes")
    connection.close()
    side.range_cpu_s.append((cpu_seconds(side.place.hub.pid) - used) / _RANGES)


def _whole(plain: Series, packed: Series, size: int, smaller: float) -> Finding:
    return Finding(
        "delta_download",
        "a packed bf16 fine-tune downloaded, speed against the same plain",
        median(plain.seconds) / median(packed.seconds),
        "x plain",
        0.25,
        "at least",
        {
            "ratio_of_minima": min(plain.seconds) / min(packed.seconds),
            "packed_megabytes_a_second": size / 1e6 / median(packed.seconds),
            "plain_s": plain.seconds,
            "packed_s": packed.seconds,
            "plain_cpu_s": plain.cpu_seconds,
            "packed_cpu_s": packed.cpu_seconds,
            "stored_times_smaller": smaller,
        },
    )


def _first(sides: dict[str, _Side]) -> Finding:
    figures = {
        f"{name}_{what}_ms": value * 1000
        for name, side in sides.items()
        for what, value in (
            ("median", median(side.first_byte_s)),
            ("p95", percentile(side.first_byte_s, 95)),
            ("cpu", median(side.range_cpu_s)),
        )
    }
    return Finding(
        "delta_range",
        "first byte of 64 KiB of it, two predictions deep, median",
        figures["packed_median_ms"],
        "ms",
        20,
        details=figures,
    )
