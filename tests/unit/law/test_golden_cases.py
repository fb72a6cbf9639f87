"""Golden cases: facts, the lines that follow, and the source that decides each."""

from datetime import date
from functools import cache
from typing import Any

import pytest

from allmende.law import Assessment, Line, assess, law_pack
from tests.unit.law.described import BASES, CASES, TODAY, described, loaded

FILES = sorted(path.stem for path in CASES.glob("*.yaml") if path.stem != "bases")
ALL = [case for name in FILES for case in loaded(name)]
KEYS = {
    "name",
    "base",
    "edge",
    "on",
    "set",
    "evidence",
    "expect",
    "model",
    "open",
    "near",
    "branches",
    "decided_by",
}


def result(case: dict[str, Any]) -> Assessment:
    return result_of(case["name"])


@cache
def result_of(name: str) -> Assessment:
    (case,) = (case for case in ALL if case["name"] == name)
    on = date.fromisoformat(case["on"]) if "on" in case else TODAY
    facts = {**BASES[case["base"]], **case.get("set", {})}
    return assess(described(facts, case.get("evidence"), on), law_pack(), on)


def seen(line: Line, expected: dict[str, Any]) -> dict[str, Any]:
    """Of a line what the case expects something of."""
    dates, cap = line.dates, line.cap
    told = {
        "answer": line.answer.value,
        "status": dates.status.value if dates else None,
        "from": [day.isoformat() for day in dates.possible] if dates else [],
        "held": [piece.kind for piece in line.held],
        "missing": list(line.missing),
        "takes": cap.takes if cap else None,
        "cap": "none" if cap is None or cap.cap_eur is None else cap.cap_eur,
    }
    return {key: told[key] for key in expected}


@pytest.mark.parametrize("case", ALL, ids=lambda case: case["name"])
def test_what_follows(case: dict[str, Any]) -> None:
    found = result(case)
    for subject, key in (("application", "expect"), ("model:m", "model")):
        for rule, expected in case.get(key, {}).items():
            wanted = expected if isinstance(expected, dict) else {"answer": expected}
            assert seen(found.line(rule, subject), wanted) == wanted, rule


@pytest.mark.parametrize("case", [case for case in ALL if "open" in case], ids=lambda case: case["name"])
def test_what_is_asked(case: dict[str, Any]) -> None:
    asked = {item.gap.name for item in result(case).open_items}
    assert set(case["open"]) <= asked


@pytest.mark.parametrize("case", [case for case in ALL if "near" in case], ids=lambda case: case["name"])
def test_on_which_side_a_near_number_falls(case: dict[str, Any]) -> None:
    near = {
        item.gap.name: "above" if item.gap.above else "not_above"
        for item in result(case).open_items
        if item.gap.kind == "near"
    }
    assert near == case["near"]


@pytest.mark.parametrize("case", [case for case in ALL if "branches" in case], ids=lambda case: case["name"])
def test_both_branches_are_shown(case: dict[str, Any]) -> None:
    (branch,) = result(case).branches
    told = {rule: [below.value, above.value] for rule, below, above in branch.differs}
    assert {rule: told[rule] for rule in case["branches"]} == case["branches"]


def test_there_are_enough_cases_and_half_are_edges() -> None:
    names = [case["name"] for case in ALL]
    assert len(set(names)) == len(names)
    assert all(set(case) <= KEYS and case["decided_by"] for case in ALL)
    edges = [case for case in ALL if case.get("edge") == "yes"]
    assert len(ALL) >= 80
    assert len(edges) * 2 >= len(ALL)


def test_every_rule_is_decided_both_ways_by_some_case() -> None:
    answers: dict[str, set[str]] = {}
    for case in ALL:
        for line in result(case).lines:
            answers.setdefault(line.rule.id, set()).add(line.answer.value)
    never = {
        rule: sorted({"yes", "no"} - seen) for rule, seen in answers.items() if not {"yes", "no"} <= seen
    }
    # Questions that the law leaves open can only be a no or undetermined.
    assert never == {"merge": ["yes"], "repeated": ["yes"], "model-file": ["yes"]}
