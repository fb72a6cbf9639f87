"""The log as everybody reads it: checkpoint, tiles, bundles, keys (C2SP tlog-tiles), statements and proofs.

All of it is public and the same for everyone. What never changes says so to caches; what is not there yet, or
is not shown, is a plain 404.
"""

from base64 import b64encode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from allmende.errors import NotFound
from allmende.flows import policy_text, shown_entry
from allmende.http import reading, services_of
from allmende.log import EntryNotFound, LogUnsigned, read_entry
from allmende.merkle import MalformedTile, TileMissing

__all__ = ["routes"]

_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_BRIEFLY = {"Cache-Control": "public, max-age=1"}
_NOT_KEPT = {"Cache-Control": "no-store"}
_MAX_DIGITS = 15
_MAX_SET_DIGITS = 9


class KeySetMissing(NotFound):
    """There is no such set of keys that a root has signed."""

    code = "key_set_missing"


def routes() -> list[Route]:
    """The addresses under `/log`."""
    return [
        Route("/log/checkpoint", reading(checkpoint), methods=["GET"]),
        Route("/log/vkey", reading(verifier_keys), methods=["GET"]),
        Route("/log/keys", reading(key_set), methods=["GET"]),
        Route("/log/keys/{number:segment}", reading(former_key_set), methods=["GET"]),
        Route("/log/policy", reading(policy), methods=["GET"]),
        Route("/log/tile/{path:tail}", reading(tile), methods=["GET"]),
        Route("/log/statement/{number:segment}", reading(statement), methods=["GET"]),
        Route("/log/proof/{number:segment}", reading(proof), methods=["GET"]),
    ]


def checkpoint(request: Request) -> Response:
    """The newest checkpoint, signed and perhaps cosigned; 503 before the first."""
    note = services_of(request).log.checkpoint()
    if note is None:
        raise LogUnsigned
    return Response(bytes(note), media_type=_TEXT, headers=_BRIEFLY)


def verifier_keys(request: Request) -> Response:
    """The verifier keys of the log, one a line: the current one first, then those that signed before."""
    keys = services_of(request).log.log_keys
    return PlainTextResponse("".join(f"{key}\n" for key in keys), headers=_BRIEFLY)


def key_set(request: Request) -> Response:
    """The newest set of the hub's keys that its root signed; 404 for a hub without a root."""
    newest = services_of(request).log.key_sets.newest()
    if newest is None:
        raise KeySetMissing("This hub has no root key: nobody but itself vouches for its keys.")
    return Response(bytes(newest.note), media_type=_TEXT, headers=_BRIEFLY)


def former_key_set(request: Request) -> Response:
    """A set of the hub's keys by its number, from 1 on."""
    text: str = request.path_params["number"]
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MAX_SET_DIGITS and text[0] != "0"
    found = services_of(request).log.key_sets.numbered(int(text)) if is_number else None
    if found is None:
        raise KeySetMissing("This hub has no set of keys with this number.")
    return Response(bytes(found.note), media_type=_TEXT, headers=_BRIEFLY)


def policy(request: Request) -> Response:
    """A policy (C2SP tlog-policy) that believes this log if one of its witnesses has cosigned."""
    return PlainTextResponse(policy_text(services_of(request)), headers=_BRIEFLY)


def tile(request: Request) -> Response:
    """A tile or a bundle of entries, full or partial: what has been signed, and no more."""
    path = f"tile/{request.path_params['path']}"
    try:
        data = services_of(request).log.file(path)
    except MalformedTile as wrong:
        raise TileMissing(wrong.message) from wrong
    return Response(data, media_type=_BYTES, headers=_FOREVER)


def statement(request: Request) -> Response:
    """What an entry commits to, with the salt: `SHA-256(salt || statement)` is the entry's commitment."""
    number = _number(request)
    with services_of(request).database.read() as uow:
        shown = shown_entry(uow, number)
    if shown.statement is None or shown.salt is None:
        raise EntryNotFound
    body = {
        "index": number,
        "entry": b64encode(shown.entry).decode(),
        "statement": b64encode(shown.statement).decode(),
        "salt": shown.salt.hex(),
    }
    return JSONResponse(body, headers=_NOT_KEPT)


def proof(request: Request) -> Response:
    """The proof that an entry is in the log, as a file (C2SP tlog-proof)."""
    number = _number(request)
    services = services_of(request)
    with services.database.read() as uow:
        read_entry(uow, number)
    return Response(bytes(services.log.prove(number)), media_type=_TEXT, headers=_NOT_KEPT)


def _number(request: Request) -> int:
    text: str = request.path_params["number"]
    if not text.isascii() or not text.isdecimal() or len(text) > _MAX_DIGITS or str(int(text)) != text:
        raise EntryNotFound
    return int(text)
