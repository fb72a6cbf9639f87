"""A xorb is taken apart as it arrives, however its bytes are cut."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.xorbs import (
    FRAME_HEADER_BYTES,
    MAX_CHUNK_BYTES,
    MAX_SERIALIZED_BYTES,
    MAX_XORB_BYTES,
    MAX_XORB_CHUNKS,
    Chunk,
    MalformedXorb,
    XorbReader,
    chunk_hash,
    frame_header,
    from_hex,
    to_hex,
    xorb_hash,
)
from allmende.xorbs.xorb_footer import footer_bytes
from tests.unit.xorbs.client_bytes import HELLO, TEXT, XORB, XORB_HASH
from tests.unit.xorbs.xet_bytes import chunk, footer_v0, footer_v1, frame

FOOTERS = {"none": lambda *_: b"", "version 0": footer_v0, "version 1": footer_v1}
SHORT = st.lists(
    st.tuples(st.binary(min_size=1, max_size=300), st.sampled_from([0, 1, 2])), min_size=1, max_size=6
)


def read_in_steps(serialized: bytes, step: int) -> tuple[list[bytes], list[Chunk]]:
    reader = XorbReader()
    unpacked: list[bytes] = []
    for at in range(0, len(serialized), step):
        unpacked += [bytes(piece) for piece in reader.feed(serialized[at : at + step])]
    return unpacked, reader.finish()


def test_the_xorb_of_the_real_client() -> None:
    for step in (1, 7, 8, 9, 100, len(XORB)):
        unpacked, chunks = read_in_steps(XORB, step)
        assert unpacked[1:] == [TEXT, HELLO]
        assert set(unpacked[0][1::4] + unpacked[0][2::4] + unpacked[0][3::4]) == {0, 0x80, 0x3F}
        assert chunks == [chunk(data) for data in unpacked]
        assert to_hex(xorb_hash(chunks)) == XORB_HASH


@pytest.mark.parametrize("footer", FOOTERS)
@given(contents=SHORT, data=st.data())
def test_pieces_of_any_size_give_the_same_chunks(
    footer: str, contents: list[tuple[bytes, int]], data: st.DataObject
) -> None:
    frames = [frame(content, scheme) for content, scheme in contents]
    chunks = [chunk(content) for content, _ in contents]
    serialized = b"".join(frames) + FOOTERS[footer](frames, chunks)
    cuts = data.draw(st.lists(st.integers(0, len(serialized)), max_size=20).map(sorted))
    reader = XorbReader()
    unpacked = []
    for begin, end in zip([0, *cuts], [*cuts, len(serialized)], strict=True):
        unpacked += [bytes(piece) for piece in reader.feed(memoryview(serialized)[begin:end])]
    assert unpacked == [content for content, _ in contents]
    assert reader.finish() == chunks


@pytest.mark.parametrize("footer", FOOTERS)
def test_every_step_gives_the_same_chunks(footer: str) -> None:
    contents = [b"a", b"bc" * 40, bytes(100)]
    frames = [frame(content, scheme) for scheme, content in enumerate(contents)]
    chunks = [chunk(content) for content in contents]
    serialized = b"".join(frames) + FOOTERS[footer](frames, chunks)
    for step in range(1, len(serialized) + 1):
        assert read_in_steps(serialized, step) == (contents, chunks)


def test_the_largest_xorb_is_read() -> None:
    data = random.Random(1).randbytes(MAX_CHUNK_BYTES)
    count = MAX_XORB_BYTES // MAX_CHUNK_BYTES
    serialized = (frame_header(MAX_CHUNK_BYTES) + data) * count
    reader = XorbReader()
    found = 0
    for at in range(0, len(serialized), 4 * 1024 * 1024):
        found += sum(len(piece) for piece in reader.feed(serialized[at : at + 4 * 1024 * 1024]))
    assert found == MAX_XORB_BYTES
    assert reader.finish() == [Chunk(chunk_hash(data), MAX_CHUNK_BYTES)] * count
    with pytest.raises(MalformedXorb, match="bytes unpacked"):
        reader.feed(frame(b"x"))


def test_the_largest_serialized_xorb_has_the_longest_footer() -> None:
    assert footer_bytes(1, MAX_XORB_CHUNKS) == len(
        footer_v1([b""] * MAX_XORB_CHUNKS, [chunk(b"x")] * MAX_XORB_CHUNKS)
    )
    frames_bytes = MAX_XORB_BYTES + MAX_XORB_CHUNKS * FRAME_HEADER_BYTES
    assert frames_bytes + footer_bytes(1, MAX_XORB_CHUNKS) == MAX_SERIALIZED_BYTES


def test_most_chunks_are_read_and_one_more_is_not() -> None:
    chunks = [chunk(b"x")] * MAX_XORB_CHUNKS
    frames = [frame(b"x")] * MAX_XORB_CHUNKS
    reader = XorbReader()
    reader.feed(b"".join(frames))
    reader.feed(footer_v1(frames, chunks))
    assert reader.finish() == chunks
    reader = XorbReader()
    reader.feed(b"".join(frames))
    with pytest.raises(MalformedXorb, match="8192 chunks"):
        reader.feed(frame(b"x"))


def test_stored_chunks_are_views_of_what_was_fed() -> None:
    data = bytearray(frame(b"first") + frame(b"second"))
    reader = XorbReader()
    views = reader.feed(data)
    data[8:13] = b"FIRST"
    assert [bytes(view) for view in views] == [b"FIRST", b"second"]
    assert reader.finish() == [chunk(b"first"), chunk(b"second")]


def test_the_free_bytes_of_a_footer_may_be_anything() -> None:
    frames, chunks = [frame(b"chunk")], [chunk(b"chunk")]
    for footer in (footer_v0, footer_v1):
        assert read_in_steps(frames[0] + footer(frames, chunks, b"\xaa" * 16), 50)[1] == chunks


@pytest.mark.parametrize("size", [1, 255, 256, 65_535, 65_536, MAX_CHUNK_BYTES])
def test_a_header_and_its_bytes_are_a_frame(size: int) -> None:
    assert len(frame_header(size)) == FRAME_HEADER_BYTES
    assert frame_header(size) + bytes(size) == frame(bytes(size))


@pytest.mark.parametrize("size", [-1, 0, MAX_CHUNK_BYTES + 1])
def test_there_is_no_header_for_other_sizes(size: int) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        frame_header(size)


def test_hashes_are_compared_by_the_caller() -> None:
    _, chunks = read_in_steps(frame(b"chunk"), 100)
    assert xorb_hash(chunks) == chunk_hash(b"chunk")
    assert from_hex(to_hex(xorb_hash(chunks))) == chunk_hash(b"chunk")
