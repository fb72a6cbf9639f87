"""What makes a pack hold together: names resolve, rules form no circle, conditions fit their facts."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

from allmende.law.conditions import (
    Above,
    Condition,
    Dated,
    Holds,
    Includes,
    OpenQuestion,
    OtherRule,
    mentions,
)
from allmende.law.errors import Problem
from allmende.law.pack import Pack, Rule, Subject, Timing

__all__ = [
    "ASSESSED_ON",
    "TURNOVER",
    "check_pack",
    "digests_of_rules",
    "facts_named",
    "in_order",
    "text_keys",
]

ASSESSED_ON = "assessment.on"
"""The fact that every assessment has: the day for which it was asked."""

TURNOVER = "operator.turnover_eur"
"""The fact that fines are computed of: worldwide turnover of the preceding business year, in euros."""

_FITS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (Holds, ("yes_no",)),
    (Includes, ("choice", "choices")),
    (Above, ("number",)),
    (Dated, ("date",)),
)


def conditions_of(rule: Rule, timings: Mapping[str, Timing]) -> Iterator[Condition]:
    """The condition of a rule, of its fine and of its dates, with all in them."""
    phases = timings[rule.timing].phases if rule.timing in timings else ()
    whole = [rule.when, *(phase.when for phase in phases), rule.fine.lower if rule.fine else None]
    for condition in whole:
        if condition is not None:
            yield from mentions(condition)


def facts_named(rule: Rule, timings: Mapping[str, Timing]) -> frozenset[str]:
    """The facts that the rule itself looks at, for its answer, its date or its fine."""
    named: set[str] = set()
    for inner in conditions_of(rule, timings):
        if isinstance(inner, Holds | Includes | Above | Dated):
            named.add(inner.fact)
            other = (
                inner.bound if isinstance(inner, Above) else inner.day if isinstance(inner, Dated) else None
            )
            named |= {other} if isinstance(other, str) else set()
    return frozenset(named | ({TURNOVER} if rule.fine else set()))


def in_order(
    rules: Sequence[Rule], timings: Mapping[str, Timing], problems: list[Problem]
) -> tuple[Rule, ...]:
    """The rules, each behind those it rests on; of equal right by the order of the files."""
    by_id: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in by_id:
            problems.append(Problem(rule.id, "rule_twice", "There are two rules of this name."))
        by_id[rule.id] = rule
    needs = {
        rule.id: {
            inner.rule
            for inner in conditions_of(rule, timings)
            if isinstance(inner, OtherRule) and inner.rule in by_id
        }
        for rule in rules
    }
    done: dict[str, Rule] = {}
    while len(done) < len(by_id):
        ready = [id_ for id_ in by_id if id_ not in done and needs[id_] <= done.keys()]
        if not ready:
            circle = sorted(set(by_id) - set(done))
            problems.append(Problem(circle[0], "rules_in_a_circle", f"In a circle: {', '.join(circle)}."))
            break
        done.update((id_, by_id[id_]) for id_ in ready)
    return tuple(done.values())


def digests_of_rules(rules: Sequence[Rule], timings: Mapping[str, Timing]) -> Mapping[str, str]:
    """For each rule a SHA-256 of what it means and of all that it rests on; sentences do not count."""
    digests: dict[str, str] = {}
    for rule in rules:
        rests = sorted({inner.rule for inner in conditions_of(rule, timings) if isinstance(inner, OtherRule)})
        told = [
            *(rule.id, rule.kind, rule.article, rule.confidence, rule.binding, rule.sources, rule.who),
            *(rule.evidence, repr(rule.when), repr(rule.fine), repr(timings.get(rule.timing))),
            [digests.get(other, "") for other in rests],
        ]
        digests[rule.id] = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    return digests


def text_keys(pack: Pack) -> set[str]:
    """The keys that a translation must have, no more and no less."""
    return {
        *(f"rules {rule.id}" for rule in pack.rules),
        *(f"notes {rule.id}" for rule in pack.rules if rule.note),
        *(f"facts {name}" for name in pack.facts if name != ASSESSED_ON),
        *(f"open {id_}" for id_ in pack.open_points),
        *(f"evidence {kind}" for kind in pack.evidence),
        *(f"licences {id_}" for id_ in pack.licences),
        *(f"contradictions {entry.id}" for entry in pack.contradictions),
        *(f"words {word}" for kind in pack.facts.values() for word in kind.words),
    }


def check_pack(pack: Pack) -> list[Problem]:
    """All that does not resolve or fit."""
    problems: list[Problem] = []
    for rule in pack.rules:
        problems += _rule_problems(rule, pack)
    for entry in pack.contradictions:
        problems += _condition_problems(entry.id, mentions(entry.when), entry.subject, pack)
    for timing in pack.timings.values():
        if not timing.phases or timing.phases[-1].when is not None:
            problems.append(Problem(timing.id, "timing_open", "The last phase must have no condition."))
    for point in pack.open_points.values():
        if point.source not in pack.sources:
            problems.append(Problem(point.id, "source_unknown", f"There is no source {point.source!r}."))
    for kind in pack.facts.values():
        if (kind.kind in ("choice", "choices")) != bool(kind.words):
            problems.append(
                Problem(kind.name, "words_missing", "Choices need words, and only they have them.")
            )
    for id_ in set(pack.summary) - {rule.id for rule in pack.rules}:
        problems.append(Problem("summary", "rule_unknown", f"There is no rule {id_!r}."))
    used = {inner.question for inner in _all_conditions(pack) if isinstance(inner, OpenQuestion)}
    for id_ in pack.open_points.keys() - used:
        problems.append(Problem(id_, "question_unused", "No rule names this open question."))
    for language, texts in pack.texts.items():
        problems += _text_problems(language, texts, text_keys(pack))
    return problems


def _all_conditions(pack: Pack) -> Iterator[Condition]:
    for rule in pack.rules:
        yield from conditions_of(rule, pack.timings)


def _rule_problems(rule: Rule, pack: Pack) -> Iterator[Problem]:
    known = (
        ("timing", [rule.timing], pack.timings),
        ("source", rule.sources, pack.sources),
        ("kind of evidence", rule.evidence, pack.evidence),
    )
    for what, names, table in known:
        for name in names:
            if name not in table:
                yield Problem(rule.id, "name_unknown", f"There is no {what} {name!r}.")
    if not rule.sources:
        yield Problem(rule.id, "source_missing", "A rule needs a source.")
    if rule.evidence and rule.kind != "duty":
        yield Problem(rule.id, "evidence_misplaced", "Evidence belongs to duties.")
    yield from _condition_problems(rule.id, conditions_of(rule, pack.timings), rule.subject, pack)


def _condition_problems(
    place: str, conditions: Iterator[Condition], subject: Subject, pack: Pack
) -> Iterator[Problem]:
    subjects = {rule.id: rule.subject for rule in pack.rules}
    for inner in conditions:
        if isinstance(inner, OtherRule) and subjects.get(inner.rule) != subject:
            yield Problem(place, "rule_unknown", f"There is no rule {inner.rule!r} for this subject.")
        elif isinstance(inner, OpenQuestion) and inner.question not in pack.open_points:
            yield Problem(place, "question_unknown", f"There is no open question {inner.question!r}.")
        elif isinstance(inner, Holds | Includes | Above | Dated):
            yield from _fact_problems(place, inner, subject, pack)


def _fact_problems(
    place: str, inner: Holds | Includes | Above | Dated, subject: Subject, pack: Pack
) -> Iterator[Problem]:
    fits = next(kinds for form, kinds in _FITS if isinstance(inner, form))
    other = inner.bound if isinstance(inner, Above) else inner.day if isinstance(inner, Dated) else None
    for name in (inner.fact, *([other] if isinstance(other, str) else [])):
        kind = pack.facts.get(name)
        groups = ("model", "operator", "assessment")
        if kind is None:
            yield Problem(place, "fact_unknown", f"There is no fact {name!r}.")
        elif kind.kind not in fits:
            yield Problem(place, "fact_unfit", f"{name} is a fact of another kind ({kind.kind}).")
        elif (subject == "model") != (name.split(".")[0] in groups) and name.split(".")[0] not in groups[1:]:
            yield Problem(place, "fact_elsewhere", f"{name} is no fact of this subject.")
        elif isinstance(inner, Includes):
            for word in set(inner.words) - set(kind.words):
                yield Problem(place, "word_unknown", f"{word!r} is no answer to {name}.")


def _text_problems(language: str, texts: Mapping[str, str], keys: set[str]) -> Iterator[Problem]:
    for key in sorted(keys - texts.keys()):
        yield Problem(f"texts/{language}.yaml", "text_missing", f"{key} has no sentence.")
    for key in sorted(texts.keys() - keys):
        yield Problem(f"texts/{language}.yaml", "text_unused", f"{key} belongs to nothing.")
