"""Who reaches a repo, on the page of its settings: members of its organisation, and tokens for it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from allmende.errors import BadRequest
from allmende.flows import change_member, may_manage_members
from allmende.registry import (
    AccessDenied,
    Account,
    Repo,
    Role,
    Scope,
    Token,
    account_by_id,
    issue_token,
    list_tokens,
    members_of,
)
from allmende.storage import UnitOfWork
from allmende.web.visits import Visit

__all__ = ["RepoAccess", "access_of", "change_membership", "make_token"]

_ROLES: tuple[Role, ...] = ("read", "write", "admin")
_DAYS = ("", "30", "90", "365")
_MAX_NAME_CHARS = 96


@dataclass(frozen=True, slots=True)
class RepoAccess:
    """What the page shows; `org` is None where the repo is a user's own."""

    org: Account | None
    members: tuple[tuple[Account, Role], ...]
    manages: bool
    tokens: tuple[Token, ...]
    """Those of the visitor that name this repo."""
    makes_tokens: bool
    roles: tuple[Role, ...] = _ROLES
    days: tuple[str, ...] = _DAYS


def access_of(visit: Visit, uow: UnitOfWork, repo: Repo) -> RepoAccess:
    """Who reaches the repo, as far as this visitor may say so or know."""
    owner = account_by_id(uow, repo.namespace_id)
    is_org = owner.kind == "org"
    entity = _entity(repo).lower()
    own = list_tokens(uow, visit.actor.require_account().id)
    return RepoAccess(
        owner if is_org else None,
        tuple(members_of(uow, owner.id)) if is_org else (),
        may_manage_members(visit.actor, owner),
        tuple(token for token in own if any(scope.entity.lower() == entity for scope in token.scopes)),
        _may_make_tokens(visit),
    )


def change_membership(visit: Visit, uow: UnitOfWork, repo: Repo, fields: Mapping[str, str]) -> None:
    """Make somebody a member of the repo's organisation, or end that.

    Raises BadRequest, and what `change_member` raises.
    """
    role = next((known for known in _ROLES if known == fields.get("role")), None)
    if role is None and fields.get("role") != "":
        raise BadRequest("There is no such role.", code="form_invalid")
    org = account_by_id(uow, repo.namespace_id)
    change_member(uow, visit.actor, org, fields.get("user", "").strip(), role)


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
