"""Named places at which a test may kill the process, so that crash safety is shown and not claimed.

`reach(name)` costs one dictionary look-up and does nothing, unless the environment variable
`ALLMENDE_FAILPOINT` holds `name` or `name:n` (the n-th time it is reached, counted from 1): then the
process dies by SIGKILL on the spot, as in a power cut. Crash tests list `POINTS`, `XET_POINTS`,
`PACK_POINTS`, `DELTA_POINTS` and `ARCHIVE_POINTS` and cover every one.
"""

import os
import signal

__all__ = ["ARCHIVE_POINTS", "DELTA_POINTS", "PACK_POINTS", "POINTS", "XET_POINTS", "arm", "reach"]

POINTS = (
    "upload.receiving",
    "upload.before_sync",
    "upload.before_rename",
    "upload.before_directory_sync",
    "upload.before_database",
    "upload.before_answer",
    "commit.before_transaction",
    "commit.before_ref",
    "commit.before_database",
    "commit.before_answer",
)

XET_POINTS = (
    "xorb.receiving",
    "shard.rebuilding",
    "shard.before_record",
    "shard.before_chunk_map",
    "shard.before_complete",
    "shard.before_removal",
    "shard.before_answer",
)
"""Those that only an upload over Xet passes; it passes those of an upload and a commit as well."""

PACK_POINTS = (
    "pack.writing",
    "pack.before_publish",
    "pack.published",
    "pack.before_transaction",
    "pack.before_database",
    "pack.switched",
    "pack.dropped",
    "pack.settled",
)
"""Those that the packing of stored contents passes."""

DELTA_POINTS = (
    "delta.receiving",
    "delta.received",
    "delta.rebuilding",
    "delta.rebuilt",
)
"""Those that only a pushed delta passes; it passes those of an upload as well."""

ARCHIVE_POINTS = (
    "archive.writing",
    "archive.before_sync",
    "archive.before_rename",
    "archive.before_folder_sync",
    "archive.before_database",
    "archive.before_commit",
    "archive.before_answer",
    "archive.before_removal",
)
"""Those that a store in a folder passes: all but the last when something is added, and all in its upkeep."""

LOG_POINTS = (
    "log.before_batch",
    "log.before_commit",
    "log.integrated",
    "log.tile_written",
    "log.tiles_written",
    "log.before_signing",
    "log.before_checkpoint",
    "log.published",
)
"""Those that the log passes: from an act to a signed checkpoint."""

_remaining: dict[str, int] = {}


def arm() -> None:
    """Take the point from the environment: done once here, and by a process that was forked into another."""
    name, _, nth = os.environ.get("ALLMENDE_FAILPOINT", "").partition(":")
    _remaining.clear()
    if name:
        _remaining[name] = int(nth or "1")


arm()


def reach(name: str) -> None:
    """Die here, if a test asked for it."""
    if name not in _remaining:
        return
    _remaining[name] -= 1
    if _remaining[name] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
