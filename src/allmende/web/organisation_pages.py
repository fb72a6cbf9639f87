"""Organisations in the browser: making one, then what it is called and who belongs to it."""

from collections.abc import Mapping
from typing import cast

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest
from allmende.flows import change_organisation, make_organisation, may_make_organisations, may_manage_members
from allmende.http import status_of
from allmende.registry import AccessDenied, Account, AccountNotFound, Visibility, find_account, members_of
from allmende.storage import UnitOfWork
from allmende.web.members import change_membership, members_shown
from allmende.web.visits import Visit, form, page

__all__ = ["ask", "change", "make", "routes", "settings"]

_MAX_NAME_CHARS = 96
_MAX_FULLNAME_CHARS = 200
_NEW = "/new/organisation"
_SETTINGS = "/organizations/{organization:segment}/settings"


def routes() -> list[Route]:
    """The two pages and what their forms are sent to."""
    return [
        Route(_NEW, page(ask)),
        Route(_NEW, form(make), methods=["POST"]),
        Route(_SETTINGS, page(settings)),
        Route(_SETTINGS, form(change), methods=["POST"]),
    ]


def ask(visit: Visit) -> Response:
    """The form for a new one. Raises SignInRequired."""
    visit.actor.require_account()
    return _form(visit, {})


def make(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Make it and go on to its settings; or the form again, with what is wrong. Raises SignInRequired."""
    visit.actor.require_account()
    services = visit.services
    try:
        name, fullname, visibility = fields.get("name", "").strip(), _fullname(fields), _visibility(fields)
        with services.database.write() as uow:
            made = make_organisation(services, uow, visit.actor, name, fullname, visibility)
    except AllmendeError as error:
        return _form(visit, fields, problem=error)
    return RedirectResponse(_settings_path(made), 303)


def settings(visit: Visit) -> Response:
    """Its settings, for those who administer it. Raises SignInRequired, AccountNotFound, AccessDenied."""
    return _settings(visit)


def change(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Do what one of the forms asks for; or the page again, with what is wrong."""
    try:
        with visit.services.database.write() as uow:
            org = _managed(visit, uow)
            match fields.get("act"):
                case "profile":
                    change_organisation(uow, visit.actor, org, _fullname(fields), _visibility(fields))
                case "member":
                    change_membership(visit, uow, org, fields)
                case _:
                    raise BadRequest("Nothing is asked for.", code="form_invalid")
    except AllmendeError as error:
        return _settings(visit, problem=error)
    return RedirectResponse(_settings_path(org) if _still_managed(visit, org) else f"/{org.name}", 303)


def _still_managed(visit: Visit, org: Account) -> bool:
    """Not after the visitor has ended their own membership."""
    with visit.read() as uow:
        return (visit.actor.require_account(), "admin") in members_of(uow, org.id)


def _managed(visit: Visit, uow: UnitOfWork) -> Account:
    visit.actor.require_account()
    name = str(visit.request.path_params["organization"])
    org = find_account(uow, name)
    if org is None or org.kind != "org":
        raise AccountNotFound(name)
    if not may_manage_members(visit.actor, org):
        raise AccessDenied(
            f"You may not change {org.name}.", hint="Ask one of its members with the role admin."
        )
    return org


def _fullname(fields: Mapping[str, str]) -> str | None:
    text = " ".join(fields.get("fullname", "").split())
    if len(text) > _MAX_FULLNAME_CHARS or not text.isprintable():
        raise BadRequest("The name for people is not valid.", code="fullname_invalid")
    return text or None


def _visibility(fields: Mapping[str, str]) -> Visibility:
    if fields.get("visibility") not in ("public", "private"):
        raise BadRequest("Say who may see it.", code="visibility_missing")
    return cast("Visibility", fields["visibility"])


def _settings_path(org: Account) -> str:
    return f"/organizations/{org.name}/settings"


def _form(visit: Visit, fields: Mapping[str, str], *, problem: AllmendeError | None = None) -> Response:
    return visit.render(
        "new_organisation.html",
        200 if problem is None else status_of(problem),
        is_open=visit.services.settings.max_organisations > 0,
        may_found=may_make_organisations(visit.services, visit.actor),
        name=fields.get("name", "")[:_MAX_NAME_CHARS],
        fullname=fields.get("fullname", "")[:_MAX_FULLNAME_CHARS],
        visibility=fields.get("visibility", ""),
        problem=problem,
    )


def _settings(visit: Visit, *, problem: AllmendeError | None = None) -> Response:
    with visit.read() as uow:
        org = _managed(visit, uow)
        group = members_shown(visit, uow, org)
    return visit.render(
        "organisation.html",
        200 if problem is None else status_of(problem),
        org=org,
        group=group,
        action=_settings_path(org),
        problem=problem,
    )
