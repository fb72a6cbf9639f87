"""What assessments say: as a document for programs, as text for people, in both languages."""

import json
from datetime import date
from typing import Any

import pytest
from markdown_it import MarkdownIt

from allmende.law import (
    Assessment,
    ImpossibleApplication,
    LanguageNotOffered,
    LawOfAnotherDay,
    assess,
    assessment_document,
    assessment_markdown,
    assessment_report,
    languages,
    law_pack,
    problem_sentence,
    read_application,
    wording_in,
)
from tests.unit.law.described import BASES, TODAY, described

PACK = law_pack()
HIRING = {
    **BASES["both"],
    **BASES["fine_tune"],
    "operator.turnover_eur": {"value": 4000000, "source": "attested", "evidence": "accounts of 2025"},
    "system.purposes": ["recruitment"],
    "system.profiling": "yes",
    "model.modification_flop": 3e23,
}
EVIDENCE = [{"kind": "training_summary", "where": "summary.md", "source": "measured", "model": "m"}]


def found(on: date = TODAY) -> Assessment:
    return assess(described(HIRING, EVIDENCE, on), PACK, on)


def told(language: str = "en") -> dict[str, Any]:
    return json.loads(json.dumps(assessment_document(found(), wording_in(language, PACK))))


def line(document: dict[str, Any], rule: str) -> dict[str, Any]:
    (one,) = (line for line in document["lines"] if line["rule"] == rule)
    return one


def test_every_line_says_article_facts_date_pack_and_confidence() -> None:
    document = told()
    assert document["schema"] == "allmende.assessment/1"
    for one in document["lines"]:
        assert one["article"]
        assert one["pack"] == PACK.version
        assert one["confidence"] in "CRKU"
        assert one["weakest_confidence"] in "CRKU"
        assert one["says"]
        assert one["sources"]
        assert set(one["own_facts"]) <= {fact["name"] for fact in one["facts"]} | {
            gap["name"] for gap in one["gaps"]
        }
        assert all(fact["source"] in ("declared", "measured", "derived", "attested") for fact in one["facts"])
        if one["answer"] != "no":
            assert one["applies_from"]
            assert one["status"] in ("in_force", "upcoming", "transitional", "undetermined")


def test_a_derived_fact_says_of_what_it_was_computed() -> None:
    share = told()["facts"]["model:m"]["model.modification_share"]
    assert share["value"] == pytest.approx(0.3)
    assert share["source"] == "derived"
    assert share["derived_from"] == ["model.modification_flop", "model.base_training_flop"]
    used = {fact["name"]: fact["source"] for fact in line(told(), "modification-significant")["facts"]}
    assert used["model.modification_share"] == "derived"
    assert used["model.modification_flop"] == "declared"


def test_the_weakest_letter_on_the_way_is_told() -> None:
    supply = line(told(), "art-50-1")
    assert (supply["confidence"], supply["weakest_confidence"]) == ("C", "C")
    assert line(told(), "art-47")["weakest_confidence"] == "K"


def test_evidence_of_a_model_counts_for_its_line() -> None:
    summary = line(told(), "art-53-1-d")
    assert [(piece["kind"], piece["source"], piece["model"]) for piece in summary["held"]] == [
        ("training_summary", "measured", "m")
    ]
    assert summary["missing"] == []
    assert line(told(), "art-53-1-c")["missing"] == ["copyright_policy"]


def test_a_number_near_a_threshold_shows_both_branches() -> None:
    (branch,) = told()["branches"]
    assert (branch["name"], branch["stated_side"]) == ("model.modification_share", "not_above")
    differs = {entry["rule"]: (entry["if_not_above"], entry["if_above"]) for entry in branch["differs"]}
    assert differs["gpai-provider"] == ("no", "yes")
    (near,) = (item for item in told()["open"] if item["kind"] == "near")
    assert "0.3" in near["ask"]
    assert "art-53-1-d" in near["decides"]


@pytest.mark.parametrize("language", languages())
def test_the_text_says_what_the_document_says(language: str) -> None:
    wording = wording_in(language, PACK)
    text = "\n".join(assessment_report(found(), wording))
    document = told(language)
    assert document["footer"] in text.splitlines()
    for one in document["lines"]:
        if one["answer"] != "no" and one["relevant"]:
            assert one["says"] in text
            assert one["rule"] in text
    for item in document["open"]:
        assert item["ask"] in text
    assert "accounts of 2025" not in text.splitlines()[0]


