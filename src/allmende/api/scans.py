"""The scan in our own JSON: reports of revisions, the rules, and the decisions that lift verdicts."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from allmende import __version__
from allmende.clock import iso
from allmende.errors import BadRequest
from allmende.flows import (
    FileScan,
    Judge,
    ScanReport,
    Subject,
    end_override,
    lift_verdict,
    scan_report,
    subject_at,
    subject_of,
)
from allmende.http import API_TYPES, door_of, read_body, reading_unit, services_of, writing_unit
from allmende.ids import RepoType, Sha256, is_sha256
from allmende.registry import (
    Actor,
    Repo,
    Revision,
    ScanOverride,
    check_gate,
    list_overrides,
    readable_repo,
    resolve_revision,
)
from allmende.scan import RULE_SET, RULES, sarif
from allmende.storage import UnitOfWork

__all__ = ["add_scan_routes"]

_MAX_BODY_BYTES = 16 * 1024
_MAX_FILES = 1000

Types = Literal["models", "datasets", "spaces"]


class RuleDescription(BaseModel):
    """One thing that is looked for."""

    id: str
    severity: Literal["info", "low", "medium", "high", "critical"]
    action: Literal["block", "quarantine", "warn", "note", "none"] = Field(
        description="What this hub does about it."
    )
    title: str
    explanation: str
    remedy: str
    reference: str


class RulesDescription(BaseModel):
    """All rules of this hub."""

    schema_name: Annotated[Literal["allmende.scan-rules/1"], Field(serialization_alias="schema")] = (
        "allmende.scan-rules/1"
    )
    rule_set: str
    rules: list[RuleDescription]


class FileDescription(BaseModel):
    """A file, and what was found in it."""

    path: str
    content: str | None = Field(description="SHA-256 of a large file.")
    oid: str = Field(description="The git id of the file.")
    status: str = Field(description="clean, noted, warned, not_scanned, quarantined, blocked, or unexamined.")
    rules: list[str] = Field(description="The rules that stand against it, worst first.")
    lifted: list[str] = Field(description="The rules of which an override speaks.")
    formats: list[str]
    findings: list[dict[str, Any]]
    findings_left_out: int
    unread: list[str] = Field(description="Parts of which no reader knew what they are.")


class ReportDescription(BaseModel):
    """The scan of a revision."""

    schema_name: Annotated[Literal["allmende.scan-report/1"], Field(serialization_alias="schema")] = (
        "allmende.scan-report/1"
    )
    type: RepoType
    repo: str
    commit: str
    rule_set: str
    examined: bool
    status: str
    counts: dict[str, int]
    files: list[FileDescription]
    next: str | None = Field(description="Ask for more with this as `after`.")


class OverrideDescription(BaseModel):
    """A decision that lifts rules for some bytes in a repo."""

    number: int
    path: str
    content_key: str
    rules: list[str]
    reason: str
    by: str
    by_auditor: bool
    at: str
    revoked_at: str | None
    revoked_by: str | None


class OverridesDescription(BaseModel):
    """All decisions about a repo, the newest first."""

    schema_name: Annotated[Literal["allmende.scan-overrides/1"], Field(serialization_alias="schema")] = (
        "allmende.scan-overrides/1"
    )
    overrides: list[OverrideDescription]


class NewOverride(BaseModel):
    """What is to be lifted, and why: the file at `path`, or the content of a SHA-256."""

    model_config = ConfigDict(extra="forbid")
    path: str | None = Field(default=None, max_length=4096)
    revision: str = Field(default="main", max_length=255)
    content: str | None = Field(default=None, max_length=64)
    rule: str | None = Field(default=None, max_length=96, description="One rule; without it all that stand.")
    reason: str = Field(max_length=4000)


def add_scan_routes(app: FastAPI) -> None:
    """Add the addresses about scanning."""
    repo = "/{types:repotypes}/{namespace:segment}/{name:segment}/scan"
    app.add_api_route(
        "/scan/rules", rules, response_model=RulesDescription, operation_id="scan_rules", tags=["scan"]
    )
    app.add_api_route(
        f"{repo}/overrides",
        overrides,
        response_model=OverridesDescription,
        operation_id="scan_overrides",
        tags=["scan"],
    )
    app.add_api_route(
        f"{repo}/overrides",
        override,
        methods=["POST"],
        status_code=201,
        response_model=OverrideDescription,
        operation_id="scan_override",
        tags=["scan"],
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": NewOverride.model_json_schema()}},
            }
        },
    )
    app.add_api_route(
        f"{repo}/overrides/{{number:int}}",
        revoke,
        methods=["DELETE"],
        response_model=OverrideDescription,
        operation_id="scan_override_revoke",
        tags=["scan"],
    )
    app.add_api_route(
        f"{repo}/{{revision:revision}}",
        report,
        response_model=ReportDescription,
        operation_id="scan_report",
        tags=["scan"],
    )


async def rules(request: Request) -> RulesDescription:
    """The rules, and what this hub does about each."""
    policy = services_of(request).policy
    listed = [
        RuleDescription(
            id=rule.id,
            severity=rule.severity.word,  # type: ignore[arg-type]  # the words are the severities'
            action=policy.action(rule),
            title=rule.title,
            explanation=rule.explanation,
            remedy=rule.remedy,
            reference=rule.reference,
        )
        for rule in sorted(RULES.values(), key=lambda rule: (-rule.severity, rule.id))
    ]
    return RulesDescription(rule_set=RULE_SET, rules=listed)


async def report(
    request: Request,
    types: Types,
    namespace: str,
    name: str,
    revision: str,
    after: Annotated[str, Query(max_length=4096)] = "",
    limit: Annotated[int, Query(ge=1, le=_MAX_FILES)] = 200,
    form: Annotated[Literal["json", "sarif"], Query(alias="format")] = "json",
) -> Response:
    """The scan of a revision: each file with its findings, by path, in pages; also as SARIF 2.1.0."""
    asked = _Asked(API_TYPES[types], f"{namespace}/{name}", revision, after, limit)
    return await run_sync(_sarif if form == "sarif" else _report, request, asked)


async def overrides(request: Request, types: Types, namespace: str, name: str) -> OverridesDescription:
    """The decisions about a repo, those that were taken back too."""
    return await run_sync(_overrides, request, API_TYPES[types], f"{namespace}/{name}")


async def override(request: Request, types: Types, namespace: str, name: str) -> OverrideDescription:
    """Lift what stands against a file, with a reason."""
    body = await read_body(request, _MAX_BODY_BYTES)
    return await run_sync(_override, request, API_TYPES[types], f"{namespace}/{name}", body)


async def revoke(
    request: Request, types: Types, namespace: str, name: str, number: int
) -> OverrideDescription:
    """Take a decision back."""
    return await run_sync(_revoke, request, API_TYPES[types], f"{namespace}/{name}", number)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which part of which report is wanted."""

    repo_type: RepoType
    full_name: str
    revision: str
    after: str
    limit: int


