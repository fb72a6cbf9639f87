"""Which phase of a timing holds for a subject, and how its date stands to the day of the assessment."""

from datetime import date

from allmende.law.answers import Answer, Finding, all_of
from allmende.law.assessment import Dates, DateStatus
from allmende.law.conditions import evaluate
from allmende.law.findings import SubjectFindings
from allmende.law.pack import Phase, Timing, weakest

__all__ = ["date_line"]


def date_line(timing: Timing, state: SubjectFindings, on: date) -> tuple[Dates, Finding]:
    """The dates, and what decided among the phases.

    The first phase counts whose condition holds. Where it cannot be told of an earlier one whether it holds,
    its day is possible too, and the status is undetermined unless all possible days are the same.
    """
    possible: list[Phase] = []
    looked_at: list[Finding] = []
    for phase in timing.phases:
        finding = Finding(Answer.YES) if phase.when is None else evaluate(phase.when, state)
        looked_at.append(finding)
        if finding.answer is not Answer.NO:
            possible.append(phase)
        if finding.answer is Answer.YES:
            break
    days = tuple(sorted({phase.start for phase in possible}))
    dates = Dates(
        possible=days,
        articles=tuple(dict.fromkeys(phase.article for phase in possible)),
        status=_status(possible, on) if len(days) == 1 else DateStatus.UNDETERMINED,
        confidence=weakest("".join(phase.confidence for phase in possible)),
    )
    return dates, _decided_by(looked_at)


def _status(possible: list[Phase], on: date) -> DateStatus:
    phase = possible[0]
    if phase.start <= on:
        return DateStatus.IN_FORCE
    return DateStatus.TRANSITIONAL if phase.transitional else DateStatus.UPCOMING


def _decided_by(findings: list[Finding]) -> Finding:
    """All facts of all phases that were looked at: each could have led to another day."""
    parts = [Finding(Answer.YES, finding.facts, finding.gaps, finding.rules) for finding in findings]
    return all_of(parts)