HOSTILE = (
    "<script>x</script>", "[x](https://e.example)", "![x](https://e.example/p.png)", "a | b", "https://e.example",
    "`x` *y* _z_", "a\n# heading\n- item", "\u202eevil\u200b", "1. x",
)  # fmt: skip


def shape(text: str) -> list[str]:
    return [token.type for token in MarkdownIt().parse(text)]


def test_names_and_texts_are_no_markup_in_markdown() -> None:
    """Wherever somebody writes freely: the name, a model's name, evidence and where it lies."""

    def told(text: str) -> str:
        evidence = [{"kind": "training_summary", "where": text, "source": "declared", "model": text}]
        lines = {"schema": "allmende.application/1", "name": text, "models": [{"name": text}]}
        data = json.dumps({**lines, "system": {"infers": True}, "evidence": evidence}).encode()
        made = assess(read_application(data, PACK, TODAY), PACK, TODAY)
        return assessment_markdown(made, wording_in("en", PACK))

    markdown = told(" ".join(HOSTILE))
    assert shape(markdown) == shape(told("word"))
    kinds = {child.type for token in MarkdownIt().parse(markdown) for child in token.children or []}
    assert kinds <= {"text", "text_special"}
    assert not any(one in markdown for one in "\u202e\u200b")


@pytest.mark.parametrize("language", languages())
def test_markdown_has_the_lines_of_the_text(language: str) -> None:
    wording = wording_in(language, PACK)
    text, markdown = assessment_report(found(), wording), assessment_markdown(found(), wording)
    tokens = [token for token in MarkdownIt().parse(markdown) if token.type == "inline"]
    shown = ["".join(child.content for child in token.children or []) for token in tokens]
    assert shown == [line.lstrip(" ═─") for line in text if line]


def test_choices_and_problems_have_german_words() -> None:
    german, english = wording_in("de", PACK), wording_in("en", PACK)
    assert (german.word("creditworthiness"), english.word("small_mid_cap")) == (
        "Kreditwürdigkeit",
        "small mid cap",
    )
    wrong = b"schema: x\nsystem: {infers: perhaps, colour: red}\nmodels: 3"
    with pytest.raises(ImpossibleApplication) as caught:
        read_application(wrong, PACK, TODAY)
    told = {problem.place: german.problem(problem) for problem in caught.value.problems}
    assert told["system"] == "'colour' ist hier kein Schlüssel."
    assert told["system.infers"].endswith("Der Wert passt nicht zu dieser Frage.")
    assert told["models"] == "Hier wird eine Liste erwartet."
    for problem in caught.value.problems:
        assert problem_sentence(problem, "de") != problem.sentence
        assert problem_sentence(problem, "en") == problem.sentence


def test_the_footer_says_what_it_is_and_what_it_is_not() -> None:
    assert told()["footer"].startswith("This is information")
    assert told()["footer"].endswith("It is not legal advice.")
    assert told("de")["footer"].endswith("Es ist keine Rechtsberatung.")


def test_languages_differ_in_sentences_alone() -> None:
    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            spoken = ("says", "note", "ask", "footer", "notice", "language")
            return {key: bare(inner) for key, inner in value.items() if key not in spoken}
        return [bare(inner) for inner in value] if isinstance(value, list) else value

    assert bare(told("en")) == bare(told("de"))
    assert told("en")["lines"] != told("de")["lines"]


def test_a_day_behind_the_checking_is_noted() -> None:
    wording = wording_in("en", PACK)
    assert "later changes of the law are not known" in told()["notice"]
    assert assessment_document(found(PACK.checked_on), wording)["notice"] == ""


def test_the_law_of_an_earlier_day_is_not_guessed() -> None:
    with pytest.raises(LawOfAnotherDay, match="2026-07-27"):
        found(date(2026, 7, 26))


def test_a_language_that_there_is_not() -> None:
    with pytest.raises(LanguageNotOffered):
        wording_in("tlh", PACK)
    with pytest.raises(LanguageNotOffered):
        wording_in("../en", PACK)
