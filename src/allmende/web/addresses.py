"""Where pages and files of a repo lie below the hub's own address."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlencode

from allmende.ids import GitOid, RepoType
from allmende.registry import Ref, Repo

__all__ = [
    "LISTS",
    "PREFIX",
    "blob_path",
    "changes_path",
    "commit_path",
    "commits_path",
    "compare_path",
    "delete_path",
    "documents_path",
    "edit_path",
    "entry_path",
    "layers_path",
    "licence_path",
    "lineage_path",
    "list_path",
    "log_path",
    "model_path",
    "move_path",
    "program_path",
    "record_path",
    "ref_label",
    "repo_path",
    "resolve_path",
    "scan_path",
    "settings_path",
    "signatures_path",
    "tree_path",
    "upload_path",
    "with_query",
]

PREFIX: Mapping[RepoType, str] = {"model": "/", "dataset": "/datasets/", "space": "/spaces/"}
"""What stands before a repo's full name."""

LISTS: Mapping[RepoType, str] = {"model": "models", "dataset": "datasets", "space": "spaces"}
"""The word for many of a type, in addresses and messages."""

_FULL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")


def repo_path(repo: Repo) -> str:
    """The page of a repo."""
    return f"{PREFIX[repo.type]}{quote(repo.full_name)}"


def compare_path(names: Iterable[str]) -> str:
    """Models side by side."""
    return f"/compare?{urlencode([('model', name) for name in names])}"


def edit_path(repo: Repo, branch: str, path: str = "") -> str:
    """Where a file is written; without a path, a new one."""
    return _at(repo, "edit", branch, path) if path else _at(repo, "new", branch, "")


def upload_path(repo: Repo, branch: str, folder: str = "") -> str:
    """Where files are uploaded to a branch, into a folder of it."""
    return with_query(_at(repo, "upload", branch), {"folder": folder})


def move_path(repo: Repo, branch: str, path: str) -> str:
    """Where a file or folder is moved or deleted."""
    return _at(repo, "move", branch, path)


def delete_path(repo: Repo, branch: str, folder: str = "") -> str:
    """Where several entries of a folder are deleted."""
    return _at(repo, "delete", branch, folder)


def settings_path(repo: Repo) -> str:
    """The settings of a repo."""
    return f"{repo_path(repo)}/settings"


def list_path(repo_type: RepoType, **query: str) -> str:
    """The list of the repos of a type, filtered."""
    return with_query(f"/{LISTS[repo_type]}", query)


def tree_path(repo: Repo, revision: str, path: str = "") -> str:
    """A folder at a revision."""
    return _at(repo, "tree", revision, path)


def blob_path(repo: Repo, revision: str, path: str) -> str:
    """The view of a file at a revision."""
    return _at(repo, "blob", revision, path)


def resolve_path(repo: Repo, revision: str, path: str) -> str:
    """The bytes of a file at a revision."""
    return _at(repo, "resolve", revision, path)


def scan_path(repo: Repo, revision: str) -> str:
    """What the scan found in a revision, and what can be done about it."""
    return _at(repo, "scan", revision)


def record_path(repo: Repo, revision: str) -> str:
    """The transparency record of a revision, for people."""
    return _at(repo, "record", revision)


def licence_path(repo: Repo, revision: str) -> str:
    """What the licence of a revision rests on."""
    return _at(repo, "licence", revision)


def documents_path(repo: Repo, revision: str) -> str:
    """The documents of a model that the law asks for."""
    return _at(repo, "documents", revision)


def signatures_path(repo: Repo, revision: str) -> str:
    """Who signed a revision, and what is attested of it."""
    return _at(repo, "signatures", revision)


def log_path(repo: Repo, revision: str) -> str:
    """What the log has of a revision."""
    return _at(repo, "log", revision)


def entry_path(number: int) -> str:
    """One entry of the log."""
    return f"/log/entries/{number}"


def program_path(repo: Repo, view: str, revision: str) -> str:
    """What programs get of a revision instead of a page."""
    return f"/api/allmende/v1/{LISTS[repo.type]}/{quote(repo.full_name)}/{view}/{quote(revision, safe='')}"


def lineage_path(repo: Repo, revision: str) -> str:
    """Where a revision comes from, and what comes from it."""
    return _at(repo, "lineage", revision)


def layers_path(full_name: str, revision: GitOid, parent: str) -> str:
    """What changed in a model from a parent, layer by layer."""
    return with_query(f"{model_path(full_name)}/layers/{revision}", {"parent": parent})


def model_path(full_name: str) -> str:
    """The page of a model by its name, as cards write it too; empty for what no model can be called."""
    return f"/{quote(full_name)}" if _FULL_NAME.fullmatch(full_name) else ""


def changes_path(repo: Repo, before: str, after: str) -> str:
    """What changed between two revisions."""
    return _at(repo, "compare", f"{before}...{after}")


def commits_path(repo: Repo, revision: str) -> str:
    """The history that leads to a revision."""
    return _at(repo, "commits", revision)


def commit_path(repo: Repo, oid: GitOid) -> str:
    """One commit."""
    return _at(repo, "commit", oid)


def ref_label(ref: Ref) -> str:
    """A ref as people and addresses call it: `main`, `v1`, but `refs/pr/3`."""
    for prefix in ("refs/heads/", "refs/tags/"):
        if ref.name.startswith(prefix):
            return ref.name.removeprefix(prefix)
    return ref.name


def with_query(path: str, query: Mapping[str, str]) -> str:
    """`path` with those parts of the query that say something."""
    said = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(said)}" if said else path


def _at(repo: Repo, view: str, revision: str, path: str = "") -> str:
    address = f"{repo_path(repo)}/{view}/{quote(revision, safe='')}"
    return f"{address}/{quote(path)}" if path else address
