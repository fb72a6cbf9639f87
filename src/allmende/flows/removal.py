"""Deleting a repo everywhere: in the registry, and in what is known of its revisions."""

from allmende.facts import forget_repo_facts, forget_scan_changes
from allmende.flows.lineage_upkeep import forget_lineage_of_repo
from allmende.flows.packing_upkeep import note_scopes_changed
from allmende.flows.services import Services
from allmende.registry import Actor, Repo, delete_repo
from allmende.storage import UnitOfWork

__all__ = ["remove_repo"]


def remove_repo(services: Services, uow: UnitOfWork, actor: Actor, repo: Repo) -> None:
    """Delete a repo with its history and its facts. Raises AccessDenied, SignInRequired."""
    actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    forget_lineage_of_repo(services, uow, repo)
    delete_repo(uow, actor, repo)
    forget_repo_facts(uow, repo.id)
    forget_scan_changes(uow, repo.id)
    note_scopes_changed(services, uow)
