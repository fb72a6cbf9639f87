"""What `allmende pull` asks for: how a packed file is stored, and the encodings that spare it plain bytes.

Both answer for one file of one revision, and pass the same door as its plain bytes.
"""

import struct
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from allmende.api.stored_bytes import StoredBytes
from allmende.errors import NotFound
from allmende.flows import (
    FileOffers,
    FileStretch,
    Services,
    find_offers,
    offered,
    repo_figures,
    stored_bytes_of,
)
from allmende.http import API_TYPES, door_of, reading_unit, services_of
from allmende.ids import RepoType, Sha256
from allmende.registry import Actor, Repo, file_at, held_content, readable_repo, resolve_revision
from allmende.storage import KeptEncoding, UnitOfWork

__all__ = ["ENCODINGS_TYPE", "add_object_routes"]

ENCODINGS_TYPE = "application/vnd.allmende.encodings"
NOT_GIVEN = 2**64 - 1
"""Stands where the length of an encoding would, when it is not to be had any more."""

_LENGTH = struct.Struct("<Q")
_MAX_ASKED = 50_000

Types = Literal["models", "datasets", "spaces"]
Stretches = Annotated[
    list[tuple[int, int, int]],
    Field(description="Bytes that it shares with the file: start in the file, start in the object, length."),
]


class NotPacked(NotFound):
    """The file is stored plain: there is nothing to spare."""

    code = "not_packed"


class OfferDescription(BaseModel):
    """One way in which an object is stored."""

    number: int
    size_bytes: int
    bases: list[str] = Field(description="The objects that have to be there to decode it.")


class ObjectDescription(BaseModel):
    """An object of the file: a tensor, several small ones, or a run of other bytes."""

    id: str = Field(description="BLAKE3 of its bytes.")
    size_bytes: int
    stretches: Stretches
    offers: list[OfferDescription]


class PlacesDescription(BaseModel):
    """Where an object lies in other files that the caller may read."""

    id: str
    size_bytes: int
    places: dict[str, Stretches] = Field(description="By the SHA-256 of the file.")


class PackedFileDescription(BaseModel):
    """A file as it is stored. Bytes of it that are in no object are fetched as they are, by range."""

    schema_name: Annotated[Literal["allmende.objects/1"], Field(serialization_alias="schema")] = (
        "allmende.objects/1"
    )
    commit: str
    sha256: str
    size_bytes: int
    objects: list[ObjectDescription]
    elsewhere: list[PlacesDescription]


class StorageDescription(StoredBytes):
    """What the files of a repo take, over all revisions, each content once; nothing is told of others."""

    schema_name: Annotated[Literal["allmende.storage/1"], Field(serialization_alias="schema")] = (
        "allmende.storage/1"
    )
    repo: str


class WantedEncodings(BaseModel):
    """Which encodings are to be sent, in this order."""

    numbers: list[int] = Field(max_length=_MAX_ASKED)


def add_object_routes(app: FastAPI) -> None:
    """Add the routes of this module."""
    file = "/{types:repotypes}/{namespace:segment}/{name:segment}/%s/{revision:revision}/{path:tail}"
    app.add_api_route(
        file % "objects",
        objects,
        response_model=PackedFileDescription,
        operation_id="objects",
        tags=["storage"],
    )
    app.add_api_route(
        "/{types:repotypes}/{namespace:segment}/{name:segment}/storage",
        storage,
        response_model=StorageDescription,
        operation_id="storage",
        tags=["storage"],
    )
    app.add_api_route(
        file % "encodings",
        encodings,
        methods=["POST"],
        response_class=StreamingResponse,
        operation_id="encodings",
        tags=["storage"],
    )


async def storage(request: Request, types: Types, namespace: str, name: str) -> StorageDescription:
    """What the files of a repo take, and what is saved by which means."""
    return await run_sync(_storage, request, API_TYPES[types], f"{namespace}/{name}")


def _storage(request: Request, repo_type: RepoType, full_name: str) -> StorageDescription:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        return StorageDescription(repo=repo.full_name, **asdict(repo_figures(uow, repo)))


