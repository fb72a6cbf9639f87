"""Downloads from the Xet store: what a file is made of, and the bytes of the xorbs it is made of.

What the scan stopped is not given over Xet, expressly asked for or not: by the file's own address it is.

The address of a xorb is signed and carries its own right, as clients send no token there. It also names the
serialization: where that or the xorb has changed since, the answer is 403, and clients ask for a new address.
"""

import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from allmende.errors import NotFound
from allmende.flows import (
    BytesDamaged,
    ChunkDamaged,
    Door,
    ReconstructionTerm,
    SerializedXorb,
    Services,
    XorbRange,
    mark_damaged,
    open_content,
    reconstruct,
)
from allmende.http import (
    Delegation,
    Part,
    base_url,
    claims_of,
    delegation_of,
    reading,
    repo_to_read,
    services_of,
    wanted_part,
    wanted_parts,
)
from allmende.hub.content_response import ContentDamaged, caller_of
from allmende.hub.xet_tokens import reader_of, xet_token_of
from allmende.hub.xet_uploads import STORE
from allmende.ids import RepoId, XetHash, is_xet_hash
from allmende.registry import held_content
from allmende.storage import (
    Content,
    FileXorb,
    LinkInvalid,
    UnitOfWork,
    XetFile,
    find_xet_file,
    numbered_xorbs,
)

__all__ = ["routes"]

_PURPOSE = "xet-fetch"
_SERIALIZATION = 1
"""Raise it when the serialized form changes: addresses that were handed out before answer 403."""
_BYTES = "application/octet-stream"
_MOST_RANGES = 1000
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetch(Delegation):
    """What an address of a xorb is about."""

    xet_hash: XetHash
    number: int
    xorb: XetHash
    serialization: int = _SERIALIZATION


def routes() -> list[Route]:
    """Routes of this module; the last one answers for everything that the store does not have."""
    return [
        Route(f"{STORE}/v1/reconstructions/{{hash:segment}}", reading(reconstruction_v1)),
        Route(f"{STORE}/v2/reconstructions/{{hash:segment}}", reading(reconstruction_v2)),
        Route("/xet/fetch/{hash:segment}", reading(fetch)),
        Route("/xet/{rest:tail}", reading(nothing_here), methods=_METHODS),
    ]


def nothing_here(_request: Request) -> Response:
    """404 for all else: clients take any success at an address that they try for an answer."""
    raise HTTPException(404)


def reconstruction_v1(request: Request) -> Response:
    """`GET /v1/reconstructions/{file}`, also of a `Range` of its bytes: terms, and a fetch for each range.

    Raises NotFound, RangeNotSatisfiable.
    """
    found = _Reconstruction(request)
    infos = {
        xorb: [
            {
                "range": {"start": part.first, "end": part.end},
                "url": found.address(xorb, part),
                "url_range": _inclusive(part),
            }
            for part in parts
        ]
        for xorb, parts in found.parts.items()
    }
    return JSONResponse({**found.terms, "fetch_info": infos})


def reconstruction_v2(request: Request) -> Response:
    """`GET /v2/reconstructions/{file}`: the same, with one address for all ranges of a xorb."""
    found = _Reconstruction(request)
    xorbs = {
        xorb: [
            {
                "url": found.address(xorb, parts[0]),
                "ranges": [
                    {"chunks": {"start": part.first, "end": part.end}, "bytes": _inclusive(part)}
                    for part in parts
                ],
            }
        ]
        for xorb, parts in found.parts.items()
    }
    return JSONResponse({**found.terms, "xorbs": xorbs})


def fetch(request: Request) -> Response:
    """`GET` of a xorb by a signed address: whole, one range (206), or several (multipart/byteranges)."""
    services = services_of(request)
    link = _Fetch(**services.signer.open(_PURPOSE, request.query_params.get("token", "")))
    if request.path_params["hash"] != link.xorb or link.serialization != _SERIALIZATION:
        raise _stale()
    with services.database.read() as uow:
        repo, actor = repo_to_read(uow, link)
        file = find_xet_file(uow, link.xet_hash)
        content = None if file is None else held_content(uow, repo.id, file.sha256)
        if content is not None:
            Door(services, actor, repo).check_content(uow, content.sha256)
        xorbs = numbered_xorbs(uow, link.xet_hash, link.number, link.number + 1)
    if content is None or not xorbs or xorbs[0].hash != link.xorb:
        raise _stale()
    return _send(request, services, content, xorbs[0])


