"""Contents are cut exactly where the real client cuts them."""

import io
import random
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.xorbs import (
    MAX_CHUNK_BYTES,
    MIN_CHUNK_BYTES,
    Chunk,
    Chunker,
    chunk_hash,
    chunks_of,
    file_hash,
    to_hex,
)
from allmende.xorbs.gear import GEAR
from allmende.xorbs.gear_scan import GearScanner

EDGES = (0, 1, 63, 64, 65, 8191, 8192, 8193, 131071, 131072, 131073, 262144, 300_001)


def _random(length: int) -> bytes:
    return random.Random(length).randbytes(length)


def _text(length: int) -> bytes:
    rng = random.Random(7)
    words = [b"weights", b"of", b"the", b"layer", b"are", b"quantized", b"\n", b"0.125", b"{", b"}"]
    return b" ".join(rng.choices(words, k=length // 4 + 1))[:length]


def _floats(length: int) -> bytes:
    return np.random.default_rng(3).normal(size=length // 4 + 1).astype("<f4").tobytes()[:length]


def _repetitive(length: int) -> bytes:
    return (_random(10_007) * (length // 10_007 + 1))[:length]


Hashes = Callable[[list[bytes]], list[str]]

KINDS: dict[str, Callable[[int], bytes]] = {
    "random": _random,
    "zeros": bytes,
    "ones": lambda length: b"\xff" * length,
    "repetitive": _repetitive,
    "short period": lambda length: (b"abcdefg" * (length // 7 + 1))[:length],
    "text": _text,
    "floats": _floats,
}
# Four bytes that, repeated, let a chunk end after each time.
ENDING = bytes.fromhex("420a0e1c")
# Pairs of bytes that, repeated, make a hash that is almost but not quite one where a chunk may end.
NEAR = [4851, 50322, 54875, 60390]


@pytest.fixture
def client_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hashes:
    """The hashes that the real client computes; it uploads nothing, and keeps its logs to the test."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import hf_xet  # type: ignore[import-untyped]

    def hashes(contents: list[bytes]) -> list[str]:
        paths = [tmp_path / str(number) for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return [info.hash for info in hf_xet.hash_files([str(path) for path in paths])]

    return hashes


def _our_hashes(contents: list[bytes]) -> list[str]:
    return [to_hex(file_hash(chunks_of(io.BytesIO(content)))) for content in contents]


@pytest.mark.parametrize("kind", KINDS)
def test_files_get_the_hash_of_the_real_client(kind: str, client_hashes: Hashes) -> None:
    contents = [KINDS[kind](length) for length in (*EDGES, 3_000_017)]
    assert _our_hashes(contents) == client_hashes(contents)


def test_what_almost_ends_chunks_does_not(client_hashes: Hashes) -> None:
    contents = [pair.to_bytes(2, "little") * 200_000 for pair in NEAR]
    assert _our_hashes(contents) == client_hashes(contents)


@pytest.mark.parametrize("lead", range(5))
def test_chunks_are_not_shorter_where_every_place_would_do(lead: int, client_hashes: Hashes) -> None:
    contents = [bytes(lead) + ENDING * 100_000]
    assert _our_hashes(contents) == client_hashes(contents)
    chunks = list(chunks_of(io.BytesIO(bytes(lead) + ENDING * 100_000)))
    assert {chunk.size_bytes for chunk in chunks[1:-1]} == {MIN_CHUNK_BYTES}


def test_a_known_content_has_these_chunks() -> None:
    content = bytes((7 * n + n // 256) % 251 for n in range(3000)) * 50
    chunks = list(chunks_of(io.BytesIO(content)))
    assert [(to_hex(chunk.hash), chunk.size_bytes) for chunk in chunks] == [
        ("9663d7f0945edc6d7c4f9017b9f790c563bd9dec3dbdc7d23944cca220800a1d", 131072),
        ("c239c2ca8d15fa96f35c34b731df830552fd560a90955b5460a944093bb6509e", 18928),
    ]
    assert to_hex(file_hash(chunks)) == "c5741f52f2d34674b960fdd76107b565a0b95216002e780e1baef282312cabd8"


def _reference(content: bytes) -> list[int]:
    """The lengths of a content's chunks, byte by byte as the draft describes it."""
    lengths, length, gear = [], 0, 0
    for byte in content:
        gear = (2 * gear + GEAR[byte]) % 2**64
        length += 1
        if (length >= MIN_CHUNK_BYTES and gear >> 48 == 0) or length == MAX_CHUNK_BYTES:
            lengths.append(length)
            length = gear = 0
    return lengths + [length] * (length > 0)


@given(st.data())
@settings(max_examples=25)
def test_pieces_of_any_size_give_the_same_chunks(data: st.DataObject) -> None:
    content = _random(700_000)
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=30).map(sorted))
    pieces = [content[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    kinds = data.draw(st.sampled_from([bytes, bytearray, memoryview]))
    chunker = Chunker()
    chunks = [bytes(chunk) for piece in pieces for chunk in chunker.feed(kinds(piece))]
    chunks += [bytes(chunk) for chunk in chunker.finish()]
    assert b"".join(chunks) == content
    assert [len(chunk) for chunk in chunks] == _REFERENCE_LENGTHS


_REFERENCE_LENGTHS = _reference(_random(700_000))


@pytest.mark.parametrize("step", [1, 7, 4096, 65_535, 65_536, 65_537])
def test_small_pieces_give_the_same_chunks(step: int) -> None:
    content = _random(700_000)[: 200_000 if step == 1 else 700_000]
    chunker = Chunker()
    chunks = [
        bytes(chunk) for at in range(0, len(content), step) for chunk in chunker.feed(content[at : at + step])
    ]
    chunks += [bytes(chunk) for chunk in chunker.finish()]
    assert b"".join(chunks) == content
    assert [len(chunk) for chunk in chunks] == _reference(content)


def test_a_chunker_begins_anew_after_the_end() -> None:
    chunker = Chunker()
    runs = []
    for _ in range(2):
        chunks = [*chunker.feed(_random(300_001)), *chunker.finish()]
        runs.append([bytes(chunk) for chunk in chunks])
        assert not chunker.finish()
    assert runs[0] == runs[1]


@given(st.integers(65, 400), st.integers(0, 600), st.integers(0, 2**32))
def test_the_scan_finds_every_end(first: int, span: int, seed: int) -> None:
    # Runs of one pair let the hash stay where it is, and a few of them stay where chunks may end.
    rng = random.Random(seed)
    content = b"".join(
        rng.choice(
            [rng.randbytes(40), ENDING * 22, rng.randbytes(1), rng.choice(NEAR).to_bytes(2, "little") * 45]
        )
        for _ in range(30)
    )
    last = min(first + span, len(content))
    array = np.frombuffer(content, np.uint8)
    expected = []
    for place in range(first, last + 1):
        gear = 0
        for byte in content[place - 64 : place]:
            gear = (2 * gear + GEAR[byte]) % 2**64
        if gear >> 48 == 0:
            expected.append(place)
    assert GearScanner(1024).ends(array, first, last) == expected


def test_blocks_are_reported_as_they_are_read() -> None:
    content = _random(9 * 1024 * 1024 + 5)
    seen: list[int] = []
    chunks = list(chunks_of(io.BytesIO(content), seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == len(content)
    assert len(seen) >= 3
    ends = list(accumulate(chunk.size_bytes for chunk in chunks))
    assert ends[-1] == len(content)
    assert chunks[0] == Chunk(chunk_hash(content[: ends[0]]), ends[0])


class _Cancelled(Exception):
    pass


def test_what_the_checkpoint_raises_ends_the_work() -> None:
    def cancel(_: int) -> None:
        raise _Cancelled

    with pytest.raises(_Cancelled):
        list(chunks_of(io.BytesIO(bytes(10)), cancel))
