"""Who asks, and what they may do: the one place where roles and scopes are decided.

An organisation's `read` members read its private repos; `write` members also create, change, rename and
delete repos; `admin` members manage members too. A token never allows more than its owner may do; a
`read` token changes nothing; a fine-grained token acts only where a scope says so, and reads private
repos only there. Hub administration needs an administrator with an `admin` token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from allmende.ids import AccountId, RepoType, TokenId
from allmende.registry.accounts import Account, Role, account_by_id, memberships_of
from allmende.registry.errors import AccessDenied, CredentialsInvalid, SignInRequired
from allmende.registry.tokens import Token, find_token, find_token_by_id
from allmende.storage import UnitOfWork

__all__ = ["ANONYMOUS", "Actor", "actor_by_token_id", "authenticate", "local_operator"]

Kept: TypeAlias = RepoType | Literal["application"]
"""What lies in a namespace, as scopes of tokens write it before the name."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks: an account with the token that it used, or nobody in particular."""

    account: Account | None = None
    token: Token | None = None
    roles: Mapping[AccountId, Role] = field(default_factory=dict)

    @property
    def account_id(self) -> AccountId | None:
        """The account's id, if there is an account."""
        return None if self.account is None else self.account.id

    def require_account(self) -> Account:
        """The account; raises SignInRequired for a stranger."""
        if self.account is None:
            raise SignInRequired
        return self.account

    def role_in(self, namespace_id: AccountId) -> Role | None:
        """The role in a namespace, one's own included."""
        if self.account is not None and self.account.id == namespace_id:
            return "admin"
        return self.roles.get(namespace_id)

    def may_see(self, namespace_id: AccountId, repo_type: Kept, full_name: str) -> bool:
        """Whether private repos of that name may be read."""
        return self.role_in(namespace_id) is not None and self._scope_allows("read", repo_type, full_name)

    def may_change(self, namespace_id: AccountId, repo_type: Kept, full_name: str) -> bool:
        """Whether a repo of that name may be created, written, renamed, deleted."""
        return self.role_in(namespace_id) in ("admin", "write") and self._scope_allows(
            "write", repo_type, full_name
        )

    @property
    def may_propose(self) -> bool:
        """Whether pull requests to public repos may be opened: any account whose token may write."""
        return self.account is not None and self.token is not None and self.token.role in ("write", "admin")

    @property
    def administers_hub(self) -> bool:
        """Whether the hub itself may be administered."""
        return (
            self.account is not None
            and self.account.is_admin
            and self.token is not None
            and self.token.role == "admin"
        )

    def require_change(self, namespace_id: AccountId, repo_type: Kept, full_name: str) -> Account:
        """The account; raises SignInRequired or AccessDenied with the reason."""
        known = self.require_account()
        if self.may_change(namespace_id, repo_type, full_name):
            return known
        if self.role_in(namespace_id) in ("admin", "write"):
            raise AccessDenied(
                "Your token may not write here.",
                hint="Use a token with the role write, or a fine-grained one whose scope names this repo.",
                code="token_scope",
            )
        raise AccessDenied(
            f"You may not change {repo_type} {full_name}.",
            hint="Ask an owner of its namespace for the write role.",
        )

    def _scope_allows(self, act: str, repo_type: Kept, full_name: str) -> bool:
        if self.token is None:
            return False
        if self.token.role != "fine_grained":
            return act == "read" or self.token.role in ("write", "admin")
        entities = {full_name.split("/", maxsplit=1)[0].lower(), f"{repo_type}/{full_name}".lower()}
        return any(
            scope.entity.lower() in entities and (act == "read" or scope.allows == "write")
            for scope in self.token.scopes
        )


ANONYMOUS = Actor()


def authenticate(uow: UnitOfWork, secret: str) -> Actor:
    """Who a token's secret stands for; raises CredentialsInvalid."""
    return _acting(uow, find_token(uow, secret))


def actor_by_token_id(uow: UnitOfWork, token_id: TokenId, issued_at: datetime) -> Actor:
    """Who a session stands for that was opened with the token issued then; raises CredentialsInvalid."""
    return _acting(uow, find_token_by_id(uow, token_id, issued_at))


def _acting(uow: UnitOfWork, token: Token | None) -> Actor:
    if token is None:
        raise CredentialsInvalid
    account = account_by_id(uow, token.account_id)
    if account.locked_at is not None:
        raise CredentialsInvalid
    return Actor(account, token, {org.id: role for org, role in memberships_of(uow, account.id)})


def local_operator(account: Account, uow: UnitOfWork) -> Actor:
    """The account at the hub's own command line, which may do whatever the account may do."""
    token = Token(
        id=TokenId(-1),
        account_id=account.id,
        name="command line",
        role="admin",
        scopes=(),
        created_at=uow.now,
        expires_at=None,
        last_used_at=None,
    )
    return Actor(account, token, {org.id: role for org, role in memberships_of(uow, account.id)})
