"""Shards of distributed checkpoints (`.distcp`): one torch archive behind the other, each for one tensor.

Their loader takes slices out of the file by the offsets that `.metadata` has, and opens each by itself. So
each archive is read as a file of its own, and nothing may lie between them.
"""

import struct
from typing import Final

from allmende.scan.containers.zip_records import END, LOCAL, bounds_of_last
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "is_sequence"]

_HINT: Final = "torch-parts"
_MAX_PARTS: Final = 50_000


def is_sequence(source: Source) -> bool:
    """Whether the file is more than one archive, of which the last begins inside the file."""
    if not source.read_at(0, 4).startswith(LOCAL):
        return False
    try:
        start, end = bounds_of_last(source)
    except Unreadable:
        return False
    return start > 0 and end == source.size_bytes


def _claims(probe: Probe) -> Claim:
    return Claim.CONTENT if probe.hint == _HINT and is_sequence(probe.source) else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Every archive, from the last to the first. Raises Unreadable where other bytes lie between them."""
    parts: list[tuple[int, int]] = []
    end = source.size_bytes
    while end > 0:
        window = source.window(0, end)
        try:
            start, stop = bounds_of_last(window)
        except (Unreadable, struct.error):
            raise Unreadable("What lies before an archive is no archive.", end) from None
        if stop != end or start < 0 or len(parts) >= _MAX_PARTS:
            raise Unreadable("The archives do not lie one behind the other.", stop)
        parts.append((start, end - start))
        end = start
    for number, (start, size_bytes) in enumerate(reversed(parts)):
        part = source.window(start, size_bytes)
        if not part.read_at(0, 4).startswith((LOCAL, END)):
            raise Unreadable("A part is no archive.", start)
        scan.inside(f"part {number}", part, hint="torch")


READER = Reader("torch parts", "zip", _claims, _read)
