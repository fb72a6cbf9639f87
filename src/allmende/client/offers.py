"""How a hub stores a file, as it tells a client: read strictly, since a hub may be hostile too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allmende.client.connection import Connection
from allmende.client.errors import UnexpectedAnswer
from allmende.client.listing import RemoteFile, Snapshot, quoted
from allmende.codecs import MAX_OBJECT_BYTES, ObjectId
from allmende.errors import NotFound
from allmende.ids import Sha256, is_sha256

__all__ = ["Offer", "OfferedFile", "OfferedObject", "Span", "ask_offers", "encodings_address"]

_MAX_OBJECTS = 50_000
_MAX_STRETCHES = 1_000_000
_MAX_OFFERS = 8


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that a file and an object share."""

    file_start: int
    object_start: int
    size_bytes: int

    @property
    def file_end(self) -> int:
        """Where in the file they end."""
        return self.file_start + self.size_bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """An encoding that can be asked for."""

    number: int
    size_bytes: int
    bases: frozenset[ObjectId]


@dataclass(frozen=True, slots=True)
class OfferedObject:
    """An object of the file."""

    id: ObjectId
    size_bytes: int
    spans: tuple[Span, ...]
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """The file in objects, and where objects lie in other files, by their SHA-256."""

    objects: tuple[OfferedObject, ...]
    elsewhere: Mapping[ObjectId, Mapping[Sha256, tuple[Span, ...]]]
    sizes: Mapping[ObjectId, int]
    """Of the objects that lie elsewhere."""


def ask_offers(hub: Connection, snapshot: Snapshot, file: RemoteFile) -> OfferedFile | None:
    """How the hub stores a file; None where it is stored plain, or the hub is of another kind.

    Raises UnexpectedAnswer for an answer that contradicts itself or the listing.
    """
    address = f"{_address(snapshot, 'objects')}/{quoted(file.path)}"
    try:
        document, _ = hub.json("GET", address)
    except NotFound:
        return None
    try:
        return _parsed(document, file)
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(f"What the hub says of {file.path} makes no sense: {error}") from error


def encodings_address(snapshot: Snapshot, file: RemoteFile) -> str:
    """Where encodings of the file are asked for."""
    return f"{_address(snapshot, 'encodings')}/{quoted(file.path)}"


def _address(snapshot: Snapshot, what: str) -> str:
    repo = snapshot.repo
    return f"/api/allmende/v1/{repo.type}s/{repo.name}/{what}/{snapshot.commit}"


def _parsed(document: Any, file: RemoteFile) -> OfferedFile:
    if document["sha256"] != file.sha256 or document["size_bytes"] != file.size_bytes:
        raise ValueError("it is of another file")
    listed, others = document["objects"], document["elsewhere"]
    if len(listed) > _MAX_OBJECTS or len(others) > 2 * _MAX_OBJECTS:
        raise ValueError("there are too many objects")
    objects = tuple(_object(one) for one in listed)
    spans = sorted((span for one in objects for span in one.spans), key=lambda span: span.file_start)
    if len(spans) > _MAX_STRETCHES:
        raise ValueError("there are too many stretches")
    end = 0
    for span in spans:
        if span.file_start < end:
            raise ValueError("its stretches overlap")
        end = span.file_end
    if end > file.size_bytes:
        raise ValueError("a stretch ends behind the file")
    elsewhere = {_id(one["id"]): _places(one) for one in others}
    sizes = {_id(one["id"]): _size(one["size_bytes"]) for one in others}
    return OfferedFile(objects, elsewhere, sizes)


def _object(one: Any) -> OfferedObject:
    size_bytes = _size(one["size_bytes"])
    spans = _spans(one["stretches"], size_bytes)
    offers = tuple(
        Offer(_number(offer["number"]), _number(offer["size_bytes"]), frozenset(map(_id, offer["bases"])))
        for offer in one["offers"][:_MAX_OFFERS]
    )
    return OfferedObject(_id(one["id"]), size_bytes, spans, offers)


def _places(one: Any) -> dict[Sha256, tuple[Span, ...]]:
    size_bytes = _size(one["size_bytes"])
    return {
        Sha256(sha256): _spans(spans, size_bytes)
        for sha256, spans in one["places"].items()
        if is_sha256(sha256)
    }


def _spans(listed: Any, size_bytes: int) -> tuple[Span, ...]:
    found = tuple(Span(_number(a), _number(b), _number(c)) for a, b, c in listed)
    if any(span.object_start + span.size_bytes > size_bytes for span in found):
        raise ValueError("a stretch ends behind its object")
    return found


def _id(value: Any) -> ObjectId:
    if not isinstance(value, str) or not is_sha256(value):
        raise ValueError("an object has no name")
    return ObjectId(value)


def _size(value: Any) -> int:
    size_bytes = _number(value)
    if size_bytes > MAX_OBJECT_BYTES:
        raise ValueError("an object is too large")
    return size_bytes


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("a number is none")
    return value
