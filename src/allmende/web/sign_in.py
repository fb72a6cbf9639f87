"""Signing in and out of the pages with an access token."""

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.http import SESSION_COOKIE, SESSION_TTL_S, base_url, session_value
from allmende.registry import CredentialsInvalid, authenticate
from allmende.web.visits import Visit, form, page

__all__ = ["routes"]


def routes() -> list[Route]:
    """The form, what it is sent to, and the way out."""
    return [
        Route("/login", page(ask)),
        Route("/login", form(sign_in), methods=["POST"]),
        Route("/logout", form(sign_out), methods=["POST"]),
    ]


def ask(visit: Visit) -> Response:
    """The form that takes a token."""
    return visit.render("login.html", next=_local(visit.parameter("next")), refused=False)


def sign_in(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Exchange a token for a session, and go on to where the visitor wanted to be."""
    target = _local(fields.get("next", ""))
    with visit.read() as uow:
        try:
            actor = authenticate(uow, fields.get("token", "").strip())
        except CredentialsInvalid:
            return visit.render("login.html", 401, next=target, refused=True)
    if actor.token is None:
        raise CredentialsInvalid
    response = RedirectResponse(target, 303)
    response.set_cookie(
        SESSION_COOKIE,
        session_value(visit.services.signer, actor.token),
        max_age=SESSION_TTL_S,
        httponly=True,
        samesite="lax",
        secure=base_url(visit.request).startswith("https:"),
    )
    return response


def sign_out(visit: Visit, _fields: Mapping[str, str]) -> Response:
    """End the session in this browser."""
    response = RedirectResponse("/", 303)
    response.delete_cookie(
        SESSION_COOKIE,
        httponly=True,
        samesite="lax",
        secure=base_url(visit.request).startswith("https:"),
    )
    return response


def _local(target: str) -> str:
    """`target` if it is an address of this hub beyond doubt, else the home page."""
    plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if plain and target.startswith("/") and not target.startswith("//") else "/"
