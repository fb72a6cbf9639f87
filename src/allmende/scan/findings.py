"""What a scan can find: rules with their severity, and findings that say where a rule was broken."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from allmende.formats import JsonObject

__all__ = ["CONFIDENCES", "Confidence", "Finding", "Rule", "Severity"]

Confidence = Literal["certain", "likely", "possible"]
CONFIDENCES: tuple[Confidence, ...] = ("certain", "likely", "possible")


class Severity(IntEnum):
    """How bad it is; comparable, the worst is the largest."""

    INFO = 0
    """Inventory: what is there, without judgement."""
    LOW = 1
    """Hygiene."""
    MEDIUM = 2
    """Needs code from outside the file, or leaks."""
    HIGH = 3
    """Cannot be checked, or is built to confuse readers."""
    CRITICAL = 4
    """Runs or fetches code, or reaches outside, when loaded the usual way."""

    @property
    def word(self) -> str:
        """Its name in documents."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for. `id` is stable: policies, overrides and reports name it."""

    id: str
    severity: Severity
    title: str
    """What was found, in a few words."""
    explanation: str
    """Why it matters to whoever loads the file."""
    remedy: str
    """What the publisher can do about it."""
    reference: str
    """The norm, advisory or documentation behind it: a name or an address."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that was broken, and the place.

    `inside` is the logical path within the file (`archive/data.pkl`), empty for the file itself. `offset` is
    in bytes from the beginning of what `inside` names. `evidence` is quoted, short, and without secrets;
    `detail` is one sentence about this case.
    """

    rule: Rule
    inside: str = ""
    offset: int | None = None
    evidence: str = ""
    detail: str = ""
    confidence: Confidence = "certain"

    @property
    def severity(self) -> Severity:
        """That of its rule."""
        return self.rule.severity

    def document(self) -> JsonObject:
        """The finding as JSON, with what the rule says, so that it can be read alone."""
        return {
            "rule": self.rule.id,
            "severity": self.rule.severity.word,
            "title": self.rule.title,
            "inside": self.inside,
            "offset": self.offset,
            "evidence": self.evidence,
            "detail": self.detail,
            "explanation": self.rule.explanation,
            "remedy": self.rule.remedy,
            "reference": self.rule.reference,
            "confidence": self.confidence,
        }

    def row(self) -> JsonObject:
        """The finding without the words of its rule: what is sent and stored."""
        return {
            "rule": self.rule.id,
            "inside": self.inside,
            "offset": self.offset,
            "evidence": self.evidence,
            "detail": self.detail,
            "confidence": self.confidence,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, object], rules: Mapping[str, Rule]) -> "Finding":
        """The inverse of `row`. Raises KeyError for an unknown rule, ValueError for a bad row."""
        offset = row.get("offset")
        confidence = next((word for word in CONFIDENCES if word == row.get("confidence")), None)
        texts = [row.get(name, "") for name in ("inside", "evidence", "detail")]
        sound = offset is None or (isinstance(offset, int) and not isinstance(offset, bool))
        if confidence is None or not sound or not all(isinstance(text, str) for text in texts):
            raise ValueError("not a finding")
        inside, evidence, detail = map(str, texts)
        return cls(
            rules[str(row["rule"])],
            inside,
            offset if isinstance(offset, int) else None,
            evidence,
            detail,
            confidence,
        )
