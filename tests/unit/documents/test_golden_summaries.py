"""Published summaries, rebuilt by field from public facts: what is known is there, all else is a gap."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from allmende.documents import Document, as_markdown, make_document, read_additions
from tests.unit.documents.described import minilm

FOLDER = Path(__file__).with_name("golden")
GAPS = {
    "smollm3": [
        "1.2.c", "1.3.d", "1.3.f", "2.1.c", "2.1.d", "2.3.a", "2.3.b", "2.3.c", "2.3.d", "2.3.e", "2.3.f",
        "2.3.g", "2.3.h", "2.5.a", "2.5.b", "2.5.c", "2.5.d", "2.6.a", "2.6.b", "3.1.a", "3.2.a",
    ],
    "apertus": [
        "0.a", "0.b", "1.1.a", "1.1.b", "1.2.c", "1.3.c text", "1.3.d", "1.3.f", "2.1.d", "2.3.a", "2.3.b",
        "2.3.c", "2.3.d", "2.3.e", "2.3.f", "2.3.g", "2.3.h", "2.4.a", "2.4.b", "2.4.c", "2.4.d", "2.5.a",
        "2.5.b", "2.5.c", "2.5.d", "2.6.a", "2.6.b", "3.1.a",
    ],
}  # fmt: skip
"""Mandatory fields that public facts do not settle: said to be missing, not made up."""

TOLD = {
    "smollm3": {
        "0.a": ["1.0"],
        "0.b": ["2025-07-25"],
        "1.1.a": ["Hugging Face Inc.", "legal@huggingface.co"],
        "1.1.b": ["Hugging Face SAS, legal@huggingface.co"],
        "1.2.a": [["SmolLM3-3B"]],
        "1.2.b": [None],
        "1.3.a": [["text"]],
        "1.3.b text": ["above-1e13"],
        "1.3.e": ["English, French, Spanish, German, Italian, Portuguese, and others"],
        "2.1.a": ["yes"],
        "2.2.1.a": ["no"],
        "2.2.2.a": ["no"],
        "2.4.a": ["no"],
        "2.4.b": ["no"],
    },
    "apertus": {
        "1.2.a": [["Apertus-8B", "Apertus-70B"]],
        "1.3.a": [["text"]],
        "1.3.b text": ["above-1e13"],
        "1.3.e": ["More than 1 800 languages"],
        "2.1.a": ["yes"],
        "2.2.1.a": ["no"],
        "2.2.2.a": ["no"],
        "3.2.a": ["Toxic content and personal data were filtered out."],
    },
}


def summary(name: str) -> Document:
    facts: Any = {"datasets": {"source": "unknown", "reason": "not_declared"}}
    additions = read_additions((FOLDER / f"{name}.yaml").read_bytes(), date(2026, 11, 28))
    return make_document("summary", minilm(**facts), additions)


@pytest.mark.parametrize("name", TOLD)
def test_fields_say_what_was_published(name: str) -> None:
    by_ref = {one.field.ref: one for one in summary(name).fields}
    for ref, values in TOLD[name].items():
        assert by_ref[ref].state == "filled", ref
        assert [fact.found.value for fact in by_ref[ref].facts if fact.found] == values, ref


@pytest.mark.parametrize("name", GAPS)
def test_gaps_are_told(name: str) -> None:
    document = summary(name)
    assert [gap.ref for gap in document.gaps if gap.mandatory] == GAPS[name]
    assert document.is_draft


def test_what_does_not_apply_is_said_in_the_order_of_the_template() -> None:
    document = summary("smollm3")
    states = {one.field.ref: one.state for one in document.fields}
    assert states["1.3.b image"] == states["2.2.1.b"] == states["2.4.c"] == "not_applicable"
    text = as_markdown(document)
    places = [text.index(f"\n### {one.field.ref} ") for one in document.fields]
    assert places == sorted(places)
