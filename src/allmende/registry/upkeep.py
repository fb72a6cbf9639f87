"""What maintenance asks of the registry: which contents repos hold, and which they gave up on purpose."""

from collections.abc import Iterable

from sqlalchemy import select

from allmende.ids import RepoId, Sha256
from allmende.registry.tables import repo, repo_content
from allmende.storage import PUBLIC_SCOPE, Content, UnitOfWork, batches, find_contents, outbox

__all__ = [
    "deleted_contents",
    "former_contents",
    "held_contents",
    "next_repo_id",
    "repo_ids",
    "scopes_of",
    "unheld_contents",
]


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


def scopes_of(uow: UnitOfWork, hashes: Iterable[Sha256]) -> dict[Sha256, frozenset[int]]:
    """In which scopes contents are kept: the public one if a public repo holds them, else each namespace that
    does. Contents that no repo holds are absent. What is disabled is seen by its owner alone.
    """
    found: dict[Sha256, set[int]] = {}
    for batch in batches(sorted(set(hashes))):
        query = (
            select(repo_content.c.sha256, repo.c.namespace_id, repo.c.private, repo.c.disabled)
            .join(repo, repo.c.id == repo_content.c.repo_id)
            .where(repo_content.c.sha256.in_(batch))
        )
        for row in uow.all(query):
            scope = row.namespace_id if row.private or row.disabled else PUBLIC_SCOPE
            found.setdefault(Sha256(row.sha256), set()).add(scope)
    public = frozenset({PUBLIC_SCOPE})
    return {
        sha256: public if PUBLIC_SCOPE in scopes else frozenset(scopes) for sha256, scopes in found.items()
    }


def former_contents(uow: UnitOfWork, sha256: Sha256, limit: int) -> list[Sha256]:
    """What the repos that hold a content had under its name before it, the latest first; bounded."""
    own, other = repo_content.alias(), repo_content.alias()
    query = (
        select(other.c.sha256, other.c.pushed_at)
        .join(own, (own.c.repo_id == other.c.repo_id) & (own.c.filename == other.c.filename))
        .where(own.c.sha256 == sha256, other.c.sha256 != sha256, other.c.pushed_at <= own.c.pushed_at)
        .order_by(other.c.pushed_at.desc(), other.c.sha256)
        .limit(limit)
    )
    return list(dict.fromkeys(Sha256(row.sha256) for row in uow.all(query)))


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
