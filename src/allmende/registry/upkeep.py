"""What maintenance asks of the registry: which contents repos hold, and which they gave up on purpose."""

from collections.abc import Iterable

from sqlalchemy import select

from allmende.ids import RepoId, Sha256
from allmende.registry.tables import repo, repo_content
from allmende.storage import Content, UnitOfWork, batches, find_contents, outbox

__all__ = ["deleted_contents", "held_contents", "next_repo_id", "repo_ids", "unheld_contents"]


def repo_ids(uow: UnitOfWork) -> list[RepoId]:
    """Every repo of the hub."""
    return [RepoId(row.id) for row in uow.all(select(repo.c.id).order_by(repo.c.id))]


def next_repo_id(uow: UnitOfWork, after: RepoId) -> RepoId | None:
    """The repo that follows in the order of their ids; None when there is none."""
    row = uow.one_or_none(select(repo.c.id).where(repo.c.id > after).order_by(repo.c.id).limit(1))
    return None if row is None else RepoId(row.id)


def held_contents(uow: UnitOfWork, repo_id: RepoId, hashes: Iterable[Sha256]) -> dict[Sha256, Content]:
    """Those contents among `hashes` that the repo holds."""
    held: set[Sha256] = set()
    for batch in batches(sorted(set(hashes))):
        query = select(repo_content.c.sha256).where(
            repo_content.c.repo_id == repo_id, repo_content.c.sha256.in_(batch)
        )
        held.update(Sha256(row.sha256) for row in uow.all(query))
    return find_contents(uow, held)


def unheld_contents(uow: UnitOfWork, hashes: Iterable[Sha256]) -> set[Sha256]:
    """Those among `hashes` that no repo holds."""
    unheld = set(hashes)
    for batch in batches(sorted(unheld)):
        query = select(repo_content.c.sha256).where(repo_content.c.sha256.in_(batch)).distinct()
        unheld.difference_update(Sha256(row.sha256) for row in uow.all(query))
    return unheld


def deleted_contents(uow: UnitOfWork, repo_id: RepoId) -> set[Sha256]:
    """Contents that were deleted from the repo on purpose, or from the one it was duplicated from.

    Their pointers may still stand in its revisions. The outbox remembers the deletions.
    """
    found: set[Sha256] = set()
    asked: set[RepoId] = set()
    open_ids = {repo_id}
    while open_ids:
        asked |= open_ids
        query = select(outbox.c.kind, outbox.c.payload).where(
            outbox.c.repo_id.in_(open_ids), outbox.c.kind.in_(("contents.deleted", "repo.duplicated"))
        )
        events = uow.all(query)
        open_ids = set()
        for event in events:
            if event.kind == "contents.deleted":
                found.update(Sha256(sha256) for sha256 in event.payload["sha256"])
            else:
                open_ids.add(RepoId(event.payload["source_repo_id"]))
        open_ids -= asked
    return found
