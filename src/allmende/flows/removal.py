"""Deleting a repo everywhere: in the registry, and in what is known of its revisions."""

from allmende.facts import forget_repo_facts, forget_scan_changes
from allmende.registry import Actor, Repo, delete_repo
from allmende.storage import UnitOfWork

__all__ = ["remove_repo"]


def remove_repo(uow: UnitOfWork, actor: Actor, repo: Repo) -> None:
    """Delete a repo with its history and its facts. Raises AccessDenied, SignInRequired."""
    delete_repo(uow, actor, repo)
    forget_repo_facts(uow, repo.id)
    forget_scan_changes(uow, repo.id)
