"""`allmende admin rescan`, `scan-report` and `scan`: scanning everything again, and lifting verdicts."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from allmende.cli.hub_place import HubPlace, opened
from allmende.cli.output import AsJson, printable, say, say_json, say_table
from allmende.clock import iso

if TYPE_CHECKING:
    from allmende.facts import ScanRun
    from allmende.registry import Repo, ScanOverride
    from allmende.storage import UnitOfWork

__all__ = ["begin_rescan", "list_of_overrides", "override", "report", "revoke"]

_OPERATOR = "operator"
_Type = Literal["model", "dataset", "space"]
_TypeArgument = Annotated[_Type, Parameter(name="TYPE", help="model, dataset or space.")]
_NameArgument = Annotated[str, Parameter(name="NAME", help="NAMESPACE/NAME.")]


def begin_rescan(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Scan everything again in the background; what these rules have judged already is not read again."""
    from allmende.flows import start_rescan

    with opened(place) as services:
        run_id = start_rescan(services)
    if as_json:
        say_json("allmende.admin-rescan/1", {"run": run_id})
    else:
        say(f"run {run_id} will look at every repo; see `allmende admin scan-report`")


def report(*, place: HubPlace | None = None, as_json: AsJson = False) -> None:
    """Say how far the last scan of everything is, and which files it gave another status."""
    from allmende.facts import last_scan_run, scan_changes
    from allmende.registry import find_repo_by_id

    with opened(place) as services, services.database.read() as uow:
        run = last_scan_run(uow)
        changes = [] if run is None else scan_changes(uow, run.id)
        repos = {change.repo_id: find_repo_by_id(uow, change.repo_id) for change in changes}
    named = [(change, repo) for change in changes if (repo := repos[change.repo_id]) is not None]
    if as_json:
        listed = [
            {
                "type": repo.type,
                "repo": repo.full_name,
                "path": change.path,
                "before": change.before,
                "after": change.after,
                "rules": list(change.rules),
            }
            for change, repo in named
        ]
        say_json(
            "allmende.admin-scan-report/1", {"run": None if run is None else _run(run), "changes": listed}
        )
        return
    if run is None:
        say("nothing was scanned as a whole yet")
        return
    state = f"done {iso(run.finished_at)}" if run.finished_at else "under way"
    say(f"run {run.id}, rule set {run.rule_set}, begun {iso(run.started_at)}, {state}")
    say(f"{run.repos} repos, {run.files} files, {run.changed} changed")
    rows = [
        (f"{repo.type} {repo.full_name}", change.path, change.before, change.after, ", ".join(change.rules))
        for change, repo in named
    ]
    if rows:
        say_table(("REPO", "PATH", "BEFORE", "AFTER", "RULES"), rows)


def list_of_overrides(
    type_: _TypeArgument, name: _NameArgument, /, *, place: HubPlace | None = None, as_json: AsJson = False
) -> None:
    """List who lifted which verdicts in a repo, and why."""
    from allmende.registry import list_overrides

    with opened(place) as services, services.database.read() as uow:
        found = list_overrides(uow, _repo(uow, type_, name).id)
    if as_json:
        say_json("allmende.admin-scan-overrides/1", {"overrides": [_override(one) for one in found]})
        return
    rows = [
        (
            str(one.id),
            one.path,
            ", ".join(one.rules),
            one.actor_name,
            iso(one.at),
            "" if one.revoked_at is None else f"revoked {iso(one.revoked_at)}",
            one.reason,
        )
        for one in found
    ]
    say_table(("NUMBER", "PATH", "RULES", "BY", "AT", "STATE", "REASON"), rows)


def override(
    type_: _TypeArgument,
    name: _NameArgument,
    path: Annotated[str, Parameter(name="PATH", help="The file.")],
    /,
    *,
    reason: Annotated[str, Parameter(help="Why the verdict does not hold.")],
    rule: Annotated[str | None, Parameter(help="One rule; without it, all that stand.")] = None,
    revision: Annotated[str, Parameter(help="Where the file is.")] = "main",
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Lift what stands against a file in a repo; with an auditor's right."""
    from allmende.flows import Judge, lift_verdict, subject_at
    from allmende.registry import resolve_revision

    with opened(place) as services, services.database.write() as uow:
        repo = _repo(uow, type_, name)
        subject = subject_at(services, uow, repo, resolve_revision(uow, repo, revision), path)
        number = lift_verdict(services, uow, Judge(_OPERATOR), repo, subject, rule, reason)
    if as_json:
        say_json("allmende.admin-scan-override/1", {"number": number, "path": path})
    else:
        say(f"override {number}: {printable(path)} in {repo.type} {repo.full_name}")


def revoke(
    type_: _TypeArgument,
    name: _NameArgument,
    number: Annotated[int, Parameter(name="NUMBER", help="The number of the override.")],
    /,
    *,
    place: HubPlace | None = None,
    as_json: AsJson = False,
) -> None:
    """Let a verdict hold again."""
    from allmende.flows import Judge, end_override

    with opened(place) as services, services.database.write() as uow:
        found = end_override(services, uow, Judge(_OPERATOR), _repo(uow, type_, name), number)
    if as_json:
        say_json("allmende.admin-scan-override-revoked/1", {"number": number, "path": found.path})
    else:
        say(f"revoked override {number}: {printable(found.path)}")


def _repo(uow: "UnitOfWork", type_: _Type, name: str) -> "Repo":
    from allmende.registry import RepoNotFound, lookup_repo

    repo = lookup_repo(uow, type_, name)
    if repo is None:
        raise RepoNotFound
    return repo


def _run(run: "ScanRun") -> dict[str, Any]:
    return {
        "id": run.id,
        "rule_set": run.rule_set,
        "cause": run.cause,
        "started_at": iso(run.started_at),
        "finished_at": None if run.finished_at is None else iso(run.finished_at),
        "repos": run.repos,
        "files": run.files,
        "changed": run.changed,
    }


def _override(found: "ScanOverride") -> dict[str, Any]:
    return {
        "number": found.id,
        "path": found.path,
        "content_key": found.content_key,
        "rules": list(found.rules),
        "reason": found.reason,
        "by": found.actor_name,
        "by_auditor": found.by_auditor,
        "at": iso(found.at),
        "revoked_at": None if found.revoked_at is None else iso(found.revoked_at),
        "revoked_by": found.revoked_by,
    }
