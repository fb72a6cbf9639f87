"""Each value has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.merkle import MAX_SIZE, MalformedTree
from allmende.merkle.strict import read_base64, read_decimal, read_hash, read_hashes, write_base64


@given(st.binary(max_size=99))
def test_base64_is_read_as_it_is_written(data):
    assert read_base64(write_base64(data), MalformedTree) == data


@given(st.text(st.sampled_from("AQgw+/=-_ \n\u0391"), max_size=12))
def test_base64_has_one_spelling(text):
    try:
        data = read_base64(text, MalformedTree)
    except MalformedTree:
        return
    assert write_base64(data) == text


@given(st.integers(0, MAX_SIZE))
def test_a_decimal_is_read_as_it_is_written(number):
    assert read_decimal(str(number), MalformedTree) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "00", "01", "1 ", " 1", "1\n", "1_0", "1e3", "0x1", "\u0661", str(MAX_SIZE + 1)]
)
def test_a_decimal_has_one_spelling(text):
    with pytest.raises(MalformedTree):
        read_decimal(text, MalformedTree)


def test_a_hash_has_32_bytes():
    assert read_hash(write_base64(bytes(32)), MalformedTree) == bytes(32)
    assert read_hashes([], MalformedTree) == ()
    for size_bytes in (0, 31, 33):
        with pytest.raises(MalformedTree):
            read_hashes([write_base64(bytes(32)), write_base64(bytes(size_bytes))], MalformedTree)
