"""Garbage collection: bytes and rows that nothing leads to any more.

A content goes when no repo holds it, and it came and was last uploaded longer ago than the grace period. It
is looked at once more inside the transaction that removes it; an upload or a commit that comes meanwhile
wins. Whoever is killed half-way leaves garbage for the next run, and nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from allmende.facts import (
    forget_attestations,
    forget_content_facts,
    forget_model_signatures,
    forget_repo_facts,
    forget_scan_changes,
    forget_weights_of_contents,
    forget_weights_of_repo,
    repos_with_facts,
)
from allmende.flows.content_examination import forget_content
from allmende.flows.object_settling import remove_orphan_packs, settle_objects
from allmende.flows.services import Services
from allmende.flows.xorb_garbage import begin_epoch, collect_xorbs, forgets_early
from allmende.git import count_unowned_objects, delete_unowned_objects
from allmende.ids import Sha256
from allmende.jobs import JobContext
from allmende.registry import find_repo_by_id, unheld_contents
from allmende.search import tidy
from allmende.storage import Content, StoredFile, UnitOfWork, known_locations, list_contents, unused_since
from allmende.storage import forget_content as forget_row

__all__ = ["GarbageReport", "all_contents", "collect_garbage", "orphans_of"]

_PAGE = 500
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What was removed, or with `dry_run` what would be."""

    dry_run: bool
    contents: int
    content_bytes: int
    orphans: int
    """Files of the store that no content names: what a crash left between bytes and database."""
    orphan_bytes: int
    xorbs: int
    """Uploaded xorbs that no client may name any more."""
    xorb_bytes: int
    objects: int
    """Of packed contents, on which nothing rests any more."""
    packs: int
    """Files of such objects that no row names, or of which nothing is used any more."""
    git_objects: int
    repos_forgotten: int
    """Deleted repos of whose revisions facts were still kept."""


def collect_garbage(services: Services, *, dry_run: bool, context: JobContext | None = None) -> GarbageReport:
    """Remove what nothing leads to; with `dry_run` only count it, except for objects of packed contents.

    Safe while the hub runs. Raises Unavailable when the database stays busy, and with a `context`
    JobInterrupted when the job should stop; a repeat goes on.
    """
    before = services.database.clock() - timedelta(seconds=services.settings.unreferenced_grace_s)
    if not dry_run and forgets_early(services, before):
        begin_epoch(services)
    contents = content_bytes = orphans = orphan_bytes = 0
    # Xorbs first: while a client may name one, the contents in which its chunks lie stay.
    xorbs = collect_xorbs(services, before, dry_run=dry_run)
    for found in _watched(_unused_contents(services, before), context):
        if dry_run or _remove_content(services, found.sha256, before):
            contents += 1
            content_bytes += found.size_bytes
    for stored in _watched(orphans_of(services), context):
        if stored.written_at < before and (dry_run or _remove_orphan(services, stored.location, before)):
            orphans += 1
            orphan_bytes += stored.size_bytes
    orphan = remove_orphan_packs(services, dry_run=dry_run)
    settled = None if dry_run else settle_objects(services, lambda: None)
    if not dry_run:
        with services.database.write() as uow:
            tidy(uow)
    return GarbageReport(
        dry_run=dry_run,
        contents=contents,
        content_bytes=content_bytes,
        orphans=orphans,
        orphan_bytes=orphan_bytes,
        xorbs=xorbs.xorbs,
        xorb_bytes=xorbs.xorb_bytes,
        objects=0 if settled is None else settled.objects,
        packs=orphan.packs + (0 if settled is None else settled.packs),
        git_objects=_remove_git_objects(services, dry_run=dry_run),
        repos_forgotten=_forget_deleted_repos(services, dry_run=dry_run),
    )


def _watched(found: Iterator[_T], context: JobContext | None) -> Iterator[_T]:
    """The same, until the job should stop."""
    for each in found:
        if context is not None:
            context.checkpoint()
        yield each


def orphans_of(services: Services) -> Iterator[StoredFile]:
    """Files of the store that no content names; young ones may be uploads that are about to be recorded."""
    stored = services.contents.iterate()
    while page := list(islice(stored, _PAGE)):
        with services.database.read() as uow:
            known = known_locations(uow, (found.location for found in page))
        yield from (found for found in page if found.location not in known)


def all_contents(services: Services) -> Iterator[Content]:
    """Every content, read in pages, so that no transaction stays open."""
    after: Sha256 | None = None
    while True:
        with services.database.read() as uow:
            page = list_contents(uow, after, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].sha256


def _unused_contents(services: Services, before: datetime) -> Iterator[Content]:
    contents = all_contents(services)
    while page := [found.sha256 for found in islice(contents, _PAGE)]:
        with services.database.read() as uow:
            unused = _unused_among(uow, page, before)
        yield from unused.values()


def _unused_among(uow: UnitOfWork, hashes: list[Sha256], before: datetime) -> dict[Sha256, Content]:
    return unused_since(uow, unheld_contents(uow, hashes), before)


def _remove_content(services: Services, sha256: Sha256, before: datetime) -> bool:
    with services.database.write() as uow:
        found = _unused_among(uow, [sha256], before).get(sha256)
        # The bytes first: a crash before the commit leaves a row that is garbage still.
        if found is None or not _remove_bytes(services, found, before):
            return False
        forget_row(uow, sha256)
        forget_content(uow, sha256)
        return True


def _remove_bytes(services: Services, found: Content, before: datetime) -> bool:
    """What is packed has no file of its own: its objects go when nothing rests on them any more."""
    services.hot.forget(found.sha256)
    return found.is_packed or services.contents.delete_older(found.location, before)


def _remove_orphan(services: Services, location: str, before: datetime) -> bool:
    with services.database.write() as uow:
        if known_locations(uow, [location]):
            return False
        return services.contents.delete_older(location, before)


def _remove_git_objects(services: Services, *, dry_run: bool) -> int:
    if dry_run:
        with services.database.read() as uow:
            return count_unowned_objects(uow)
    removed = 0
    while True:
        with services.database.write() as uow:
            oids = delete_unowned_objects(uow, _PAGE)
            forget_content_facts(uow, oids)
            forget_weights_of_contents(uow, oids)
        removed += len(oids)
        if len(oids) < _PAGE:
            return removed


def _forget_deleted_repos(services: Services, *, dry_run: bool) -> int:
    with services.database.read() as uow:
        gone = [repo_id for repo_id in repos_with_facts(uow) if find_repo_by_id(uow, repo_id) is None]
    for repo_id in [] if dry_run else gone:
        with services.database.write() as uow:
            forget_repo_facts(uow, repo_id)
            forget_scan_changes(uow, repo_id)
            forget_attestations(uow, repo_id)
            forget_model_signatures(uow, repo_id)
            forget_weights_of_repo(uow, repo_id)
    return len(gone)
