"""The JSON API, version 1: what the hub knows of revisions, with the evidence for it.

Its errors are those of all other addresses, made at the edge. The pages that FastAPI would offer with it
load scripts from elsewhere and are switched off; the description alone is served, at `openapi.json`.
"""

from functools import cache
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from allmende import __version__
from allmende.api.alike import add_alike_routes
from allmende.api.applications import add_application_routes
from allmende.api.documents import add_document_routes
from allmende.api.evidence import add_evidence_routes
from allmende.api.lineage import add_lineage_routes
from allmende.api.log import add_log_routes
from allmende.api.objects import add_object_routes
from allmende.api.proofs import add_proof_routes
from allmende.api.records import add_record_routes
from allmende.api.scans import add_scan_routes
from allmende.api.search import add_search_routes
from allmende.api.signatures import add_signature_routes
from allmende.clock import iso
from allmende.errors import BadRequest
from allmende.facts import Fact, revision_facts
from allmende.http import API_TYPES, reading_unit, refused
from allmende.ids import RepoType
from allmende.registry import readable_repo, resolve_revision

__all__ = ["PREFIX", "make_api"]

PREFIX = "/api/allmende/v1"
FEATURES = (
    "applications",
    "facts",
    "git-lfs",
    "huggingface-hub",
    "log",
    "objects",
    "proof",
    "scan",
    "signatures",
    "xet",
)


class HubDescription(BaseModel):
    """What this hub is."""

    name: Literal["Allmende"] = "Allmende"
    version: str = Field(description="The version that runs.")
    features: list[str] = Field(description="What it offers, in the order of the alphabet.")


class FactDescription(BaseModel):
    """Something known of a revision, and what it rests on."""

    name: str
    value: Any
    source: Literal["declared", "measured", "derived", "attested"]
    evidence: dict[str, Any]
    tool: str
    tool_version: str
    at: str = Field(description="When it was found, ISO 8601 in UTC.")


class RevisionFactsDescription(BaseModel):
    """Everything known of one revision of a repo."""

    schema_name: Annotated[Literal["allmende.facts/1"], Field(serialization_alias="schema")] = (
        "allmende.facts/1"
    )
    type: RepoType
    repo: str = Field(description="`namespace/name`")
    commit: str = Field(description="The revision's commit, 40 hexadecimal digits.")
    examined: bool = Field(
        description="Whether its examination is finished; until then facts may be missing."
    )
    facts: list[FactDescription]


class Problem(BaseModel):
    """What went wrong, as every address of the hub says it; headers `X-Error-Code` and `X-Request-Id` too."""

    error: str = Field(description="A sentence for people, with what to do.")
    message: str
    code: str = Field(description="A stable word for programs.")
    hint: str | None = None


class _Api(FastAPI):
    """Without the layer of FastAPI that answers 500: what goes wrong is the edge's, as everywhere else."""

    def build_middleware_stack(self) -> ASGIApp:
        stack = AsyncExitStackMiddleware(self.router)
        return ExceptionMiddleware(stack, {RequestValidationError: _invalid, HTTPException: refused})


@cache
def make_api() -> FastAPI:
    """The application under `PREFIX`: one for the process, as it knows no hub but that of a request."""
    app = _Api(
        title="Allmende",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": PREFIX}],
        responses={"4XX": {"model": Problem, "description": "The request cannot be answered."}},
    )
    app.add_api_route("/hub", hub, response_model=HubDescription, operation_id="hub", tags=["hub"])
    app.add_api_route(
        "/{types:repotypes}/{namespace:segment}/{name:segment}/facts/{revision:revision}",
        facts,
        response_model=RevisionFactsDescription,
        operation_id="facts",
        tags=["repos"],
    )
    add_scan_routes(app)
    add_lineage_routes(app)
    add_alike_routes(app)
    add_log_routes(app)
    add_object_routes(app)
    add_signature_routes(app)
    add_record_routes(app)
    add_document_routes(app)
    add_proof_routes(app)
    add_evidence_routes(app)
    add_search_routes(app)
    add_application_routes(app)
    return app


async def hub() -> HubDescription:
    """What this hub is and offers."""
    return HubDescription(version=__version__, features=list(FEATURES))


async def facts(
    request: Request,
    types: Literal["models", "datasets", "spaces"],
    namespace: str,
    name: str,
    revision: str,
) -> RevisionFactsDescription:
    """The facts of a revision (a branch, a tag or a commit), each with its source and its evidence."""
    return await run_sync(_facts, request, API_TYPES[types], f"{namespace}/{name}", revision)


def _facts(request: Request, repo_type: RepoType, full_name: str, revision: str) -> RevisionFactsDescription:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        found = resolve_revision(uow, repo, revision)
        known = revision_facts(uow, repo.id, found.oid)
        return RevisionFactsDescription(
            type=repo.type,
            repo=repo.full_name,
            commit=found.oid,
            examined=known.examined,
            facts=[_description(known[name]) for name in sorted(known)],
        )


def _description(fact: Fact) -> FactDescription:
    return FactDescription(
        name=fact.name,
        value=fact.value,
        source=fact.source,
        evidence=dict(fact.evidence),
        tool=fact.tool,
        tool_version=fact.tool_version,
        at=iso(fact.at),
    )


async def _invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    raise BadRequest(f"{where}: {first['msg']}.", code="request_invalid") from error
