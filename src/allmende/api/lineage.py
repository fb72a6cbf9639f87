"""Lineage in our own JSON: where a model comes from, what comes from it, and how two models are akin."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeVar

from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field

from allmende.api.stored_bytes import StoredBytes
from allmende.errors import BadRequest
from allmende.flows import (
    Ancestry,
    DescendantsPage,
    EdgeView,
    KinView,
    LineageView,
    ancestors,
    descendants,
    family_figures,
    lineage_of,
    path_between,
    siblings,
)
from allmende.http import reading_unit
from allmende.registry import Actor, Repo, Revision, readable_repo, resolve_revision
from allmende.storage import UnitOfWork

__all__ = ["Grades", "Relations", "add_lineage_routes"]

_MAX_NAME_CHARS = 200
_MAX_PAGE = 500
_MAX_ANCESTORS = 1000

_Answer = TypeVar("_Answer")

_RELATION = (
    "identical, renamed, cast, finetune, partly_frozen, head_only, lora_merged, adapter, merge, quantized, "
    "pruned, vocab_extended, vocab_cut, layers_dropped, layers_duplicated, permuted, sibling, unrelated."
)
_GRADE = (
    "proven: the values follow bit for bit from the parents'. strong: what is left lies at the rounding, or "
    "is of low rank. likely: by distance alone. declared: nobody measured it. contradicted: it was declared, "
    "and the measurement says otherwise."
)
_DIRECTION = (
    "How it was told who comes from whom: irreversible (what was done cannot be undone), branches (by the "
    "angles between several relatives), declared (only a card says it), first_seen (who was here first), "
    "undetermined."
)

Relations = Annotated[str, Field(description=_RELATION)]
Grades = Annotated[str, Field(description=_GRADE)]


class ParentDescription(BaseModel):
    """A parent: the first repo here, of those that the caller may see, that has its weights."""

    repo: str
    revision: str
    weight: float | None = Field(description="Its share, where it is one of several.")


class EdgeDescription(BaseModel):
    """How the model descends from its parents. Without parents: a sibling of others, or unrelated."""

    parents: list[ParentDescription]
    relation: Relations
    chain: list[str] = Field(description="All that was done, the last first.")
    grade: Grades
    direction: str = Field(description=_DIRECTION)
    rank: int | None = Field(description="Of the change, where it is of low rank.")
    evidence: dict[str, Any] = Field(description="The numbers on which the edge rests.")


class DeclaredBaseDescription(BaseModel):
    """A base that the card or the configuration of an adapter names, held against what was measured."""

    name: str
    status: Literal["confirmed", "contradicted", "unknown", "undeclared"] = Field(
        description="unknown: not here, or not to be read. undeclared: measured, and nobody declares it."
    )
    code: str = Field(
        description="Why: measured_parent, measured_ancestor; no_kin, descendant, itself, relation_differs, "
        "does_not_fit; not_here, related, fits; not_declared."
    )
    declared_relation: str | None
    measured: str | None = Field(description="The relation that was measured.")
    grade: str | None
    direction: str | None


class KinDescription(BaseModel):
    """A child with its relation to the model, or a sibling with its relation to the common parent."""

    repo: str
    revision: str
    relation: Relations
    grade: Grades
    rank: int | None
    weight: float | None


class DescendantsDescription(BaseModel):
    """Direct children, those first seen first."""

    schema_name: Annotated[Literal["allmende.lineage-descendants/1"], Field(serialization_alias="schema")] = (
        "allmende.lineage-descendants/1"
    )
    repo: str
    revision: str
    count: int = Field(description="How many there are, of those that the caller may see.")
    descendants: list[KinDescription]
    next: str | None = Field(description="Ask for more with this as `cursor`.")


class LineageDescription(BaseModel):
    """All that was measured and declared about where a revision comes from."""

    schema_name: Annotated[Literal["allmende.lineage-report/1"], Field(serialization_alias="schema")] = (
        "allmende.lineage-report/1"
    )
    repo: str
    revision: str
    examined: bool = Field(description="Whether its weights were compared with the others here.")
    compared: int = Field(description="How many models were near enough to be looked into.")
    among: int = Field(description="Among how many others, of those that the caller may see, kin was sought.")
    parameters: int | None
    edges: list[EdgeDescription] = Field(description="Best first.")
    declared: list[DeclaredBaseDescription]
    problems: list[str] = Field(description="What could not be read of the weights.")
    descendants_count: int


class SiblingsDescription(BaseModel):
    """Other children of the same parents, and relatives whose common start is not here."""

    schema_name: Annotated[Literal["allmende.lineage-siblings/1"], Field(serialization_alias="schema")] = (
        "allmende.lineage-siblings/1"
    )
    repo: str
    revision: str
    siblings: list[KinDescription]


class NodeDescription(BaseModel):
    """A model in a family."""

    repo: str
    revision: str
    depth: int = Field(description="Its distance from the model that was asked for.")


class LinkDescription(BaseModel):
    """A child and one of its parents, by their places in `nodes`."""

    child: int
    parent: int
    relation: Relations
    grade: Grades
    weight: float | None
    rank: int | None


class AncestorsDescription(BaseModel):
    """Where a revision comes from, and where that comes from, and so on. The first node is the revision."""

    schema_name: Annotated[Literal["allmende.lineage-ancestors/1"], Field(serialization_alias="schema")] = (
        "allmende.lineage-ancestors/1"
    )
    nodes: list[NodeDescription]
    links: list[LinkDescription]
    more: bool = Field(description="Whether a bound on depth or number was reached.")


class StepDescription(BaseModel):
    """One step: up to a parent or down to a child, and where it leads."""

    direction: Literal["up", "down"]
    relation: Relations
    grade: Grades
    repo: str
    revision: str


class PathDescription(BaseModel):
    """The shortest way from one model to another."""

    schema_name: Annotated[Literal["allmende.lineage-path/1"], Field(serialization_alias="schema")] = (
        "allmende.lineage-path/1"
    )
    start: str = Field(serialization_alias="from")
    end: str = Field(serialization_alias="to")
    akin: bool = Field(description="Whether there is a way that the caller may see.")
    steps: list[StepDescription]


class FamilyStorageDescription(StoredBytes):
    """What a family takes: the repos that the caller may see of its ancestors and all that comes from these.

    Private repos are counted for a private model alone, those of its namespace. Each content counts once.
    """

    schema_name: Annotated[Literal["allmende.family-storage/1"], Field(serialization_alias="schema")] = (
        "allmende.family-storage/1"
    )
    repo: str
    revision: str
    repos: int = Field(description="How many repos are counted, this one with them.")
    complete: bool = Field(description="Whether these are all of the family; otherwise the first 500.")


def add_lineage_routes(app: FastAPI) -> None:
    """Add the addresses about lineage."""
    model = "/models/{namespace:segment}/{name:segment}/lineage/{revision:revision}"
    # The revision may hold slashes: the longer addresses come first.
    for path, answer, response in (
        (f"{model}/ancestors", lineage_ancestors, AncestorsDescription),
        (f"{model}/descendants", lineage_descendants, DescendantsDescription),
        (f"{model}/siblings", lineage_siblings, SiblingsDescription),
        (f"{model}/storage", lineage_storage, FamilyStorageDescription),
        (model, lineage, LineageDescription),
        ("/lineage/path", lineage_path, PathDescription),
    ):
        app.add_api_route(
            path, answer, response_model=response, operation_id=answer.__name__, tags=["lineage"]
        )


async def lineage(request: Request, namespace: str, name: str, revision: str) -> LineageDescription:
    """Where a revision comes from: measured edges, and what is declared beside them."""
    return await run_sync(_at, request, f"{namespace}/{name}", revision, _lineage)


async def lineage_ancestors(
    request: Request,
    namespace: str,
    name: str,
    revision: str,
    depth: Annotated[int, Query(ge=1, le=32)] = 32,
    limit: Annotated[int, Query(ge=1, le=_MAX_ANCESTORS)] = _MAX_ANCESTORS,
) -> AncestorsDescription:
    """The parents of a revision, their parents, and so on."""

    def found(uow: UnitOfWork, actor: Actor, repo: Repo, at: Revision) -> AncestorsDescription:
        return _ancestry(ancestors(uow, actor, repo, at.oid, depth=depth, nodes=limit))

    return await run_sync(_at, request, f"{namespace}/{name}", revision, found)


async def lineage_descendants(
    request: Request,
    namespace: str,
    name: str,
    revision: str,
    cursor: Annotated[str | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE)] = 50,
) -> DescendantsDescription:
    """The direct children of a revision, in pages."""

    def found(uow: UnitOfWork, actor: Actor, repo: Repo, at: Revision) -> DescendantsDescription:
        page = descendants(uow, actor, repo, at.oid, cursor=cursor, limit=limit)
        return _descendants(repo, at, page)

    return await run_sync(_at, request, f"{namespace}/{name}", revision, found)


async def lineage_siblings(request: Request, namespace: str, name: str, revision: str) -> SiblingsDescription:
    """Other children of the same parents."""

    def found(uow: UnitOfWork, actor: Actor, repo: Repo, at: Revision) -> SiblingsDescription:
        kin = siblings(uow, actor, repo, at.oid)
        return SiblingsDescription(repo=repo.full_name, revision=at.oid, siblings=[_kin(one) for one in kin])

    return await run_sync(_at, request, f"{namespace}/{name}", revision, found)


async def lineage_storage(
    request: Request, namespace: str, name: str, revision: str
) -> FamilyStorageDescription:
    """What all models of a family take together, and what is saved by which means."""

    def found(uow: UnitOfWork, actor: Actor, repo: Repo, at: Revision) -> FamilyStorageDescription:
        family = family_figures(uow, actor, repo, at.oid)
        return FamilyStorageDescription(
            repo=repo.full_name,
            revision=at.oid,
            repos=family.repos,
            complete=not family.is_cut,
            **asdict(family.figures),
        )

    return await run_sync(_at, request, f"{namespace}/{name}", revision, found)


async def lineage_path(
    request: Request,
    start: Annotated[str, Query(alias="from", max_length=_MAX_NAME_CHARS)],
    end: Annotated[str, Query(alias="to", max_length=_MAX_NAME_CHARS)],
) -> PathDescription:
    """How two models are akin: the shortest way from parent to child and back, each at the head of main."""
    return await run_sync(_path, request, start, end)


def _at(
    request: Request,
    full_name: str,
    revision: str,
    answer: Callable[[UnitOfWork, Actor, Repo, Revision], _Answer],
) -> _Answer:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, "model", full_name)
        return answer(uow, actor, repo, resolve_revision(uow, repo, revision))


def _path(request: Request, start: str, end: str) -> PathDescription:
    for name in (start, end):
        if name.count("/") != 1:
            raise BadRequest(f"{name[:100]!r} is not of the form namespace/name.", code="name_invalid")
    with reading_unit(request) as (uow, actor):
        one = readable_repo(uow, actor, "model", start)
        other = readable_repo(uow, actor, "model", end)
        steps = path_between(uow, actor, one, other)
    return PathDescription(
        start=one.full_name,
        end=other.full_name,
        akin=steps is not None,
        steps=[
            StepDescription(
                direction=step.direction,
                relation=step.relation,
                grade=step.grade,
                repo=step.repo,
                revision=step.revision,
            )
            for step in steps or ()
        ],
    )


def _lineage(uow: UnitOfWork, actor: Actor, repo: Repo, at: Revision) -> LineageDescription:
    view: LineageView = lineage_of(uow, actor, repo, at.oid)
    return LineageDescription(
        repo=view.repo,
        revision=view.revision,
        examined=view.examined,
        compared=view.compared,
        among=view.among,
        parameters=view.parameters,
        edges=[_edge(edge) for edge in view.edges],
        declared=[
            DeclaredBaseDescription(
                name=base.name,
                status=base.status,
                code=base.code,
                declared_relation=base.declared_relation,
                measured=base.measured,
                grade=base.grade,
                direction=base.direction,
            )
            for base in view.declared
        ],
        problems=list(view.problems),
        descendants_count=view.descendants.count,
    )


def _edge(edge: EdgeView) -> EdgeDescription:
    return EdgeDescription(
        parents=[
            ParentDescription(repo=parent.repo, revision=parent.revision, weight=parent.weight)
            for parent in edge.parents
        ],
        relation=edge.relation,
        chain=list(edge.chain),
        grade=edge.grade,
        direction=edge.direction,
        rank=edge.rank,
        evidence=dict(edge.evidence),
    )


def _kin(kin: KinView) -> KinDescription:
    return KinDescription(
        repo=kin.repo,
        revision=kin.revision,
        relation=kin.relation,
        grade=kin.grade,
        rank=kin.rank,
        weight=kin.weight,
    )


def _descendants(repo: Repo, at: Revision, page: DescendantsPage) -> DescendantsDescription:
    return DescendantsDescription(
        repo=repo.full_name,
        revision=at.oid,
        count=page.count,
        descendants=[_kin(child) for child in page.children],
        next=page.next,
    )


def _ancestry(found: Ancestry) -> AncestorsDescription:
    return AncestorsDescription(
        nodes=[
            NodeDescription(repo=node.repo, revision=node.revision, depth=node.depth) for node in found.nodes
        ],
        links=[
            LinkDescription(
                child=link.child,
                parent=link.parent,
                relation=link.relation,
                grade=link.grade,
                weight=link.weight,
                rank=link.rank,
            )
            for link in found.links
        ],
        more=found.more,
    )
