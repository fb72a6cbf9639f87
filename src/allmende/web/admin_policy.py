"""What is done about findings, whence that comes, and the decisions about single files, for administrators.

The policy is a setting: these pages show it, and change nothing of it. What they do is what
`allmende admin rescan` and `allmende admin scan` do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from starlette.responses import Response
from starlette.routing import Route

from allmende.errors import BadRequest
from allmende.facts import ScanChange, last_scan_run, scan_changes
from allmende.flows import Judge, end_override, lift_verdict, start_rescan, subject_at
from allmende.ids import RepoId, RepoType
from allmende.registry import (
    Repo,
    RepoNotFound,
    lookup_repo,
    recent_overrides,
    repos_by_id,
    resolve_revision,
)
from allmende.scan import DEFAULT_POLICY, RULE_SET, RULES, Policy, Rule, Severity
from allmende.storage import UnitOfWork
from allmende.web.admin_frame import (
    admin_route,
    administrator,
    done,
    note,
    number_of,
    shown,
    whole_number,
)
from allmende.web.visits import Visit

__all__ = ["change_overrides", "overrides", "policy", "routes", "scan_again"]

_BRANCH = "main"
_ON_PAGE = 50
_MAX_CHANGES = 50
_TYPES: tuple[RepoType, ...] = get_args(RepoType)


@dataclass(frozen=True, slots=True)
class SeverityRow:
    """A severity, what is done about its findings and who says so, and the rules that follow from it."""

    word: str
    action: str
    source: str
    rules: list[Rule]


def routes() -> list[Route]:
    """Both pages and what their forms are sent to."""
    return [
        admin_route("/policy", policy, scan_again),
        admin_route("/overrides", overrides, change_overrides),
    ]


def policy(visit: Visit) -> Response:
    """The policy by severity and by rule, who else decides, and the last scan of everything."""
    services = visit.services
    held = services.policy
    with visit.read() as uow:
        run = last_scan_run(uow)
        changes = [] if run is None else scan_changes(uow, run.id)
        repos = repos_by_id(uow, (change.repo_id for change in changes[:_MAX_CHANGES]))
    return shown(
        visit,
        "admin_policy.html",
        "policy",
        severities=[_severity_row(held, severity) for severity in sorted(Severity, reverse=True)],
        own_rules=[(rule, held.by_rule[rule.id]) for rule in _rules() if rule.id in held.by_rule],
        rule_count=sum(rule_id not in held.by_rule for rule_id in RULES),
        rule_set=RULE_SET,
        settings=services.settings,
        auditors=[name.strip() for name in (services.settings.auditors or "").split(",") if name.strip()],
        run=run,
        changes=_named(changes[:_MAX_CHANGES], repos),
        more_changes=max(0, len(changes) - _MAX_CHANGES),
    )


def scan_again(visit: Visit, _fields: Mapping[str, str]) -> Response:
    """Scan everything again in the background."""
    run_id = start_rescan(visit.services)
    with visit.services.database.write() as uow:
        note(visit, uow, "scan.again", {"run": run_id})
    return done("/policy", "scan_again")


def overrides(visit: Visit) -> Response:
    """The decisions about files, the newest first, of all repos."""
    text = visit.parameter("below")
    below = whole_number(text) if text else None
    with visit.read() as uow:
        found = recent_overrides(uow, _ON_PAGE + 1, below=below)
        repos = repos_by_id(uow, (one.repo_id for one in found))
    return shown(
        visit,
        "admin_overrides.html",
        "overrides",
        overrides=[(one, repos.get(one.repo_id)) for one in found[:_ON_PAGE]],
        repo_types=_TYPES,
        branch=_BRANCH,
        newest=visit.address(below="", done="") if below is not None else None,
        older=visit.address(below=str(found[_ON_PAGE - 1].id), done="") if len(found) > _ON_PAGE else None,
    )


def change_overrides(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Lift what stands against a file, or take such a decision back.

    Raises RepoNotFound, RevisionNotFound, EntryNotFound, NothingToLift, OverrideUnknown, BadRequest.
    """
    services = visit.services
    judge = Judge(administrator(visit).name, visit.actor)
    act = fields.get("act")
    with services.database.write() as uow:
        repo = _repo(uow, fields)
        if act == "lift":
            found = resolve_revision(uow, repo, fields.get("revision", "").strip() or _BRANCH)
            subject = subject_at(services, uow, repo, found, fields.get("path", ""))
            rule = fields.get("rule", "").strip() or None
            lift_verdict(services, uow, judge, repo, subject, rule, fields.get("reason", ""))
        elif act == "revoke":
            end_override(services, uow, judge, repo, number_of(fields, "number"))
        else:
            raise BadRequest("Nothing is asked for.", code="form_invalid")
    return done("/overrides", f"override_{act}")


def _rules() -> list[Rule]:
    """All rules, the worst first."""
    return sorted(RULES.values(), key=lambda rule: (-rule.severity, rule.id))


def _severity_row(held: Policy, severity: Severity) -> SeverityRow:
    action = held.by_severity[severity]
    source = "default" if action == DEFAULT_POLICY.by_severity[severity] else "setting"
    rules = [rule for rule in _rules() if rule.severity == severity and rule.id not in held.by_rule]
    return SeverityRow(severity.word, action, source, rules)


def _named(changes: list[ScanChange], repos: Mapping[RepoId, Repo]) -> list[tuple[ScanChange, Repo]]:
    """The changes in repos that are still there."""
    return [(change, repos[change.repo_id]) for change in changes if change.repo_id in repos]


def _repo(uow: UnitOfWork, fields: Mapping[str, str]) -> Repo:
    repo_type, name = fields.get("type", ""), fields.get("repo", "").strip()
    if repo_type not in _TYPES:
        raise BadRequest("The type of the repo is not known.", code="form_invalid")
    found = lookup_repo(uow, repo_type, name)
    if found is None:
        raise RepoNotFound
    return found
