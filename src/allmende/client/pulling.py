"""Pulling a snapshot: every file of it that is wanted, with as few bytes over the network as there can be."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from allmende.client.connection import Connection
from allmende.client.downloads import fetch_file, verify_file
from allmende.client.errors import BytesDiffer
from allmende.client.listing import RemoteFile, Snapshot
from allmende.client.local_files import LocalFiles
from allmende.client.local_objects import LocalObjects
from allmende.client.offers import OfferedFile, ask_offers
from allmende.client.places import SnapshotPlace
from allmende.client.rebuilding import Savings, rebuild_file

__all__ = ["Pulled", "pull", "wanted_files"]

_LEAST_PACKED_BYTES = 64 * 1024
"""Smaller files are fetched as they are."""


@dataclass(slots=True)
class Pulled:
    """What a pull came to."""

    commit: str
    folder: Path
    files: int = 0
    size_bytes: int = 0
    present_bytes: int = 0
    """Of files that were here already, whole."""
    savings: Savings = field(default_factory=Savings)


Told = Callable[[int], None]


def wanted_files(
    files: Iterable[RemoteFile], include: Iterable[str], exclude: Iterable[str]
) -> list[RemoteFile]:
    """The files that match one of `include` (all, if there is none) and none of `exclude`."""
    chosen, left_out = tuple(include), tuple(exclude)
    return [
        file
        for file in files
        if (not chosen or _matches(file.path, chosen)) and not _matches(file.path, left_out)
    ]


def pull(
    hub: Connection,
    snapshot: Snapshot,
    files: list[RemoteFile],
    place: SnapshotPlace,
    local: LocalFiles,
    told: Told,
    *,
    verify_present: bool = False,
    jobs: int = 4,
) -> Pulled:
    """Bring the files into the place; they stand under their names when they are whole and verified.

    `told` hears of bytes as they are done, from several threads. With `verify_present`, files that are there
    already are read and compared, and fetched anew where they differ. Raises what goes wrong with the first
    file that fails; what was gathered of the others stays for the next pull.
    """
    pulled = Pulled(snapshot.commit, place.folder)
    stop = threading.Event()
    lock = threading.Lock()

    def several(alike: Sequence[RemoteFile]) -> None:
        for file in alike:
            one(file)

    def one(file: RemoteFile) -> None:
        path = place.present(file)
        if path is not None and not (verify_present and _differs(file, path)):
            told(file.size_bytes)
            savings = None
        else:
            savings = _bring(hub, snapshot, file, place, local, told, stop)
        with lock:
            pulled.files += 1
            pulled.size_bytes += file.size_bytes
            if savings is None:
                pulled.present_bytes += file.size_bytes
            else:
                pulled.savings.add(savings)

    # The largest first: they take longest, and the small ones fill the gaps.
    ordered = sorted(_alike(files), key=lambda alike: -alike[0].size_bytes)
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="pull") as pool:
        running = [pool.submit(several, alike) for alike in ordered]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            if not all(done.done() for done in running):
                stop.set()
                for waiting in running:
                    waiting.cancel()
    for done in running:
        if not done.cancelled():
            with suppress(InterruptedError):
                done.result()
    if stop.is_set():
        raise InterruptedError
    place.complete()
    return pulled


def _alike(files: Iterable[RemoteFile]) -> list[list[RemoteFile]]:
    """Files of the same bytes together: they are gathered under one name, so one after another."""
    found: dict[str, list[RemoteFile]] = {}
    for file in files:
        found.setdefault(file.etag, []).append(file)
    return list(found.values())


def _bring(
    hub: Connection,
    snapshot: Snapshot,
    file: RemoteFile,
    place: SnapshotPlace,
    local: LocalFiles,
    told: Told,
    stop: threading.Event,
) -> Savings:
    """Fetch a file by the cheapest way, and give it its name."""
    partial = place.partial(file)
    offered = _offered(hub, snapshot, file)
    if offered is not None and file.sha256 is not None:
        named = {sha256 for places in offered.elsewhere.values() for sha256 in places}
        objects = LocalObjects(local.find(named), offered.elsewhere, offered.sizes)
        savings = rebuild_file(hub, snapshot, file, offered, objects, partial, told, stop)
    else:
        savings = Savings(plain_bytes=file.size_bytes)

        def moved(count: int) -> None:
            savings.moved_bytes += count
            told(count)

        fetch_file(hub, snapshot, file, partial, moved, stop)
    path = place.finish(file)
    if file.sha256 is not None:
        local.remember(file.sha256, path)
    return savings


def _offered(hub: Connection, snapshot: Snapshot, file: RemoteFile) -> OfferedFile | None:
    if file.sha256 is None or file.size_bytes < _LEAST_PACKED_BYTES:
        return None
    return ask_offers(hub, snapshot, file)


def _differs(file: RemoteFile, path: Path) -> bool:
    try:
        verify_file(file, path)
    except BytesDiffer:
        return True
    return False


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
