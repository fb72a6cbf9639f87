"""What the names promise that a repo gives to its contents.

Some doors give bytes by their hash, without a name. A verdict of the scan is about bytes and a hint of the
name, so the repo remembers the hints: its own, so that no name in another repo counts here.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, select

from allmende.ids import RepoId, Sha256
from allmende.registry.tables import content_hint, repo_content
from allmende.storage import UnitOfWork, batches

__all__ = ["first_names", "forget_hints", "hints_of", "note_hints"]


def note_hints(uow: UnitOfWork, repo_id: RepoId, hints: Iterable[tuple[Sha256, str]]) -> None:
    """Remember these hints; those that are known stay."""
    rows = [{"repo_id": repo_id, "sha256": sha256, "hint": hint} for sha256, hint in sorted(set(hints))]
    for batch in batches(rows):
        uow.insert_new(content_hint, batch)


def hints_of(uow: UnitOfWork, repo_id: RepoId, sha256: Sha256) -> set[str]:
    """The hints under which the repo has this content, as far as it was examined."""
    query = select(content_hint.c.hint).where(
        content_hint.c.repo_id == repo_id, content_hint.c.sha256 == sha256
    )
    return {row.hint for row in uow.all(query)}


def first_names(uow: UnitOfWork, repo_id: RepoId, hashes: Iterable[Sha256]) -> Mapping[Sha256, str]:
    """The paths under which these contents first came into the repo."""
    found: dict[Sha256, str] = {}
    for batch in batches(sorted(set(hashes))):
        query = select(repo_content.c.sha256, repo_content.c.filename).where(
            repo_content.c.repo_id == repo_id, repo_content.c.sha256.in_(batch)
        )
        found.update({Sha256(row.sha256): row.filename for row in uow.all(query)})
    return found


def forget_hints(uow: UnitOfWork, repo_id: RepoId, hashes: Iterable[Sha256]) -> None:
    """The repo holds these contents no longer."""
    for batch in batches(sorted(set(hashes))):
        uow.execute(
            delete(content_hint).where(content_hint.c.repo_id == repo_id, content_hint.c.sha256.in_(batch))
        )
