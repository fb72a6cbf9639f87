"""Signatures and statements in our own JSON: who signed a revision, what is attested of it, whom to trust."""

from enum import Enum
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from allmende.clock import iso
from allmende.errors import NotFound
from allmende.facts import HUB, Attestation, SetTrustPolicy, model_signatures_of, trust_policy_of
from allmende.flows import (
    MAX_ATTESTATION_BYTES,
    accept_attestation,
    check_attestation,
    set_hub_trust,
    set_trust,
    shown_attestation,
    shown_attestations,
)
from allmende.http import API_TYPES, read_body, reading_unit, services_of, writing_unit
from allmende.ids import RepoType, Sha256
from allmende.registry import (
    AccountNotFound,
    check_gate,
    find_account,
    readable_repo,
    resolve_revision,
)

__all__ = ["add_signature_routes"]

_MAX_POLICY_BYTES = 256 * 1024
_PAGE = 100

Types = Literal["models", "datasets", "spaces"]


class AttestationMissing(NotFound):
    """No statement about the revision has this digest."""

    code = "attestation_missing"


class TrustPolicyMissing(NotFound):
    """Nobody has said whom to trust here."""

    code = "trust_policy_missing"


class SignatureDescription(BaseModel):
    """A signature file in a revision, and the verdict on it."""

    path: str
    bundle: str = Field(description="SHA-256 of the file.")
    state: str = Field(
        description=(
            "valid, valid-extra-files, mismatch, bad-signature, untrusted-key, unfit-certificate, "
            "expired-at-signing, revoked, pending, unsupported or malformed."
        )
    )
    report: dict[str, Any] = Field(description="Why: signer, key, times, and which files it covers.")
    first_seen: str = Field(description="Since when this hub has it: certificates are asked about this time.")
    checked: str


class SignaturesDescription(BaseModel):
    """The publishers' signatures in a revision."""

    schema_name: Annotated[Literal["allmende.signatures/1"], Field(serialization_alias="schema")] = (
        "allmende.signatures/1"
    )
    type: RepoType
    repo: str
    commit: str
    signatures: list[SignatureDescription]


class AttestationDescription(BaseModel):
    """A statement about a revision, in its envelope at `attestation/{digest}/{revision}`."""

    digest: str = Field(description="SHA-256 of the envelope.")
    predicate_type: str
    signers: list[dict[str, str]] = Field(description="Keys whose signatures were verified, with names.")
    maker: str = Field(description="`upload`, or the step of this hub that made it.")
    added: str


class AttestationsDescription(BaseModel):
    """The statements about a revision, in the order in which they came."""

    schema_name: Annotated[Literal["allmende.attestations/1"], Field(serialization_alias="schema")] = (
        "allmende.attestations/1"
    )
    type: RepoType
    repo: str
    commit: str
    attestations: list[AttestationDescription]
    next: int | None = Field(description="Ask for more with this as `after`.")


class TrustPolicyDescription(BaseModel):
    """Whom a namespace trusts to sign for it."""

    schema_name: Annotated[Literal["allmende.trust-policy/1"], Field(serialization_alias="schema")] = (
        "allmende.trust-policy/1"
    )
    namespace: str | None = Field(description="None: this hub, for every namespace.")
    version: int
    digest: str = Field(description="SHA-256 of the document.")
    set: str
    document: str = Field(description="As it was set: YAML or JSON.")


def add_signature_routes(app: FastAPI) -> None:
    """Add the addresses about signatures."""
    repo = "/{types:repotypes}/{namespace:segment}/{name:segment}"
    tags: list[str | Enum] = ["signatures"]
    app.add_api_route(
        f"{repo}/signatures/{{revision:revision}}",
        signatures,
        response_model=SignaturesDescription,
        operation_id="signatures",
        tags=tags,
    )
    app.add_api_route(
        f"{repo}/attestations/{{revision:revision}}",
        attestations,
        response_model=AttestationsDescription,
        operation_id="attestations",
        tags=tags,
    )
    app.add_api_route(
        f"{repo}/attestations/{{revision:revision}}",
        add,
        methods=["POST"],
        status_code=201,
        response_model=AttestationDescription,
        operation_id="attestation_add",
        tags=tags,
        openapi_extra=_body("application/json", "A DSSE envelope with an in-toto statement v1."),
    )
    app.add_api_route(
        f"{repo}/attestation/{{digest:segment}}/{{revision:revision}}",
        attestation,
        operation_id="attestation",
        tags=tags,
        responses={200: {"content": {"application/json": {}}, "description": "The envelope."}},
    )
    for path, operation in (("/trust", "hub_trust"), ("/trust/{namespace:segment}", "trust")):
        app.add_api_route(
            path, trust, response_model=TrustPolicyDescription, operation_id=operation, tags=tags
        )
        app.add_api_route(
            path,
            put_trust,
            methods=["PUT"],
            response_model=TrustPolicyDescription,
            operation_id=f"{operation}_set",
            tags=tags,
            openapi_extra=_body("application/yaml", "A trust policy: YAML or JSON."),
        )


