"""Transparency records over HTTP: the record of a revision, signed or not, versions, differences, documents.

What is served is what was signed, the same for everybody who may read the repo; no name of a repo that not
everybody may see is ever in it.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from allmende.bom import BOM_FORMATS, DEFAULT_FORMAT, render
from allmende.clock import iso
from allmende.errors import BadRequest
from allmende.flows import record_envelope, record_of, shown_versions
from allmende.http import API_TYPES, base_url, reading_unit
from allmende.ids import RepoType
from allmende.proof import Envelope, JsonObject, canonical_json
from allmende.record import difference, record_schema
from allmende.registry import Repo, Revision, readable_repo, resolve_revision
from allmende.storage import UnitOfWork

__all__ = ["add_record_routes"]

ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"

_Answer = TypeVar("_Answer")
_Types = Literal["models", "datasets", "spaces"]
_JSON: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}}}}
_SIGNED: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}, ENVELOPE_TYPE: {}}}}
_DOCUMENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {made.media_type: {} for made in BOM_FORMATS.values()}}
}
_MAX_VERSIONS = 200


class RecordVersionDescription(BaseModel):
    """A version of a record."""

    version: int
    digest: str = Field(description="SHA-256 of its envelope, which is what the log names.")
    made_at: str
    shown: bool = Field(
        description="Whether it can be had. Otherwise it was superseded long ago, or names a repo that not "
        "everybody may see any more."
    )


class RecordVersionsDescription(BaseModel):
    """The versions of a revision's record, the newest first."""

    schema_name: Annotated[Literal["allmende.record-versions/1"], Field(serialization_alias="schema")] = (
        "allmende.record-versions/1"
    )
    type: RepoType
    repo: str
    commit: str
    versions: list[RecordVersionDescription]
    next: int | None = Field(description="Ask for more with this as `before`.")


def add_record_routes(app: FastAPI) -> None:
    """Add the addresses of records."""
    repo = "/{types:repotypes}/{namespace:segment}/{name:segment}"
    app.add_api_route("/schemas/record.json", schema, operation_id="record_schema", tags=["records"])
    app.add_api_route(
        f"{repo}/record/{{revision:revision}}",
        record,
        operation_id="record",
        response_class=Response,
        responses=_SIGNED,
        tags=["records"],
    )
    app.add_api_route(
        f"{repo}/record-versions/{{revision:revision}}",
        versions,
        response_model=RecordVersionsDescription,
        operation_id="record_versions",
        tags=["records"],
    )
    app.add_api_route(
        f"{repo}/bom/{{revision:revision}}",
        bom,
        operation_id="bom",
        response_class=Response,
        responses=_DOCUMENTS,
        tags=["records"],
    )
    app.add_api_route(
        f"{repo}/record-diff/{{span:revision}}",
        diff,
        operation_id="record_diff",
        response_class=Response,
        responses=_JSON,
        tags=["records"],
    )


async def schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    return dict(record_schema())


async def record(
    request: Request,
    types: _Types,
    namespace: str,
    name: str,
    revision: str,
    *,
    envelope: Annotated[bool, Query(description="The signed form: a DSSE envelope.")] = False,
    version: Annotated[int | None, Query(ge=1, le=2**31, description="Not the newest, but this one.")] = None,
) -> Response:
    """The transparency record of a revision: all that is known of it, with sources and evidence.

    Signed (`envelope=1`, or `Accept: application/vnd.dsse.envelope.v1+json`), it is the predicate of an
    in-toto statement about the revision.
    """
    signed = envelope or ENVELOPE_TYPE in request.headers.get("accept", "")

    def found(uow: UnitOfWork, repo: Repo, at: Revision) -> Response:
        kept = record_envelope(uow, repo, at.oid, version)
        if signed:
            return _response(request, kept, kept.data, ENVELOPE_TYPE, "e")
        return _response(request, kept, canonical_json(record_of(kept).document), "application/json", "r")

    return await run_sync(_at, request, API_TYPES[types], f"{namespace}/{name}", revision, found)


async def versions(
    request: Request,
    types: _Types,
    namespace: str,
    name: str,
    revision: str,
    before: Annotated[int | None, Query(ge=1, le=2**31)] = None,
    limit: Annotated[int, Query(ge=1, le=_MAX_VERSIONS)] = 50,
) -> RecordVersionsDescription:
    """The versions of a revision's record, with their digests."""

    def found(uow: UnitOfWork, repo: Repo, at: Revision) -> RecordVersionsDescription:
        listed = shown_versions(uow, repo, at.oid, limit, before)
        more = len(listed) == limit and listed[-1].version.version > 1
        return RecordVersionsDescription(
            type=repo.type,
            repo=repo.full_name,
            commit=at.oid,
            versions=[
                RecordVersionDescription(
                    version=one.version.version,
                    digest=one.version.digest,
                    made_at=iso(one.version.made_at),
                    shown=one.shown,
                )
                for one in listed
            ],
            next=listed[-1].version.version if more else None,
        )

    return await run_sync(_at, request, API_TYPES[types], f"{namespace}/{name}", revision, found)


async def bom(
    request: Request,
    types: _Types,
    namespace: str,
    name: str,
    revision: str,
    form: Annotated[
        str, Query(alias="format", max_length=40, description="Which document.")
    ] = DEFAULT_FORMAT,
) -> Response:
    """A bill of materials or another document that follows from the record: the same record, the same bytes.

    `format` is one of cyclonedx-1.6, cyclonedx-1.7, spdx-3.0.1, croissant-1.1 (datasets), cff-1.2.0 and
    datacite-4.5.
    """

    def found(uow: UnitOfWork, repo: Repo, at: Revision) -> Response:
        kept = record_envelope(uow, repo, at.oid)
        data = render(record_of(kept), form, base_url(request))
        made = BOM_FORMATS[form]
        answer = _response(request, kept, data, made.media_type, form)
        answer.headers["Content-Disposition"] = f'inline; filename="{made.file_name}"'
        return answer

    return await run_sync(_at, request, API_TYPES[types], f"{namespace}/{name}", revision, found)


async def diff(request: Request, types: _Types, namespace: str, name: str, span: str) -> Response:
    """What the records of two revisions (`a..b`) say otherwise: facts that came, went and changed."""
    one, dots, other = span.partition("..")
    if not (dots and one and other):
        raise BadRequest(
            f"{span[:200]!r} does not name two revisions.", hint="Give them as a..b.", code="span_invalid"
        )

    def compared() -> Response:
        with reading_unit(request) as (uow, actor):
            repo = readable_repo(uow, actor, API_TYPES[types], f"{namespace}/{name}")
            records = [
                record_of(record_envelope(uow, repo, resolve_revision(uow, repo, revision).oid))
                for revision in (one, other)
            ]
        return _json(difference(*records))

    return await run_sync(compared)


def _at(
    request: Request,
    repo_type: RepoType,
    full_name: str,
    revision: str,
    answer: Callable[[UnitOfWork, Repo, Revision], _Answer],
) -> _Answer:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        return answer(uow, repo, resolve_revision(uow, repo, revision))


def _json(document: JsonObject) -> Response:
    return Response(canonical_json(document), media_type="application/json")


def _response(request: Request, kept: Envelope, data: bytes, media_type: str, form: str) -> Response:
    """An answer that need not be sent again: a version never changes."""
    etag = f'"{kept.digest}-{form}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)
