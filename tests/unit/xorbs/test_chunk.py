"""The stored form of lists of chunks, which never changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.xorbs import Chunk, MalformedChunkList, chunk_count, pack_chunks, packed_sizes, unpack_chunks

CHUNKS = st.lists(
    st.builds(Chunk, st.binary(min_size=32, max_size=32), st.integers(min_value=0, max_value=2**32 - 1))
)


def test_the_stored_form_is_this() -> None:
    packed = pack_chunks([Chunk(bytes(range(32)), 0x00012345), Chunk(b"\xff" * 32, 1)])
    assert packed.hex() == "45230100" + bytes(range(32)).hex() + "01000000" + "ff" * 32


@given(CHUNKS)
def test_what_is_packed_is_unpacked(chunks: list[Chunk]) -> None:
    packed = pack_chunks(chunks)
    assert unpack_chunks(packed) == chunks
    assert chunk_count(packed) == len(chunks)
    assert packed_sizes(packed) == [chunk.size_bytes for chunk in chunks]


@given(st.binary(max_size=200).filter(lambda packed: len(packed) % 36))
def test_another_length_is_refused(packed: bytes) -> None:
    for read in (unpack_chunks, chunk_count, packed_sizes):
        with pytest.raises(MalformedChunkList):
            read(packed)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_of_another_length_is_not_packed(length: int) -> None:
    with pytest.raises(ValueError, match="and not 32"):
        pack_chunks([Chunk(bytes(length), 5)])
