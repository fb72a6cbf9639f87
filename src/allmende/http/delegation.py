"""Rights that travel in a link or a token of ours: an access token's, on one repo, asked anew each time.

Clients send the bytes of files without their access token: to a signed link, or with a short-lived token of
the Xet store. What they show names the access token and the repo; what that token may do is asked again at
each use. So nothing that was handed out outlives the token, the role, the repo or the account.
"""

from dataclasses import asdict, dataclass
from typing import Any

from allmende.clock import parse_iso
from allmende.errors import AllmendeError
from allmende.ids import RepoId, TokenId
from allmende.registry import (
    ANONYMOUS,
    Account,
    Actor,
    Repo,
    RepoDisabled,
    RepoNotFound,
    actor_by_token_id,
    check_gate,
    find_repo_by_id,
)
from allmende.storage import LinkInvalid, UnitOfWork

__all__ = ["Delegation", "check_may_upload", "claims_of", "delegation_of", "repo_to_read", "repo_to_upload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """For whom, and on which repo. Without a token it reads what everybody may read."""

    repo_id: RepoId
    token_id: TokenId | None = None
    token_issued: str | None = None


def delegation_of(actor: Actor, repo: Repo) -> Delegation:
    """What acts for the token that asks for it."""
    if actor.token is None:
        return Delegation(repo_id=repo.id)
    return Delegation(
        repo_id=repo.id, token_id=actor.token.id, token_issued=actor.token.created_at.isoformat()
    )


def claims_of(delegation: Delegation) -> dict[str, Any]:
    """What is signed of it: the fields that are set."""
    return {name: value for name, value in asdict(delegation).items() if value is not None}


def check_may_upload(actor: Actor, repo: Repo) -> Account:
    """The account, if it may change the repo or propose changes; raises SignInRequired, AccessDenied."""
    known = actor.require_account()
    if not actor.may_propose:
        actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    return known


def repo_to_upload(uow: UnitOfWork, delegation: Delegation) -> tuple[Repo, Account, Actor]:
    """Where one may upload to, and for whom. Raises LinkInvalid when it does not hold any more."""
    actor, repo = _still_readable(uow, delegation)
    try:
        return repo, check_may_upload(actor, repo), actor
    except AllmendeError as error:
        raise _ended() from error


def repo_to_read(uow: UnitOfWork, delegation: Delegation) -> tuple[Repo, Actor]:
    """The repo that one may read from, and for whom. Raises LinkInvalid when it does not hold any more."""
    actor, repo = _still_readable(uow, delegation)
    return repo, actor


def _still_readable(uow: UnitOfWork, delegation: Delegation) -> tuple[Actor, Repo]:
    try:
        actor = ANONYMOUS
        if delegation.token_id is not None and delegation.token_issued is not None:
            actor = actor_by_token_id(uow, delegation.token_id, parse_iso(delegation.token_issued))
        repo = find_repo_by_id(uow, delegation.repo_id)
        if repo is None:
            raise RepoNotFound
        if repo.private and not actor.may_see(repo.namespace_id, repo.type, repo.full_name):
            raise RepoNotFound
        if repo.disabled:
            raise RepoDisabled
        check_gate(uow, actor, repo)
    except AllmendeError as error:
        raise _ended() from error
    return actor, repo


def _ended() -> LinkInvalid:
    return LinkInvalid("This link does not hold any more.", hint="Repeat the request that gave it to you.")
