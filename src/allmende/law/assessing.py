"""Assesses a description by a law pack: lines, what is open, and branches at thresholds."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from allmende.law.answers import Answer, Gap
from allmende.law.assessment import Assessment, Branch, Line, OpenItem
from allmende.law.dating import date_line
from allmende.law.errors import LawOfAnotherDay
from allmende.law.facts import Application, Evidence, Fact
from allmende.law.findings import Side, SubjectFindings, find_all, relevant_rules, thresholds_near
from allmende.law.fines import cap_of
from allmende.law.pack import Pack, Rule, Subject, weakest

__all__ = ["assess"]

_ASKED = ("fact", "near", "question")
"""In this order: a fact that becomes known often settles what would be a question of law."""


def assess(application: Application, pack: Pack, on: date) -> Assessment:
    """What follows for the application and each of its models on the day `on`.

    Nothing is assumed: what a missing fact leaves open is undetermined and asked for. Raises LawOfAnotherDay
    for a day before the law of the pack was in force.
    """
    if on < pack.valid_from:
        raise LawOfAnotherDay(
            f"The law pack {pack.version} holds the law since {pack.valid_from}; {on} lies before.",
            hint="Ask for a later day.",
        )
    facts: dict[str, Mapping[str, Fact]] = {"application": application.facts}
    subjects: list[tuple[str, Subject]] = (
        [("application", "application")] if application.describes_system else []
    )
    for model in application.models:
        facts[f"model:{model.name}"] = {**application.facts, **model.facts}
        subjects.append((f"model:{model.name}", "model"))
    lines: list[Line] = []
    branches: list[Branch] = []
    for name, subject in subjects:
        state = find_all(facts[name], pack, subject)
        lines += _lines(name, subject, state, pack, on, application.evidence)
        branches += _branches(name, subject, state, pack)
    own = {f"model:{model.name}": model.facts for model in application.models}
    return Assessment(
        name=application.name,
        on=on,
        pack=pack,
        facts={"application": application.facts, **own},
        lines=tuple(lines),
        open_items=_open_items(lines),
        branches=tuple(branches),
    )


def _lines(
    name: str,
    subject: Subject,
    state: SubjectFindings,
    pack: Pack,
    on: date,
    evidence: tuple[Evidence, ...],
) -> list[Line]:
    rules = {rule.id: rule for rule in pack.rules if rule.subject == subject}
    mine = [piece for piece in evidence if subject == "application" or name == f"model:{piece.model}"]
    lines = [_line(name, rules[id_], state, pack, on, mine) for id_ in pack.listing if id_ in rules]
    reached = relevant_rules(state, pack)
    return [line if line.rule.id in reached else replace(line, relevant=False) for line in lines]


def _line(
    name: str, rule: Rule, state: SubjectFindings, pack: Pack, on: date, evidence: list[Evidence]
) -> Line:
    finding = state.found[rule.id]
    facts, gaps, letters = finding.facts, finding.gaps, state.weakest[rule.id]
    applies = finding.answer is not Answer.NO
    dates, cap = None, None
    if applies:
        dates, decided = date_line(pack.timings[rule.timing], state, on)
        facts, gaps = facts | decided.facts, gaps | decided.gaps
        letters += dates.confidence + "".join(state.weakest[other] for other in decided.rules)
    if applies and rule.fine is not None:
        cap, decided = cap_of(rule.fine, state)
        facts, gaps = facts | decided.facts, gaps | decided.gaps
    held = tuple(piece for piece in evidence if applies and piece.kind in rule.evidence)
    kinds = {piece.kind for piece in held}
    return Line(
        rule=rule,
        subject=name,
        answer=finding.answer,
        relevant=True,
        facts=state.with_inputs(facts),
        own_facts=state.with_inputs(facts & pack.rule_facts[rule.id]),
        gaps=tuple(sorted(gaps)),
        rests_on=tuple(sorted(finding.rules)),
        weakest=weakest(letters),
        dates=dates,
        held=held,
        missing=tuple(kind for kind in rule.evidence if applies and kind not in kinds),
        cap=cap,
        digest=pack.rule_digests[rule.id],
    )


def _open_items(lines: list[Line]) -> tuple[OpenItem, ...]:
    """Each gap once for each subject with the lines that wait for it; facts first, as lines meet them."""
    waiting: dict[tuple[str, Gap], list[str]] = {}
    for line in lines:
        for gap in line.gaps if line.relevant else ():
            waiting.setdefault((line.subject, gap), []).append(line.rule.id)
    items = [OpenItem(subject, gap, tuple(rules)) for (subject, gap), rules in waiting.items()]
    return tuple(sorted(items, key=lambda item: _ASKED.index(item.gap.kind)))


def _branches(name: str, subject: Subject, state: SubjectFindings, pack: Pack) -> list[Branch]:
    branches = []
    for gap in thresholds_near(state):
        below, above = (
            find_all(state.facts, pack, subject, Side(gap.name, gap.threshold, side)).found
            for side in (False, True)
        )
        differs = tuple(
            (id_, below[id_].answer, above[id_].answer)
            for id_ in pack.listing
            if id_ in below and below[id_].answer is not above[id_].answer
        )
        branches.append(Branch(name, gap, differs))
    return branches
