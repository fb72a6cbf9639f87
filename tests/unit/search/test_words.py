"""What somebody types, as words and as expressions that cannot be anything else."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.search.words import MAX_WORDS, expression, words_of


def test_words_are_folded_and_each_comes_once() -> None:
    assert words_of("  Llama-3  BERT bert\tﬁne ") == ["llama-3", "bert", "fine"]
    assert words_of("\u0000 \u202e") == []
    assert len(words_of(" ".join(map(str, range(100))))) == MAX_WORDS


@pytest.mark.parametrize("word", ["", "-", "*", '"', "()", "\u0301"])
def test_what_has_no_letter_is_no_phrase(word: str) -> None:
    assert expression(word) is None


@given(st.text(max_size=40))
def test_any_words_are_a_valid_expression_that_finds_the_text_itself(text: str) -> None:
    database = sqlite3.connect(":memory:")
    database.execute(
        "CREATE VIRTUAL TABLE words USING fts5(card, tokenize = 'unicode61 remove_diacritics 2')"
    )
    for word in words_of(text):
        phrase = expression(word)
        if phrase is not None:
            database.execute("SELECT rowid FROM words WHERE words MATCH ?", [phrase]).fetchall()


@pytest.mark.parametrize("hostile", ["card:secret", "^secret", "-secret", "secret*", "(secret)", '"secret"'])
def test_operators_are_text(hostile: str) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE words USING fts5(card, tags)")
    database.execute("INSERT INTO words VALUES ('a card secret', 'b'), ('secret', 'c')")
    phrase = expression(hostile)
    found = database.execute("SELECT tags FROM words WHERE words MATCH ?", [phrase]).fetchall()
    # The first is the phrase of two words and no filter of a column; the others are the word alone.
    assert found == ([("b",)] if ":" in hostile else [("b",), ("c",)])
