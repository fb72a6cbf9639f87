"""Where people find repos: the home page, the lists, and the page of a namespace."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.facts import revisions_facts
from allmende.ids import RepoType
from allmende.registry import (
    MAIN,
    AccountNotFound,
    Order,
    Place,
    Repo,
    RepoQuery,
    count_repos,
    find_account,
    list_repos,
    members_of,
    memberships_of,
    read_ref,
)
from allmende.storage import UnitOfWork
from allmende.web.addresses import LISTS
from allmende.web.statements import parameters_in
from allmende.web.visits import Visit, page

__all__ = ["home", "namespace_route", "repo_lists", "routes"]

_ON_HOME = 8
_ON_LIST = 30
_ON_NAMESPACE = 50
_ORDERS: tuple[Order, ...] = ("updated", "created", "downloads")
_CURSOR = re.compile(
    r"([0-9]{1,18})-([0-9]{1,18})-((?:model|dataset|space)/[a-z0-9_.-]{1,96}/[a-z0-9_.-]{1,96})"
)
_MAX_SEARCH_CHARS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A repo as lists show it."""

    repo: Repo
    parameters: int | None


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
            found = list_repos(uow, visit.actor, query)
            lines = _lines(uow, found.repos)
        following = None if found.next is None else visit.address(after="-".join(map(str, found.next)))
        return visit.render(
            "list.html",
            type=repo_type,
            lines=lines,
            query=query,
            orders=_ORDERS,
            first=visit.address(after="") if query.after else None,
            following=following,
        )

    return repo_list


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
    return visit.render("namespace.html", owner=owner, repos=repos, kin=kin)


def _lines(uow: UnitOfWork, repos: list[Repo]) -> list[Line]:
    heads = {repo.id: head.commit_oid for repo in repos if (head := read_ref(uow, repo.id, MAIN))}
    facts = revisions_facts(uow, heads.items(), ["safetensors", "gguf"])
    return [
        Line(repo, parameters_in(facts[repo.id, heads[repo.id]]) if repo.id in heads else None)
        for repo in repos
    ]


def _query(visit: Visit, repo_type: RepoType) -> RepoQuery:
    search = visit.parameter("search")[:_MAX_SEARCH_CHARS]
    tag = visit.parameter("tag")
    order = next((known for known in _ORDERS if known == visit.parameter("sort")), _ORDERS[0])
    return RepoQuery(
        repo_type,
        author=visit.parameter("author") or None,
        search=(search,) if search else (),
        tags=(tag,) if tag else (),
        pipeline_tag=visit.parameter("pipeline_tag") or None,
        library_name=visit.parameter("library") or None,
        order=order,
        limit=_ON_LIST,
        after=_cursor(visit.parameter("after")),
    )


def _cursor(text: str) -> Place | None:
    if not text:
        return None
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise BadRequest("The cursor is not valid.", code="cursor_invalid")
    return int(match[1]), int(match[2]), match[3]
