"""Lines of a card that name a licence, and texts that are recognised by their phrases."""

import pytest

from allmende.formats import LICENSES
from allmende.record import LICENCE_CLASSES, licence_class
from allmende.web.licence_evidence import card_lines, is_licence_file, recognised
from allmende.web.messages import LANGUAGES, catalogue

APACHE = "\n\n            Apache License\n        Version 2.0, January 2004\n"


def test_the_lines_of_the_head_that_name_the_licence_are_found_with_their_numbers() -> None:
    card = "---\ntags: [a]\nlicense:\n- mit\n- apache-2.0\nlanguage: en\nlicense_name: x\n---\nlicense: no\n"
    found = [(line.number, line.text) for line in card_lines(card)]
    assert found == [(3, "license:"), (4, "- mit"), (5, "- apache-2.0"), (7, "license_name: x")]
    assert card_lines("license: mit\n") == []
    assert card_lines("") == []


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("LICENSE", True), ("LICENSE.md", True), ("licence.txt", True), ("COPYING", True), ("NOTICE", True),
        ("LICENSE-MIT", True), ("LICENSE-CODE.txt", True), ("license.py", False), ("licenses.json", False),
    ],
)  # fmt: skip
def test_files_are_known_by_their_names(name: str, is_one: bool) -> None:
    assert is_licence_file(name) is is_one


@pytest.mark.parametrize(
    ("text", "word", "line"),
    [
        (APACHE, "apache-2.0", 3),
        (
            "MIT License\n\nPermission is hereby granted, free of\ncharge, to any person obtaining a copy",
            "mit",
            3,
        ),
        (
            "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007",
            "gpl-3.0",
            1,
        ),
        ("Creative Commons\nAttribution-NonCommercial 4.0 International", "cc-by-nc-4.0", 2),
        ("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT", "llama3.1", 1),
    ],
)
def test_a_text_is_recognised_by_what_stands_in_it(text: str, word: str, line: int) -> None:
    found = recognised(text)
    assert found is not None
    assert (found.word, found.number) == (word, line)


def test_other_texts_are_not_recognised() -> None:
    assert recognised("All rights reserved.") is None
    assert recognised("") is None
    assert recognised("\n" * 100_000) is None


def test_every_class_has_a_word_and_every_word_is_one_that_cards_use() -> None:
    classes = {licence_class(word) for word in LICENSES}
    assert classes - {None} == set(LICENCE_CLASSES)
    for language in LANGUAGES:
        assert all(f"licence_class.{one}" in catalogue(language).messages for one in LICENCE_CLASSES)
    assert licence_class("other") is None
    assert licence_class(" MIT ") == "permissive"