async def objects(
    request: Request, types: Types, namespace: str, name: str, revision: str, path: str
) -> PackedFileDescription:
    """How a file is stored, as far as that spares the caller bytes. 404 `not_packed` where it is plain."""
    return await run_sync(_objects, request, API_TYPES[types], f"{namespace}/{name}", revision, path)


async def encodings(
    request: Request,
    types: Types,
    namespace: str,
    name: str,
    revision: str,
    path: str,
    asked: WantedEncodings,
) -> StreamingResponse:
    """The encodings, each as its length (8 bytes, little-endian) and its bytes, in the order asked for.

    The length 2^64 - 1 and no bytes stand for one that is not on offer any more, or is found damaged.
    """
    services = services_of(request)
    found = await run_sync(
        _encodings, request, API_TYPES[types], f"{namespace}/{name}", revision, path, asked.numbers
    )
    return StreamingResponse(_frames(services, found), media_type=ENCODINGS_TYPE)


def _objects(
    request: Request, repo_type: RepoType, full_name: str, revision: str, path: str
) -> PackedFileDescription:
    with reading_unit(request) as (uow, actor):
        repo, commit, sha256 = _content(request, uow, actor, repo_type, full_name, revision, path)
        offers = find_offers(uow, actor, repo, sha256)
    if offers is None:
        raise _not_packed(path)
    return _description(commit, offers)


def _encodings(
    request: Request, repo_type: RepoType, full_name: str, revision: str, path: str, numbers: list[int]
) -> list[KeptEncoding | None]:
    with reading_unit(request) as (uow, actor):
        repo, _, sha256 = _content(request, uow, actor, repo_type, full_name, revision, path)
        return offered(uow, actor, repo, sha256, numbers)


def _content(
    request: Request,
    uow: UnitOfWork,
    actor: Actor,
    repo_type: RepoType,
    full_name: str,
    revision: str,
    path: str,
) -> tuple[Repo, str, Sha256]:
    """The content at a path, if the caller may have its bytes. Raises what the file's own address raises."""
    repo = readable_repo(uow, actor, repo_type, full_name)
    found = resolve_revision(uow, repo, revision)
    entry = file_at(uow, found, path)
    if entry.pointer is None or held_content(uow, repo.id, entry.pointer.oid) is None:
        raise _not_packed(path)
    door_of(request, actor, repo).check_file(uow, found.oid, entry.path, entry.pointer.oid)
    return repo, found.oid, entry.pointer.oid


def _not_packed(path: str) -> NotPacked:
    return NotPacked(f"{path} is stored as it is.", hint="Download it; there is nothing to spare.")


def _frames(services: Services, found: list[KeptEncoding | None]) -> Iterator[bytes | memoryview]:
    for encoding in found:
        stored = None if encoding is None else stored_bytes_of(services, encoding)
        if stored is None:
            yield _LENGTH.pack(NOT_GIVEN)
        else:
            yield _LENGTH.pack(len(stored))
            yield stored


def _description(commit: str, offers: FileOffers) -> PackedFileDescription:
    return PackedFileDescription(
        commit=commit,
        sha256=offers.sha256,
        size_bytes=offers.size_bytes,
        objects=[
            ObjectDescription(
                id=one.id,
                size_bytes=one.size_bytes,
                stretches=_triples(one.stretches),
                offers=[
                    OfferDescription(
                        number=offer.number, size_bytes=offer.size_bytes, bases=sorted(offer.bases)
                    )
                    for offer in one.offers
                ],
            )
            for one in offers.objects
        ],
        elsewhere=[
            PlacesDescription(
                id=one.id,
                size_bytes=one.size_bytes,
                places={sha256: _triples(found) for sha256, found in one.places.items()},
            )
            for one in offers.elsewhere
        ],
    )


def _triples(stretches: tuple[FileStretch, ...]) -> list[tuple[int, int, int]]:
    return [(one.file_start, one.object_start, one.size_bytes) for one in stretches]