class _Reconstruction:
    """What a request for a reconstruction is answered with, in the form of either version."""

    def __init__(self, request: Request) -> None:
        text = request.path_params["hash"]
        services = services_of(request)
        token = xet_token_of(request)
        with services.database.read() as uow:
            repo, actor = reader_of(uow, token)
            file, content = _readable(uow, repo.id, text)
            Door(services, actor, repo).check_content(uow, content.sha256)
            part = wanted_part(request.headers, content.size_bytes, "")
            start, end = (0, content.size_bytes) if part is None else (part.start, part.end)
            skipped, terms = reconstruct(uow, file, start, end)
            if start == 0:
                services.downloads.count(repo.id, caller_of(request, actor), uow.now)
        self._right = asdict(delegation_of(actor, repo))
        self._request = request
        self._file = file
        self.terms: dict[str, Any] = {
            "offset_into_first_range": skipped,
            "terms": [
                {
                    "hash": term.xorb,
                    "unpacked_length": term.size_bytes,
                    "range": {"start": term.chunks.first, "end": term.chunks.end},
                }
                for term in terms
            ],
        }
        self.parts = _joined(terms)

    def address(self, xorb: XetHash, part: XorbRange) -> str:
        """The signed address of a xorb."""
        services = services_of(self._request)
        link = _Fetch(**self._right, xet_hash=self._file.xet_hash, number=part.number, xorb=xorb)
        secret = services.signer.sign(_PURPOSE, claims_of(link), services.settings.download_ttl_s)
        return f"{base_url(self._request)}/xet/fetch/{xorb}?token={quote(secret)}"


def _readable(uow: UnitOfWork, repo_id: RepoId, text: str) -> tuple[XetFile, Content]:
    """A file that the repo of the token holds; raises NotFound for all others."""
    file = find_xet_file(uow, XetHash(text)) if is_xet_hash(text) else None
    content = None if file is None else held_content(uow, repo_id, file.sha256)
    if file is None or content is None:
        raise NotFound("This repo has no file of this hash.", code="file_unknown")
    if content.damaged is not None:
        raise ContentDamaged(content.sha256, content.damaged)
    return file, content


def _joined(terms: list[ReconstructionTerm]) -> dict[XetHash, list[XorbRange]]:
    """The ranges to fetch, by xorb: what overlaps or touches is one. Equal xorbs have equal bytes."""
    found: dict[XetHash, list[XorbRange]] = {}
    for term in sorted(terms, key=lambda term: term.chunks.first):
        parts = found.setdefault(term.xorb, [])
        if parts and term.chunks.first <= parts[-1].end:
            last = parts.pop()
            end, end_byte = max((last.end, last.end_byte), (term.chunks.end, term.chunks.end_byte))
            parts.append(XorbRange(last.number, last.first, end, last.start_byte, end_byte))
        else:
            parts.append(term.chunks)
    return found


def _inclusive(part: XorbRange) -> dict[str, int]:
    return {"start": part.start_byte, "end": part.end_byte - 1}


def _send(request: Request, services: Services, content: Content, xorb: FileXorb) -> Response:
    if content.damaged is not None:
        raise ContentDamaged(content.sha256, content.damaged)
    serialized = SerializedXorb(xorb)
    parts = wanted_parts(request.headers, serialized.size_bytes, _MOST_RANGES)
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, no-store"}
    if not parts:
        parts = [Part(0, serialized.size_bytes, serialized.size_bytes)]
        headers["Content-Length"] = str(serialized.size_bytes)
        return _streamed(request, services, content, serialized, parts, 200, headers)
    if len(parts) == 1:
        headers["Content-Length"] = str(parts[0].length_bytes)
        headers["Content-Range"] = parts[0].content_range
        return _streamed(request, services, content, serialized, parts, 206, headers)
    boundary = secrets.token_hex(16)
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return _streamed(request, services, content, serialized, parts, 206, headers, boundary)


def _streamed(
    request: Request,
    services: Services,
    content: Content,
    serialized: SerializedXorb,
    parts: list[Part],
    status: int,
    headers: dict[str, str],
    boundary: str | None = None,
) -> Response:
    """The parts, one after another; with a boundary each has headers of its own (RFC 9110, section 14.6)."""
    media_type = None if boundary is not None else _BYTES
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)

    until = serialized.read_until(max(part.end for part in parts))

    def body() -> Iterator[bytes]:
        try:
            with closing(open_content(services, content, until)) as reader:
                for part in parts:
                    if boundary is not None:
                        yield _part_head(boundary, part)
                    yield from serialized.read(reader, part.start, part.end)
                if boundary is not None:
                    yield f"\r\n--{boundary}--\r\n".encode()
        except (ChunkDamaged, BytesDamaged, NotFound) as damage:
            mark_damaged(services, content, str(damage))
            raise

    return StreamingResponse(body(), status, headers=headers, media_type=media_type)


def _part_head(boundary: str, part: Part) -> bytes:
    head = f"\r\n--{boundary}\r\nContent-Type: {_BYTES}\r\nContent-Range: {part.content_range}\r\n\r\n"
    return head.encode()


def _stale() -> LinkInvalid:
    return LinkInvalid(
        "This address does not hold any more.", hint="Ask for the file's reconstruction again."
    )