@dataclass(frozen=True, slots=True)
class _Found:
    """The files that were asked for."""

    repo: Repo
    revision: Revision
    report: ScanReport
    files: list[FileScan]
    has_more: bool


def _find(request: Request, asked: _Asked) -> _Found:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, asked.repo_type, asked.full_name)
        check_gate(uow, actor, repo)
        revision = resolve_revision(uow, repo, asked.revision)
        report = scan_report(services_of(request), uow, repo, revision)
        left = [path for path in report.paths if path > asked.after]
        files = report.files(uow, left[: asked.limit])
    return _Found(repo, revision, report, files, len(left) > asked.limit)


def _sarif(request: Request, asked: _Asked) -> Response:
    found = _find(request, asked)
    document = sarif(((file.entry.path, file.findings) for file in found.files), __version__)
    return JSONResponse(document, media_type="application/sarif+json")


def _report(request: Request, asked: _Asked) -> Response:
    found = _find(request, asked)
    repo, report = found.repo, found.report
    answer = ReportDescription(
        type=repo.type,
        repo=repo.full_name,
        commit=found.revision.oid,
        rule_set=RULE_SET,
        examined=report.examined,
        status=report.word,
        counts=report.verdicts.counts() if report.examined else {},
        files=[_file(file) for file in found.files],
        next=found.files[-1].entry.path if found.has_more else None,
    )
    return JSONResponse(answer.model_dump(mode="json", by_alias=True))


