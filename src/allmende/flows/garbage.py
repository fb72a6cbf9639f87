"""Garbage collection: bytes and rows that nothing leads to any more.

A content goes when no repo holds it, and it came and was last uploaded longer ago than the grace period. It
is looked at once more inside the transaction that removes it; an upload or a commit that comes meanwhile
wins. Whoever is killed half-way leaves garbage for the next run, and nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from allmende.facts import forget_content_facts, forget_repo_facts, repos_with_facts
from allmende.flows.content_examination import forget_content
from allmende.flows.services import Services
from allmende.git import delete_unowned_objects
from allmende.ids import Sha256
from allmende.registry import find_repo_by_id, unheld_contents
from allmende.storage import Content, forget_content as forget_row
from allmende.storage import UnitOfWork, known_locations, list_contents, unused_since

__all__ = ["GarbageReport", "collect_garbage"]

_PAGE = 500


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What was removed, or with `dry_run` what would be."""

    dry_run: bool
    contents: int
    content_bytes: int
    orphans: int
    """Files of the store that no content names: what a crash left between bytes and database."""
    orphan_bytes: int
    git_objects: int
    repos_forgotten: int
    """Deleted repos of whose revisions facts were still kept."""


def collect_garbage(services: Services, *, dry_run: bool) -> GarbageReport:
    """Remove what nothing leads to; with `dry_run` only count it.

    Safe while the hub runs. Raises Unavailable when the database stays busy; a repeat goes on.
    """
    before = services.database.clock() - timedelta(seconds=services.settings.unreferenced_grace_s)
    contents = content_bytes = orphans = orphan_bytes = 0
    for found in _unused_contents(services, before):
        if dry_run or _remove_content(services, found.sha256, before):
            contents += 1
            content_bytes += found.size_bytes
    for location, size_bytes in _orphans(services):
        if dry_run or _remove_orphan(services, location, before):
            orphans += 1
            orphan_bytes += size_bytes
    return GarbageReport(
        dry_run=dry_run,
        contents=contents,
        content_bytes=content_bytes,
        orphans=orphans,
        orphan_bytes=orphan_bytes,
        git_objects=_remove_git_objects(services, dry_run=dry_run),
        repos_forgotten=_forget_deleted_repos(services, dry_run=dry_run),
    )
