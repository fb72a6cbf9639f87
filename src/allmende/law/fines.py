"""The highest fine that threatens, by formula: an amount, a share of turnover, and which of both counts."""

from allmende.law.answers import Answer, Finding, Gap
from allmende.law.assessment import Cap
from allmende.law.conditions import evaluate
from allmende.law.findings import SubjectFindings
from allmende.law.pack import Fine
from allmende.law.pack_checking import TURNOVER

__all__ = ["cap_of"]


def cap_of(fine: Fine, state: SubjectFindings) -> tuple[Cap, Finding]:
    """The cap, and the facts that it rests on; `cap_eur` is None where turnover or size is missing."""
    lower = Finding(Answer.NO) if fine.lower is None else evaluate(fine.lower, state)
    turnover = state.value(TURNOVER)
    gaps = lower.gaps
    if turnover is None:
        gaps |= {Gap("fact", TURNOVER)}
    takes = {Answer.YES: "lower", Answer.NO: "higher"}.get(lower.answer, "undetermined")
    cap_eur = None
    if isinstance(turnover, int | float) and lower.answer is not Answer.UNDETERMINED:
        both = (fine.amount_eur, turnover * fine.percent / 100)
        cap_eur = round(min(both) if takes == "lower" else max(both), 2)
    decided = Finding(Answer.YES, lower.facts | {TURNOVER}, gaps, lower.rules)
    return Cap(fine.amount_eur, fine.percent, takes, cap_eur), decided
