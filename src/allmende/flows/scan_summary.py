"""What the scan says of a revision as a whole: the fact `scan`, and what its files break together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from allmende.facts import ContentKey, Fact
from allmende.flows.file_scanning import SCAN_TOOL, file_reports
from allmende.flows.file_verdicts import UNEXAMINED, FileVerdict, entry_verdicts, file_verdicts
from allmende.flows.services import Services
from allmende.formats import JsonObject, JsonValue
from allmende.ids import RepoId
from allmende.registry import FileEntry
from allmende.scan import RULE_SET, Finding, Status, examine_repository, worst
from allmende.storage import UnitOfWork

__all__ = ["SCAN", "RevisionScan", "RevisionVerdicts", "revision_scan", "verdicts_of"]

SCAN = "scan"
"""The name of the fact about a revision."""

_MAX_LISTED = 100
_MAX_REPOSITORY_PATHS = 1000


@dataclass(frozen=True, slots=True)
class RevisionVerdicts:
    """The verdicts on the files of a revision, by path."""

    files: Mapping[str, FileVerdict]

    @property
    def status(self) -> Status | None:
        """The worst of them; None while any file is unexamined and nothing is stopped."""
        known = worst(verdict.status for verdict in self.files.values() if verdict.status is not None)
        complete = all(verdict.status is not None for verdict in self.files.values())
        return known if complete or known in (Status.BLOCKED, Status.QUARANTINED) else None

    @property
    def word(self) -> str:
        """The status for programs."""
        return UNEXAMINED if self.status is None else self.status.word

    def counts(self) -> dict[str, int]:
        """How many files have which status."""
        counted = Counter(verdict.word for verdict in self.files.values())
        return {word: counted[word] for word in sorted(counted)}

    def issues(self) -> list[tuple[str, FileVerdict]]:
        """The files that somebody should know of, worst first."""
        told = [
            (path, verdict)
            for path, verdict in self.files.items()
            if verdict.status in (Status.WARNED, Status.QUARANTINED, Status.BLOCKED)
        ]
        return sorted(told, key=lambda item: (-(item[1].status or Status.CLEAN), item[0]))


@dataclass(frozen=True, slots=True)
class RevisionScan:
    """All that the scan says of a revision: of each file, and what only all of them together show."""

    verdicts: RevisionVerdicts
    repository: tuple[tuple[str, Finding], ...]

    def rules_by_path(self) -> dict[str, dict[str, str]]:
        """What the files break together: rules and their severity, by path; bounded."""
        found: dict[str, dict[str, str]] = {}
        for path, finding in self.repository:
            if path in found or len(found) < _MAX_REPOSITORY_PATHS:
                found.setdefault(path, {})[finding.rule.id] = finding.severity.word
        return found

    def fact(self, now: datetime) -> Fact:
        """The fact `scan` of the revision, bounded in size."""
        listed: list[JsonValue] = [
            {"path": path, "status": verdict.word, "rules": list(verdict.rules[:_MAX_LISTED])}
            for path, verdict in self.verdicts.issues()[:_MAX_LISTED]
        ]
        together: list[JsonValue] = [
            {"path": path, **finding.row()} for path, finding in self.repository[:_MAX_LISTED]
        ]
        value: JsonObject = {
            "status": self.verdicts.word,
            "counts": dict(self.verdicts.counts()),
            "files": listed,
            "repository": together,
            "lifted": sum(1 for verdict in self.verdicts.files.values() if verdict.lifted),
            "rule_set": RULE_SET,
        }
        return Fact(SCAN, value, "measured", SCAN_TOOL, RULE_SET, now)


def revision_scan(
    services: Services,
    uow: UnitOfWork,
    repo_id: RepoId,
    files: Sequence[tuple[str, ContentKey]],
    sizes: Mapping[str, int],
    links: Mapping[str, str],
) -> RevisionScan:
    """What is known of the files of a revision, by the policy and the overrides of this moment.

    `links` are its symbolic links and their targets.
    """
    found = examine_repository(file_reports(uow, files), sizes, links)
    together = tuple((one.path, one.finding) for one in found)
    scan = RevisionScan(RevisionVerdicts({}), together)
    verdicts = file_verdicts(services, uow, repo_id, files, scan.rules_by_path())
    return replace(scan, verdicts=RevisionVerdicts(verdicts))


def verdicts_of(
    services: Services,
    uow: UnitOfWork,
    repo_id: RepoId,
    entries: Sequence[FileEntry],
    also: Mapping[str, Mapping[str, str]],
) -> RevisionVerdicts:
    """The verdicts on the entries of a revision; `also` is what the files break together."""
    return RevisionVerdicts(entry_verdicts(services, uow, repo_id, entries, also))
