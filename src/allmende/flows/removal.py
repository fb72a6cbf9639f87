"""Deleting a repo everywhere: in the registry, and in what is known of its revisions."""

from allmende.facts import (
    forget_attestations,
    forget_model_signatures,
    forget_records,
    forget_repo_facts,
    forget_scan_changes,
)
from allmende.flows.application_queue import note_model_changed
from allmende.flows.lineage_upkeep import forget_lineage_of_repo
from allmende.flows.packing_upkeep import note_scopes_changed
from allmende.flows.record_queue import note_record_subject_gone
from allmende.flows.services import Services
from allmende.log import erase_repo
from allmende.registry import Actor, Repo, delete_repo
from allmende.search import forget_repo
from allmende.storage import UnitOfWork

__all__ = ["remove_repo"]


def remove_repo(services: Services, uow: UnitOfWork, actor: Actor, repo: Repo) -> None:
    """Delete a repo with its history and its facts. Raises AccessDenied, SignInRequired."""
    actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    forget_lineage_of_repo(services, uow, repo)
    erase_repo(uow, repo.id)
    note_model_changed(services, uow, repo.id)
    delete_repo(uow, actor, repo)
    forget_repo_facts(uow, repo.id)
    forget_scan_changes(uow, repo.id)
    forget_attestations(uow, repo.id)
    forget_model_signatures(uow, repo.id)
    note_record_subject_gone(services, uow, repo.id)
    forget_records(uow, repo.id)
    forget_repo(uow, repo.id)
    note_scopes_changed(services, uow)
