"""Canonical JSON: the vectors of RFC 8785, and what is refused."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from allmende.proof import NotCanonical, Oversized, canonical_json, read_canonical_json, read_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


def test_the_example_of_the_rfc() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical_json(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_names_are_sorted_by_utf16() -> None:
    # U+1F600 is D83D DE00 in UTF-16 and so comes before U+FB33, whatever their code points say.
    assert (
        canonical_json({"\ufb33": 1, "\U0001f600": 2, "1": 3}) == '{"1":3,"\U0001f600":2,"\ufb33":1}'.encode()
    )


@given(VALUES)
def test_what_was_written_is_read_back(value: object) -> None:
    data = canonical_json(value)
    assert canonical_json(read_canonical_json(data)) == data
    assert read_canonical_json(data) == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "value", [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {"\ud800": 1}, {1: 2}, b"bytes", {1, 2}]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical_json(value)


def test_depth_is_bounded_in_both_directions() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Oversized, match="64 levels"):
        canonical_json(deep)
    with pytest.raises(Oversized, match="64 levels"):
        read_json(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "data",
    [b'{"a": 1}', b'{"b":1,"a":2}', b"1.0", b"1e2", b'"\\u0041"', b"[1 ]", b"-0", b"1\n", b'"\\/"', b"1E30"],
)
def test_other_spellings_are_not_canonical(data: bytes) -> None:
    read_json(data)
    with pytest.raises(NotCanonical, match="RFC 8785"):
        read_canonical_json(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}', b"NaN", b"Infinity", b'"\\ud800"', b"9007199254740993", b"1e999", b"\xff", b"",
        b"-9007199254740993", b"[1,]", b"{", b'"', b"1" * 5000, b"\xef\xbb\xbf1",
    ],
)  # fmt: skip
def test_what_two_readers_may_take_for_two_things_is_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        read_json(data)


def test_the_length_is_bounded() -> None:
    with pytest.raises(Oversized):
        read_json(b"[1,2]", max_bytes=4)


@pytest.mark.parametrize(
    "value",
    [
        {"b": [1, -0, True, None, {}, [], ()], "a": '"\\/ ~', "A": {"": ""}},
        {"\x7f": "\x00\x1f\u20ac"},
        {"\U0001f600": 1, "\uffff": 2},
        "\\u0041",
        {"a": 1.0, "b": 2**53 - 1},
    ],
)
def test_the_short_way_writes_what_the_long_way_writes(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]
