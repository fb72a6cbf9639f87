"""Records: what is written is read again, and nothing that was changed is."""

import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.archive.errors import MalformedPack
from allmende.archive.names import entry_name
from allmende.archive.records import (
    PACK_HEAD_BYTES,
    RECORD_HEAD_BYTES,
    Kind,
    NameChange,
    body_check,
    chunks_body,
    encoding_label,
    label_bytes,
    names_body,
    pack_head,
    parse_chunks,
    parse_encoding_label,
    parse_names,
    parse_pack_head,
    parse_recipe_label,
    parse_record_head,
    parse_sequence,
    recipe_label,
    record_head,
    sequence_label,
)
from allmende.codecs import MAX_OBJECT_BYTES, ObjectId, Piece
from allmende.ids import Sha256

ids = st.binary(min_size=32, max_size=32).map(lambda data: ObjectId(data.hex()))
sizes = st.integers(0, MAX_OBJECT_BYTES)


@given(st.integers(0, 2**64 - 1))
def test_the_head_of_a_pack_names_it(number: int) -> None:
    assert parse_pack_head(pack_head(number)) == number


def test_no_flipped_bit_of_a_head_of_a_pack_is_taken() -> None:
    head = pack_head(7)
    for place in range(8 * PACK_HEAD_BYTES):
        flipped = bytearray(head)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(MalformedPack):
            parse_pack_head(bytes(flipped))


@given(st.sampled_from(Kind), st.binary(max_size=100), st.lists(st.binary(max_size=50), max_size=4))
def test_the_head_of_a_record_says_what_follows(kind: Kind, label: bytes, parts: list[bytes]) -> None:
    written = record_head(kind, label, parts)
    fixed, rest = written[:RECORD_HEAD_BYTES], written[RECORD_HEAD_BYTES:]
    assert label_bytes(fixed) == len(label)
    found = parse_record_head(fixed, rest)
    assert (found.kind, found.label, found.body_bytes) == (kind, label, len(b"".join(parts)))
    assert found.body_check == body_check([b"".join(parts)])


def test_no_flipped_bit_of_a_head_of_a_record_or_its_label_is_taken() -> None:
    written = record_head(Kind.RECIPE, b"label", [b"body"])
    for place in range(8 * len(written)):
        flipped = bytearray(written)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(MalformedPack):
            label_bytes(bytes(flipped[:RECORD_HEAD_BYTES]))
            parse_record_head(bytes(flipped[:RECORD_HEAD_BYTES]), bytes(flipped[RECORD_HEAD_BYTES:]))


def test_a_label_of_any_length_is_not_read() -> None:
    with pytest.raises(MalformedPack):
        label_bytes(struct.pack("<BI", 1, 2**32 - 1).ljust(RECORD_HEAD_BYTES, b"\0"))


@given(ids, sizes, st.frozensets(ids, max_size=5))
def test_labels_of_encodings(object_id: ObjectId, size_bytes: int, bases: frozenset[ObjectId]) -> None:
    found = parse_encoding_label(encoding_label(object_id, size_bytes, bases))
    assert (found.object_id, found.plain_bytes, found.bases) == (object_id, size_bytes, bases)


@given(ids, st.integers(0, 2**64 - 1))
def test_labels_of_recipes_and_names(some: str, number: int) -> None:
    assert parse_recipe_label(recipe_label(Sha256(some), number)) == (some, number)
    assert parse_sequence(sequence_label(number)) == number


@given(
    st.dictionaries(
        st.binary(min_size=32, max_size=32),
        st.builds(Piece, ids, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
        max_size=8,
    )
)
def test_chunks(chunks: dict[bytes, Piece]) -> None:
    assert parse_chunks(chunks_body(chunks)) == chunks


CHANGES = [
    NameChange(entry_name("a/b"), Sha256("ab" * 32), "2026-11-28T00:00:00.000Z", 3, bytes(range(256))),
    NameChange(entry_name("größe"), None, "2026-11-28T00:00:00.000Z", 4),
]


def test_names() -> None:
    assert parse_names(names_body(CHANGES)) == CHANGES


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[1]", b"[" * 100_000, b'[{"name": "../a", "sha256": null, "at": "", "sequence": 1}]',
        b'[{"name": "a", "sha256": "ab", "at": "", "sequence": 1}]', b'[{"name": "a"}]', b"\xff",
        b'[{"name": "a", "sha256": null, "at": "", "sequence": 1, "key": "zz"}]',
    ],
)  # fmt: skip
def test_names_that_are_none(body: bytes) -> None:
    with pytest.raises(MalformedPack):
        parse_names(body)


@pytest.mark.parametrize("parse", [parse_encoding_label, parse_recipe_label, parse_sequence])
def test_labels_of_another_length(parse: object) -> None:
    assert callable(parse)
    with pytest.raises(MalformedPack):
        parse(b"\x01" * 33)


def test_an_object_larger_than_objects_are() -> None:
    with pytest.raises(MalformedPack):
        parse_encoding_label(encoding_label(ObjectId("00" * 32), MAX_OBJECT_BYTES + 1, ()))


def test_a_list_of_chunks_that_is_cut_off_anywhere() -> None:
    random = Random(1)
    body = chunks_body({random.randbytes(32): Piece(ObjectId("ab" * 32), n, 5) for n in range(3)})
    for length in range(1, len(body)):
        with pytest.raises(MalformedPack):
            parse_chunks(body[:length])
