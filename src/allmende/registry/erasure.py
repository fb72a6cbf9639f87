"""Forgetting a person: the account and what names it. Repos in its namespace have to be gone before.

What stays are commits in repos of others: their history, with the name that each commit was signed with.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, update

from allmende.ids import RepoId
from allmende.registry.accounts import Account
from allmende.registry.names import name_key
from allmende.registry.tables import account, pull_request, repo, repo_former_name, scan_override
from allmende.storage import UnitOfWork, forget_uploader, outbox

__all__ = ["erase_account", "names_somebody", "repos_in"]

_NAMING = (
    "member.removed",
    "member.set",
    "repo.access_granted",
    "repo.created",
    "repo.duplicated",
    "repo.moved",
)
"""Kinds of events that may name somebody who did not do them."""

_ERASED = "erased"


def repos_in(uow: UnitOfWork, owner: Account) -> list[RepoId]:
    """Every repo in a namespace."""
    query = select(repo.c.id).where(repo.c.namespace_id == owner.id).order_by(repo.c.id)
    return [RepoId(row.id) for row in uow.all(query)]


def names_somebody(uow: UnitOfWork, owner: Account) -> list[int]:
    """The events that name an account or a repo of it, whoever did them."""
    key = name_key(owner.name)
    query = select(outbox.c.id, outbox.c.payload).where(outbox.c.kind.in_(_NAMING))
    return [row.id for row in uow.all(query) if _names(row.payload, key)]


def erase_account(uow: UnitOfWork, owner: Account) -> None:
    """Delete an account with its tokens, memberships and uploads, and its name wherever else it stands.

    The caller has removed its repos, and what the outbox and the log say of it.
    """
    key = name_key(owner.name)
    uow.execute(
        update(scan_override)
        .where(scan_override.c.actor_id == owner.id)
        .values(actor_name=_ERASED, actor_id=None, reason="")
    )
    uow.execute(
        update(scan_override).where(scan_override.c.revoked_by == owner.name).values(revoked_by=_ERASED)
    )
    uow.execute(
        update(pull_request)
        .where(pull_request.c.author_id == owner.id)
        .values(author_id=0, title=_ERASED, description="")
    )
    uow.execute(
        delete(repo_former_name).where(
            repo_former_name.c.full_name_key.startswith(f"{key}/", autoescape=True)
        )
    )
    forget_uploader(uow, owner.id)
    uow.execute(delete(account).where(account.c.id == owner.id))
    uow.emit("account.erased", {"kind": owner.kind})


def _names(payload: Mapping[str, Any], key: str) -> bool:
    values = [value.lower() for value in payload.values() if isinstance(value, str)]
    return any(value == key or value.startswith(f"{key}/") for value in values)
