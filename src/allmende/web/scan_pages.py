"""What the scan found in a revision: for everybody what it is, for those who may change it what to do."""

import shlex
from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.facts import last_scan_run
from allmende.flows import Judge, end_override, lift_verdict, scan_report, subject_at
from allmende.http import door_of
from allmende.registry import Repo, check_gate, list_overrides, resolve_revision
from allmende.web.addresses import scan_path
from allmende.web.repo_views import forms_of, repo_of, routes_of, view_of
from allmende.web.visits import Visit

__all__ = ["decide", "routes", "scan"]

_ON_PAGE = 40


def routes() -> list[Route]:
    """The page and its forms, for each type."""
    return [
        *routes_of("/scan/{revision:revision}", scan),
        *forms_of("/scan/{revision:revision}", decide),
    ]


def scan(visit: Visit) -> Response:
    """The findings in a revision, worst file first, and the decisions about them."""
    page_number = visit.page_number()
    with visit.read() as uow:
        repo = repo_of(visit, uow)
        check_gate(uow, visit.actor, repo)
        view = view_of(uow, repo, str(visit.request.path_params["revision"]))
        report = scan_report(visit.services, uow, repo, view.revision)
        issues = report.issues
        part = issues[page_number * _ON_PAGE : (page_number + 1) * _ON_PAGE]
        files = report.files(uow, part)
        door = door_of(visit.request, visit.actor, repo)
        overrides = list_overrides(uow, repo.id)
        run = last_scan_run(uow)
    judge = Judge("", visit.actor)
    return visit.render(
        "scan.html",
        view=view,
        tab="files",
        report=report,
        counts=report.verdicts.counts() if report.examined else {},
        files=files,
        commands={file.entry.path: _commands(repo, file.entry.path) for file in files},
        issues=len(issues),
        overrides=overrides,
        run=run,
        policy=visit.services.policy,
        may_write=door.may_write,
        may_decide=door.may_have_unsafe,
        is_auditor=judge.is_auditor(visit.services),
        page_number=page_number,
        has_more=len(issues) > (page_number + 1) * _ON_PAGE,
    )


def decide(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Lift what stands against a file, or take such a decision back.

    Raises SignInRequired, AccessDenied, NeedsAuditor, NothingToLift, OverrideUnknown, BadRequest.
    """
    revision = str(visit.request.path_params["revision"])
    services = visit.services
    with services.database.write() as uow:
        repo = repo_of(visit, uow)
        judge = Judge(visit.actor.require_account().name, visit.actor)
        if "revoke" in fields:
            end_override(services, uow, judge, repo, _number(fields["revoke"]))
        else:
            found = resolve_revision(uow, repo, revision)
            subject = subject_at(services, uow, repo, found, fields.get("path", ""))
            rule = fields.get("rule", "") or None
            lift_verdict(services, uow, judge, repo, subject, rule, fields.get("reason", ""))
    return RedirectResponse(scan_path(repo, revision), 303)


def _commands(repo: Repo, path: str) -> str:
    """How to replace the file, and how to remove it, on the command line."""
    where = f"{shlex.quote(repo.full_name)}{'' if repo.type == 'model' else f' --repo-type {repo.type}'}"
    return (
        f"hf upload {where} ./new-file {shlex.quote(path)}\nhf repos delete-files {where} {shlex.quote(path)}"
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise BadRequest("The number of the override is not valid.", code="override_invalid")
    return int(text)
