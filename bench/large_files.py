"""1 GiB down and 1 GiB up, against nginx: the same client, the same memory, turn by turn."""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.findings import Finding, Series, versus
from bench.place import Nginx, Place
from bench.plain_http import BenchFailed, call, download, upload
from bench.processes import cpu_seconds
from bench.repos import new_repo, settle

__all__ = ["measure_download", "measure_upload"]

SIZE_BYTES = 1024**3
_BLOCK_BYTES = 4 * 1024 * 1024
_LFS = "application/vnd.git-lfs+json"


def measure_download(place: Place, rounds: int) -> list[Finding]:
    """`resolve` of an LFS file with a token, against nginx's static file by sendfile."""
    repo = new_repo(place, "download")
    ours, theirs = Series(), Series()
    with _large_file(place) as file, place.nginx() as nginx:
        oid = _hash(file)
        _put_through_lfs(place, repo, file, oid)
        _commit(place, repo, oid)
        os.link(file, nginx.root / "large.bin")
        hub = partial(download, f"{place.hub.url}/{repo}/resolve/main/large.bin", SIZE_BYTES, place.token)
        other = partial(download, f"{nginx.url}/large.bin", SIZE_BYTES)
        settle(place, repo)
        for number in range(rounds):
            _in_turn(number, (ours, place.hub.pid, hub), (theirs, nginx.pid, other))
    _forget(place, repo)
    return [versus("download", "1 GiB download, time against nginx's static file", 1.10, ours, theirs)]


def measure_upload(place: Place, rounds: int) -> list[Finding]:
    """batch, PUT and verify, hashed and checked by the hub, against nginx's DAV PUT that hashes nothing.

    Each round has another content, since the hub would say of a known one that it has it.
    """
    repo = new_repo(place, "upload")
    ours, theirs = Series(), Series()
    with _large_file(place) as file, place.nginx() as nginx:
        for number in range(rounds):
            _change(file)
            hub = partial(_put_through_lfs, place, repo, file, _hash(file))
            other = partial(_put_to_nginx, nginx, file)
            _in_turn(number, (ours, place.hub.pid, hub), (theirs, nginx.pid, other))
            place.hub.command("admin", "gc")
    _forget(place, repo)
    return [versus("upload", "1 GiB LFS upload, time against nginx's PUT", 1.3, ours, theirs)]


def _in_turn(number: int, *sides: tuple[Series, int, Callable[[], float]]) -> None:
    """One round; who begins changes from round to round."""
    for series, leader, measure in sides if number % 2 else reversed(sides):
        used = cpu_seconds(leader)
        series.seconds.append(measure())
        series.cpu_seconds.append(cpu_seconds(leader) - used)


@contextmanager
def _large_file(place: Place) -> Iterator[Path]:
    """Random bytes, so that nothing can be saved on them."""
    file = place.folder / "large.bin"
    with file.open("wb") as output:
        for _ in range(SIZE_BYTES // _BLOCK_BYTES):
            output.write(secrets.token_bytes(_BLOCK_BYTES))
    try:
        yield file
    finally:
        file.unlink()


def _change(file: Path) -> None:
    with file.open("r+b") as output:
        output.write(secrets.token_bytes(64))


def _hash(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _forget(place: Place, repo: str) -> None:
    """Remove the repo, and with it the bytes: the next measurement needs the memory."""
    name = repo.partition("/")[2]
    call("DELETE", f"{place.hub.url}/api/repos/delete", place.token, {"name": name, "type": "model"})
    place.hub.command("admin", "gc")


def _put_through_lfs(place: Place, repo: str, file: Path, oid: str) -> float:
    """Seconds for the three calls that a stock client makes."""
    started = time.perf_counter()
    described = {"oid": oid, "size": SIZE_BYTES}
    asked = {"operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256"}
    url = f"{place.hub.url}/{repo}.git/info/lfs/objects/batch"
    answer = call("POST", url, place.token, {**asked, "objects": [described]}, _LFS)
    actions = answer["objects"][0].get("actions")
    if not actions or answer.get("transfer", "basic") != "basic":
        raise BenchFailed(f"the hub did not ask for the bytes in one piece: {answer}")
    upload(actions["upload"]["href"], file)
    if "verify" in actions:
        call("POST", actions["verify"]["href"], place.token, described, _LFS)
    return time.perf_counter() - started


def _put_to_nginx(nginx: Nginx, file: Path) -> float:
    arrived = nginx.root / "put" / "large.bin"
    seconds = upload(f"{nginx.url}/put/large.bin", file)
    if arrived.stat().st_size != SIZE_BYTES:
        raise BenchFailed("nginx did not keep all bytes")
    arrived.unlink()
    return seconds


def _commit(place: Place, repo: str, oid: str) -> None:
    file = {"path": "large.bin", "algo": "sha256", "oid": oid, "size": SIZE_BYTES}
    lines = [{"key": "header", "value": {"summary": "Add a large file"}}, {"key": "lfsFile", "value": file}]
    call(
        "POST",
        f"{place.hub.url}/api/models/{repo}/commit/main",
        place.token,
        "".join(f"{json.dumps(line)}\n" for line in lines),
        "application/x-ndjson",
    )
