"""`GET /api/models|datasets|spaces`: finding repos, and the tags that can be looked for.

A filter that this hub cannot apply is answered with 501: a list that ignores it would be wrong.
"""

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest, NotOffered
from allmende.formats import TASKS
from allmende.http import API_TYPES, reading, reading_unit, services_of
from allmende.hub.addresses import repo_type
from allmende.hub.bodies import switch, switch_or_none
from allmende.hub.info import expand_of
from allmende.hub.pages import cursor_of, page_size, paged, position_at
from allmende.hub.repo_fields import LIST_FIELDS, check_expand, describe_list
from allmende.ids import RepoType
from allmende.registry import Order, RepoQuery, list_repos, tags_in_use

__all__ = ["routes"]

_ORDERS: dict[str, Order] = {
    "createdAt": "created",
    "created_at": "created",
    "lastModified": "updated",
    "last_modified": "updated",
    "updatedAt": "updated",
    "downloads": "downloads",
}
_NO_ORDERS = frozenset({"likes", "likes7d", "trendingScore", "trending_score"})
_NO_FILTERS = frozenset(
    {
        "apps",
        "emissions_thresholds",
        "hardware",
        "inference",
        "inference_provider",
        "num_parameters",
        "other",
        "region",
        "resourceGroup",
        "runtime_stage",
    }
)
_MAX_CONDITIONS = 20
_MAX_WORDS_CHARS = 500
_MAX_WITH_SIBLINGS = 20
"""Repos in a page that lists their files."""


def routes() -> list[Route]:
    """Routes that list repos."""
    return [
        Route("/api/{types:repotypes}", reading(listing)),
        *(Route(f"/api/{types}-tags-by-type", reading(tags_by_type)) for types in ("models", "datasets")),
    ]


def listing(request: Request) -> Response:
    """The repos that the caller may see and that fit, in pages. Raises BadRequest, NotOffered."""
    wanted = repo_type(request)
    fields = _fields(request, wanted)
    query = _query(request, wanted, most=_MAX_WITH_SIBLINGS if "siblings" in fields else None)
    with reading_unit(request) as (uow, actor):
        page = list_repos(uow, actor, query)
        items = describe_list(uow, actor, page.repos, fields)
    return paged(request, items, None if page.next is None else {"cursor": cursor_of(*page.next)})


def tags_by_type(request: Request) -> Response:
    """`GET /api/models-tags-by-type`: the tags in use, by kind, as far as the caller may see their repos."""
    of_type = API_TYPES[request.scope["path"].removeprefix("/api/").removesuffix("-tags-by-type")]
    with reading_unit(request) as (uow, actor):
        tags = tags_in_use(uow, actor, of_type)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for tag in tags:
        kind, label = _kind(tag)
        kinds.setdefault(kind, []).append({"id": tag, "label": label, "type": kind})
    return JSONResponse(kinds)


def _kind(tag: str) -> tuple[str, str]:
    prefix, colon, label = tag.partition(":")
    if colon:
        return prefix, label
    return ("pipeline_tag" if tag in TASKS else "other"), tag


def _fields(request: Request, of_type: RepoType) -> tuple[str, ...]:
    expand = check_expand(of_type, expand_of(request))
    if expand:
        return expand
    fields = list(LIST_FIELDS[of_type])
    if switch(request, "full"):
        fields += ["siblings", "cardData"]
    if switch(request, "cardData"):
        fields.append("cardData")
    if switch(request, "config") and of_type == "model":
        fields.append("config")
    return tuple(dict.fromkeys(fields))


def _query(request: Request, of_type: RepoType, most: int | None) -> RepoQuery:
    for name in request.query_params:
        if name in _NO_FILTERS:
            raise NotOffered(
                f'This hub cannot filter by "{name}".', hint="Leave it out, and filter what you get."
            )
    order, descending = _order(request)
    size = services_of(request).settings.list_page_size
    author = request.query_params.get("author")
    return RepoQuery(
        of_type,
        author=author or None,
        search=_bounded("search", request.query_params.getlist("search")),
        tags=_tags(request, of_type),
        links=_links(request, of_type),
        linked=of_type == "space" and switch(request, "linked"),
        pipeline_tag=request.query_params.get("pipeline_tag") or request.query_params.get("task"),
        library_name=request.query_params.get("library") or None,
        gated=switch_or_none(request, "gated"),
        order=order,
        descending=descending,
        limit=page_size(request, min(size, most or size)),
        after=position_at(request, int, int, str),
    )


def _order(request: Request) -> tuple[Order, bool]:
    sort = request.query_params.get("sort", "createdAt")
    if sort in _NO_ORDERS:
        raise NotOffered(
            f'This hub counts no likes and no trends, so it cannot sort by "{sort}".',
            hint='Sort by "downloads", "lastModified" or "createdAt".',
        )
    if sort not in _ORDERS:
        raise BadRequest(f'"sort" cannot be {sort[:60]!r}.', code="sort_invalid")
    direction = request.query_params.get("direction", "-1")
    if direction not in {"-1", "1", "desc", "asc"}:
        raise BadRequest('"direction" must be -1 or 1.', code="sort_invalid")
    return _ORDERS[sort], direction in {"-1", "desc"}


def _tags(request: Request, of_type: RepoType) -> tuple[str, ...]:
    tags = _split(request, "filter") + _split(request, "tags")
    if of_type == "space":
        tags += _split(request, "sdk")
    tags += [f"license:{name}" for name in _split(request, "license")]
    if of_type == "dataset":
        for key in ("language", "task_categories", "task_ids", "size_categories"):
            tags += [f"{key}:{value.removeprefix(f'{key}:')}" for value in _split(request, key)]
    else:
        tags += _split(request, "language")
    return _bounded("filter", tags)


def _links(request: Request, of_type: RepoType) -> tuple[str, ...]:
    if of_type != "space":
        return ()
    links = [f"model:{name}" for name in _split(request, "models")]
    return _bounded("models", [*links, *(f"dataset:{name}" for name in _split(request, "datasets"))])


def _split(request: Request, name: str) -> list[str]:
    """A parameter that may be repeated, and whose values may be lists with commas."""
    values = request.query_params.getlist(name)
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _bounded(name: str, values: Iterable[str]) -> tuple[str, ...]:
    listed = tuple(values)
    if len(listed) > _MAX_CONDITIONS or sum(map(len, listed)) > _MAX_WORDS_CHARS * 4:
        raise BadRequest(f'There are too many conditions in "{name}".', code="parameter_invalid")
    return listed
