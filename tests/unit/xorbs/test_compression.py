"""Chunks come out of each compression scheme, whole and in their announced size."""

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.xorbs import MAX_CHUNK_BYTES, MalformedXorb, decompress
from tests.unit.xorbs.xet_bytes import compressed, grouped


@given(st.binary(min_size=1, max_size=2000), st.integers(1, 40))
def test_each_scheme_gives_the_chunk(data: bytes, times: int) -> None:
    chunk = data * times
    for scheme, packed in ((0, chunk), (1, compressed(chunk)), (2, compressed(grouped(chunk)))):
        assert bytes(decompress(scheme, packed, len(chunk))) == chunk
        assert bytes(decompress(scheme, memoryview(packed), len(chunk))) == chunk


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 6, 7, 8, MAX_CHUNK_BYTES - 1, MAX_CHUNK_BYTES])
def test_bytes_are_regrouped_for_every_remainder_of_four(length: int) -> None:
    chunk = bytes(n % 251 for n in range(length))
    regrouped = decompress(2, compressed(grouped(chunk)), length)
    assert bytes(regrouped) == chunk
    assert len(regrouped) == length


@pytest.mark.parametrize(
    "options",
    [
        {"block_size": lz4.frame.BLOCKSIZE_MAX4MB, "store_size": True},
        {"block_linked": False, "content_checksum": True, "block_checksum": True},
        {"compression_level": 16},
        {"block_size": lz4.frame.BLOCKSIZE_MAX64KB, "block_linked": True, "store_size": False},
    ],
)
def test_every_form_of_frame_is_read(options: dict[str, bool | int]) -> None:
    chunk = bytes(range(256)) * 500
    assert decompress(1, lz4.frame.compress(chunk, **options), len(chunk)) == chunk


def test_stored_bytes_are_not_copied() -> None:
    data = bytearray(b"chunk")
    view = decompress(0, memoryview(data), 5)
    data[0] = ord("C")
    assert bytes(view) == b"Chunk"


@given(st.integers(0, 255).filter(lambda scheme: scheme > 2), st.binary(max_size=20))
def test_there_are_no_other_schemes(scheme: int, data: bytes) -> None:
    with pytest.raises(MalformedXorb):
        decompress(scheme, data, len(data))


@pytest.mark.parametrize("difference", [-5, -1, 1, 100])
@pytest.mark.parametrize("scheme", [0, 1, 2])
def test_another_size_is_refused(scheme: int, difference: int) -> None:
    chunk = b"0123456789" * 20
    packed = (chunk, compressed(chunk), compressed(grouped(chunk)))[scheme]
    with pytest.raises(MalformedXorb) as refusal:
        decompress(scheme, packed, len(chunk) + difference)
    assert refusal.value.code == "xorb_malformed"
