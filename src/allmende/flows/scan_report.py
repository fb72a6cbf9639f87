"""The scan of a revision for people and programs: verdicts, findings with their words, what was lifted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allmende.facts import ContentKey, RevisionFacts, revision_facts
from allmende.flows.file_scanning import file_reports
from allmende.flows.file_verdicts import UNEXAMINED, FileVerdict
from allmende.flows.scan_summary import SCAN, RevisionVerdicts, verdicts_of
from allmende.flows.services import Services
from allmende.flows.serving import repository_rules
from allmende.registry import FileEntry, Repo, Revision, list_files
from allmende.scan import RULE_SET, RULES, FileReport, Finding
from allmende.storage import UnitOfWork

__all__ = ["FileScan", "ScanReport", "scan_report"]


@dataclass(frozen=True, slots=True)
class FileScan:
    """A file of a revision, and all that the scan has to say of it.

    `report` is None where it was not scanned by the present rules. `repository` is what only the files of
    the revision together show.
    """

    entry: FileEntry
    verdict: FileVerdict
    report: FileReport | None
    repository: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the file's own first."""
        return (*(() if self.report is None else self.report.findings), *self.repository)


@dataclass(frozen=True, slots=True)
class ScanReport:
    """The scan of a revision. Until it is examined only what stops a file is told."""

    examined: bool
    verdicts: RevisionVerdicts
    entries: Mapping[str, FileEntry]
    repository: Mapping[str, tuple[Finding, ...]]

    @property
    def word(self) -> str:
        """The status of the revision for programs."""
        stopped = any(verdict.is_stopped for verdict in self.verdicts.files.values())
        return self.verdicts.word if self.examined or stopped else UNEXAMINED

    @property
    def paths(self) -> list[str]:
        """The files that are told of, by path."""
        return sorted(
            path for path, verdict in self.verdicts.files.items() if self.examined or verdict.is_stopped
        )

    @property
    def issues(self) -> list[str]:
        """The files that somebody should know of, worst first."""
        told = set(self.paths)
        return [path for path, _verdict in self.verdicts.issues() if path in told]

    def files(self, uow: UnitOfWork, paths: Sequence[str]) -> list[FileScan]:
        """Everything about some of the files."""
        keys = [(path, _key(self.entries[path])) for path in paths]
        reports = file_reports(uow, keys)
        return [
            FileScan(
                self.entries[path],
                self.verdicts.files[path],
                reports.get(path),
                self.repository.get(path, ()),
            )
            for path in paths
        ]


def scan_report(
    services: Services,
    uow: UnitOfWork,
    repo: Repo,
    revision: Revision,
    entries: Sequence[FileEntry] | None = None,
) -> ScanReport:
    """The scan of a revision (with `entries`, of these files), by the policy and overrides of this moment."""
    listed = list_files(uow, repo, revision.oid) if entries is None else entries
    facts = revision_facts(uow, repo.id, revision.oid)
    also = repository_rules(facts.value("examined"))
    return ScanReport(
        facts.examined,
        verdicts_of(services, uow, repo.id, listed, also),
        {entry.path: entry for entry in listed},
        _repository_findings(facts),
    )


def _repository_findings(facts: RevisionFacts) -> dict[str, tuple[Finding, ...]]:
    fact = facts.get(SCAN)
    listed = fact.value.get("repository") if fact is not None and isinstance(fact.value, dict) else None
    if fact is None or fact.tool_version != RULE_SET or not isinstance(listed, list):
        return {}
    found: dict[str, tuple[Finding, ...]] = {}
    for row in listed:
        if isinstance(row, dict):
            path = str(row["path"])
            found[path] = (*found.get(path, ()), Finding.from_row(row, RULES))
    return found


def _key(entry: FileEntry) -> ContentKey:
    return entry.oid if entry.pointer is None else entry.pointer.oid
