"""The cookie by which a browser stays signed in: signed by the hub, naming an access token, never holding it.

A session ends with its token: revoke the token and every browser that was signed in with it is a stranger
again. The cookie counts for reading only; what changes something needs a token in the request, or a form of
the hub's own pages, which is checked for its origin.
"""

from starlette.requests import Request

from allmende.clock import parse_iso
from allmende.ids import TokenId
from allmende.registry import ANONYMOUS, Actor, CredentialsInvalid, Token, actor_by_token_id
from allmende.storage import LinkExpired, LinkInvalid, LinkSigner, UnitOfWork

__all__ = ["SESSION_COOKIE", "SESSION_TTL_S", "session_actor", "session_value"]

SESSION_COOKIE = "allmende_session"
SESSION_TTL_S = 7 * 24 * 3600

_PURPOSE = "web-session"


def session_value(signer: LinkSigner, token: Token) -> str:
    """The cookie's value for a browser that has shown this token."""
    return signer.sign(_PURPOSE, {"token": token.id, "issued": token.created_at.isoformat()}, SESSION_TTL_S)


def session_actor(request: Request, signer: LinkSigner, uow: UnitOfWork) -> Actor:
    """Who is signed in; a session that was altered, is too old, or whose token is gone is nobody's."""
    value = request.cookies.get(SESSION_COOKIE)
    if not value:
        return ANONYMOUS
    try:
        claims = signer.open(_PURPOSE, value)
        return actor_by_token_id(uow, TokenId(claims["token"]), parse_iso(claims["issued"]))
    except (LinkInvalid, LinkExpired, CredentialsInvalid):
        return ANONYMOUS
