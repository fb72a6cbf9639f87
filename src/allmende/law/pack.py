"""A law pack: the law at a day, as rules, dates and questions that a lawyer can read and correct."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from allmende.law.conditions import Condition
from allmende.law.values import FactKind

__all__ = [
    "CONFIDENCE",
    "Contradiction",
    "Fine",
    "LicenceRow",
    "OpenPoint",
    "Pack",
    "Phase",
    "Rule",
    "RuleKind",
    "Source",
    "Subject",
    "Timing",
    "weakest",
]

Subject: TypeAlias = Literal["application", "model"]
RuleKind: TypeAlias = Literal["conclusion", "duty", "fine"]

CONFIDENCE = "CRKU"
"""C: the text was read, or two readings agree. R: one secondary source. K: recalled. U: open or disputed."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the law or its reading stands; guidance binds nobody."""

    id: str
    title: str
    published: date
    binding: bool


@dataclass(frozen=True, slots=True)
class OpenPoint:
    """A question that the law leaves open, and why."""

    id: str
    article: str
    ask: str
    source: str


@dataclass(frozen=True, slots=True)
class Phase:
    """From which day something applies, if `when` holds; `transitional` where a period of grace ends then."""

    start: date
    article: str
    confidence: str
    when: Condition | None = None
    transitional: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """The phases of a duty; the first whose condition holds counts. The last has no condition."""

    id: str
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Fine:
    """The highest fine: an amount or a share of turnover, the higher, or the lower where `lower` holds."""

    amount_eur: float
    percent: float
    lower: Condition | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the law: a conclusion, a duty of somebody, or a fine that threatens.

    A `step` only serves other lines: it is asked about and shown where one of them rests on it.
    """

    id: str
    section: str
    subject: Subject
    kind: RuleKind
    article: str
    when: Condition
    says: str
    timing: str
    confidence: str
    binding: bool
    sources: tuple[str, ...]
    who: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    fine: Fine | None = None
    note: str = ""
    step: bool = False


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Facts that cannot hold together."""

    id: str
    subject: Subject
    when: Condition
    says: str


@dataclass(frozen=True, slots=True)
class LicenceRow:
    """Whether a licence by its text is free and open source in the sense of Art. 53(2)."""

    id: str
    free: Literal["free", "not_free", "disputed"]
    reason: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Pack:
    """All of it: `rules` so that each rests on earlier ones alone, `listing` as they are in the files.

    `digest` is the SHA-256 over the files. `rule_digests` are those of what each rule means, texts apart,
    with all that it rests on; `rule_facts` are the facts that a rule itself looks at. `summary` names the
    rules that say the most in short. `texts` holds translations: language, then kind and id, then the
    sentence.
    """

    version: str
    digest: str
    valid_from: date
    checked_on: date
    jurisdiction: str
    sources: Mapping[str, Source]
    facts: Mapping[str, FactKind]
    open_points: Mapping[str, OpenPoint]
    timings: Mapping[str, Timing]
    evidence: Mapping[str, str]
    licences: Mapping[str, LicenceRow]
    contradictions: tuple[Contradiction, ...]
    rules: tuple[Rule, ...]
    listing: tuple[str, ...]
    summary: tuple[str, ...]
    rule_digests: Mapping[str, str]
    rule_facts: Mapping[str, frozenset[str]]
    texts: Mapping[str, Mapping[str, str]]

    def rule(self, id: str) -> Rule:
        """The rule of that name. Raises KeyError where there is none."""
        for rule in self.rules:
            if rule.id == id:
                return rule
        raise KeyError(id)


def weakest(letters: str) -> str:
    """The least sure of some letters of confidence."""
    return max(letters, key=CONFIDENCE.index)
