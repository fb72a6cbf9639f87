"""A lineage in words: figures that people can check, and reasons for what is said of a card."""

from typing import get_args

import pytest

from allmende.flows import DeclaredBase
from allmende.flows.lineage_view import DeclaredStatus, SentenceCode
from allmende.web.lineage_words import claims, descents, line_words
from allmende.web.messages import LANGUAGES, catalogue
from allmende.weights import GRADES, RELATIONS
from tests.unit.web.kinship import edge, seen

T, DE = catalogue("en"), catalogue("de")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_lineage_has_a_message(language: str) -> None:
    messages = catalogue(language).messages
    for relation in RELATIONS:
        assert f"lineage.word.{relation}" in messages
        assert f"lineage.says.{relation}" in messages
    for grade in GRADES:
        assert f"lineage.grade.{grade}" in messages
        assert f"lineage.means.{grade}" in messages
    for status in get_args(DeclaredStatus):
        assert f"lineage.declared.{status}" in messages
    for code in get_args(SentenceCode):
        assert f"lineage.reason.{code}" in messages
    for direction in ("irreversible", "branches", "first_seen", "declared", "undetermined"):
        assert f"lineage.direction.{direction}" in messages


def test_steps_are_told_in_the_order_in_which_they_were_done() -> None:
    (found,) = descents(seen(edge("a/x", "a/y", chain=("cast", "merge"), weights=(0.3, 0.7))), T)
    assert found.word == "merge → other number type"
    assert found.says == (T("lineage.says.merge"), T("lineage.says.cast"))
    assert [(parent.name, parent.share) for parent in found.parents] == [("a/y", "70%"), ("a/x", "30%")]
    assert "hf download a/y --local-dir parent" in found.commands


def test_the_figures() -> None:
    evidence = {
        "relative_change": 0.00423,
        "untouched_share": 0.3314,
        "changed_tensors": 1200,
        "compared_tensors": 3000,
        "sign_agreement": 0.9941,
        "misfit": 1.02,
        "gain": 1234.0,
        "rows": {"embed": 12, "head": 12},
        "layers": {"0": 0, "1": 2},
        "dropped_tensors": ["a", "b"],
        "method": "linear",
        "precision": ["F16"],
        "something_newer": 7,
    }
    (found,) = descents(seen(edge("a/x", evidence=evidence)), T)
    figures = {figure.label: figure.value for figure in found.figures}
    assert figures == {
        "Size of the change": "0.42% of the size of the weights",
        "Untouched weights": "33.1%",
        "Changed tensors": "1,200 of 3,000",
        "Equal signs": "99.41% (strangers: about half)",
        "Way of merging": "a weighted mean",
        "Left over": "1.02 (mean square, in units of the rounding; 1 is rounding alone)",
        "Gain": "leaves 1,234 times less (in squares) than the nearest parent alone",
        "Number type": "F16",
        "Rows": "12 more",
        "Taken from layers": "0, 2",
        "Left out tensors": "2",
    }
    (german,) = descents(seen(edge("a/x", evidence=evidence)), DE)
    assert "0,42\N{NO-BREAK SPACE}% der Größe der Gewichte" in {one.value for one in german.figures}


def test_figures_of_another_shape_are_left_out() -> None:
    evidence = {"relative_change": "x", "rows": [], "changed_tensors": 3, "layers": 1, "misfit": None}
    (found,) = descents(seen(edge("a/x", evidence=evidence)), T)
    assert found.figures == ()


def test_words_at_a_line() -> None:
    assert line_words("lora_merged", 8, None, T) == "merged LoRA · rank 8"
    assert line_words("merge", None, 0.5, T) == "merge · 50%"
    assert line_words("quantized", None, None, T) == "quantised"


def test_claims_and_their_reasons() -> None:
    declared = [
        DeclaredBase("a/x", "confirmed", "measured_parent", "finetune", "finetune"),
        DeclaredBase("a/y", "contradicted", "relation_differs", "quantized", "finetune"),
        DeclaredBase("a/z", "unknown", "not_here"),
        DeclaredBase("a/w", "contradicted", "no_kin", "<b>made up</b>" * 20),
    ]
    confirmed, differs, unknown, odd = claims(seen(declared=declared), T)
    assert (confirmed.link, unknown.link) == ("/a/x", "")
    assert differs.reason == "The base is right, but the card says quantised, and the weights say fine-tune."
    assert confirmed.relation == "fine-tune"
    assert odd.relation.startswith("<b>made up</b>")
    assert len(odd.relation) < 70
