"""Descriptions that cannot be: every fault is named with its place, and nothing is assessed."""

from typing import Any

import pytest

from allmende.law import APPLICATION_SCHEMA, ImpossibleApplication, Problem, law_pack, read_application
from allmende.law.strict_yaml import MAX_YAML_BYTES
from tests.unit.law.described import BASES, TODAY, described, document, written

HEAD = f"schema: {APPLICATION_SCHEMA}\nname: x\n"


def problems_of(data: bytes) -> tuple[Problem, ...]:
    with pytest.raises(ImpossibleApplication) as caught:
        read_application(data, law_pack(), TODAY)
    assert str(caught.value).startswith("The description cannot be assessed")
    return caught.value.problems


def problems(text: str) -> tuple[Problem, ...]:
    return problems_of((HEAD + text).encode())


@pytest.mark.parametrize(
    ("text", "place", "code", "part"),
    [
        ("sytem: {infers: yes}\nproduct: {annex_i: none}", "file", "key_unknown", "Is system meant?"),
        ("system: {infer: yes}", "system", "key_unknown", "Is infers meant?"),
        ("system: {infers: maybe}", "system.infers", "value_impossible", "Answer yes, no or unknown"),
        ("system: {infers: [yes]}", "system.infers", "value_impossible", "Answer yes, no or unknown"),
        ("system: {stage: someday}", "system.stage", "value_impossible", "Answer one of development"),
        ("system: {purposes: recruitment}", "system.purposes", "value_impossible", "Give a list"),
        ("system: {purposes: [recruitment, recruitment]}", "system.purposes", "value_impossible", "twice"),
        ("system: {purposes: [cooking]}", "system.purposes", "value_impossible", "none of them"),
        (
            "dates: {first_placed: 2027-02-30}",
            "dates.first_placed",
            "value_impossible",
            "no day of the calendar",
        ),
        ("dates: {first_placed: 02.12.2027}", "dates.first_placed", "value_impossible", "YYYY-MM-DD"),
        ("dates: {first_placed: 0001-01-01}", "dates.first_placed", "value_impossible", "cannot be"),
        ("dates: {first_placed: never}", "dates.first_placed", "value_impossible", "YYYY-MM-DD"),
        ("operator: {turnover_eur: -1}", "operator.turnover_eur", "value_impossible", "cannot be"),
        ("operator: {turnover_eur: much}", "operator.turnover_eur", "value_impossible", "number"),
        ("operator: {turnover_eur: true}", "operator.turnover_eur", "value_impossible", "number"),
        ("models: [{name: m, utilisation: 1.5}]", "models[1].utilisation", "value_impossible", "cannot be"),
        ("models: [{role: uses}]", "models[1].name", "not_a_text", "text"),
        ("models: [{name: m}, {name: m}]", "models[2]", "name_twice", "two models"),
        ("models: [3]", "models[1]", "not_a_mapping", "expected"),
        ("models: {name: m}", "models", "not_a_list", "list"),
        ("system: []", "system", "not_a_mapping", "expected"),
        ("assessment: {on: 2027-01-01}\nsystem: {infers: yes}", "file", "key_unknown", "no key"),
        ("operator: {size: small}", "file", "nothing_described", "neither"),
        ("system: {infers: {value: yes, source: guessed}}", "system.infers.source", "not_among", "declared"),
        ("system: {infers: {value: yes, source: measured}}", "system.infers", "evidence_missing", "where"),
        ("system: {infers: {source: declared}}", "system.infers", "key_missing", "value"),
        (
            "system: {infers: {value: yes, at: 2026-11-29}}",
            "system.infers.at",
            "day_to_come",
            "Which is right",
        ),
        (
            "system: {infers: yes}\nevidence: [{kind: vibes, where: x}]",
            "evidence[1].kind",
            "not_among",
            "expected",
        ),
        (
            "system: {infers: yes}\nevidence: [{kind: annex_xi, where: x, model: m}]",
            "evidence[1]",
            "model_unknown",
            "No model",
        ),
        (
            "system: {infers: yes}\nevidence: [{kind: annex_xi, where: x, at: 2031-01-01}]",
            "evidence[1].at",
            "day_to_come",
            "Which is right",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, place: str, code: str, part: str) -> None:
    found = [problem for problem in problems(text) if problem.place == place]
    assert [(problem.code, part in problem.sentence) for problem in found] == [(code, True)]


def test_all_faults_are_named_at_once() -> None:
    found = problems("system: {infers: maybe, stage: x}\ndates: {first_placed: 1}\nfoo: 1")
    assert {problem.place for problem in found} == {
        "file",
        "system.infers",
        "system.stage",
        "dates.first_placed",
    }


@pytest.mark.parametrize(
    ("base", "changes", "about"),
    [
        (
            "both",
            {"dates.first_placed": "2027-01-01", "dates.last_design_change": "2026-01-01"},
            "design changed",
        ),
        ("both", {"system.stage": "development", "dates.first_placed": "2026-01-01"}, "still in development"),
        ("both", {"system.exclusively_military": "yes", "system.sole_purpose_research": "yes"}, "both alone"),
        ("both", {"operator.size": "micro", "operator.turnover_eur": 5_000_000}, "micro undertaking"),
        ("both", {"operator.size": "small", "operator.turnover_eur": 2_000_000_000}, "one billion"),
        (
            "both",
            {"operator.nature": "natural_person_personal", "operator.roles": ["importer"]},
            "purely personal",
        ),
        (
            "both",
            {"product.part": "is_product", "product.third_party_assessment": "yes"},
            "Which product law",
        ),
        ("both", {"operator.roles": ["provider", "former_provider"]}, "still provider"),
        ("open_model", {"model.cumulative_flop": 1e22}, "less than the training compute"),
        (
            "open_model",
            {"model.narrow_task": "yes", "model.general_below_criterion": "yes"},
            "one narrow task",
        ),
        ("open_model", {"model.parameters": 1e12, "model.tokens": 1e13}, "FLOP?"),
        ("open_model", {"model.monetised_by": ["only_between_microenterprises"]}, "but you are none"),
        ("fine_tune", {"model.base_compute_known": "no"}, "said to be unknown"),
        ("fine_tune", {"model.base_systemic": "yes", "model.base_is_gpai": "no"}, "systemic risk"),
        (
            "fine_tune",
            {"model.modification_flop": 5e23, "model.modification_share": 0.1},
            "the share that is given",
        ),
    ],
)
def test_contradictions_are_questions(base: str, changes: dict[str, Any], about: str) -> None:
    with pytest.raises(ImpossibleApplication) as caught:
        described({**BASES[base], **changes})
    (problem,) = caught.value.problems
    assert about in problem.sentence
    assert "?" in problem.sentence


@pytest.mark.parametrize("base", ["both", "open_model", "fine_tune", "supplier"])
def test_the_bases_of_the_cases_contradict_nothing(base: str) -> None:
    assert described(BASES[base]).name == "case"


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "Keys with values"),
        (b"- a", "Keys with values"),
        (b"a: 1\na: 2", "twice"),
        (b"a: &x 1\nb: *x", "Anchors and aliases"),
        (b"a: &x [*x]", "Anchors and aliases"),
        (b"a: !!python/object:os.system x", "Tags"),
        (b"!!set {a}", "Tags"),
        (b"? [a]\n: b", "not a plain word"),
        (b"a: 1\n---\nb: 2", "more than one document"),
        (b"a: [", "not sound YAML"),
        (b"a: \xff", "not UTF-8"),
        (b"a: \x00", "YAML"),
        (b"[" * 40 + b"]" * 40, "levels"),
        (b"[" * 50_000, "levels"),
        (b"a: [" + b"1," * 30_000 + b"]", "values are not read"),
        (b"#" * (MAX_YAML_BYTES + 1), "bytes long"),
    ],
)
def test_hostile_yaml_is_refused_in_bounded_time(data: bytes, part: str) -> None:
    assert any(part in problem.sentence for problem in problems_of(data))


@pytest.mark.parametrize("number", ["1e999", "-.inf", ".nan", "9" * 5000, "1e-400"])
def test_numbers_that_are_none(number: str) -> None:
    found = problems(f"models: [{{name: m, role: uses, tokens: {number}}}]")
    assert [problem.place for problem in found] == ["models[1].tokens"]


def test_a_word_that_yaml_once_read_as_false_stays_what_it_is() -> None:
    facts = described({**BASES["both"], "system.infers": "no"}).facts
    assert facts["system.infers"].value is False


def test_unknown_is_as_good_as_left_out() -> None:
    left_out = {name: value for name, value in BASES["both"].items() if name != "system.profiling"}
    assert described({**left_out, "system.profiling": "unknown"}) == described(left_out)


def test_too_many_models_and_too_much_evidence_are_refused() -> None:
    models = [{"name": str(index), "role": "uses"} for index in range(51)]
    evidence = [{"kind": "annex_xi", "where": str(index)} for index in range(501)]
    found = problems_of(
        written({**document({"system.infers": "yes"}), "models": models, "evidence": evidence})
    )
    assert {problem.code for problem in found} == {"too_many"}
