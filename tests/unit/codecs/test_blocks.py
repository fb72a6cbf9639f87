"""Every form of a block comes back, the shortest is taken, and hostile payloads are refused."""

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from allmende.codecs import (
    WORD_TYPES,
    BlockCodec,
    Effort,
    MalformedEncoding,
    WordType,
    decode_block,
    encode_block,
    word_type,
)
from allmende.codecs.blocks import Habit, quick_size
from tests.unit.codecs.weights_like import drifted, edge_words

F32, BF16, U8 = (word_type(name) for name in ("F32", "BF16", "U8"))


def back(codec: int, payload: bytes, plain: bytes, words: WordType, predicted: bytes | None) -> bool:
    guessed = None if predicted is None else memoryview(predicted)
    return decode_block(codec, memoryview(payload), len(plain), words, guessed) == plain


def encode(
    plain: bytes, words: WordType, predicted: bytes | None = None, effort: Effort = Effort.QUICK
) -> tuple[BlockCodec, bytes]:
    guessed = None if predicted is None else memoryview(predicted)
    codec, payload = encode_block(memoryview(plain), words, guessed, effort)
    assert len(payload) <= len(plain)
    assert back(codec, payload, plain, words, predicted)
    return codec, payload


@pytest.mark.parametrize("words", WORD_TYPES, ids=lambda words: words.name)
@pytest.mark.parametrize("count", [1, 2, 33, 20000])
@pytest.mark.parametrize("effort", Effort)
def test_blocks_come_back(words: WordType, count: int, effort: Effort) -> None:
    predicted, plain = drifted(words, count, 1e-4)
    for content, guessed in (
        (plain, None),
        (plain, predicted),
        (plain, plain),
        (edge_words(words, count, 1), edge_words(words, count, 2)),
        (bytes(len(plain)), None),
        (bytes(len(plain)), predicted),
    ):
        encode(content, words, guessed, effort)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_bytes_come_back(unit: bytes, data: st.DataObject) -> None:
    words = data.draw(st.sampled_from(WORD_TYPES))
    plain = unit * words.size_bytes
    predicted = data.draw(st.none() | st.binary(min_size=len(plain), max_size=len(plain)))
    encode(plain, words, predicted, data.draw(st.sampled_from(Effort)))


def test_what_is_predicted_costs_nothing() -> None:
    _, plain = drifted(F32, 5000, 1e-4)
    assert encode(plain, F32, plain) == (BlockCodec.EQUAL, b"")
    assert encode(bytes(4000), F32) == (BlockCodec.EQUAL, b"")


def test_noise_stays_as_it_is() -> None:
    noise = np.random.default_rng(1).bytes(65536)
    assert encode(noise, U8) == (BlockCodec.RAW, noise)
    assert encode(noise, F32, np.random.default_rng(2).bytes(65536)) == (BlockCodec.RAW, noise)


def test_a_drift_is_told_by_residuals() -> None:
    """Twice as short as by zstd, which is told nothing of exponents."""
    predicted, plain = drifted(BF16, 131072, 5e-5)
    codec, payload = encode(plain, BF16, predicted)
    xor = np.frombuffer(plain, np.uint8) ^ np.frombuffer(predicted, np.uint8)
    planes = xor.reshape(-1, 2).T.tobytes()
    assert codec == BlockCodec.RESIDUAL
    assert len(payload) < 0.6 * len(zstandard.ZstdCompressor(level=3).compress(planes))
    assert len(payload) * 10 < len(plain)


@pytest.mark.parametrize(("words", "least"), [(BF16, 1.45), (F32, 1.18)], ids=["BF16", "F32"])
def test_without_a_prediction_the_exponents_are_compressed(words: WordType, least: float) -> None:
    _, plain = drifted(words, 131072, 1e-4)
    codec, payload = encode(plain, words)
    assert codec == BlockCodec.ALONE
    assert len(plain) / len(payload) > least


@pytest.mark.parametrize("words", [BF16, F32], ids=["BF16", "F32"])
@pytest.mark.parametrize("with_prediction", [True, False])
@pytest.mark.parametrize("count", [1, 8192, 131072])
def test_a_quick_size_is_near_what_is_written(words: WordType, with_prediction: bool, count: int) -> None:
    base, plain = drifted(words, count, 1e-4)
    predicted = base if with_prediction else None
    quick = quick_size(memoryview(plain), words, None if predicted is None else memoryview(predicted))
    written = len(encode(plain, words, predicted)[1])
    assert 0.95 * written <= quick <= max(1.1 * written, min(len(plain), written + 200))


def test_a_quick_size_of_what_is_predicted_is_nothing() -> None:
    assert quick_size(memoryview(b"some"), F32, memoryview(b"some")) == 0
    assert quick_size(memoryview(bytes(8)), F32, None) == 0


def test_what_repeats_is_told_by_planes() -> None:
    text = b"The quick brown fox jumps over the lazy dog. " * 1000
    codec, payload = encode(text, U8)
    assert codec == BlockCodec.PLANES
    assert len(payload) < 200


