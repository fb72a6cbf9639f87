"""What local headers alone say of a zip file whose directory cannot be read.

No usual loader opens such a file, but repair programs and readers of streams do, and what lies in it may be
worth more than a quarantine.
"""

from collections.abc import Iterator
from dataclasses import replace

from allmende.scan.budget import Budget
from allmende.scan.containers.zip_records import LOCAL, Entry, local_entry
from allmende.scan.source import Source

__all__ = ["salvaged"]

_BLOCK_BYTES = 1024 * 1024


def salvaged(source: Source, budget: Budget) -> Iterator[Entry]:
    """The members by their local headers, one behind the other. Raises LimitReached."""
    offset = _next_header(source, 0)
    while offset is not None:
        found = local_entry(source, offset)
        if found is None:
            return
        budget.add_members()
        entry = found[0]
        if entry.streamed and not entry.packed_bytes:
            following = _next_header(source, entry.start)
            end = source.size_bytes if following is None else following
            entry = replace(entry, packed_bytes=end - entry.start)
        else:
            beyond = entry.end > source.size_bytes
            following = _next_header(source, entry.start if beyond else entry.end)
            entry = replace(entry, packed_bytes=min(entry.packed_bytes, source.size_bytes - entry.start))
        yield entry
        offset = following


def _next_header(source: Source, offset: int) -> int | None:
    """Where the next signature of a local header is."""
    while block := source.read_at(offset, _BLOCK_BYTES):
        found = block.find(LOCAL)
        if found >= 0:
            return offset + found
        if len(block) < _BLOCK_BYTES:
            return None
        offset += len(block) - len(LOCAL) + 1
    return None
