"""Strict JSON agrees with the standard parser on sound input and refuses what readers may differ on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.formats import JsonValue, MalformedJson, read_json, read_json_object
from tests.patience import soon

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_texts = st.text(st.characters(exclude_categories=["Cs"]))
_values = st.recursive(
    _scalars | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=20,
)


@given(_values, st.booleans())
def test_sound_json_is_read_as_the_standard_parser_reads_it(value: JsonValue, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert read_json(text.encode()) == json.loads(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = read_json(data)
    except MalformedJson:
        return
    assert json.loads(data.decode()) == value


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "Not JSON"),
        (b'{"a": 1, "a": 1}', "'a' twice"),
        (b'[{"x": {"b": 1, "b": 2}}]', "'b' twice"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b"\xef\xbb\xbf{}", "Not JSON"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        ('"ä"'.encode("utf-16"), "not UTF-8"),
        (b"[" * 101 + b"]" * 101, "deeper than 100"),
        (b"[" * 1_000_000, "deeper than 100"),
        (b'{"a":' * 1_000_000, "deeper than 100"),
        (b"1" * 5000, "cannot be read"),
        (b"{} {}", "Extra data"),
    ],
)
def test_what_readers_may_differ_on_is_refused(data: bytes, part: str) -> None:
    with pytest.raises(MalformedJson, match=part):
        read_json(data)


def test_paired_surrogates_and_escaped_backslashes_are_sound() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"
    assert read_json(b'"\\\\ud800"') == "\\ud800"


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    assert read_json(b'["' + b"[" * 5000 + b'"]') == ["[" * 5000]
    assert read_json(b'["\\"' + b"{" * 5000 + b'\\\\"]') == ['"' + "{" * 5000 + "\\"]


@pytest.mark.parametrize("item", [b"[],", b"1,", b'"",'])
def test_the_number_of_values_is_bounded(item: bytes) -> None:
    with pytest.raises(MalformedJson, match="more than the 2500000 values"):
        read_json(b"[" + item * 2_500_001 + b"1]")


def test_size_is_bounded() -> None:
    with pytest.raises(MalformedJson, match="at most 10") as caught:
        read_json(b'"0123456789"', max_bytes=10)
    assert caught.value.code == "json_beyond_limits"


@pytest.mark.parametrize("hostile", [b'"\\"' * 400_000, b'"' + b"\\" * 1_000_001, b'\\"' * 500_000])
def test_unterminated_strings_take_linear_time(hostile: bytes) -> None:
    with soon(5.0), pytest.raises(MalformedJson):
        read_json(hostile)


def test_an_object_is_asked_for() -> None:
    assert read_json_object(b'{"a": []}') == {"a": []}
    with pytest.raises(MalformedJson, match="not an object"):
        read_json_object(b"[]")
