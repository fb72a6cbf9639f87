"""The three answers, what each rests on, and how answers are joined (strong Kleene logic).

The invariant that comparisons rely on: an answer is decided by the facts in `facts` and the gaps in `gaps`.
While none of these changes, neither does the answer, whatever else becomes known. And since nothing here asks
whether a fact is missing, a fact that becomes known never turns a yes into a no or a no into a yes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

__all__ = ["Answer", "Finding", "Gap", "all_of", "any_of", "denial"]


class Answer(StrEnum):
    """Nothing is assumed: what is not known is undetermined."""

    YES = "yes"
    NO = "no"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """What keeps an answer open: a missing fact, an open question of law, or a number too near a threshold.

    For `near` the fact's number, the threshold and the share that the band spans to either side are given.
    """

    kind: Literal["fact", "near", "question"]
    name: str
    value: float = 0.0
    threshold: float = 0.0
    band: float = 0.0

    @property
    def above(self) -> bool:
        """On which side of the threshold the stated number falls."""
        return self.value > self.threshold


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer with all that decides it: names of facts, gaps, and the rules it directly rests on."""

    answer: Answer
    facts: frozenset[str] = field(default_factory=frozenset)
    gaps: frozenset[Gap] = field(default_factory=frozenset)
    rules: frozenset[str] = field(default_factory=frozenset)


def all_of(parts: Sequence[Finding]) -> Finding:
    """Yes if all are; no if one is, resting on those that say no alone; else undetermined."""
    return _joined(parts, Answer.NO, Answer.YES)


def any_of(parts: Sequence[Finding]) -> Finding:
    """Yes if one is, resting on those that say yes alone; no if none is; else undetermined."""
    return _joined(parts, Answer.YES, Answer.NO)


def denial(part: Finding) -> Finding:
    """Yes for no, no for yes; what is undetermined stays so."""
    turned = {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(part.answer, part.answer)
    return Finding(turned, part.facts, part.gaps, part.rules)


def _joined(parts: Sequence[Finding], decisive: Answer, otherwise: Answer) -> Finding:
    deciding = [part for part in parts if part.answer is decisive]
    if deciding:
        return _union(decisive, deciding)
    is_open = any(part.answer is Answer.UNDETERMINED for part in parts)
    return _union(Answer.UNDETERMINED if is_open else otherwise, parts)


def _union(answer: Answer, parts: Sequence[Finding]) -> Finding:
    return Finding(
        answer,
        frozenset().union(*(part.facts for part in parts)),
        frozenset().union(*(part.gaps for part in parts)),
        frozenset().union(*(part.rules for part in parts)),
    )
