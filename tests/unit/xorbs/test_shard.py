"""Shards are read as clients upload them."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.xorbs import (
    Chunk,
    MalformedShard,
    Shard,
    ShardFile,
    Term,
    file_hash,
    from_hex,
    range_hash,
    read_shard,
    to_hex,
    unpack_chunks,
    xorb_hash,
)
from tests.unit.xorbs.client_bytes import HELLO, SHARD, TEXT, XORB_HASH
from tests.unit.xorbs.xet_bytes import BOOKEND, chunk, file_records, footer, shard, xorb_records

RAW = st.binary(min_size=32, max_size=32).filter(lambda raw: raw not in {bytes(32), b"\xff" * 32})
CHUNKS = st.lists(st.builds(Chunk, RAW, st.integers(1, 131072)), min_size=1, max_size=20)


@st.composite
def _terms(draw: st.DrawFn) -> tuple[bytes, int, int, int]:
    first = draw(st.integers(0, 8191))
    end = draw(st.integers(first + 1, 8192))
    return draw(RAW), draw(st.integers(end - first, min((end - first) * 131072, 2**26))), first, end


@st.composite
def _files(draw: st.DrawFn) -> tuple[bytes, ShardFile]:
    raw = draw(RAW)
    terms = draw(st.lists(_terms(), min_size=1, max_size=5))
    proofs = draw(st.lists(RAW, min_size=len(terms), max_size=len(terms)))
    sha256 = draw(st.none() | RAW)
    records = file_records(raw, terms, proofs, sha256)
    shown = None if sha256 is None else to_hex(sha256)
    named = tuple(Term(to_hex(xorb), *rest) for xorb, *rest in terms)
    return records, ShardFile(to_hex(raw), shown, named, tuple(proofs))  # type: ignore[arg-type]


def test_the_shard_of_the_real_client() -> None:
    found = read_shard(SHARD)
    (xorb,) = found.xorbs
    chunks = xorb.chunks()
    assert (xorb.hash, xorb.chunk_count) == (XORB_HASH, 3)
    assert chunks[1:] == [chunk(TEXT), chunk(HELLO)]
    assert to_hex(xorb_hash(chunks)) == XORB_HASH
    by_sha256 = {file.sha256: file for file in found.files}
    assert len(by_sha256) == 4
    text, hello, empty = (by_sha256[hashlib.sha256(data).hexdigest()] for data in (TEXT, HELLO, b""))  # type: ignore[index]
    assert text.terms == (Term(xorb.hash, 9600, 1, 2),)
    assert text.range_hashes == (range_hash([chunks[1].hash]),)
    assert text.xet_hash == to_hex(file_hash([chunks[1]]))
    assert (hello.size_bytes, hello.terms) == (9, (Term(xorb.hash, 9, 2, 3),))
    assert (empty.size_bytes, empty.terms, empty.xet_hash) == (0, (), "0" * 64)


@settings(max_examples=50)
@given(st.lists(_files(), max_size=5), st.lists(st.tuples(RAW, CHUNKS), max_size=5))
def test_what_is_written_is_read(
    files: list[tuple[bytes, ShardFile]], xorbs: list[tuple[bytes, list[Chunk]]]
) -> None:
    file_part = b"".join(records for records, _ in files)
    xorb_part = b"".join(xorb_records(raw, chunks) for raw, chunks in xorbs)
    _check(read_shard(shard(file_part, xorb_part)), files, xorbs)
    counts = (len(files), len(xorbs), sum(len(chunks) for _, chunks in xorbs))
    for lookups in ((0, 0, 0), counts):
        tables = bytes(12 * lookups[0] + 12 * lookups[1] + 16 * lookups[2])
        whole = shard(file_part, xorb_part, footer_bytes=200) + tables
        _check(read_shard(whole + footer(file_part, xorb_part, lookups=lookups)), files, xorbs)


def _check(
    found: Shard, files: list[tuple[bytes, ShardFile]], xorbs: list[tuple[bytes, list[Chunk]]]
) -> None:
    assert found.files == tuple(file for _, file in files)
    assert [from_hex(xorb.hash) for xorb in found.xorbs] == [raw for raw, _ in xorbs]
    for xorb, (_, chunks) in zip(found.xorbs, xorbs, strict=True):
        assert xorb.chunk_count == len(chunks)
        assert xorb.chunks() == unpack_chunks(xorb.packed()) == chunks


def test_the_length_of_a_file_is_that_of_its_terms() -> None:
    terms = [(b"\x01" * 32, 131072, 0, 1), (b"\x02" * 32, 67_000_000, 5, 8000)]
    found = read_shard(shard(file_records(b"\x03" * 32, terms, [bytes(32), bytes(32)]), b""))
    assert found.files[0].size_bytes == 67_131_072
    assert found.files[0].sha256 is None


def test_fields_without_a_meaning_are_not_looked_at() -> None:
    records = bytearray(xorb_records(b"\x01" * 32, [chunk(b"x")]))
    records[32:36] = b"\x07\x00\x00\x00"  # flags of the xorb
    records[40:48] = b"\xee" * 8  # its sizes
    records[88:96] = b"\x00\x00\x00\x80" + b"\xee" * 4  # flags of the chunk, and nothing
    (xorb,) = read_shard(shard(b"", bytes(records))).xorbs
    assert xorb.chunks() == [chunk(b"x")]


def test_an_empty_shard_is_a_shard() -> None:
    assert read_shard(shard(b"", b"")) == Shard((), ())


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_no_bytes_are_no_shard(kind: type[bytes]) -> None:
    with pytest.raises(MalformedShard) as refusal:
        read_shard(kind())
    assert refusal.value.code == "shard_malformed"


def test_a_bookend_is_known_by_its_hash() -> None:
    data = shard(b"", b"")
    assert data.count(BOOKEND) == 2
    assert read_shard(data.replace(BOOKEND, b"\xff" * 32 + b"\x01" * 16)) == Shard((), ())
