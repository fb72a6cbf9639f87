"""Tokens of the Xet store: where it is for this caller, and what the caller may do there for an hour.

The store's address holds the epoch and the caller's scope, because clients keep under it what they remember
of earlier uploads (see `allmende.storage.xet_epochs`). A token is valid at that address alone.
"""

from dataclasses import asdict, dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.errors import Forbidden, NotOffered, Unauthorized
from allmende.flows import Services, Uploader, offers_xet
from allmende.http import (
    Delegation,
    base_url,
    check_may_upload,
    claims_of,
    delegation_of,
    reading,
    reading_unit,
    repo_to_read,
    repo_to_upload,
    services_of,
)
from allmende.hub.addresses import readable_files
from allmende.registry import Actor, Repo, resolve_revision
from allmende.storage import LinkExpired, LinkInvalid, UnitOfWork, read_epoch, read_generation

__all__ = ["XetToken", "ask_uploader", "reader_of", "routes", "xet_headers", "xet_token_of"]

_PURPOSE = "xet"


class XetTokenInvalid(Unauthorized):
    """The token of the Xet store is missing, altered, too old, or for another address."""

    code = "xet_token_invalid"

    def __init__(self) -> None:
        super().__init__(
            "This token is not valid here, or not any more.",
            hint="Ask the hub for a new one: xet-read-token or xet-write-token of the repo.",
        )


class XetTokenReadsOnly(Forbidden):
    """A token for reading was used to upload."""

    code = "xet_token_scope"

    def __init__(self) -> None:
        super().__init__("This token is for reading.", hint="Ask for a xet-write-token.")


@dataclass(frozen=True, slots=True, kw_only=True)
class XetToken(Delegation):
    """The right of an access token on one repo, at one address of the store."""

    epoch: str
    scope: str
    write: bool

    @property
    def address(self) -> str:
        """The store's address for this caller, below the hub's."""
        return f"/xet/{self.epoch}/{self.scope}"


def routes() -> list[Route]:
    """Routes of this module."""
    repo = "/api/{types:repotypes}/{namespace:segment}/{name:segment}"
    return [
        Route(f"{repo}/xet-read-token/{{revision:tail}}", reading(read_token)),
        Route(f"{repo}/xet-write-token/{{revision:tail}}", reading(write_token)),
    ]


def read_token(request: Request) -> Response:
    """`GET …/xet-read-token/{revision}`: for whoever may read the repo's files.

    Raises RepoNotFound, RepoGated, RevisionNotFound, NotOffered where Xet reads are switched off.
    """
    with reading_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        resolve_revision(uow, repo, request.path_params["revision"])
        if not offers_xet(services_of(request), repo):
            raise NotOffered(
                "Files of this repo are not offered over Xet.", hint="Download them by their address."
            )
        token = _token(services_of(request), uow, actor, repo, write=False)
    return _answer(request, token)


def write_token(request: Request) -> Response:
    """`GET …/xet-write-token/{revision}`: for whoever may change the repo or propose changes.

    The revision may be one that does not exist yet. Raises RepoNotFound, SignInRequired, AccessDenied.
    """
    with reading_unit(request) as (uow, actor):
        repo = readable_files(request, uow, actor)
        check_may_upload(actor, repo)
        token = _token(services_of(request), uow, actor, repo, write=True)
    return _answer(request, token)


def xet_headers(request: Request, repo: Repo, commit_oid: str, xet_hash: str) -> dict[str, str]:
    """What the answer to HEAD and GET of a file says so that the client may fetch it over Xet."""
    route = f"/api/{repo.type}s/{repo.full_name}/xet-read-token/{commit_oid}"
    address = f"{base_url(request)}{route}"
    return {
        "X-Xet-Hash": xet_hash,
        "X-Xet-Refresh-Route": address,
        "Link": f'<{address}>; rel="xet-auth"',
    }


def xet_token_of(request: Request) -> XetToken:
    """The token by which a request came. Raises XetTokenInvalid, also at the address of another."""
    headers = request.headers.getlist("authorization")
    scheme, _, text = "".join(headers).partition(" ")
    if len(headers) != 1 or scheme.lower() != "bearer":
        raise XetTokenInvalid
    try:
        token = XetToken(**services_of(request).signer.open(_PURPOSE, text.strip()))
    except (LinkInvalid, LinkExpired) as error:
        raise XetTokenInvalid from error
    if (request.path_params["epoch"], request.path_params["scope"]) != (token.epoch, token.scope):
        raise XetTokenInvalid
    return token


def ask_uploader(uow: UnitOfWork, token: XetToken) -> Uploader:
    """Who uploads with this token, asked anew. Raises XetTokenReadsOnly, XetTokenInvalid."""
    if not token.write:
        raise XetTokenReadsOnly
    try:
        repo, account, actor = repo_to_upload(uow, token)
    except LinkInvalid as error:
        raise XetTokenInvalid from error
    return Uploader(actor, account, repo)


def reader_of(uow: UnitOfWork, token: XetToken) -> tuple[Repo, Actor]:
    """Who reads with this token, and in which repo, asked anew. Raises XetTokenInvalid."""
    try:
        return repo_to_read(uow, token)
    except LinkInvalid as error:
        raise XetTokenInvalid from error


def _token(services: Services, uow: UnitOfWork, actor: Actor, repo: Repo, *, write: bool) -> XetToken:
    scope = "public"
    if actor.account is not None:
        generation = read_generation(uow, actor.account.id)
        scope = services.signer.pseudonym("xet-scope", f"{actor.account.id} {generation}")
    return XetToken(**asdict(delegation_of(actor, repo)), epoch=read_epoch(uow), scope=scope, write=write)


def _answer(request: Request, token: XetToken) -> Response:
    """The same in the body, for hf-xet, and in headers, for the Python client."""
    services = services_of(request)
    ttl_s = services.settings.xet_token_ttl_s
    secret = services.signer.sign(_PURPOSE, claims_of(token), ttl_s)
    expires = int((services.database.clock() + timedelta(seconds=ttl_s)).timestamp())
    address = f"{base_url(request)}{token.address}"
    return JSONResponse(
        {"casUrl": address, "exp": expires, "accessToken": secret},
        headers={
            "X-Xet-Cas-Url": address,
            "X-Xet-Access-Token": secret,
            "X-Xet-Token-Expiration": str(expires),
            "Cache-Control": "no-store",
        },
    )
