"""Signed links of LFS transfers: what each one allows, for one repo and one content, for a limited time."""

from dataclasses import asdict, dataclass
from typing import Literal
from urllib.parse import quote

from starlette.requests import Request

from allmende.http.calls import base_url, services_of
from allmende.http.delegation import Delegation, claims_of, delegation_of
from allmende.ids import Sha256
from allmende.registry import Actor, Repo
from allmende.storage import LinkInvalid

__all__ = ["Link", "Purpose", "link_for", "link_of", "signed_address"]

Purpose = Literal["lfs-upload", "lfs-delta", "lfs-multipart", "lfs-download"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Delegation):
    """What a link is about."""

    sha256: Sha256
    size_bytes: int
    upload_id: str | None = None
    unsafe: bool = False
    """Whether it was asked for although the scan stopped it; whether it may be given is asked at each use."""


def link_for(
    actor: Actor,
    repo: Repo,
    sha256: Sha256,
    size_bytes: int,
    upload_id: str | None = None,
    *,
    unsafe: bool = False,
) -> Link:
    """A link that acts for the token that asks for it."""
    right = asdict(delegation_of(actor, repo))
    return Link(**right, sha256=sha256, size_bytes=size_bytes, upload_id=upload_id, unsafe=unsafe)


def signed_address(request: Request, purpose: Purpose, path: str, link: Link) -> str:
    """The absolute address `path` with the right in its query, which no log of this hub repeats."""
    services = services_of(request)
    settings = services.settings
    ttl_s = settings.download_ttl_s if purpose == "lfs-download" else settings.upload_ttl_s
    secret = services.signer.sign(purpose, claims_of(link), ttl_s)
    return f"{base_url(request)}{path}?token={quote(secret)}"


def link_of(request: Request, purpose: Purpose) -> Link:
    """The link by which a request came; raises LinkExpired, LinkInvalid (also at the address of another)."""
    claims = services_of(request).signer.open(purpose, request.query_params.get("token", ""))
    link = Link(**claims)
    if request.path_params.get("oid", link.sha256) != link.sha256:
        raise LinkInvalid("This link belongs to another content.")
    if request.path_params.get("upload", link.upload_id) != link.upload_id:
        raise LinkInvalid("This link belongs to another upload.")
    return link
