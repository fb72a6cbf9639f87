"""Where people find repos: the home page, the lists, and the page of a namespace."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.facts import revisions_facts
from allmende.flows import also_by_meaning, may_manage_members
from allmende.ids import RepoType
from allmende.registry import (
    AccountNotFound,
    Repo,
    RepoQuery,
    count_repos,
    find_account,
    heads_of,
    list_repos,
    members_of,
    memberships_of,
)
from allmende.search import FACETS, MAX_PAGES, Found, SearchOrder, SearchQuery, find_repos
from allmende.storage import UnitOfWork
from allmende.web.addresses import LISTS
from allmende.web.messages import Catalogue
from allmende.web.statements import parameters_in
from allmende.web.visits import Visit, page

__all__ = ["home", "namespace_route", "repo_lists", "routes"]

_ON_HOME = 8
_ON_LIST = 30
_ON_NAMESPACE = 50
_ORDERS: tuple[SearchOrder, ...] = ("relevance", "updated", "created", "downloads")
"""The first is for searches by words."""
_MAX_SEARCH_CHARS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A repo as lists show it."""

    repo: Repo
    parameters: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A value by which a list may be narrowed, how many it would leave, and where that leads."""

    word: str
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One way to narrow a list: what is chosen of it, how to drop that, and what else there is."""

    name: str
    chosen: str | None
    without: str
    choices: list[Choice]


def routes() -> list[Route]:
    """Home and the three lists."""
    lists = [Route(f"/{word}", page(repo_lists(repo_type))) for repo_type, word in LISTS.items()]
    return [Route("/", page(home)), *lists]


def namespace_route() -> Route:
    """The page of a user or organisation; it stands after everything else that has one segment."""
    return Route("/{namespace:segment}", page(namespace))


def home(visit: Visit) -> Response:
    """What this hub is, what it holds for this visitor, and what changed last."""
    with visit.read() as uow:
        counts = {repo_type: count_repos(uow, visit.actor, repo_type) for repo_type in LISTS}
        latest = {
            repo_type: _lines(
                uow,
                list_repos(uow, visit.actor, RepoQuery(repo_type, order="updated", limit=_ON_HOME)).repos,
            )
            for repo_type in LISTS
            if counts[repo_type]
        }
    return visit.render("home.html", counts=counts, latest=latest)


def repo_lists(repo_type: RepoType) -> Callable[[Visit], Response]:
    """The handler of one of the three lists."""

    def repo_list(visit: Visit) -> Response:
        query = _query(visit, repo_type)
        with visit.read() as uow:
            found = find_repos(uow, visit.services.loaded, visit.actor, query)
            lines = _lines(uow, found.repos)
            wanted = visit.parameter("meaning") == "1"
            also = also_by_meaning(visit.services, uow, visit.actor, query, found) if wanted else []
            also_lines = _lines(uow, also)
        return visit.render(
            "list.html",
            type=repo_type,
            lines=lines,
            has_meaning=visit.services.meaning is not None,
            by_meaning=wanted,
            also=also_lines,
            query=query,
            total=found.total,
            facets=_facets(visit, query, found),
            orders=_ORDERS if query.text else _ORDERS[1:],
            has_more=found.has_more,
        )

    return repo_list


def _facets(visit: Visit, query: SearchQuery, found: Found) -> list[Facet]:
    """The facets that divide what was found, or that are chosen."""
    facets = []
    for name in FACETS:
        chosen = query.facets.get(name)
        choices = [
            Choice(_word(name, one.value, visit.t), one.count, _narrowed(visit, name, one.value))
            for one in found.facets[name]
            if one.value != chosen
        ]
        if chosen is not None:
            without = _narrowed(visit, name, "")
            facets.append(Facet(name, _word(name, chosen, visit.t), without, choices))
        elif len(choices) > 1 or (choices and choices[0].count < found.total):
            facets.append(Facet(name, None, "", choices))
    return facets


def _narrowed(visit: Visit, facet: str, value: str) -> str:
    """The first page of this list with another value of a facet."""
    return visit.address(**{"page": "", facet: value})


def _word(facet: str, value: str, t: Catalogue) -> str:
    if facet in ("licence_class", "open"):
        return t.word(f"licence_{facet.removeprefix('licence_')}.{value}", value)
    if facet == "status":
        return t.word(f"scan.status.{value}", value)
    return t.word(f"list.size.{value}", value) if facet == "size" else value


def namespace(visit: Visit) -> Response:
    """A user or an organisation: its repos that the visitor may see, and who belongs to whom."""
    name = str(visit.request.path_params["namespace"])
    with visit.read() as uow:
        owner = find_account(uow, name)
        if owner is None:
            raise AccountNotFound(name)
        repos = {}
        for repo_type in LISTS:
            query = RepoQuery(repo_type, author=owner.name, order="updated", limit=_ON_NAMESPACE)
            found = list_repos(uow, visit.actor, query)
            if found.repos:
                repos[repo_type] = (_lines(uow, found.repos), found.next is not None)
        kin = members_of(uow, owner.id) if owner.kind == "org" else memberships_of(uow, owner.id)
    return visit.render(
        "namespace.html",
        owner=owner,
        repos=repos,
        kin=kin,
        makes=visit.actor.may_change(owner.id, "model", f"{owner.name}/main"),
        manages=may_manage_members(visit.actor, owner),
    )


def _lines(uow: UnitOfWork, repos: list[Repo]) -> list[Line]:
    heads = heads_of(uow, [repo.id for repo in repos])
    facts = revisions_facts(uow, heads.items(), ["safetensors", "gguf"])
    return [
        Line(repo, parameters_in(facts[repo.id, heads[repo.id]]) if repo.id in heads else None)
        for repo in repos
    ]


def _query(visit: Visit, repo_type: RepoType) -> SearchQuery:
    text = visit.parameter("search")[:_MAX_SEARCH_CHARS]
    default = _ORDERS[0] if text else _ORDERS[1]
    number = visit.page_number()
    if number >= MAX_PAGES:
        raise BadRequest("There are no more pages; narrow the search.", code="page_invalid")
    return SearchQuery(
        text,
        type=repo_type,
        author=visit.parameter("author") or None,
        tag=visit.parameter("tag") or None,
        facets={name: value for name in FACETS if (value := visit.parameter(name))},
        order=next((known for known in _ORDERS if known == visit.parameter("sort")), default),
        page=number,
        size=_ON_LIST,
    )
