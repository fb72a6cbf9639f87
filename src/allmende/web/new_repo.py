"""Making a repo in the browser: a short form, then the page on which its files are uploaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import AllmendeError, BadRequest
from allmende.flows import NewRepo, make_repo, may_make_organisations
from allmende.formats import LICENSES, SPACE_SDKS
from allmende.http import status_of
from allmende.ids import RepoType
from allmende.registry import Account, memberships_of
from allmende.web.addresses import LISTS, upload_path
from allmende.web.first_card import FirstCard, card_text
from allmende.web.visits import Visit, form, page

__all__ = ["ask", "make", "routes"]

_BRANCH = "main"
_MAX_TEXT_CHARS = 20_000
_MAX_FORM_BYTES = 256 * 1024
_MAX_NAME_CHARS = 96


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form holds."""

    type: RepoType
    owner: str = ""
    name: str = ""
    visibility: str = ""
    card: FirstCard = field(default_factory=FirstCard)


def routes() -> list[Route]:
    """The page and its form, for all types of repos."""
    return [Route("/new", page(ask)), Route("/new", form(make, _MAX_FORM_BYTES), methods=["POST"])]


def ask(visit: Visit) -> Response:
    """The form, for the type and owner that the address names. Raises SignInRequired."""
    visit.actor.require_account()
    return _shown(visit, Wish(_type(visit.parameter("type")), owner=visit.parameter("owner")))


def make(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Make it and go on to its files; or the form again, with what is wrong. Raises SignInRequired."""
    visit.actor.require_account()
    wish = _wish(fields)
    services = visit.services
    try:
        if wish.visibility not in ("public", "private"):
            raise BadRequest("Say who may see it.", code="visibility_missing")
        text = card_text(wish.type, wish.name, wish.card, visit.t)
        asked = NewRepo(
            wish.type,
            wish.owner,
            wish.name,
            wish.visibility == "private",
            wish.card.sdk if wish.type == "space" else None,
            text,
        )
        with services.database.write() as uow:
            made = make_repo(services, uow, visit.actor, asked)
    except AllmendeError as error:
        return _shown(visit, wish, problem=error)
    return RedirectResponse(upload_path(made, _BRANCH), 303)


def _wish(fields: Mapping[str, str]) -> Wish:
    def line(name: str, most: int = _MAX_NAME_CHARS) -> str:
        return fields.get(name, "").strip()[:most]

    def text(name: str) -> str:
        return fields.get(name, "").replace("\r\n", "\n")[:_MAX_TEXT_CHARS]

    card = FirstCard(
        line("licence"), line("base", 2 * _MAX_NAME_CHARS + 1), line("sdk"), text("about"), text("limits")
    )
    return Wish(_type(fields.get("type", "")), line("owner"), line("name", 200), line("visibility"), card)


def _type(word: str) -> RepoType:
    return next((known for known in LISTS if known == word), "model")


def _shown(visit: Visit, wish: Wish, *, problem: AllmendeError | None = None) -> Response:
    return visit.render(
        "new_repo.html",
        200 if problem is None else status_of(problem),
        wish=wish,
        owners=_owners(visit, wish.type),
        licences=LICENSES,
        sdks=SPACE_SDKS,
        problem=problem,
        most_chars=_MAX_TEXT_CHARS,
        may_found=may_make_organisations(visit.services, visit.actor),
    )


def _owners(visit: Visit, repo_type: RepoType) -> list[Account]:
    """The namespaces in which the visitor may make repos, their own first."""
    own = visit.actor.require_account()
    with visit.read() as uow:
        organisations = [org for org, _role in memberships_of(uow, own.id)]
    return [
        owner
        for owner in (own, *organisations)
        if visit.actor.may_change(owner.id, repo_type, f"{owner.name}/{_BRANCH}")
    ]