def _body(media_type: str, description: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string", "description": description}}}
    return {"requestBody": {"required": True, "content": content}}


async def signatures(
    request: Request, types: Types, namespace: str, name: str, revision: str
) -> SignaturesDescription:
    """The publishers' signatures in a revision, each with its verdict."""
    return await run_sync(_signatures, request, API_TYPES[types], f"{namespace}/{name}", revision)


async def attestations(
    request: Request,
    types: Types,
    namespace: str,
    name: str,
    revision: str,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> AttestationsDescription:
    """The statements about a revision, in pages."""
    return await run_sync(_attestations, request, API_TYPES[types], f"{namespace}/{name}", revision, after)


async def add(
    request: Request, types: Types, namespace: str, name: str, revision: str
) -> AttestationDescription:
    """Add a statement: of a key that the namespace trusts, about this revision by its digests."""
    body = await read_body(request, MAX_ATTESTATION_BYTES)
    return await run_sync(_add, request, API_TYPES[types], f"{namespace}/{name}", revision, body)


async def attestation(
    request: Request, types: Types, namespace: str, name: str, digest: str, revision: str
) -> Response:
    """One statement in its envelope, byte for byte: its SHA-256 is the digest."""
    return await run_sync(_attestation, request, API_TYPES[types], f"{namespace}/{name}", digest, revision)


async def trust(request: Request, namespace: str = "") -> TrustPolicyDescription:
    """Whom a namespace, or this hub for all of them, trusts to sign."""
    return await run_sync(_trust, request, namespace)


async def put_trust(request: Request, namespace: str = "") -> TrustPolicyDescription:
    """Set whom to trust; signatures are then verified again."""
    body = await read_body(request, _MAX_POLICY_BYTES)
    return await run_sync(_put_trust, request, namespace, body)


def _signatures(
    request: Request, repo_type: RepoType, full_name: str, revision: str
) -> SignaturesDescription:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        check_gate(uow, actor, repo)
        found = resolve_revision(uow, repo, revision)
        listed = model_signatures_of(uow, repo.id, found.oid)
    described = [
        SignatureDescription(
            path=one.path,
            bundle=one.bundle,
            state=one.state,
            report=one.report,
            first_seen=iso(one.first_seen_at),
            checked=iso(one.checked_at),
        )
        for one in listed
    ]
    return SignaturesDescription(type=repo.type, repo=repo.full_name, commit=found.oid, signatures=described)


def _attestations(
    request: Request, repo_type: RepoType, full_name: str, revision: str, after: int
) -> AttestationsDescription:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        check_gate(uow, actor, repo)
        found = resolve_revision(uow, repo, revision)
        page, following = shown_attestations(uow, repo, found.oid, after=after, limit=_PAGE)
    return AttestationsDescription(
        type=repo.type,
        repo=repo.full_name,
        commit=found.oid,
        attestations=[_described(one) for one in page],
        next=following,
    )


def _add(
    request: Request, repo_type: RepoType, full_name: str, revision: str, body: bytes
) -> AttestationDescription:
    services = services_of(request)
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        actor.require_change(repo.namespace_id, repo.type, repo.full_name)
        found = resolve_revision(uow, repo, revision)
    checked = check_attestation(services, repo, found.oid, body)
    with writing_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        added = accept_attestation(services, uow, actor, repo, found.oid, checked)
    return _described(added)


def _attestation(
    request: Request, repo_type: RepoType, full_name: str, digest: str, revision: str
) -> Response:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        check_gate(uow, actor, repo)
        found = resolve_revision(uow, repo, revision)
        known = shown_attestation(uow, repo, found.oid, Sha256(digest))
    if known is None:
        raise AttestationMissing("No statement about this revision has this digest.")
    return Response(known.envelope, media_type="application/json")


def _trust(request: Request, namespace: str) -> TrustPolicyDescription:
    with reading_unit(request) as (uow, _actor):
        account = find_account(uow, namespace) if namespace else None
        if namespace and account is None:
            raise AccountNotFound(namespace)
        found = trust_policy_of(uow, account.id if account else HUB)
    if found is None:
        raise TrustPolicyMissing("Nobody has said whom to trust here.")
    return _policy(found, account.name if account else None)


def _put_trust(request: Request, namespace: str, body: bytes) -> TrustPolicyDescription:
    services = services_of(request)
    with writing_unit(request) as (uow, actor):
        if not namespace:
            return _policy(set_hub_trust(services, uow, actor, body), None)
        account = find_account(uow, namespace)
        if account is None:
            raise AccountNotFound(namespace)
        return _policy(set_trust(services, uow, actor, account, body), account.name)


def _policy(found: SetTrustPolicy, namespace: str | None) -> TrustPolicyDescription:
    return TrustPolicyDescription(
        namespace=namespace,
        version=found.version,
        digest=found.digest,
        set=iso(found.set_at),
        document=found.document,
    )


def _described(found: Attestation) -> AttestationDescription:
    return AttestationDescription(
        digest=found.digest,
        predicate_type=found.predicate_type,
        signers=[dict(signer) for signer in found.signers],
        maker=found.maker,
        added=iso(found.added_at),
    )
