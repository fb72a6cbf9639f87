"""Who reads a record: everybody who may read the repo. So it tells what the least of them may know."""

from allmende.ids import AccountId, TokenId
from allmende.registry import Actor, Repo, Role, Scope, Token
from allmende.storage import UnitOfWork

__all__ = ["reader_of"]


def reader_of(uow: UnitOfWork, repo: Repo) -> Actor:
    """Somebody who sees what is public, and this repo: with a token that was made for it alone."""
    if not repo.private:
        return Actor()
    token = Token(
        id=TokenId(-1),
        account_id=AccountId(-1),
        name="readers of a record",
        role="fine_grained",
        scopes=(Scope(f"{repo.type}/{repo.full_name}", "read"),),
        created_at=uow.now,
        expires_at=None,
        last_used_at=None,
    )
    role: Role = "read"
    return Actor(None, token, {repo.namespace_id: role})
