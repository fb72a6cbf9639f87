"""What all pages for the hub's administrators share: who gets in, what is asked again, how they are framed.

For everybody else there is nothing at these addresses, whatever they send. An act that does much harm in the
wrong hands asks for the administrator's password with its form: an open browser is not enough for it.
"""

from collections.abc import Callable, Iterable, Mapping

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest, Forbidden, NotFound
from allmende.flows import note_administration
from allmende.ids import AccountId
from allmende.registry import Account, check_password, has_password
from allmende.storage import UnitOfWork
from allmende.web.addresses import with_query
from allmende.web.visits import Visit, arrive, expect_person, form

__all__ = [
    "PLACE",
    "admin_route",
    "administrator",
    "done",
    "note",
    "number_of",
    "require_password",
    "shown",
    "whole_number",
]

PLACE = "/settings/hub"
"""Below an address that no account can have: the first administrator is called `admin`."""

SECTIONS = ("", "users", "policy", "overrides", "jobs", "storage", "audit", "keys", "peers")
"""The pages, by the last part of their addresses; the first is the overview."""

_MAX_DIGITS = 15

Acting = Callable[[Visit, Mapping[str, str]], Response]


def admin_route(path: str, show: Callable[[Visit], Response], act: Acting | None = None) -> Route:
    """The route of a page below `PLACE`, and of what its forms do."""
    acting = None if act is None else form(_of_text(act))

    async def endpoint(request: Request) -> Response:
        expect_person(request)
        visit = await run_sync(_admitted, request)
        if request.method == "POST" and acting is not None:
            return await acting(request)
        return await run_sync(show, visit)

    endpoint.__name__ = show.__name__
    endpoint.__doc__ = show.__doc__
    return Route(f"{PLACE}{path}", endpoint, methods=["GET"] if act is None else ["GET", "POST"])


def shown(visit: Visit, template: str, section: str, /, status: int = 200, **values: object) -> Response:
    """A page in the frame of its section."""
    said = visit.parameter("done")
    return visit.render(
        template,
        status,
        scripts=(),
        place=PLACE,
        sections=SECTIONS,
        section=section,
        done=visit.t.word(f"admin.done.{said}", "") if said else "",
        **values,
    )


def done(path: str, said: str, **parameters: str) -> Response:
    """Back to a page, which says what was done."""
    return RedirectResponse(with_query(f"{PLACE}{path}", {**parameters, "done": said}), 303)


def note(
    visit: Visit,
    uow: UnitOfWork,
    act: str,
    details: Mapping[str, str | int] | None = None,
    *,
    about: AccountId | None = None,
) -> None:
    """Put on record that this administrator did `act`."""
    note_administration(uow, administrator(visit), act, details, about=about)


def administrator(visit: Visit) -> Account:
    """Who administers; raises NotFound for everybody else, as an address without a page does."""
    account = visit.actor.account
    if account is None or not visit.actor.administers_hub:
        raise NotFound("This hub has nothing at this address.", code="address_unknown")
    return account


def require_password(visit: Visit, fields: Mapping[str, str]) -> None:
    """Raises PasswordRefused or TooManyRequests unless the form has the administrator's password.

    Raises Forbidden where they have none. Not within a transaction.
    """
    account = administrator(visit)
    with visit.read() as uow:
        known = has_password(uow, account.id)
    if not known:
        raise Forbidden(
            "This needs your password, and you have none yet.",
            hint="Set one in your own settings, and come back.",
            code="password_missing",
        )
    check_password(visit.services.database, account.name, fields.get("password", ""), visit.came_from)


def number_of(fields: Mapping[str, str], name: str) -> int:
    """A number of a form. Raises BadRequest."""
    return whole_number(fields.get(name, ""))


def whole_number(text: str) -> int:
    """Raises BadRequest for what is none, or has too many digits for any id."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise BadRequest("The number is not valid.", code="number_invalid")
    return int(text)


def _of_text(act: Acting) -> Acting:
    def acting(visit: Visit, fields: Mapping[str, str]) -> Response:
        _require_text(fields.values())
        return act(visit, fields)

    return acting


def _require_text(texts: Iterable[str]) -> None:
    """No name holds a NUL, and not every database takes one as a part of a question."""
    if any("\0" in text for text in texts):
        raise BadRequest("There is a character that is no text.", code="form_invalid")


def _admitted(request: Request) -> Visit:
    visit = arrive(request)
    administrator(visit)
    _require_text([*request.query_params.values(), *map(str, request.path_params.values())])
    return visit
