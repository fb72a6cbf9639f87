"""The log in our own JSON: how it stands, who witnesses it, which keys sign, evidence against other logs."""

from base64 import b64encode
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from allmende.clock import iso
from allmende.errors import NotFound
from allmende.flows import log_status
from allmende.http import services_of
from allmende.log import HubKey, Peer, evidence_file, key_entries, list_evidence, list_peers, witnessed_logs

__all__ = ["add_log_routes"]

_DIGEST_DIGITS = 64


class EvidenceMissing(NotFound):
    """There is no evidence with this digest."""

    code = "log_evidence_missing"


class WitnessDescription(BaseModel):
    """A witness that is asked for cosignatures."""

    name: str
    key: str = Field(description="Its verifier key.")
    size: int | None = Field(description="What it cosigned last; null: nothing yet.")
    answered: str | None
    failed: str | None = Field(description="What went wrong the last time, if anything.")


class WitnessedDescription(BaseModel):
    """Another log that this hub witnesses."""

    origin: str
    size: int = Field(description="The size that this hub cosigned last.")
    at: str


class EvidenceDescription(BaseModel):
    """That a log has signed two histories; the file is at `log/evidence/{digest}`."""

    origin: str
    digest: str
    at: str


class LogDescription(BaseModel):
    """How the log stands. Sizes count entries."""

    schema_name: Annotated[Literal["allmende.log/1"], Field(serialization_alias="schema")] = "allmende.log/1"
    origin: str
    size: int = Field(description="Of the newest signed checkpoint.")
    root: str | None = Field(description="Its root, base64.")
    signed: str | None = Field(description="When it was signed.")
    waiting: int = Field(description="Acts that are no entries yet.")
    lag_s: float = Field(description="Age of the oldest of them in seconds.")
    refused: str | None = Field(description="Why nothing is signed, if so.")
    witnesses: list[WitnessDescription]
    witnessed: list[WitnessedDescription]
    evidence: list[EvidenceDescription]


class KeyDescription(BaseModel):
    """A key of the hub: a verifier key of the log, or a statement key as PEM."""

    key: str
    since: str
    until: str | None
    signs: bool


class KeysDescription(BaseModel):
    """The hub's keys, current ones first, and the entries of the log that told of them."""

    schema_name: Annotated[Literal["allmende.keys/1"], Field(serialization_alias="schema")] = (
        "allmende.keys/1"
    )
    origin: str
    log: list[KeyDescription]
    statement: list[KeyDescription]
    witness: KeyDescription
    entries: list[int] = Field(description="Of the kind `key`, oldest first.")
    root: str | None = Field(description="The root key that lies offline; null: this hub has none.")
    key_set: int | None = Field(description="The number of the newest set that it signed: `/log/keys/N`.")


def add_log_routes(app: FastAPI) -> None:
    """Add the addresses about the log."""
    app.add_api_route("/log", log, response_model=LogDescription, operation_id="log", tags=["log"])
    app.add_api_route(
        "/log/evidence/{digest:segment}",
        evidence,
        response_class=Response,
        operation_id="log_evidence",
        tags=["log"],
    )
    app.add_api_route("/keys", keys, response_model=KeysDescription, operation_id="keys", tags=["log"])


async def log(request: Request) -> LogDescription:
    """How the transparency log of this hub stands, and who vouches for it."""
    return await run_sync(_log, request)


async def keys(request: Request) -> KeysDescription:
    """Which keys sign the log and the statements of this hub, and which did before."""
    return await run_sync(_keys, request)


async def evidence(request: Request, digest: str) -> Response:
    """Evidence that a log has signed two histories, as a file that anybody can check."""
    return await run_sync(_evidence, request, digest)


def _log(request: Request) -> LogDescription:
    services = services_of(request)
    status = log_status(services)
    with services.database.read() as uow:
        witnesses = [_witness(peer) for peer in list_peers(uow, "witness")]
        witnessed = [
            WitnessedDescription(origin=one.origin, size=one.size, at=iso(one.at))
            for one in witnessed_logs(uow)
        ]
        found = [
            EvidenceDescription(origin=one.origin, digest=one.digest, at=iso(one.at))
            for one in list_evidence(uow)
        ]
    return LogDescription(
        origin=status.origin,
        size=status.signed_size,
        root=None if status.signed_root is None else b64encode(status.signed_root).decode(),
        signed=None if status.signed_at is None else iso(status.signed_at),
        waiting=status.waiting,
        lag_s=status.lag_s,
        refused=None if status.refused is None else status.refused.message,
        witnesses=witnesses,
        witnessed=witnessed,
        evidence=found,
    )


def _keys(request: Request) -> KeysDescription:
    services = services_of(request)
    keyring = services.log.keys.read()
    newest = services.log.key_sets.newest()
    with services.database.read() as uow:
        entries = key_entries(uow)
    return KeysDescription(
        origin=keyring.origin,
        log=[_key(key) for key in keyring.log],
        statement=[_key(key) for key in keyring.statement],
        witness=_key(keyring.witness),
        entries=entries,
        root=None if newest is None else newest.keys.root.text,
        key_set=None if newest is None else newest.keys.number,
    )


def _evidence(request: Request, digest: str) -> Response:
    found = None
    if len(digest) == _DIGEST_DIGITS:
        with services_of(request).database.read() as uow:
            found = evidence_file(uow, digest)
    if found is None:
        raise EvidenceMissing("There is no evidence with this digest.")
    return Response(found, media_type="text/plain; charset=utf-8")


def _witness(peer: Peer) -> WitnessDescription:
    return WitnessDescription(
        name=peer.name,
        key=peer.key.text,
        size=peer.size,
        answered=None if peer.answered_at is None else iso(peer.answered_at),
        failed=peer.failed,
    )


def _key(key: HubKey) -> KeyDescription:
    return KeyDescription(key=key.public, since=key.since, until=key.until, signs=key.signs)
