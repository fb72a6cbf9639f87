"""Scanning the files of a revision: facts about bytes and the hint of a name, once for each rule set.

Two facts are kept of each: `scan` is the whole report, `verdict` the rules that were broken, which is all
that serving a file has to read. Their names end in the hint (`scan.pickle`), since a name can add readers. A
report of an older rule set stays until a new one takes its place: rather an old verdict than none.
"""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime

from allmende.facts import ContentKey, Fact, content_facts, put_content_facts
from allmende.flows.content_examination import HeldFile, file_batches, open_files
from allmende.flows.services import Services
from allmende.formats import JsonObject
from allmende.ids import RepoId
from allmende.jobs import JobContext, canonical_json
from allmende.registry import note_hints
from allmende.scan import HINTS, RULE_SET, RULES, FileReport, Finding, name_hint
from allmende.storage import UnitOfWork

__all__ = [
    "SCAN_TOOL",
    "VERDICT_FACTS",
    "file_reports",
    "report_fact",
    "scan_files",
    "verdict_fact",
    "verdict_fact_of_hint",
]

SCAN_TOOL = "allmende.scan"

_MAX_REPORT_BYTES = 1024 * 1024
_KEPT_OF_TOO_LARGE = 50
_FAILURE_PREFIX = "scanner-"


def verdict_fact_of_hint(hint: str) -> str:
    """The name of the fact that says which rules bytes break under this hint."""
    return f"verdict.{hint}" if hint else "verdict"


def verdict_fact(path: str) -> str:
    """The same under the name of a file."""
    return verdict_fact_of_hint(name_hint(path))


def report_fact(path: str) -> str:
    """The name of the fact that holds the whole report."""
    hint = name_hint(path)
    return f"scan.{hint}" if hint else "scan"


VERDICT_FACTS = tuple(sorted(verdict_fact_of_hint(hint) for hint in HINTS))
"""Every name that a verdict can have."""


def scan_files(services: Services, context: JobContext, repo_id: RepoId, files: list[HeldFile]) -> None:
    """Scan what was not scanned by these rules yet. A repeat goes on where this was interrupted.

    Raises JobInterrupted when the job should stop, and NotFound when the store has lost bytes.
    """
    with services.database.read() as uow:
        names = {verdict_fact(file.entry.path) for file in files}
        known = content_facts(uow, (file.key for file in files), names) if files else {}
    unknown = {
        (file.key, verdict_fact(file.entry.path)): file
        for file in files
        if not _is_done(known.get(file.key, {}).get(verdict_fact(file.entry.path)))
    }
    done = 0
    for batch in file_batches(list(unknown.values())):
        context.checkpoint()
        found: dict[ContentKey, list[Fact]] = {}
        for file, reader in open_files(services, repo_id, batch, as_files=True):
            context.checkpoint()
            with closing(reader):
                report = services.scanner.scan(reader, file.entry.size_bytes, file.entry.path)
            former = known.get(file.key, {}).get(verdict_fact(file.entry.path))
            facts = _facts(file, _bounded(report), former, services.database.clock())
            found.setdefault(file.key, []).extend(facts)
            done += 1
            context.progress(done / len(unknown), f"{done} of {len(unknown)} files scanned")
        with services.database.write() as uow:
            put_content_facts(uow, found, keep_older=True)
    _note_hints(services, repo_id, files)


def file_reports(uow: UnitOfWork, files: Iterable[tuple[str, ContentKey]]) -> dict[str, FileReport]:
    """The reports of these paths, as far as there are any of this rule set."""
    wanted = dict(files)
    names = {report_fact(path) for path in wanted}
    facts = content_facts(uow, wanted.values(), names) if wanted else {}
    found: dict[str, FileReport] = {}
    for path, key in wanted.items():
        fact = facts.get(key, {}).get(report_fact(path))
        if fact is not None and _is_current(fact) and isinstance(fact.value, dict):
            found[path] = FileReport.from_row(fact.value, RULES)
    return found


def _is_current(fact: Fact | None) -> bool:
    return fact is not None and (fact.tool, fact.tool_version) == (SCAN_TOOL, RULE_SET)


def _is_done(fact: Fact | None) -> bool:
    """Whether a repeat would say the same: what failed for want of time or memory is tried again."""
    if not _is_current(fact):
        return False
    rules = fact.value.get("rules") if fact is not None and isinstance(fact.value, dict) else None
    return isinstance(rules, dict) and not any(rule.startswith(_FAILURE_PREFIX) for rule in rules)


def _facts(file: HeldFile, report: FileReport, former: Fact | None, now: datetime) -> list[Fact]:
    evidence = {"content": file.key}
    rules = {finding.rule.id: finding.rule.severity.word for finding in report.findings}
    verdict: JsonObject = {"rules": {**rules}, "unread": bool(report.unread)}
    if former is not None and isinstance(former.value, dict):
        verdict["former"] = {
            "rule_set": former.tool_version,
            "rules": former.value.get("rules", {}),
            "unread": former.value.get("unread", False),
        }
    path = file.entry.path
    return [
        Fact(report_fact(path), report.row(), "measured", SCAN_TOOL, RULE_SET, now, evidence),
        Fact(verdict_fact(path), verdict, "measured", SCAN_TOOL, RULE_SET, now, evidence),
    ]


def _bounded(report: FileReport) -> FileReport:
    """The report, or where it is too large to be kept, one that says so and stops the file."""
    if len(canonical_json(report.row())) <= _MAX_REPORT_BYTES:
        return report
    kept: Mapping[str, Finding] = {finding.rule.id: finding for finding in reversed(report.findings)}
    first = [finding for finding in report.findings[:_KEPT_OF_TOO_LARGE] if kept[finding.rule.id] != finding]
    too_large = Finding(RULES["limit-reached"], detail=f"The report has more than {_MAX_REPORT_BYTES} bytes.")
    findings = sorted([*kept.values(), *first, too_large], key=lambda finding: -finding.severity)
    left_out = report.findings_left_out + len(report.findings) - len(findings) + 1
    return replace(report, findings=tuple(findings), references=(), findings_left_out=left_out)


def _note_hints(services: Services, repo_id: RepoId, files: list[HeldFile]) -> None:
    hints = {(file.content.sha256, name_hint(file.entry.path)) for file in files if file.content is not None}
    if hints:
        with services.database.write() as uow:
            note_hints(uow, repo_id, hints)
