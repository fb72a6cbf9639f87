"""What holds of every assessment: nothing goes silently, nothing is assumed, equal facts give equal bytes."""

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from allmende.law import (
    Assessment,
    ImpossibleApplication,
    assess,
    assessment_document,
    compare_assessments,
    law_pack,
    read_assessment,
    wording_in,
)
from allmende.law.values import FactKind
from tests.unit.law.described import TODAY, described

PACK = law_pack()
DAYS = ["2025-08-01", "2026-08-01", "2026-08-02", "2027-12-01", "2027-12-02", "2028-08-01", "2028-08-02"]
NUMBERS = [0, 1, 7.5e22, 1.2e23, 4e23, 9e24, 2e25]
ESTIMATED = {
    "model.training_flop",
    "model.licence_free",
    "model.modification_share",
    "model.base_compute_known",
}
"""Facts that can be derived: what is given goes before it, so giving one can change one that is there."""
FROM_THEM = {
    "model.parameters",
    "model.tokens",
    "model.device_hours",
    "model.peak_flop_per_s",
    "model.utilisation",
}
KINDS = {name: kind for name, kind in sorted(PACK.facts.items()) if name != "assessment.on"}
SEEDS = st.integers(0, 2**32)
quickly = settings(max_examples=20, deadline=None, phases=[Phase.generate])
"""A draw is a seed, which nothing smaller explains better."""


def answer(kind: FactKind, draw: Random) -> Any:
    match kind.kind:
        case "yes_no":
            return draw.random() < 0.5
        case "choice":
            return draw.choice(kind.words)
        case "choices":
            return draw.sample(kind.words, draw.randint(0, min(3, len(kind.words))))
        case "number":
            return draw.choice([number for number in NUMBERS if kind.least <= number <= kind.most])
        case "date":
            return draw.choice([*DAYS, *(["never"] if kind.never else [])])
        case "text":
            return draw.choice(["apache-2.0", "llama3.1", "gemma", "nobody-knows"])


def drawn(draw: Random) -> dict[str, Any]:
    """Some of all facts, of some groups more than of others."""
    share = {group: draw.random() for group in {name.split(".")[0] for name in KINDS}}
    some = {
        name: answer(kind, draw) for name, kind in KINDS.items() if draw.random() < share[name.split(".")[0]]
    }
    return {**some, **(INSIDE if draw.random() < 0.8 else {"model.role": "uses"})}


# Facts that are there in every draw, so that rules far behind the gate of the scope are reached.
INSIDE: dict[str, Any] = {
    "operator.roles": ["provider", "deployer"],
    "operator.established": "union",
    "system.infers": True,
    "system.on_union_market": True,
    "system.exclusively_military": False,
    "system.sole_purpose_research": False,
    "system.stage": "market",
    "operator.nature": "public_body",
    "model.role": "develops",
}


def assessed(facts: Mapping[str, Any]) -> Assessment:
    """Draws that contradict themselves are no descriptions."""
    try:
        return assess(described(facts), PACK, TODAY)
    except ImpossibleApplication as error:
        assume(all(problem.code not in CONTRADICTORY for problem in error.problems))
        raise


CONTRADICTORY = {"contradiction", "compute_disagrees", "share_disagrees", "nothing_described"}


def as_json(found: Assessment) -> bytes:
    return json.dumps(assessment_document(found, wording_in("en", PACK)), ensure_ascii=False).encode()


def answers_of(found: Assessment) -> dict[tuple[str, str], str]:
    return {(line.subject, line.rule.id): line.answer.value for line in found.lines}


@given(seed=SEEDS)
@quickly
def test_a_fact_that_becomes_known_turns_no_answer_around(seed: int) -> None:
    draw = Random(seed)
    before = drawn(draw)
    name = draw.choice([name for name in KINDS if name not in {*before, *ESTIMATED, *FROM_THEM}])
    after = {**before, name: answer(KINDS[name], draw)}
    old, new = answers_of(assessed(before)), answers_of(assessed(after))
    turned = {key: (old[key], new[key]) for key in old if old[key] != "undetermined" and old[key] != new[key]}
    assert not turned


@given(seed=SEEDS)
@quickly
def test_every_change_names_a_fact_that_changed(seed: int) -> None:
    draw = Random(seed)
    before = drawn(draw)
    after = dict(before)
    for name in draw.sample(sorted(KINDS), 4):
        after[name] = answer(KINDS[name], draw)
        if draw.random() < 0.3 and name not in INSIDE:
            del after[name]
    old, new = (read_assessment(as_json(assessed(side))) for side in (before, after))
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    for change in compare_assessments(old, new):
        assert change.causes
        for cause in change.causes:
            assert cause.kind == "fact", change
            assert cause.name in changed | ESTIMATED, change


@given(seed=SEEDS)
@quickly
def test_equal_facts_give_equal_bytes_in_any_order(seed: int) -> None:
    draw = Random(seed)
    facts = drawn(draw)
    named = draw.sample(list(facts.items()), len(facts))
    shuffled = {name: value[::-1] if isinstance(value, list) else value for name, value in named}
    assert as_json(assessed(shuffled)) == as_json(assessed(facts))


@given(seed=SEEDS)
@quickly
def test_what_is_undetermined_says_why_and_what_applies_has_a_date(seed: int) -> None:
    found = assessed(drawn(Random(seed)))
    asked = {(item.subject, item.gap): set(item.decides) for item in found.open_items}
    for line in found.lines:
        assert (line.answer == "no") == (line.dates is None)
        if line.answer == "undetermined":
            assert line.gaps
            assert not line.relevant or any(line.rule.id in asked[line.subject, gap] for gap in line.gaps)
        if line.dates is not None and line.dates.status == "undetermined":
            assert line.gaps
