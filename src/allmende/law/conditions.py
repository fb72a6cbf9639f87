"""Conditions of rules: what they can say, and what follows from facts.

The language is total: no loops, no calls, no defaults. docs/assess.md lists it for those who write packs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeAlias

from allmende.law.answers import Answer, Finding, Gap, all_of, any_of, denial
from allmende.law.values import Value

__all__ = [
    "Above",
    "All",
    "Condition",
    "Dated",
    "Either",
    "Holds",
    "Includes",
    "Known",
    "Not",
    "OpenQuestion",
    "OtherRule",
    "evaluate",
    "mentions",
]


@dataclass(frozen=True, slots=True)
class All:
    """`a and b`"""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    """`a or b`"""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """`not a`"""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class Holds:
    """`group.fact`: a fact of yes or no is yes."""

    fact: str


@dataclass(frozen=True, slots=True)
class Includes:
    """`group.fact is word`, `group.fact has word`: one of the words is the fact's, or among them."""

    fact: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Above:
    """`group.fact above 1e23 within 30%`: a number lies above a bound, given or another fact's.

    Inside the band, borders included, the answer is undetermined.
    """

    fact: str
    bound: float | str
    band: float


@dataclass(frozen=True, slots=True)
class Dated:
    """`group.fact before 2026-08-02`, `group.fact since …`: to a day, given or another fact's.

    What never happened is neither before nor since any day.
    """

    fact: str
    before: bool
    day: date | str


@dataclass(frozen=True, slots=True)
class OtherRule:
    """`rule-id`: the answer of another rule."""

    rule: str


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """`open question-id`: nobody knows; always undetermined."""

    question: str


Condition: TypeAlias = All | Either | Not | Holds | Includes | Above | Dated | OtherRule | OpenQuestion


class Known(Protocol):
    """What a condition is evaluated against."""

    def value(self, fact: str) -> Value | None:
        """The value of a fact, or None where it is not known."""

    def finding(self, rule: str) -> Finding:
        """What the rule of that name came to."""

    def side(self, fact: str, threshold: float) -> bool | None:
        """For a branch: which side of a threshold to take although the number is too near; else None."""


def evaluate(condition: Condition, known: Known) -> Finding:
    """What follows; `Finding` says which facts, gaps and rules decide it."""
    match condition:
        case All(parts):
            return all_of([evaluate(part, known) for part in parts])
        case Either(parts):
            return any_of([evaluate(part, known) for part in parts])
        case Not(part):
            return denial(evaluate(part, known))
        case OtherRule(rule):
            found = known.finding(rule)
            return Finding(found.answer, found.facts, found.gaps, frozenset({rule}))
        case OpenQuestion(question):
            return Finding(Answer.UNDETERMINED, gaps=frozenset({Gap("question", question)}))
        case Above() | Dated():
            return _compared(condition, known)
        case _:
            return _chosen(condition, known)


def mentions(condition: Condition) -> Iterator[Condition]:
    """Every condition in it, itself included."""
    yield condition
    match condition:
        case All(parts) | Either(parts):
            for part in parts:
                yield from mentions(part)
        case Not(part):
            yield from mentions(part)


def _chosen(condition: Holds | Includes, known: Known) -> Finding:
    value = known.value(condition.fact)
    if value is None:
        return Finding(
            Answer.UNDETERMINED, frozenset({condition.fact}), frozenset({Gap("fact", condition.fact)})
        )
    if isinstance(condition, Holds):
        return _told(value is True, condition.fact)
    words = value if isinstance(value, tuple) else (value,)
    return _told(any(word in words for word in condition.words), condition.fact)


def _compared(condition: Above | Dated, known: Known) -> Finding:
    bound = condition.bound if isinstance(condition, Above) else condition.day
    names = (condition.fact, bound) if isinstance(bound, str) else (condition.fact,)
    values = [known.value(name) for name in names]
    missing = [name for name, value in zip(names, values, strict=True) if value is None]
    if missing:
        return Finding(
            Answer.UNDETERMINED,
            frozenset(names),
            frozenset(Gap("fact", name) for name in missing),
        )
    other = values[-1] if isinstance(bound, str) else bound
    if isinstance(condition, Dated):
        mine = values[0]
        both = isinstance(mine, date) and isinstance(other, date)
        return _told(both and (mine < other) is condition.before, *names)  # type: ignore[operator]
    assert isinstance(values[0], int | float)
    assert isinstance(other, int | float)
    return _above(condition, float(values[0]), float(other), names, known)


def _above(condition: Above, value: float, bound: float, names: tuple[str, ...], known: Known) -> Finding:
    low, high = bound * (1 - condition.band), bound * (1 + condition.band)
    if condition.band and low <= value <= high:
        chosen = known.side(condition.fact, bound)
        if chosen is not None:
            return _told(chosen, *names)
        gap = Gap("near", condition.fact, value, bound, condition.band)
        return Finding(Answer.UNDETERMINED, frozenset(names), frozenset({gap}))
    return _told(value > bound, *names)


def _told(holds: bool, *facts: str) -> Finding:  # noqa: FBT001
    return Finding(Answer.YES if holds else Answer.NO, frozenset(facts))
