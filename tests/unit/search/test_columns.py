"""Columns of repos: words of names, order, facets; each held against the plain way to do it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allmende.ids import AccountId, RepoType
from allmende.search.columns import RepoColumns, RepoRow
from allmende.search.facet_lines import FacetLines
from allmende.search.tables import facet_line

LETTERS = st.text("ab-/", min_size=1, max_size=5)
TYPES: tuple[RepoType, ...] = ("dataset", "model", "space")


def _rows(names: list[str], chance: list[int]) -> list[RepoRow]:
    return [
        (number, TYPES[value % 3], AccountId(1), name, False, value % 2, value % 3, value % 4, 0, "")
        for number, (name, value) in enumerate(zip(names, chance, strict=True))
    ]


@given(st.lists(LETTERS, max_size=60), LETTERS)
def test_a_word_is_found_where_it_is(names: list[str], word: str) -> None:
    columns = RepoColumns().changed([], _rows(names, [0] * len(names)))
    assert columns.with_word(word).tolist() == [word in name for name in names]
    assert columns.of_author(word).tolist() == [name.startswith(f"{word}/") for name in names]


@given(st.lists(st.tuples(LETTERS, st.integers(0, 11)), max_size=40), st.integers(0, 40), st.integers(0, 9))
def test_pages_are_parts_of_one_order(told: list[tuple[str, int]], start: int, size: int) -> None:
    columns = RepoColumns().changed([], _rows([name for name, _ in told], [value for _, value in told]))
    places = list(range(len(told)))
    ordered = sorted(
        places,
        key=lambda place: (
            -columns.downloads[place],
            -columns.updated[place],
            columns.names[place],
            columns.types[place],
        ),
    )
    got = columns.ordered(np.arange(len(told)), [columns.downloads, columns.updated], start, start + size)
    same = [(columns.names[place], columns.types[place], columns.downloads[place]) for place in ordered]
    assert [(columns.names[one], columns.types[one], columns.downloads[one]) for one in got] == same[
        start : start + size
    ]


@given(st.lists(st.dictionaries(LETTERS, st.lists(LETTERS, max_size=3), max_size=3), max_size=20))
def test_values_are_counted_once_a_line(told: list[dict[str, list[str]]]) -> None:
    lines = [facet_line(one) for one in told]
    facets = FacetLines().with_lines(lines[:5]).with_lines(lines)
    counted = {
        (facet, value): count
        for facet, value, count in facets.count(np.array([facets.places[one] for one in lines], np.int64))
    }
    assert counted == {
        (facet, value): sum(value in one.get(facet, ()) for one in told)
        for one in told
        for facet, values in one.items()
        for value in values
    }
    for facet, value in counted:
        having = facets.having(facet, value.upper())
        assert [bool(having[facets.places[line]]) for line in lines] == [
            value in one.get(facet, ()) for one in told
        ]
