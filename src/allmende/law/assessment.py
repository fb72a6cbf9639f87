"""An assessment: what follows from the facts of one description, by one law pack, on one day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from allmende.law.answers import Answer, Gap
from allmende.law.facts import Evidence, Fact
from allmende.law.pack import Pack, Rule

__all__ = ["Assessment", "Branch", "Cap", "DateStatus", "Dates", "Line", "OpenItem"]


class DateStatus(StrEnum):
    """How a date stands to the day of the assessment."""

    IN_FORCE = "in_force"
    UPCOMING = "upcoming"
    TRANSITIONAL = "transitional"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Dates:
    """From when a line applies. More than one day is possible where it is not known which phase holds."""

    possible: tuple[date, ...]
    articles: tuple[str, ...]
    status: DateStatus
    confidence: str


@dataclass(frozen=True, slots=True)
class Cap:
    """The highest fine by formula; `takes` says which amount; `cap_eur` where turnover and size are known."""

    amount_eur: float
    percent: float
    takes: str
    cap_eur: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One rule's answer for one subject (`application` or `model:NAME`), with all that decides it.

    `facts` are the names of all facts that decided it, through other rules too; `own_facts` those that it
    looks at itself; `rests_on` the rules that decided it directly. `weakest` is the least sure letter of all
    of these. `dates` is None for a no. A step is `relevant` only where a line that is none rests on it.
    """

    rule: Rule
    subject: str
    answer: Answer
    relevant: bool
    facts: tuple[str, ...]
    own_facts: tuple[str, ...]
    gaps: tuple[Gap, ...]
    rests_on: tuple[str, ...]
    weakest: str
    dates: Dates | None
    held: tuple[Evidence, ...]
    missing: tuple[str, ...]
    cap: Cap | None
    digest: str


@dataclass(frozen=True, slots=True)
class OpenItem:
    """What has to be known, and the lines that wait for it."""

    subject: str
    gap: Gap
    decides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """What would differ if a number near a threshold lay below or above it: line, answers below and above."""

    subject: str
    gap: Gap
    differs: tuple[tuple[str, Answer, Answer], ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """The whole result; the same facts, pack and day give the same one, to the byte once written."""

    name: str
    on: date
    pack: Pack
    facts: Mapping[str, Mapping[str, Fact]]
    lines: tuple[Line, ...]
    open_items: tuple[OpenItem, ...]
    branches: tuple[Branch, ...]

    def line(self, rule: str, subject: str = "application") -> Line:
        """The line of a rule; KeyError where the assessment has none."""
        for line in self.lines:
            if line.rule.id == rule and line.subject == subject:
                return line
        raise KeyError((subject, rule))
