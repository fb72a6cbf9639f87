"""Signing up: a page on which a stranger makes an account, where the operator lets them; else it says so."""

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest, Forbidden
from allmende.http import status_of
from allmende.registry import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, open_session, sign_up
from allmende.web.sign_in import browser_name, local_target, with_session
from allmende.web.visits import Visit, form, page

__all__ = ["ask", "join", "routes"]

_MAX_NAME_CHARS = 96
_MAX_FULLNAME_CHARS = 200


def routes() -> list[Route]:
    """The page and its form."""
    return [Route("/join", page(ask)), Route("/join", form(join), methods=["POST"])]


def ask(visit: Visit) -> Response:
    """The form, or that this hub makes accounts in another way."""
    return _shown(visit, {"next": visit.parameter("next")})


def join(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Make the account, and sign its owner in; or the form again, with what is wrong.

    Raises Forbidden where the operator lets nobody sign up.
    """
    if not visit.services.settings.sign_up:
        raise Forbidden(
            "Accounts of this hub are made by its operator.",
            hint="Ask whoever runs it.",
            code="sign_up_closed",
        )
    database = visit.services.database
    try:
        fullname, password = _fullname(fields), fields.get("password", "")
        if password != fields.get("again", ""):
            raise BadRequest("The two passwords are not the same.", code="password_differs")
        name = fields.get("name", "").strip()
        owner = sign_up(database, name, fullname, password, visit.came_from)
    except AllmendeError as error:
        return _shown(visit, fields, problem=error)
    with database.write() as uow:
        token = open_session(uow, owner, browser_name(visit.request.headers.get("user-agent", "")))
    target = local_target(fields.get("next", ""))
    return with_session(visit, token, RedirectResponse("/settings" if target == "/" else target, 303))


def _fullname(fields: Mapping[str, str]) -> str | None:
    text = " ".join(fields.get("fullname", "").split())
    if len(text) > _MAX_FULLNAME_CHARS or not text.isprintable():
        raise BadRequest("The name for people is not valid.", code="fullname_invalid")
    return text or None


def _shown(visit: Visit, fields: Mapping[str, str], *, problem: AllmendeError | None = None) -> Response:
    return visit.render(
        "join.html",
        200 if problem is None else status_of(problem),
        is_open=visit.services.settings.sign_up,
        next=local_target(fields.get("next", "")),
        name=fields.get("name", "")[:_MAX_NAME_CHARS],
        fullname=fields.get("fullname", "")[:_MAX_FULLNAME_CHARS],
        least=MIN_PASSWORD_CHARS,
        most=MAX_PASSWORD_CHARS,
        problem=problem,
    )
