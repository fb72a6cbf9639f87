"""The catalogue of fields holds together, says nothing that it must not, and faults in it are found."""

import re
from pathlib import Path

import pytest

from allmende import documents
from allmende.documents import KINDS, ImpossibleCatalogue, read_vocabulary, vocabulary
from allmende.documents.record_facts import RECORD_FILLERS
from allmende.documents.wording import words_in

FOLDER = Path(documents.__file__).parent
FILES = {path.stem: path.read_bytes() for path in (FOLDER / "fields").glob("*.yaml")}
FROM_OTHERS = ("incident_", "modification_")


def test_every_kind_has_fields_and_the_summary_has_every_field_of_the_template() -> None:
    assert tuple(vocabulary().catalogues) == KINDS
    refs = [field.ref for field in vocabulary().catalogues["summary"].fields]
    for section, last in (
        ("2.1", "e"), ("2.2.1", "b"), ("2.2.2", "e"), ("2.3", "i"), ("2.4", "e"), ("2.5", "e"), ("2.6", "c"),
        ("3.1", "c"), ("3.2", "a"), ("3.3", "a"), ("1.1", "b"), ("1.2", "c"),
    ):  # fmt: skip
        letters = [chr(letter) for letter in range(ord("a"), ord(last) + 1)]
        assert [f"{section}.{letter}" for letter in letters] == [
            ref for ref in refs if re.fullmatch(rf"{re.escape(section)}\.[a-z]", ref)
        ]


def test_every_filler_that_is_named_exists_and_every_one_is_used() -> None:
    named = {fact.record for fact in vocabulary().facts.values() if fact.record}
    of_records = {name for name in named if not name.startswith(FROM_OTHERS)}
    assert of_records == set(RECORD_FILLERS)


def test_both_languages_have_the_same_messages_with_the_same_values() -> None:
    english, german = words_in("en").messages, words_in("de").messages
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", german[key])), key


def test_nothing_says_that_the_law_is_kept() -> None:
    for path in FOLDER.rglob("*.yaml"):
        assert not re.search(r"complian|konform(?!it)|gesetzestreu", path.read_text("utf-8"), re.IGNORECASE)


def changed(name: str, before: str, after: str) -> dict[str, bytes]:
    text = FILES[name].decode()
    assert before in text
    return {**FILES, name: text.replace(before, after, 1).encode()}


@pytest.mark.parametrize(
    ("name", "before", "after", "code"),
    [
        ("annex-xii", "facts: [use.acceptable]", "facts: [use.acceptible]", "fact_unknown"),
        ("annex-xii", 'ref: "1(b)"', 'ref: "1(a)"', "field_twice"),
        ("annex-xii", "confidence: C", "confidence: X", "not_among"),
        ("annex-xii", ", de: Zulässige Nutzung", "", "key_missing"),
        ("annex-xii", "recipients: [downstream]", "recipients: [everybody]", "not_among"),
        ("annex-xii", "facts: [use.acceptable], ", "", "nothing_asked"),
        ("annex-xi", "when: model.systemic_risk is yes", "when: model.systemic_risk is high", "fact_unknown"),
        ("annex-xi", "when: model.systemic_risk is yes", "when: perhaps", "not_a_condition"),
        ("model-form", "for: [ai-office, national]", "for: [ai-office, public]", "not_among"),
        ("facts", "kind: yes_no, en: Whether crawlers", "kind: maybe, en: Whether crawlers", "not_among"),
        (
            "facts",
            "provider.name: {",
            "provider.nickname: {kind: text, en: x, de: x}\nprovider.name: {",
            "fact_unused",
        ),
        ("law", "checked_on: 2026-11-22", "checked_on: lately", "not_a_day"),
    ],
)
def test_a_fault_is_found_with_its_place(name: str, before: str, after: str, code: str) -> None:
    with pytest.raises(ImpossibleCatalogue) as caught:
        read_vocabulary(changed(name, before, after))
    assert code in {problem.code for problem in caught.value.problems}


def test_a_missing_file_is_found() -> None:
    with pytest.raises(ImpossibleCatalogue, match=r"fria\.yaml"):
        read_vocabulary({name: data for name, data in FILES.items() if name != "fria"})