def _overrides(request: Request, repo_type: RepoType, full_name: str) -> OverridesDescription:
    with reading_unit(request) as (uow, actor):
        repo = readable_repo(uow, actor, repo_type, full_name)
        listed = list_overrides(uow, repo.id)
    return OverridesDescription(overrides=[_described(found) for found in listed])


def _override(request: Request, repo_type: RepoType, full_name: str, body: bytes) -> OverrideDescription:
    try:
        asked = NewOverride.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadRequest(f"{where}: {first['msg']}.", code="request_invalid") from error
    services = services_of(request)
    with writing_unit(request) as (uow, actor):
        repo = _changeable(request, uow, actor, repo_type, full_name)
        judge = Judge(actor.require_account().name, actor)
        subject = _subject(request, uow, repo, asked)
        number = lift_verdict(services, uow, judge, repo, subject, asked.rule, asked.reason)
        made = next(found for found in list_overrides(uow, repo.id) if found.id == number)
    return _described(made)


def _revoke(request: Request, repo_type: RepoType, full_name: str, number: int) -> OverrideDescription:
    services = services_of(request)
    with writing_unit(request) as (uow, actor):
        repo = _changeable(request, uow, actor, repo_type, full_name)
        judge = Judge(actor.require_account().name, actor)
        end_override(services, uow, judge, repo, number)
        ended = next(found for found in list_overrides(uow, repo.id) if found.id == number)
    return _described(ended)


def _changeable(request: Request, uow: UnitOfWork, actor: Actor, repo_type: RepoType, full_name: str) -> Repo:
    """The repo, if the caller may read it and has a say in verdicts: one of its own people, or an auditor."""
    repo = readable_repo(uow, actor, repo_type, full_name)
    if not door_of(request, actor, repo).may_have_unsafe:
        actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    return repo


def _subject(request: Request, uow: UnitOfWork, repo: Repo, asked: NewOverride) -> Subject:
    services = services_of(request)
    if (asked.path is None) == (asked.content is None):
        raise BadRequest('Name either a "path" or a "content".', code="request_invalid")
    if asked.path is not None:
        return subject_at(services, uow, repo, resolve_revision(uow, repo, asked.revision), asked.path)
    if asked.content is None or not is_sha256(asked.content):
        raise BadRequest('"content" is not a SHA-256.', code="sha256_invalid")
    return subject_of(services, uow, repo, Sha256(asked.content))


def _file(file: FileScan) -> FileDescription:
    report = file.report
    return FileDescription(
        path=file.entry.path,
        content=None if file.entry.pointer is None else file.entry.pointer.oid,
        oid=file.entry.oid,
        status=file.verdict.word,
        rules=list(file.verdict.rules),
        lifted=list(file.verdict.lifted),
        formats=[] if report is None else list(report.formats),
        findings=[dict(finding.document()) for finding in file.findings],
        findings_left_out=0 if report is None else report.findings_left_out,
        unread=[] if report is None else list(report.unread),
    )


def _described(found: ScanOverride) -> OverrideDescription:
    return OverrideDescription(
        number=found.id,
        path=found.path,
        content_key=found.content_key,
        rules=list(found.rules),
        reason=found.reason,
        by=found.actor_name,
        by_auditor=found.by_auditor,
        at=iso(found.at),
        revoked_at=None if found.revoked_at is None else iso(found.revoked_at),
        revoked_by=found.revoked_by,
    )
