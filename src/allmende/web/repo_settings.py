"""The settings of a repo, for those who may change it: who sees it, who may, its name, and its end."""

from collections.abc import Mapping
from typing import cast

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.flows import change_repo, remove_repo, rename_repo
from allmende.registry import Gate, Repo, account_by_id, check_repo_name
from allmende.storage import UnitOfWork
from allmende.web.addresses import LISTS, settings_path
from allmende.web.members import change_membership
from allmende.web.repo_access import access_of, make_token
from allmende.web.repo_views import forms_of, repo_of, routes_of, view_of
from allmende.web.visits import Visit

__all__ = ["change", "routes", "settings"]

_BRANCH = "main"
_GATES = ("", "auto", "manual")


def routes() -> list[Route]:
    """The page and what its forms are sent to, for each type."""
    return [*routes_of("/settings", settings), *forms_of("/settings", change)]


def settings(visit: Visit) -> Response:
    """The page. Raises SignInRequired and AccessDenied as changing would."""
    return _shown(visit)


def _shown(visit: Visit, *, secret: str = "", said: str = "") -> Response:
    with visit.read() as uow:
        repo = _changeable(visit, uow)
        view = view_of(uow, repo, _BRANCH)
        people = access_of(visit, uow, repo)
    return visit.render(
        "repo_settings.html",
        view=view,
        tab="settings",
        gates=_GATES,
        people=people,
        secret=secret,
        said=said,
    )


def change(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Do what one of the forms asks for; leads to where the repo is then."""
    services = visit.services
    if fields.get("act") == "token":
        return _new_token(visit, fields)
    with services.database.write() as uow:
        repo = _changeable(visit, uow)
        match fields.get("act"):
            case "access":
                private, gated = _access(fields)
                change_repo(services, uow, visit.actor, repo, private=private, gated=gated)
                target = settings_path(repo)
            case "rename":
                target = settings_path(rename_repo(services, uow, visit.actor, repo, _new_name(fields, repo)))
            case "member":
                change_membership(visit, uow, account_by_id(uow, repo.namespace_id), fields)
                target = settings_path(repo)
            case "delete":
                if fields.get("name", "").strip() != repo.full_name:
                    raise BadRequest(
                        "The name that was typed is not the repo's.",
                        hint=f"Type {repo.full_name} to delete it.",
                        code="name_not_repeated",
                        places={"name": repo.full_name},
                    )
                remove_repo(services, uow, visit.actor, repo)
                target = f"/{LISTS[repo.type]}"
            case _:
                raise BadRequest("Nothing is asked for.", code="form_invalid")
    return RedirectResponse(target, 303)


def _new_token(visit: Visit, fields: Mapping[str, str]) -> Response:
    """A new token is shown in the answer, and never again."""
    with visit.services.database.write() as uow:
        secret = make_token(visit, uow, _changeable(visit, uow), fields)
    return _shown(visit, secret=secret, said=fields.get("name", "").strip())


def _changeable(visit: Visit, uow: UnitOfWork) -> Repo:
    repo = repo_of(visit, uow)
    visit.actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    return repo


def _access(fields: Mapping[str, str]) -> tuple[bool, Gate]:
    visibility, gated = fields.get("visibility"), fields.get("gated", "")
    if visibility not in ("public", "private") or gated not in _GATES:
        raise BadRequest("The form is not valid.", code="form_invalid")
    return visibility == "private", cast(Gate, gated)


def _new_name(fields: Mapping[str, str], repo: Repo) -> str:
    namespace = fields.get("namespace", "").strip() or repo.namespace
    name = fields.get("name", "").strip()
    check_repo_name(name)
    return f"{namespace}/{name}"
