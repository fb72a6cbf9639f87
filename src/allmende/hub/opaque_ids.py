"""Ids of rows as clients see them: stable, and without meaning to anybody but the hub."""

import hashlib

from allmende.ids import AccountId, RepoId

__all__ = ["opaque_account_id", "opaque_repo_id"]

_DIGITS = 24
"""As many as the clients' own examples have; some keep them in columns of that width."""


def opaque_repo_id(repo_id: RepoId) -> str:
    """What `_id` says of a repo; it stays when the repo is renamed."""
    return _opaque("repo", repo_id)


def opaque_account_id(account_id: AccountId) -> str:
    """What `_id` says of a user or an organisation."""
    return _opaque("account", account_id)


def _opaque(kind: str, number: int) -> str:
    return hashlib.sha256(f"allmende {kind} {number}".encode()).hexdigest()[:_DIGITS]