def test_differences_that_repeat_are_told_as_planes() -> None:
    predicted = np.random.default_rng(1).normal(0, 0.05, 40000).astype("<f4")
    step = np.tile(np.random.default_rng(2).integers(0, 50000, 500, dtype="<u4"), 80)
    plain = (predicted.view("<u4") + step).tobytes()
    codec, payload = encode(plain, F32, predicted.tobytes())
    assert codec == BlockCodec.DIFFERENCE_PLANES
    assert len(payload) * 20 < len(plain)


def test_a_prediction_that_does_not_help_is_not_used() -> None:
    """An unrelated prediction costs next to nothing beside none at all."""
    _, plain = drifted(BF16, 50000, 1e-4, seed=1)
    other, _ = drifted(BF16, 50000, 1e-4, seed=2)
    assert len(encode(plain, BF16, other)[1]) <= 1.01 * len(encode(plain, BF16)[1])


@pytest.mark.parametrize("words", [F32, BF16, U8], ids=lambda words: words.name)
def test_made_up_payloads_are_refused_or_have_the_right_size(words: WordType) -> None:
    predicted, plain = drifted(words, 600, 1e-4)
    random = np.random.default_rng(4)
    for codec in range(10):
        for length in (0, 1, 5, 200, len(plain)):
            for guessed in (None, memoryview(predicted)):
                try:
                    found = decode_block(codec, memoryview(random.bytes(length)), len(plain), words, guessed)
                except MalformedEncoding:
                    continue
                assert len(found) == len(plain)


@pytest.mark.parametrize("codec", [BlockCodec.XOR_PLANES, BlockCodec.RESIDUAL, BlockCodec.DIFFERENCE_PLANES])
def test_a_form_that_needs_a_prediction_is_refused_without_one(codec: BlockCodec) -> None:
    with pytest.raises(MalformedEncoding, match="there is none"):
        decode_block(codec, memoryview(b""), 4, F32, None)


@pytest.mark.parametrize("size", [0, 3, 4 * (1 << 20) + 4, -4])
def test_a_block_has_whole_words_and_not_too_many(size: int) -> None:
    with pytest.raises(MalformedEncoding, match="no block"):
        decode_block(BlockCodec.RAW, memoryview(b""), size, F32, None)


def test_a_prediction_of_another_length_is_refused() -> None:
    with pytest.raises(MalformedEncoding, match="are predicted"):
        encode_block(memoryview(bytes(8)), F32, memoryview(bytes(4)))


def frame(content: bytes, size: int | None) -> bytes:
    """A zstd frame that claims `size` bytes."""
    compressor = zstandard.ZstdCompressor(write_content_size=size is not None)
    made = bytearray(compressor.compress(content))
    if size is not None:
        made[4:9] = bytes([made[4] & 0x3F | 0x80]) + size.to_bytes(4, "little")
    return bytes(made)


@pytest.mark.parametrize(
    "payload",
    [
        frame(b"abcd" * 100, None),
        zstandard.compress(b"abcd" * 99),
        zstandard.compress(bytes(1 << 20)),
        frame(b"abcd" * 10, 0xFFFFFF00),
        zstandard.compress(b"abcd" * 100) + b"more",
        zstandard.compress(b"abcd" * 100)[:-3],
        b"",
        b"\x28\xb5\x2f\xfd",
    ],
)
def test_a_frame_of_another_length_is_refused(payload: bytes) -> None:
    for codec in (BlockCodec.PLANES, BlockCodec.XOR_PLANES, BlockCodec.DIFFERENCE_PLANES):
        with pytest.raises(MalformedEncoding):
            decode_block(codec, memoryview(payload), 400, F32, memoryview(bytes(400)))


@pytest.mark.parametrize(
    "payload",
    [
        b"\0\4\0\0\0abc",
        b"\0\3\0\0\0abc",
        b"\1\0\0\0\0",
        b"\1\2\0\0\0ab",
        b"\3\4\0\0\0abcd",
        b"\0\4\0\0\0abcdmore",
        b"\2\4\0\0\0abcd",
        b"\0\xff\xff\xff\xffabcd",
    ],
)
def test_a_plane_of_another_length_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedEncoding):
        decode_block(BlockCodec.ALONE, memoryview(payload), 4, U8, None)
    assert back(BlockCodec.ALONE, b"\0\4\0\0\0abcd", b"abcd", U8, None)
    assert back(BlockCodec.ALONE, b"\1\1\0\0\0a", b"aaaa", U8, None)


def test_a_form_that_is_far_ahead_is_taken_until_blocks_are_of_another_kind() -> None:
    """What is near its prediction, then what is not: the first of those is tried again."""
    words, habit, chosen = word_type("BF16"), Habit(), []
    random = np.random.default_rng(2)
    for number in range(12):
        guessed, near = drifted(words, 30_000, 1e-4)
        plain = near if number < 6 else random.bytes(len(near))
        codec, payload = encode_block(memoryview(plain), words, memoryview(guessed), habit=habit)
        assert decode_block(codec, memoryview(payload), len(plain), words, memoryview(guessed)) == plain
        chosen.append((codec, habit.untried > 0))
        alone = encode_block(memoryview(plain), words, memoryview(guessed))
        assert len(payload) <= 1.05 * len(alone[1])
    assert chosen[:6] == [(BlockCodec.RESIDUAL, True)] * 6
    assert not any(untried for _, untried in chosen[6:])
