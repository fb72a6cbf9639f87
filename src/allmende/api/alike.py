"""Models like one, in our own JSON: the same that its page shows."""

from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field

from allmende.api.lineage import Grades, Relations
from allmende.flows import AlikeView, lineage_of, models_like
from allmende.http import reading_unit, services_of
from allmende.registry import readable_repo, resolve_revision

__all__ = ["add_alike_routes"]

_MOST = 50


class AlikeModel(BaseModel):
    """A model like the one that was asked for, and why. By `task` nothing else than its size is told."""

    repo: str
    revision: str | None = Field(description="The first that holds the weights; null by task.")
    why: Literal["copy", "parent", "child", "sibling", "merged_with", "grandparent", "grandchild", "task"] = (
        Field(
            description="copy: the same files. sibling: of the same parent, or of a start that is not here. "
            "merged_with: both are in one merge. task: of the same task and library, not compared."
        )
    )
    through: str | None = Field(description="Of two that are two steps apart the model between them.")
    relation: Relations | None = Field(description="What was done on the last step to it.")
    grade: Grades | None = Field(description="Of the less sure step.")
    rank: int | None
    weight: float | None = Field(description="The share of one in the other, where it is one of several.")
    agreement: float | None = Field(
        description="The share of sampled signs that both have alike; strangers have about half."
    )
    parameters: int | None


class AlikeModels(BaseModel):
    """The models that are most like one, of those that the caller may see, the nearest first."""

    schema_name: Annotated[Literal["allmende.alike/1"], Field(serialization_alias="schema")] = (
        "allmende.alike/1"
    )
    repo: str
    revision: str
    by: Literal["weights", "task"] = Field(
        description="weights: measured. task: no relative was measured; by task, library and size alone."
    )
    models: list[AlikeModel]


def add_alike_routes(app: FastAPI) -> None:
    """Add the address."""
    app.add_api_route(
        "/models/{namespace:segment}/{name:segment}/alike/{revision:revision}",
        alike,
        response_model=AlikeModels,
        operation_id="alike",
        tags=["lineage"],
    )


async def alike(
    request: Request,
    namespace: str,
    name: str,
    revision: str,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 8,
) -> AlikeModels:
    """Models like this one: nearest kin by its weights, else those of its task, library and size."""
    return await run_sync(_alike, request, f"{namespace}/{name}", revision, limit)


def _alike(request: Request, full_name: str, revision: str, limit: int) -> AlikeModels:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, "model", full_name)
        at = resolve_revision(uow, repo, revision)
        view = lineage_of(uow, actor, repo, at.oid, alike=limit)
        found = models_like(services_of(request), uow, actor, repo, view, limit)
    return AlikeModels(
        repo=repo.full_name,
        revision=at.oid,
        by="weights" if view.alike else "task",
        models=[_model(one) for one in found],
    )


def _model(one: AlikeView) -> AlikeModel:
    return AlikeModel(
        repo=one.repo,
        revision=one.revision,
        why=one.why,
        through=one.through,
        relation=one.relation,
        grade=one.grade,
        rank=one.rank,
        weight=one.weight,
        agreement=one.agreement,
        parameters=one.parameters,
    )
