"""Who reaches a repo, on the page of its settings: members of its organisation, and tokens for it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from allmende.errors import BadRequest
from allmende.registry import (
    AccessDenied,
    Repo,
    Scope,
    Token,
    account_by_id,
    issue_token,
    list_tokens,
)
from allmende.storage import UnitOfWork
from allmende.web.members import Members, members_shown
from allmende.web.visits import Visit

__all__ = ["RepoAccess", "access_of", "make_token"]

_DAYS = ("", "30", "90", "365")
_MAX_NAME_CHARS = 96


@dataclass(frozen=True, slots=True)
class RepoAccess:
    """What the page shows; `group` is None where the repo is a user's own."""

    group: Members | None
    tokens: tuple[Token, ...]
    """Those of the visitor that name this repo."""
    makes_tokens: bool
    days: tuple[str, ...] = _DAYS


def access_of(visit: Visit, uow: UnitOfWork, repo: Repo) -> RepoAccess:
    """Who reaches the repo, as far as this visitor may say so or know."""
    owner = account_by_id(uow, repo.namespace_id)
    entity = _entity(repo).lower()
    own = list_tokens(uow, visit.actor.require_account().id)
    return RepoAccess(
        members_shown(visit, uow, owner) if owner.kind == "org" else None,
        tuple(token for token in own if any(scope.entity.lower() == entity for scope in token.scopes)),
        _may_make_tokens(visit),
    )


def make_token(visit: Visit, uow: UnitOfWork, repo: Repo, fields: Mapping[str, str]) -> str:
    """A token of the visitor that reads or writes this repo and nothing else; returns its secret.

    Raises AccessDenied for who signed in with a token that may less, Conflict for a name that is taken.
    """
    if not _may_make_tokens(visit):
        raise AccessDenied(
            "You signed in with a token that may not make others.",
            hint="Sign in with your password.",
            code="token_scope",
        )
    name, days = fields.get("name", "").strip(), fields.get("days", "")
    allows = fields.get("allows")
    if not 0 < len(name) <= _MAX_NAME_CHARS or days not in _DAYS or allows not in ("read", "write"):
        raise BadRequest("The form is not valid.", hint="A token needs a name.", code="form_invalid")
    scope = Scope(_entity(repo), "write" if allows == "write" else "read")
    ends = uow.now + timedelta(days=int(days)) if days else None
    owner = visit.actor.require_account()
    return issue_token(uow, owner, name, "fine_grained", scopes=(scope,), expires_at=ends)


def _may_make_tokens(visit: Visit) -> bool:
    token = visit.actor.token
    return token is not None and token.role in ("write", "admin")


def _entity(repo: Repo) -> str:
    return f"{repo.type}/{repo.full_name}"
