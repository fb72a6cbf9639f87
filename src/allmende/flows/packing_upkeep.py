"""What has packing go on: the periodic job that finds what is to be packed, and the switch of the operator.

`pack_missing` finds contents that no job of their own came to: those that were there before, that were
published while packing was off, or whose repos changed their visibility. `settle` puts objects and packs in
order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from allmende.flows.content_packing import enqueue_packing, enqueue_settling
from allmende.flows.object_settling import remove_orphan_packs, settle_objects
from allmende.flows.packing_pace import PackingPace
from allmende.flows.services import Services
from allmende.ids import Sha256
from allmende.jobs import JobContext, Schedule
from allmende.registry import scopes_of
from allmende.storage import (
    Content,
    StorageFigures,
    UnitOfWork,
    attempted_scopes,
    contents_to_pack,
    hub_figures,
    is_packing_paused,
    pause_packing,
    recipe_scopes,
)

__all__ = [
    "PACKING",
    "SETTLING",
    "PackingStatus",
    "enqueue_all_packing",
    "note_scopes_changed",
    "pack_missing",
    "packing_status",
    "set_packing_paused",
    "settle",
]

PACKING = Schedule("pack_missing", every_s=3600.0)
SETTLING = Schedule("settle", every_s=6 * 3600.0)

_PAGE = 200


@dataclass(frozen=True, slots=True)
class PackingStatus:
    """How far packing is: for the operator."""

    paused: bool
    enabled: bool
    """By the settings."""
    jobs: Mapping[str, int]
    """Of the kind `pack`, by state."""
    running: tuple[str, ...]
    """What the running ones say of themselves."""
    figures: StorageFigures


def pack_missing(services: Services, context: JobContext) -> None:
    """Put into the queue what is to be packed, and what is kept in other scopes than its recipes are.

    The latter also where the settings say that nothing is packed: it is made plain again then.
    """
    with services.database.read() as uow:
        paused = is_packing_paused(uow)
    if not paused:
        _enqueue_missing(services, context, now=False)


def settle(services: Services, context: JobContext) -> None:
    """Put objects and packs in order, and remove packs that a crash left; not while packing is paused."""
    with services.database.read() as uow:
        if is_packing_paused(uow):
            return
    settle_objects(services, PackingPace(services, context).checkpoint)
    remove_orphan_packs(services, dry_run=False)


def enqueue_all_packing(services: Services) -> int:
    """Put everything into the queue that may be packed, however young, and objects and packs behind it.

    Returns how many contents there are in it.
    """
    count = _enqueue_missing(services, None, now=True)
    with services.database.write() as uow:
        enqueue_settling(services, uow)
    return count


def note_scopes_changed(services: Services, uow: UnitOfWork) -> None:
    """Others see a repo than before, or nobody: what it holds may have to be stored elsewhere, on other
    bases.

    Part of the transaction that changes it.
    """
    services.queue.enqueue(uow, PACKING.kind, {}, key=f"changed:{PACKING.kind}")


def set_packing_paused(services: Services, *, paused: bool) -> None:
    """Pause the packing, or let it go on: at once, with all that was left undone."""
    with services.database.write() as uow:
        pause_packing(uow, paused=paused)
        if not paused:
            services.queue.enqueue(uow, PACKING.kind, {}, key=f"resumed:{PACKING.kind}")


def packing_status(services: Services) -> PackingStatus:
    """How far packing is."""
    counts = services.queue.counts()
    running = [job for job in services.queue.list_jobs("running") if job.kind in ("pack", "settle")]
    with services.database.read() as uow:
        return PackingStatus(
            is_packing_paused(uow),
            services.settings.packing,
            {state: count for (kind, state), count in sorted(counts.items()) if kind == "pack"},
            tuple(job.progress_note or job.kind for job in running),
            hub_figures(uow),
        )


def _enqueue_missing(services: Services, context: JobContext | None, *, now: bool) -> int:
    quiet = timedelta(seconds=0 if now else services.settings.pack_quiet_s)
    enqueued = 0
    for page in _pages(services, services.database.clock() - quiet):
        if context is not None:
            context.checkpoint()
        hashes = [content.sha256 for content in page]
        with services.database.read() as uow:
            wanted = scopes_of(uow, hashes)
            kept, tried = recipe_scopes(uow, hashes), attempted_scopes(uow, hashes)
        nowhere: frozenset[int] = frozenset()
        missing = [
            content.sha256
            for content in page
            if _is_to_do(
                content,
                wanted.get(content.sha256, nowhere),
                kept.get(content.sha256, nowhere),
                nowhere if now else tried.get(content.sha256, nowhere),
                enabled=services.settings.packing,
            )
        ]
        with services.database.write() as uow:
            for sha256 in missing:
                enqueue_packing(services, uow, sha256, now=now)
        enqueued += len(missing)
    return enqueued


def _is_to_do(
    content: Content,
    wanted: frozenset[int],
    kept: frozenset[int],
    tried: frozenset[int],
    *,
    enabled: bool,
) -> bool:
    """Whether a scope lacks a recipe and has not tried, or has one that it should not, or none is in use."""
    if not wanted:
        return False
    if kept - wanted:
        return True
    return enabled and bool(wanted - kept - tried or (kept and not content.is_packed))


def _pages(services: Services, before: datetime) -> Iterator[list[Content]]:
    after: Sha256 | None = None
    while True:
        with services.database.read() as uow:
            page = contents_to_pack(uow, after, services.settings.pack_min_bytes, before, _PAGE)
        yield page
        if len(page) < _PAGE:
            return
        after = page[-1].sha256
