"""Xorbs that are stored nowhere: made as they are sent, every chunk verified before."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.flows.xet_reading import ChunkDamaged, SerializedXorb
from allmende.storage import FileXorb
from allmende.xorbs import pack_chunks
from tests.xet_forge import Xorb, frames_in, pieces

XORB = Xorb((*pieces(1, 3), b"x", *pieces(2, 2, 120 * 1024), b"end"))
BARE = b"".join(XORB.pieces)
SERIALIZED = XORB.serialized()
BEFORE = 1000


def serialized(xorb: Xorb = XORB) -> SerializedXorb:
    size_bytes = sum(map(len, xorb.pieces))
    return SerializedXorb(FileXorb(xorb.name, 0, xorb.name, BEFORE, size_bytes, pack_chunks(xorb.chunks)))


def content(bare: bytes = BARE) -> BytesIO:
    return BytesIO(b"\xff" * BEFORE + bare + b"\xff" * 100)


def test_the_whole() -> None:
    assert serialized().size_bytes == len(SERIALIZED)
    got = b"".join(serialized().read(content(), 0, len(SERIALIZED)))
    assert got == SERIALIZED
    assert frames_in(got) == list(XORB.pieces)


@given(st.data())
def test_any_range(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SERIALIZED) - 1))
    end = data.draw(st.integers(start + 1, len(SERIALIZED)))
    assert b"".join(serialized().read(content(), start, end)) == SERIALIZED[start:end]


@given(st.data())
def test_no_byte_of_a_damaged_chunk(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(BARE) - 1))
    start = data.draw(st.integers(0, len(SERIALIZED) - 1))
    end = data.draw(st.integers(start + 1, len(SERIALIZED)))
    damaged = BARE[:at] + bytes([BARE[at] ^ data.draw(st.integers(1, 255))]) + BARE[at + 1 :]
    frame_start = frame_end = offset = 0
    for piece in XORB.pieces:
        frame_end = frame_start + 8 + len(piece)
        if offset <= at < offset + len(piece):
            break
        offset, frame_start = offset + len(piece), frame_end
    got = bytearray()
    try:
        for block in serialized().read(content(damaged), start, end):
            got += block
    except ChunkDamaged:
        assert start < frame_end
        assert end > frame_start
        assert len(got) <= max(0, frame_start - start)
    else:
        assert end <= frame_start or start >= frame_end
    assert SERIALIZED[start:end].startswith(bytes(got))


@pytest.mark.parametrize("length", [0, 1, len(BARE) - 1])
def test_a_content_that_ends_too_soon(length: int) -> None:
    short = BytesIO(b"\xff" * BEFORE + BARE[:length])
    with pytest.raises(ChunkDamaged):
        b"".join(serialized().read(short, 0, len(SERIALIZED)))


def test_blocks_are_bounded() -> None:
    large = Xorb(pieces(3, 100, 100 * 1024))
    bare = b"".join(large.pieces)
    blocks = list(serialized(large).read(content(bare), 0, len(large.serialized())))
    assert b"".join(blocks) == large.serialized()
    assert max(map(len, blocks)) < 1.2 * 2**20
