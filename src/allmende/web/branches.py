"""Where a visitor may write: the head of a branch, and the path that the address means."""

from allmende.errors import NotFound
from allmende.registry import check_gate, find_entry, resolve_revision
from allmende.storage import UnitOfWork
from allmende.web.repo_views import View, repo_of, view_of
from allmende.web.visits import Visit

__all__ = ["path_of", "surviving_folder", "writable_branch", "writable_files"]


def writable_branch(visit: Visit, uow: UnitOfWork) -> View:
    """The head of a branch that the visitor may write to. Raises SignInRequired, AccessDenied, NotFound."""
    repo = repo_of(visit, uow)
    visit.actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    view = view_of(uow, repo, str(visit.request.path_params["revision"]))
    if view.name not in view.branches:
        raise NotFound(f"{view.name} is no branch; only branches are written to.", code="not_a_branch")
    return view


def writable_files(visit: Visit, uow: UnitOfWork) -> View:
    """The same, where the visitor may read its files too. Raises what that raises, and RepoGated."""
    view = writable_branch(visit, uow)
    check_gate(uow, visit.actor, view.repo)
    return view


def path_of(visit: Visit) -> str:
    """The path in the repo that the address ends with; empty where it has none."""
    return str(visit.request.path_params.get("path", "")).strip("/")


def surviving_folder(visit: Visit, view: View, folder: str) -> str:
    """The folder, or the nearest above it that the branch still has: git keeps no empty ones."""
    with visit.read() as uow:
        tree = resolve_revision(uow, view.repo, view.name).commit.tree_oid
        while folder and find_entry(uow, tree, folder) is None:
            folder = folder.rpartition("/")[0]
    return folder
