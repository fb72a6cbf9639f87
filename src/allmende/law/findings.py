"""All findings of one subject: the rules of a pack, evaluated in their order against its facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from allmende.law.answers import Answer, Finding, Gap
from allmende.law.conditions import evaluate
from allmende.law.facts import Fact
from allmende.law.pack import Pack, Subject, weakest
from allmende.law.values import Value

__all__ = ["Side", "SubjectFindings", "find_all", "relevant_rules", "thresholds_near"]


@dataclass(frozen=True, slots=True)
class Side:
    """A threshold near which a number lies, and the side to take in a branch."""

    fact: str
    threshold: float
    above: bool


@dataclass(slots=True)
class SubjectFindings:
    """Facts and what followed from them; conditions of dates and fines are evaluated against it too."""

    facts: Mapping[str, Fact]
    taken: Side | None = None
    found: dict[str, Finding] = field(default_factory=dict)
    weakest: dict[str, str] = field(default_factory=dict)

    def value(self, fact: str) -> Value | None:
        """The value of a fact, or None where it is not known."""
        known = self.facts.get(fact)
        return known.value if known else None

    def finding(self, rule: str) -> Finding:
        """What a rule came to that stands earlier in the pack."""
        return self.found[rule]

    def side(self, fact: str, threshold: float) -> bool | None:
        """The side that this branch takes, where it takes one at that threshold."""
        taken = self.taken
        if taken is not None and (taken.fact, taken.threshold) == (fact, threshold):
            return taken.above
        return None

    def with_inputs(self, names: frozenset[str]) -> tuple[str, ...]:
        """The names and those of the facts that derived ones were computed of, sorted."""
        inputs = {name for known in names if known in self.facts for name in self.facts[known].derived_from}
        return tuple(sorted(names | inputs))


def find_all(
    facts: Mapping[str, Fact], pack: Pack, subject: Subject, taken: Side | None = None
) -> SubjectFindings:
    """Evaluate every rule of the subject."""
    state = SubjectFindings(facts, taken)
    for rule in pack.rules:
        if rule.subject == subject:
            finding = evaluate(rule.when, state)
            state.found[rule.id] = finding
            state.weakest[rule.id] = weakest(
                rule.confidence + "".join(state.weakest[other] for other in finding.rules)
            )
    return state


def relevant_rules(state: SubjectFindings, pack: Pack) -> frozenset[str]:
    """The rules that are no steps, and the steps that decided one of them, directly or through others."""
    reached: set[str] = set()
    waiting = [rule.id for rule in pack.rules if rule.id in state.found and not rule.step]
    while waiting:
        id_ = waiting.pop()
        if id_ not in reached:
            reached.add(id_)
            waiting.extend(state.found[id_].rules)
    return frozenset(reached)


def thresholds_near(state: SubjectFindings) -> tuple[Gap, ...]:
    """Each threshold that leaves something open because a number lies too near."""
    gaps = {
        gap
        for finding in state.found.values()
        if finding.answer is Answer.UNDETERMINED
        for gap in finding.gaps
        if gap.kind == "near"
    }
    return tuple(sorted(gaps))
