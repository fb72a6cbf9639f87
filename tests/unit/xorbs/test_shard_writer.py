"""The shard that answers a query has what the client will look for, where it will look."""

import struct

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.xorbs import Chunk, from_hex, read_shard, write_shard

RAW = st.binary(min_size=32, max_size=32).filter(lambda raw: raw != b"\xff" * 32)
CHUNKS = st.lists(st.builds(Chunk, RAW, st.integers(1, 131072)), min_size=1, max_size=20)
XORBS = st.lists(st.tuples(RAW, CHUNKS), max_size=6, unique_by=lambda xorb: xorb[0])
KEY = bytes(range(32))
FIELDS = (
    "version", "files_at", "xorbs_at",
    "file_table", "file_count", "xorb_table", "xorb_count", "chunk_table", "chunk_count",
    "key", "created", "expires", "on_disk", "materialized", "stored", "footer_at",
)  # fmt: skip
FEW = settings(max_examples=30)


def _footer(data: bytes) -> dict[str, int | bytes]:
    return dict(zip(FIELDS, struct.unpack("<9Q32sQQ48x4Q", data[-200:]), strict=True))


def _lookup(data: bytes, chunk_hash: bytes) -> list[tuple[bytes, int, int]]:
    """All places of a chunk, as the client finds them: through the table, then by comparison in the entry."""
    footer = _footer(data)
    key = footer["key"]
    assert isinstance(key, bytes)
    shown = blake3(chunk_hash, key=key).digest() if any(key) else chunk_hash
    at, xorbs_at = footer["chunk_table"], footer["xorbs_at"]
    found = []
    for number in range(int(footer["chunk_count"])):
        prefix, record, index = struct.unpack_from("<QII", data, int(at) + 16 * number)
        head = int(xorbs_at) + 48 * record
        entry = head + 48 * (1 + index)
        if prefix == int.from_bytes(shown[:8], "little") and data[entry : entry + 32] == shown:
            found.append((data[head : head + 32], index, struct.unpack_from("<I", data, entry + 36)[0]))
    return found


@FEW
@given(XORBS)
def test_an_answer_without_a_key_is_a_shard(xorbs: list[tuple[bytes, list[Chunk]]]) -> None:
    found = read_shard(write_shard(xorbs, 1000, 2000))
    assert not found.files
    assert {from_hex(xorb.hash): xorb.chunks() for xorb in found.xorbs} == dict(xorbs)


@pytest.mark.parametrize("key", [bytes(32), KEY], ids=["plain", "keyed"])
@FEW
@given(xorbs=XORBS)
def test_every_chunk_is_found_through_the_table(key: bytes, xorbs: list[tuple[bytes, list[Chunk]]]) -> None:
    data = write_shard(xorbs, 1000, 2000, key)
    places = [(raw, index, chunk) for raw, chunks in xorbs for index, chunk in enumerate(chunks)]
    for raw, index, chunk in places:
        assert (raw, index, chunk.size_bytes) in _lookup(data, chunk.hash)


@FEW
@given(XORBS)
def test_the_tables_are_sorted(xorbs: list[tuple[bytes, list[Chunk]]]) -> None:
    data = write_shard(xorbs, 1000, 2000, KEY)
    footer = _footer(data)
    for table, count, entry in (("xorb_table", "xorb_count", "<QI"), ("chunk_table", "chunk_count", "<QII")):
        begin, size = int(footer[table]), struct.calcsize(entry)
        entries = [struct.unpack_from(entry, data, begin + size * n) for n in range(int(footer[count]))]
        assert [entry[0] for entry in entries] == sorted(entry[0] for entry in entries)
    for number in range(len(xorbs)):
        prefix, record = struct.unpack_from("<QI", data, int(footer["xorb_table"]) + 12 * number)
        at = int(footer["xorbs_at"]) + 48 * record
        assert prefix == int.from_bytes(data[at : at + 8], "little")


def test_the_footer_says_how_long_it_holds_and_how_much_there_is() -> None:
    data = write_shard([(b"\x01" * 32, [Chunk(b"\x02" * 32, 100), Chunk(b"\x03" * 32, 50)])], 1000, 2000, KEY)
    footer = _footer(data)
    assert (footer["version"], footer["files_at"], footer["key"]) == (1, 48, KEY)
    assert (footer["created"], footer["expires"]) == (1000, 2000)
    assert (footer["on_disk"], footer["materialized"], footer["stored"]) == (166, 0, 150)
    assert footer["footer_at"] == len(data) - 200
    assert struct.unpack_from("<QQ", data, 32) == (2, 200)


def test_a_key_hides_the_hashes_and_keeps_the_flags() -> None:
    eligible, other = bytes(32), b"\x01" * 32
    data = write_shard([(b"\x05" * 32, [Chunk(eligible, 10), Chunk(other, 20)])], 1, 2, KEY)
    assert other not in data
    begin = int(_footer(data)["xorbs_at"]) + 48
    assert data[begin : begin + 32] == blake3(eligible, key=KEY).digest()
    assert struct.unpack_from("<4I", data, begin + 32) == (0, 10, 1 << 31, 0)
    assert struct.unpack_from("<4I", data, begin + 80) == (10, 20, 0, 0)
