"""Signed links of LFS transfers: what each one allows, and whether that still holds when it is used.

Clients send a file's bytes without their token, so the link carries the right: one access token's, for one
repo and one content, for a limited time. Using it asks again what the token may do by then; a link never
outlives the token, the role, the repo or the account.
"""

from dataclasses import asdict, dataclass
from typing import Literal
from urllib.parse import quote

from starlette.requests import Request

from allmende.clock import parse_iso
from allmende.errors import AllmendeError
from allmende.http import base_url, services_of
from allmende.ids import RepoId, Sha256, TokenId
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

__all__ = [
    "Link",
    "Purpose",
    "check_may_upload",
    "link_for",
    "link_of",
    "repo_to_read",
    "repo_to_upload",
    "signed_address",
]

Purpose = Literal["lfs-upload", "lfs-multipart", "lfs-download"]


@dataclass(frozen=True, slots=True)
class Link:
    """What a link is about. Without a token it reads what everybody may read."""

    repo_id: RepoId
    sha256: Sha256
    size_bytes: int
    token_id: TokenId | None = None
    token_issued: str | None = None
    upload_id: str | None = None


def link_for(actor: Actor, repo: Repo, sha256: Sha256, size_bytes: int, upload_id: str | None = None) -> Link:
    """A link that acts for the token that asks for it."""
    if actor.token is None:
        return Link(repo.id, sha256, size_bytes, upload_id=upload_id)
    issued = actor.token.created_at.isoformat()
    return Link(repo.id, sha256, size_bytes, actor.token.id, issued, upload_id)


def signed_address(request: Request, purpose: Purpose, path: str, link: Link) -> str:
    """The absolute address `path` with the right in its query, which no log of this hub repeats."""
    services = services_of(request)
    settings = services.settings
    ttl_s = settings.download_ttl_s if purpose == "lfs-download" else settings.upload_ttl_s
    claims = {name: value for name, value in asdict(link).items() if value is not None}
    return f"{base_url(request)}{path}?token={quote(services.signer.sign(purpose, claims, ttl_s))}"


def link_of(request: Request, purpose: Purpose) -> Link:
    """The link by which a request came; raises LinkExpired, LinkInvalid (also at the address of another)."""
    claims = services_of(request).signer.open(purpose, request.query_params.get("token", ""))
    link = Link(**claims)
    if request.path_params.get("oid", link.sha256) != link.sha256:
        raise LinkInvalid("This link belongs to another content.")
    if request.path_params.get("upload", link.upload_id) != link.upload_id:
        raise LinkInvalid("This link belongs to another upload.")
    return link


def check_may_upload(actor: Actor, repo: Repo) -> Account:
    """The account, if it may change the repo or propose changes; raises SignInRequired, AccessDenied."""
    known = actor.require_account()
    if not actor.may_propose:
        actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    return known


def repo_to_upload(uow: UnitOfWork, link: Link) -> tuple[Repo, Account]:
    """Where a link uploads to, and for whom. Raises LinkInvalid when it does not hold any more."""
    actor, repo = _still_readable(uow, link)
    try:
        return repo, check_may_upload(actor, repo)
    except AllmendeError as error:
        raise _ended() from error


def repo_to_read(uow: UnitOfWork, link: Link) -> tuple[Repo, Actor]:
    """The repo that a link reads from, and for whom. Raises LinkInvalid when it does not hold any more."""
    actor, repo = _still_readable(uow, link)
    return repo, actor


def _still_readable(uow: UnitOfWork, link: Link) -> tuple[Actor, Repo]:
    try:
        actor = ANONYMOUS
        if link.token_id is not None and link.token_issued is not None:
            actor = actor_by_token_id(uow, link.token_id, parse_iso(link.token_issued))
        repo = find_repo_by_id(uow, link.repo_id)
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
