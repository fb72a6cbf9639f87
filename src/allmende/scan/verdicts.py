"""From findings to a status: what was found in a file, and what a policy makes of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from allmende.formats import JsonObject
from allmende.scan.findings import Finding, Rule, Severity

__all__ = ["DEFAULT_POLICY", "Action", "FileReport", "Policy", "Reference", "Status", "worst"]

Action = Literal["block", "quarantine", "warn", "note", "none"]


class Status(IntEnum):
    """What a reader of a file is told; comparable, the worst is the largest."""

    CLEAN = 0
    NOTED = 1
    WARNED = 2
    NOT_SCANNED = 3
    """No reader knows the format: never shown as clean."""
    QUARANTINED = 4
    BLOCKED = 5

    @property
    def word(self) -> str:
        """Its name in documents."""
        return self.name.lower()

    @classmethod
    def of_word(cls, word: str) -> "Status":
        """The inverse of `word`. Raises KeyError."""
        return cls[word.upper()]


_STATUS_OF_ACTION: Mapping[Action, Status] = {
    "block": Status.BLOCKED,
    "quarantine": Status.QUARANTINED,
    "warn": Status.WARNED,
    "note": Status.NOTED,
    "none": Status.CLEAN,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Which action a finding asks for: by its rule where the operator said so, else by its severity."""

    by_severity: Mapping[Severity, Action]
    by_rule: Mapping[str, Action] = field(default_factory=dict)

    def action(self, rule: Rule) -> Action:
        """The action for a finding of this rule."""
        return self.by_rule.get(rule.id, self.by_severity[rule.severity])

    def status(self, findings: Iterable[Finding]) -> Status:
        """The status that these findings give together."""
        return worst(_STATUS_OF_ACTION[self.action(finding.rule)] for finding in findings)


DEFAULT_POLICY = Policy(
    {
        Severity.CRITICAL: "block",
        Severity.HIGH: "quarantine",
        Severity.MEDIUM: "warn",
        Severity.LOW: "note",
        Severity.INFO: "none",
    }
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Another file of the repository that this one asks for when it is loaded.

    `kind` says how (`index`, `external_data`, `auto_map`, …), `target` is the path as the file has it,
    relative to the file's folder. `needs_bytes` is how long the target must at least be.
    """

    kind: str
    target: str
    needs_bytes: int | None = None

    def document(self) -> JsonObject:
        """The reference as JSON."""
        return {"kind": self.kind, "target": self.target, "needs_bytes": self.needs_bytes}


@dataclass(frozen=True, slots=True)
class FileReport:
    """All that the scan of one file said.

    `formats` are the readers that opened it, `unread` the logical paths of which no reader knew what they
    are. It follows from the bytes, the name hint and the rule set alone.
    """

    rule_set: str
    formats: tuple[str, ...]
    findings: tuple[Finding, ...]
    references: tuple[Reference, ...] = ()
    unread: tuple[str, ...] = ()
    findings_left_out: int = 0

    def status(self, policy: Policy = DEFAULT_POLICY) -> Status:
        """What the policy makes of it."""
        return worst([policy.status(self.findings), Status.NOT_SCANNED if self.unread else Status.CLEAN])

    def row(self) -> JsonObject:
        """The report as it is sent and stored, without the words of the rules."""
        return {
            "rule_set": self.rule_set,
            "formats": list(self.formats),
            "findings": [finding.row() for finding in self.findings],
            "references": [reference.document() for reference in self.references],
            "unread": list(self.unread),
            "findings_left_out": self.findings_left_out,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, object], rules: Mapping[str, Rule]) -> "FileReport":
        """The inverse of `row`. Raises KeyError or ValueError for what no report of this version is."""
        findings, references = _rows(row, "findings"), _rows(row, "references")
        return cls(
            rule_set=str(row["rule_set"]),
            formats=tuple(_texts(row, "formats")),
            findings=tuple(Finding.from_row(found, rules) for found in findings),
            references=tuple(_reference(found) for found in references),
            unread=tuple(_texts(row, "unread")),
            findings_left_out=int(str(row["findings_left_out"])),
        )


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of them; CLEAN where there are none."""
    return max(statuses, default=Status.CLEAN)


def _rows(row: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    value = row[name]
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError("not a report")
    return value


def _texts(row: Mapping[str, object], name: str) -> list[str]:
    value = row[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("not a report")
    return value


def _reference(row: Mapping[str, object]) -> Reference:
    needs = row.get("needs_bytes")
    return Reference(str(row["kind"]), str(row["target"]), needs if isinstance(needs, int) else None)
