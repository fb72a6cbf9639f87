"""Signing in and out of the pages, with a password or with an access token."""

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.http import SESSION_COOKIE, SESSION_TTL_S, base_url, session_value
from allmende.registry import (
    CredentialsInvalid,
    PasswordRefused,
    Token,
    authenticate,
    check_password,
    end_session,
    open_session,
)
from allmende.web.visits import Visit, form, page

__all__ = ["browser_name", "local_target", "routes", "with_session"]


_MAX_NAME_CHARS = 96
_BROWSERS = (
    ("Firefox/", "Firefox"), ("Edg/", "Edge"), ("OPR/", "Opera"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS", "macOS"), ("Linux", "Linux"),
)  # fmt: skip
"""By what an agent's text tells each; those that name others too come first."""


def routes() -> list[Route]:
    """The form, what it is sent to, and the way out."""
    return [
        Route("/login", page(ask)),
        Route("/login", form(sign_in), methods=["POST"]),
        Route("/logout", form(sign_out), methods=["POST"]),
    ]


def ask(visit: Visit) -> Response:
    """The form that takes a token."""
    return _form(visit, target=local_target(visit.parameter("next")), refused="", name="")


def sign_in(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Exchange a password or a token for a session, and go on to where the visitor wanted to be.

    Raises TooManyRequests after many failures.
    """
    target = local_target(fields.get("next", ""))
    try:
        token = _by_token(visit, fields["token"]) if fields.get("token") else _by_password(visit, fields)
    except CredentialsInvalid:
        return _form(visit, 401, target=target, refused="token", name="")
    except PasswordRefused:
        name = fields.get("name", "")[:_MAX_NAME_CHARS]
        return _form(visit, 401, target=target, refused="password", name=name)
    return with_session(visit, token, RedirectResponse(target, 303))


def with_session(visit: Visit, token: Token, response: Response) -> Response:
    """The answer that leaves the browser signed in as the token's owner."""
    response.set_cookie(
        SESSION_COOKIE,
        session_value(visit.services.signer, token),
        max_age=SESSION_TTL_S,
        httponly=True,
        samesite="lax",
        secure=base_url(visit.request).startswith("https:"),
    )
    return response


def _by_token(visit: Visit, secret: str) -> Token:
    with visit.read() as uow:
        actor = authenticate(uow, secret.strip())
    if actor.token is None:
        raise CredentialsInvalid
    return actor.token


def _by_password(visit: Visit, fields: Mapping[str, str]) -> Token:
    database = visit.services.database
    owner = check_password(
        database, fields.get("name", "").strip(), fields.get("password", ""), visit.came_from
    )
    with database.write() as uow:
        return open_session(uow, owner, browser_name(visit.request.headers.get("user-agent", "")))


def browser_name(agent: str) -> str:
    """What a browser calls itself, in two words that its owner knows again; not kept in more detail."""
    browser = next((word for mark, word in _BROWSERS if mark in agent), "Browser")
    system = next((word for mark, word in _SYSTEMS if mark in agent), "")
    return f"{browser} {system}".strip()


def sign_out(visit: Visit, _fields: Mapping[str, str]) -> Response:
    """End the session in this browser; one that a password opened is nobody's from then on."""
    actor = visit.actor
    if actor.account is not None and actor.token is not None and actor.token.is_session:
        with visit.services.database.write() as uow:
            end_session(uow, actor.account, actor.token.id)
    response = RedirectResponse("/", 303)
    response.delete_cookie(
        SESSION_COOKIE,
        httponly=True,
        samesite="lax",
        secure=base_url(visit.request).startswith("https:"),
    )
    return response


def _form(visit: Visit, status: int = 200, *, target: str, refused: str, name: str) -> Response:
    signs_up = visit.services.settings.sign_up
    return visit.render("login.html", status, next=target, refused=refused, name=name, signs_up=signs_up)


def local_target(target: str) -> str:
    """`target` if it is an address of this hub beyond doubt, else the home page."""
    plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else "/"
