"""Tables in text: what a preview tells of them, and what it refuses."""

import io
import json

import pytest

from allmende.tables.problems import NoTable
from allmende.tables.text_tables import read_lines_of_json, read_separated


def separated(text: str | bytes, delimiter: str = ","):
    data = text.encode() if isinstance(text, str) else text
    return read_separated(io.BytesIO(data), len(data), delimiter)


def lines(*values: object, end: str = "\n"):
    data = ("\n".join(json.dumps(value) for value in values) + end).encode()
    return read_lines_of_json(io.BytesIO(data), len(data))


def test_the_first_line_names_the_columns() -> None:
    found = separated("a,b\n1,x\n2.5,\n,y\n")
    assert found["rows"] == [["1", "x"], ["2.5", None], [None, "y"]]
    assert found["rows_total"] == 3
    assert found["columns"] == [
        {"name": "a", "type": "number", "nulls": 1, "distinct": 2, "min": "1", "max": "2.5", "mean": "1.75"},
        {"name": "b", "type": "text", "nulls": 1, "distinct": 2, "shortest": 1, "longest": 1},
    ]


def test_quotes_hold_separators_and_line_ends() -> None:
    assert separated('a,b\n"x,\n""y""",2\n')["rows"] == [['x,\n"y"', "2"]]
    assert separated("a\tb\n1,5\tz\n", "\t")["rows"] == [["1,5", "z"]]
    assert separated(b"\xef\xbb\xbfa\n1\n")["columns"][0]["name"] == "a"


def test_rows_of_another_length_are_cut_and_filled() -> None:
    assert separated("a,b\n1\n1,2,3\n")["rows"] == [["1", None], ["1", "2"]]


def test_of_a_long_file_the_beginning_is_read_and_no_total_is_claimed() -> None:
    text = "a\n" + "".join(f"{number:07}\n" for number in range(300_000))
    found = separated(text)
    assert found["rows_total"] is None
    assert 100_000 < found["rows_read"] < 140_000
    assert len(found["rows"]) == 100
    assert len(found["columns"]) == 1


def test_many_columns_are_cut_and_counted() -> None:
    found = separated(",".join(f"c{number}" for number in range(5000)) + "\n")
    assert found["column_count"] == 5000
    assert len(found["columns"]) == 100


@pytest.mark.parametrize("data", [b"", b"\n\n", b"a\0b\n1\n"])
def test_what_is_no_text_table_is_refused(data: bytes) -> None:
    with pytest.raises(NoTable):
        separated(data)


def test_lines_of_json_become_columns_by_their_keys() -> None:
    found = lines({"a": 1}, {"a": "x", "b": [1, {"c": None}]}, {"b": True})
    assert [column["name"] for column in found["columns"]] == ["a", "b"]
    assert found["rows"] == [["1", None], ["x", '[1, {"c": null}]'], [None, "True"]]
    assert found["columns"][0] == {"name": "a", "type": "mixed", "nulls": 1, "distinct": 2}


@pytest.mark.parametrize("end", ["\n[1]\n", "\nnot json\n", "\n" + "[" * 100_000])
def test_a_line_that_is_no_object_is_named(end: str) -> None:
    with pytest.raises(NoTable, match="Line 2"):
        lines({"a": 1}, end=end)


def test_hostile_values_are_short_when_they_are_shown() -> None:
    long = lines({"a": "x" * 100_000, "b": 10**3000, "c": [[[["y" * 1000] * 100]]]})
    assert all(len(str(cell)) <= 201 for cell in long["rows"][0])
    assert separated("a\n" + "9" * 400_000 + "\n1e999\nnan\n")["columns"][0].get("mean") is None


def test_halves_of_characters_do_not_reach_the_page() -> None:
    data = b'{"a": "\\ud800"}\n'
    assert read_lines_of_json(io.BytesIO(data), len(data))["rows"] == [["?"]]
