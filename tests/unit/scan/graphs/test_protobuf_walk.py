"""The walk over protocol buffers by their wire format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.scan import Source
from allmende.scan.graphs.protobuf import LENGTH, VARINT, Message, nested_messages
from allmende.scan.scanning import Unreadable
from tests.attack.corpus.graphs import field, varint


def fields(data: bytes) -> list[tuple[int, int, int, int]]:
    return [(f.number, f.wire, f.value, f.size_bytes) for f in Message(Source.of_bytes(data)).fields()]


def test_numbers_and_texts_are_told_apart() -> None:
    assert fields(field(1, 300) + field(2, "abc")) == [(1, VARINT, 300, 0), (2, LENGTH, 0, 3)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x0a\x05ab", id="longer than the message"),
        pytest.param(b"\x0b", id="group not ended"),
        pytest.param(b"\x0c", id="group not begun"),
        pytest.param(b"\x0b\x14", id="group ended by another number"),
        pytest.param(b"\x0b" * 101 + b"\x0c" * 101, id="groups too deep"),
        pytest.param(b"\x0b\x0a\x05ab\x0c", id="field in a group longer than the message"),
        pytest.param(b"\x02\x00", id="field 0"),
        pytest.param(b"\x08" + b"\xff" * 10, id="number too long"),
        pytest.param(b"\x08\x80", id="number cut off"),
        pytest.param(varint((1 << 35) | (13 << 3) | 2) + b"\0", id="number of a field beyond 32 bits"),
    ],
)
def test_what_breaks_the_wire_format_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        fields(data)


def test_groups_are_passed_over_with_what_is_in_them() -> None:
    nested = b"\x0b" + field(2, "in") + b"\x13" + field(3, 1) + b"\x14" + b"\x0c"
    assert fields(field(1, 5) + nested + field(2, "abc")) == [(1, VARINT, 5, 0), (2, LENGTH, 0, 3)]
    assert len(fields(b"\x0b" * 100 + b"\x0c" * 100 + field(1, 1))) == 1


def test_packed_numbers_are_read() -> None:
    assert list(Message(Source.of_bytes(varint(1) + varint(1 << 40))).numbers()) == [1, 1 << 40]


def test_the_last_text_of_a_number_counts() -> None:
    assert Message(Source.of_bytes(field(1, "a") + field(1, "b"))).text(1) == "b"


def test_nested_messages_are_all_visited() -> None:
    data = field(1, field(2, field(3, "deep")))
    numbers = [[f.number for f in inner] for _, inner in nested_messages(Message(Source.of_bytes(data)))]
    assert numbers[:3] == [[1], [2], [3]]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        total = sum(1 for _ in Message(Source.of_bytes(data)).fields())
    except Unreadable:
        return
    assert total <= len(data)


@given(st.lists(st.tuples(st.integers(1, 500), st.binary(max_size=20)), max_size=20))
def test_what_was_written_is_read(written: list[tuple[int, bytes]]) -> None:
    source = Source.of_bytes(b"".join(field(number, data) for number, data in written))
    message = Message(source)
    assert [(f.number, message.bytes_of(f)) for f in message.fields()] == written
