"""Finding repos, in our own JSON: the same that the lists of the pages show."""

from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field

from allmende.clock import iso
from allmende.flows import also_by_meaning
from allmende.http import API_TYPES, reading_unit, services_of
from allmende.ids import RepoType
from allmende.record import LicenceClass
from allmende.registry import Repo
from allmende.search import FACETS, MAX_PAGES, SearchOrder, SearchQuery, find_repos

__all__ = ["add_search_routes"]

_MAX_TEXT_CHARS = 200
_MAX_PAGE_SIZE = 100


class FoundRepo(BaseModel):
    """A repo that was found."""

    type: RepoType
    repo: str = Field(description="`namespace/name`")
    private: bool
    task: str | None
    library: str | None
    downloads: int
    updated: str
    by: Literal["words", "meaning"] = Field(description="By what it was found.")


class FacetValue(BaseModel):
    """How many of the found repos have a value."""

    value: str
    count: int


class SearchResults(BaseModel):
    """One page of what the caller may see, and how all of it spreads over each facet."""

    schema_name: Annotated[Literal["allmende.search/1"], Field(serialization_alias="schema")] = (
        "allmende.search/1"
    )
    total: int
    page: int
    has_more: bool
    repos: list[FoundRepo]
    also: list[FoundRepo] = Field(
        description="With `meaning`, beneath the first page: up to ten that the words do not find and whose "
        "texts lie near what was asked, the nearest first. Empty where the operator chose no model for it."
    )
    facets: dict[str, list[FacetValue]] = Field(
        description="The most frequent values of each; of a chosen one what there would be without it."
    )


class Searched(BaseModel):
    """What is looked for; every word and every facet must hold."""

    q: str = Field(default="", max_length=_MAX_TEXT_CHARS, description="Words of name, tags and card.")
    type: Literal["models", "datasets", "spaces"] | None = None
    author: str | None = None
    tag: str | None = None
    task: str | None = None
    library: str | None = None
    licence: str | None = None
    licence_class: LicenceClass | None = None
    open: Literal["free", "not_free", "disputed"] | None = Field(
        default=None, description="Whether the licence is open-source by its text (AI Act, Art. 53(2))."
    )
    language: str | None = None
    base: str | None = Field(
        default=None, description="A repo from whose weights others were measured to come."
    )
    status: str | None = Field(default=None, description="Of the scan: clean, noted, warned, blocked, ….")
    size: Literal["s", "m", "l", "xl", "xxl"] | None = Field(
        default=None, description="Parameters: under 10^8, 10^9, 10^10, 10^11, and more."
    )

    meaning: bool = Field(default=False, description="Whether to look for texts of like meaning, too.")
    sort: SearchOrder = "relevance"
    page: int = Field(default=0, ge=0, lt=MAX_PAGES)
    limit: int = Field(default=30, ge=1, le=_MAX_PAGE_SIZE)


def add_search_routes(app: FastAPI) -> None:
    """Add the address."""
    app.add_api_route("/search", search, response_model=SearchResults, operation_id="search", tags=["repos"])


async def search(request: Request, asked: Annotated[Searched, Query()]) -> SearchResults:
    """Find repos by words and facets: what the name says comes before tags, and these before the card."""
    return await run_sync(_search, request, asked)


def _search(request: Request, asked: Searched) -> SearchResults:
    facets = {name: value for name in FACETS if (value := getattr(asked, name)) is not None}
    query = SearchQuery(
        asked.q,
        type=None if asked.type is None else API_TYPES[asked.type],
        author=asked.author,
        tag=asked.tag,
        facets=facets,
        order=asked.sort,
        page=asked.page,
        size=asked.limit,
    )
    with reading_unit(request) as (uow, actor):
        services = services_of(request)
        found = find_repos(uow, services.loaded, actor, query)
        also = also_by_meaning(services, uow, actor, query, found) if asked.meaning else []
    return SearchResults(
        total=found.total,
        page=asked.page,
        has_more=found.has_more,
        repos=[_found(repo, "words") for repo in found.repos],
        also=[_found(repo, "meaning") for repo in also],
        facets={
            name: [FacetValue(value=one.value, count=one.count) for one in counts]
            for name, counts in found.facets.items()
        },
    )


def _found(repo: Repo, by: Literal["words", "meaning"]) -> FoundRepo:
    return FoundRepo(
        type=repo.type,
        repo=repo.full_name,
        private=repo.private,
        task=repo.pipeline_tag,
        library=repo.library_name,
        downloads=repo.downloads,
        updated=iso(repo.updated_at),
        by=by,
    )
