"""Clearing away uploaded xorbs: those that no client may name any more, and bytes that nothing names.

A client builds on what it has uploaded for three weeks without asking. Whoever collects earlier than that
begins a new epoch first, so that every client starts with an empty memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from allmende.flows.known_chunks import CLIENT_MEMORY
from allmende.flows.services import Services
from allmende.flows.shard_receipt import let_go_of_rebuilt
from allmende.storage import (
    StoredFile,
    UploadedXorb,
    XorbKey,
    forget_uploaded_xorb,
    kept_xorbs,
    known_xorb_locations,
    renew_epoch,
    xorbs_unseen_since,
)

__all__ = [
    "XorbGarbage",
    "begin_epoch",
    "collect_xorbs",
    "forgets_early",
    "kept",
    "orphan_xorbs",
    "sweep_xorbs",
]

_PAGE = 500
_SETTLED = timedelta(hours=1)
"""Bytes are in place an instant before their row is; what is older than this has none coming."""


@dataclass(frozen=True, slots=True)
class XorbGarbage:
    """What was removed, or would be."""

    xorbs: int
    xorb_bytes: int


def forgets_early(services: Services, before: datetime) -> bool:
    """Whether removing what was last seen before then may take what clients still build on."""
    return services.database.clock() - before < CLIENT_MEMORY


def collect_xorbs(services: Services, before: datetime, *, dry_run: bool) -> XorbGarbage:
    """Remove xorbs that no client has named since `before`, and bytes older than that which no row names.

    With `dry_run` only counts them. Contents are not touched.
    """
    xorbs = xorb_bytes = 0
    for found in _unseen(services, before, dry_run=dry_run):
        xorbs += 1
        xorb_bytes += found.size_bytes if found.location is not None else 0
    settled = services.database.clock() - _SETTLED
    for stored in orphan_xorbs(services):
        if stored.written_at < min(before, settled):
            xorb_bytes += stored.size_bytes
            if not dry_run:
                services.xorbs.delete(stored.location)
    return XorbGarbage(xorbs, xorb_bytes)


def sweep_xorbs(services: Services) -> int:
    """Remove the bytes of xorbs that contents hold by now; returns of how many.

    Receiving a shard does it at its end; this is for those that were killed before they came to it.
    """
    return sum(let_go_of_rebuilt(services, found.key) for found in kept(services))


def kept(services: Services) -> Iterator[UploadedXorb]:
    """Every xorb whose bytes are kept, read in pages."""
    after: XorbKey | None = None
    while True:
        with services.database.read() as uow:
            page = kept_xorbs(uow, after, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].key


def orphan_xorbs(services: Services) -> Iterator[StoredFile]:
    """Files of the store that no row names: what a crash left, or what is about to be recorded."""
    stored = services.xorbs.iterate()
    while page := list(islice(stored, _PAGE)):
        with services.database.read() as uow:
            known = known_xorb_locations(uow, [found.location for found in page])
        yield from (found for found in page if found.location not in known)


def _unseen(services: Services, before: datetime, *, dry_run: bool) -> Iterator[UploadedXorb]:
    if dry_run:
        with services.database.read() as uow:
            yield from xorbs_unseen_since(uow, before, limit=2**31)
        return
    while True:
        with services.database.read() as uow:
            page = xorbs_unseen_since(uow, before, _PAGE)
        for found in page:
            with services.database.write() as uow:
                gone = forget_uploaded_xorb(uow, found.key, before)
            if gone:
                if found.location is not None:
                    services.xorbs.delete(found.location)
                yield found
        if len(page) < _PAGE:
            return


def begin_epoch(services: Services) -> str:
    """From now on clients build on nothing that they remember; returns the new epoch."""
    with services.database.write() as uow:
        return renew_epoch(uow)
