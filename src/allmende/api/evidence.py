"""Evidence for auditors as an archive: of a repo, of a namespace, of the hub; for whoever is signed in.

It holds what the caller may read. Making one reads much, so that strangers do not get it, and the whole hub
is for its administrators.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import BinaryIO, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from allmende.errors import Forbidden
from allmende.flows import heads_of, repos_for_evidence, write_evidence
from allmende.http import API_TYPES, reading_unit, services_of
from allmende.registry import readable_repo

__all__ = ["add_evidence_routes"]

Types = Literal["models", "datasets", "spaces"]
_BLOCK_BYTES = 256 * 1024


class HubEvidenceDenied(Forbidden):
    """Evidence of the whole hub is for its administrators."""

    code = "hub_evidence_denied"


def add_evidence_routes(app: FastAPI) -> None:
    """Add the routes of this module."""
    routes: dict[str, Callable[..., Awaitable[StreamingResponse]]] = {
        "/{types:repotypes}/{namespace:segment}/{name:segment}/evidence": repo_evidence,
        "/evidence/namespaces/{namespace:segment}": namespace_evidence,
        "/evidence/hub": hub_evidence,
    }
    for path, endpoint in routes.items():
        app.add_api_route(
            path,
            endpoint,
            response_class=StreamingResponse,
            operation_id=endpoint.__name__,
            tags=["log"],
            responses={200: {"content": {"application/zip": {}}, "description": "An archive of evidence."}},
        )


async def repo_evidence(request: Request, types: Types, namespace: str, name: str) -> StreamingResponse:
    """Evidence of all heads of a repo."""
    full_name = f"{namespace}/{name}"
    return _answer(await run_sync(_of_repo, request, types, full_name))


async def namespace_evidence(request: Request, namespace: str) -> StreamingResponse:
    """Evidence of all heads of all repos of a namespace that the caller may read."""
    return _answer(await run_sync(_of_many, request, namespace))


async def hub_evidence(request: Request) -> StreamingResponse:
    """Evidence of all repos of the hub that the caller, an administrator, may read."""
    return _answer(await run_sync(_of_many, request, None))


def _of_repo(request: Request, types: Types, full_name: str) -> BinaryIO:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, API_TYPES[types], full_name)
        actor.require_account()
        heads = heads_of(uow, [repo])
    return write_evidence(services_of(request), f"{repo.type} {repo.full_name}", heads)


def _of_many(request: Request, namespace: str | None) -> BinaryIO:
    with reading_unit(request) as (uow, actor):
        actor.require_account()
        if namespace is None and not actor.administers_hub:
            raise HubEvidenceDenied("Evidence of the whole hub is for its administrators.")
        heads = heads_of(uow, repos_for_evidence(uow, actor, namespace))
    scope = "hub" if namespace is None else f"namespace {namespace}"
    return write_evidence(services_of(request), scope, heads)


def _answer(file: BinaryIO) -> StreamingResponse:
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": 'attachment; filename="evidence.zip"',
    }
    return StreamingResponse(_blocks(file), media_type="application/zip", headers=headers)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK_BYTES):
            yield block
