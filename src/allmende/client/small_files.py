"""The files that git itself keeps: read from a hub, so that their SHA-256 is known beside their git id.

A hub lists large files by SHA-256 and small ones by their git id alone, which no proof in the log names.
Reading them, a few kilobytes each as a rule, is the one way to hold both against each other. Nothing is kept.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from allmende.client.connection import Connection
from allmende.client.errors import BytesDiffer
from allmende.client.listing import RemoteFile, Snapshot, quoted
from allmende.errors import Forbidden
from allmende.ids import Sha256

__all__ = ["read_small_files"]

_READ_BYTES = 256 * 1024
_WITHHELD = frozenset({"file_blocked", "file_quarantined", "file_holds_secret"})


def read_small_files(
    hub: Connection, snapshot: Snapshot, told: Callable[[int], None] | None = None, jobs: int = 0
) -> Mapping[str, RemoteFile]:
    """All files of a snapshot by path, each with its SHA-256; without one is what the hub's scan has stopped.

    `told` hears of bytes as they are read, by any thread; `jobs` is how many files are read at a time, four
    if it is 0. Raises BytesDiffer where a file is not the one that the hub lists, and what the hub refuses.
    """
    found = {one.path: one for one in snapshot.files}
    small = [one for one in snapshot.files if one.sha256 is None]
    with ThreadPoolExecutor(jobs or 4, thread_name_prefix="verify") as pool:
        try:
            for read in pool.map(lambda one: _read(hub, snapshot, one, told), small):
                found[read.path] = read
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _read(
    hub: Connection, snapshot: Snapshot, file: RemoteFile, told: Callable[[int], None] | None
) -> RemoteFile:
    named = hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)
    digest, left = hashlib.sha256(), file.size_bytes
    # `raw` gives what stands in the git tree, and is not counted as a download.
    address = f"{snapshot.repo.files}/raw/{snapshot.commit}/{quoted(file.path)}"
    try:
        with hub.open("GET", address, headers={"Accept-Encoding": "identity"}) as answer:
            while left >= 0 and (block := answer.read(_READ_BYTES)):
                named.update(block)
                digest.update(block)
                left -= len(block)
                if told is not None:
                    told(len(block))
    except Forbidden as error:
        if error.code not in _WITHHELD:
            raise
        return file
    if left or named.hexdigest() != file.oid:
        raise BytesDiffer(
            f"The hub gives other bytes of {file.path} than it lists.",
            hint="Tell the operator of the hub: its list and its files do not belong together.",
        )
    return replace(file, sha256=Sha256(digest.hexdigest()))
