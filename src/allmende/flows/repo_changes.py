"""Changing what a repo is called and who sees it: in the registry, and in all that follows from either."""

from allmende.flows.application_queue import note_model_changed
from allmende.flows.lineage_upkeep import note_repo_changed
from allmende.flows.packing_upkeep import note_scopes_changed
from allmende.flows.services import Services
from allmende.registry import Actor, Gate, Repo, find_repo_by_id, move_repo, update_repo
from allmende.storage import UnitOfWork

__all__ = ["change_repo", "rename_repo"]


def rename_repo(services: Services, uow: UnitOfWork, actor: Actor, repo: Repo, full_name: str) -> Repo:
    """Rename a repo; its old name leads to it. Raises AccessDenied, NameInvalid, RepoExists."""
    moved = move_repo(uow, actor, repo, full_name)
    note_repo_changed(services, uow, repo)
    note_scopes_changed(services, uow)
    note_model_changed(services, uow, repo.id)
    return moved


def change_repo(
    services: Services,
    uow: UnitOfWork,
    actor: Actor,
    repo: Repo,
    *,
    private: bool | None = None,
    gated: Gate | None = None,
    xet_reads: bool | None = None,
) -> Repo:
    """Change visibility, gate or the switch of Xet reads; what is None stays. Raises AccessDenied."""
    update_repo(uow, actor, repo, private=private, gated=gated, xet_reads=xet_reads)
    if private is not None and private != repo.private:
        note_repo_changed(services, uow, repo)
        note_scopes_changed(services, uow)
    note_model_changed(services, uow, repo.id)
    changed = find_repo_by_id(uow, repo.id)
    if changed is None:
        raise RuntimeError("a repo vanished while it was changed")
    return changed
