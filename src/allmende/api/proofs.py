"""Proofs of revisions, for `allmende verify`, and the subject that a repo has in the log.

Both pass the door that the repo itself passes: who may not read it learns nothing.
"""

from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from allmende.flows import proof_bundle
from allmende.http import API_TYPES, reading_unit, services_of
from allmende.ids import RepoType
from allmende.registry import log_subjects, readable_repo, resolve_revision

__all__ = ["add_proof_routes"]

Types = Literal["models", "datasets", "spaces"]
_PRIVATE = {"Cache-Control": "private, no-store"}


class SubjectDescription(BaseModel):
    """Under which subject the entries about a repo stand in the log."""

    schema_name: Annotated[Literal["allmende.log-subject/1"], Field(serialization_alias="schema")] = (
        "allmende.log-subject/1"
    )
    type: RepoType
    repo: str = Field(description="`namespace/name`, as it is called now.")
    id: str = Field(description="What the log's statements call it, whatever its name is.")
    subject: str = Field(description="64 hexadecimal digits; the field `subject` of its entries.")


def add_proof_routes(app: FastAPI) -> None:
    """Add the routes of this module."""
    repo = "/{types:repotypes}/{namespace:segment}/{name:segment}"
    app.add_api_route(
        f"{repo}/proof/{{revision:revision}}",
        proof,
        response_class=Response,
        operation_id="proof",
        tags=["log"],
        responses={200: {"content": {"application/json": {}}, "description": "A proof bundle."}},
    )
    app.add_api_route(
        f"{repo}/log-subject",
        subject,
        response_model=SubjectDescription,
        operation_id="log_subject",
        tags=["log"],
    )


async def proof(request: Request, types: Types, namespace: str, name: str, revision: str) -> Response:
    """The proof of a revision (`allmende.proof-bundle/1`): its files, and what the log and the hub say of it.

    503 `log_unsigned` for the moment in which the log has not got so far; 404 `proof_not_kept` for a commit
    that was never the head of a branch.
    """
    data = await run_sync(_proof, request, API_TYPES[types], f"{namespace}/{name}", revision)
    return Response(data, media_type="application/json", headers=_PRIVATE)


async def subject(request: Request, types: Types, namespace: str, name: str) -> SubjectDescription:
    """The subject of a repo, by which `allmende log watch` knows its entries."""
    return await run_sync(_subject, request, API_TYPES[types], f"{namespace}/{name}")


def _proof(request: Request, repo_type: RepoType, full_name: str, revision: str) -> bytes:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        commit_oid = resolve_revision(uow, repo, revision).oid
    return proof_bundle(services_of(request), repo, commit_oid).data


def _subject(request: Request, repo_type: RepoType, full_name: str) -> SubjectDescription:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        found = log_subjects(uow, [repo.id])[repo.id]
    return SubjectDescription(type=repo.type, repo=repo.full_name, id=found.public_id, subject=found.subject)
