"""Words of floats: decoding, and rounding that has one outcome."""

import math
import struct
from fractions import Fraction

import numpy as np
import pytest

from allmende.codecs.rounding import FLOAT_TYPES, numbers_of, rounded_to, words_of

NARROW = [name for name in FLOAT_TYPES if name not in {"F32", "F64"}]
SIZES = {"F16": 2, "BF16": 2}


def all_words(dtype: str) -> np.ndarray:
    size = SIZES.get(dtype, 1)
    return np.arange(1 << (8 * size), dtype=f"<u{size}")


def from_bits(*bits: int) -> np.ndarray:
    return np.array(bits, np.uint32).view(np.float32)


def test_half_words_are_those_of_the_standard_library() -> None:
    words = all_words("F16")
    expected = struct.unpack(f"<{len(words)}e", words.tobytes())
    assert np.array_equal(numbers_of(words.tobytes(), "F16"), np.array(expected, np.float32), equal_nan=True)


@pytest.mark.parametrize("dtype", NARROW)
def test_every_word_that_is_a_number_comes_back(dtype: str) -> None:
    words = all_words(dtype)
    numbers = numbers_of(words.tobytes(), dtype)
    back = words_of(numbers, dtype)
    known = ~np.isnan(numbers)
    if dtype == "F8_E4M3":
        assert known.sum() == 254
    assert np.array_equal(back[known], words[known])
    assert np.isnan(numbers_of(back[~known].tobytes(), dtype)).all()


@pytest.mark.parametrize("dtype", NARROW)
def test_rounding_is_to_nearest_and_ties_go_to_even_words(dtype: str) -> None:
    words = all_words(dtype)
    numbers = numbers_of(words.tobytes(), dtype)
    finite = np.isfinite(numbers) & ~np.signbit(numbers)
    order = np.argsort(numbers[finite], kind="stable")
    steps, codes = numbers[finite][order].astype(np.float64), words[finite][order]
    middle = (steps[1:] + steps[:-1]) / 2
    exact = middle.astype(np.float32)
    assert np.array_equal(exact.astype(np.float64), middle), "the middle of two words has to be a float32"
    ties = words_of(exact, dtype)
    assert np.array_equal(ties, np.where(codes[1:] % 2 == 0, codes[1:], codes[:-1]))
    assert np.array_equal(words_of(np.nextafter(exact, np.float32(0)), dtype), codes[:-1])
    assert np.array_equal(words_of(np.nextafter(exact, np.float32(np.inf)), dtype), codes[1:])
    negative = words_of(-exact, dtype)
    assert np.array_equal(numbers_of(negative.tobytes(), dtype), -numbers_of(ties.tobytes(), dtype))


def test_brain_floats_round_as_fractions_do() -> None:
    random = np.random.default_rng(1)
    numbers = random.integers(0, 0x7F7F0000, 300, dtype=np.uint32).view(np.float32)
    for number, found in zip(numbers, rounded_to(numbers, "BF16"), strict=True):
        below = Fraction(float(from_bits(int(number.view(np.uint32)) & 0xFFFF0000)[0]))
        above = Fraction(float(from_bits((int(number.view(np.uint32)) & 0xFFFF0000) + 0x10000)[0]))
        apart = abs(Fraction(float(found)) - Fraction(float(number)))
        assert apart == min(Fraction(float(number)) - below, above - Fraction(float(number)))


@pytest.mark.parametrize(
    ("dtype", "above"),
    [
        ("BF16", 0x7F80),
        ("F16", 0x7C00),
        ("F8_E4M3", 0x7E),
        ("F8_E5M2", 0x7C),
        ("F8_E4M3FNUZ", 0x80),
        ("F8_E5M2FNUZ", 0x80),
    ],
)
def test_what_is_too_large_has_one_outcome(dtype: str, above: int) -> None:
    found = words_of(np.array([np.finfo(np.float32).max, np.inf], np.float32), dtype)
    assert found.tolist() == [above, above]


def test_the_bits_of_nan_are_defined() -> None:
    signalling = from_bits(0x7F800001, 0xFF800001, 0x7FC12345, 0xFFFFFFFF)
    assert words_of(signalling, "BF16").tolist() == [0x7FC0, 0xFFC0, 0x7FC1, 0xFFFF]
    assert words_of(signalling, "F16").tolist() == [0x7E00, 0xFE00, 0x7E09, 0xFFFF]
    assert words_of(signalling, "F8_E4M3").tolist() == [0x7F, 0xFF, 0x7F, 0xFF]
    assert words_of(signalling, "F8_E4M3FNUZ").tolist() == [0x80] * 4
    assert words_of(signalling, "F32").tolist() == [0x7F800001, 0xFF800001, 0x7FC12345, 0xFFFFFFFF]
    wide = words_of(signalling, "F64")
    assert wide.tolist() == [0x7FF0000020000000, 0xFFF0000020000000, 0x7FF82468A0000000, 0xFFFFFFFFE0000000]
    narrowed = rounded_to(wide.view(np.float64), "F32").view(np.uint32)
    assert narrowed.tolist() == [0x7FC00001, 0xFFC00001, 0x7FC12345, 0xFFFFFFFF]


def test_denormal_words_and_minus_zero_are_kept() -> None:
    numbers = from_bits(1, 0x80000001, 0x007FFFFF, 0x80000000)
    assert words_of(numbers, "F32").tolist() == [1, 0x80000001, 0x007FFFFF, 0x80000000]
    assert rounded_to(numbers, "F64").tolist() == [2.0**-149, -(2.0**-149), 2.0**-126 - 2.0**-149, -0.0]
    assert math.copysign(1, rounded_to(numbers, "F64")[3]) == -1
    assert words_of(numbers, "BF16").tolist() == [0, 0x8000, 0x80, 0x8000]
    assert words_of(numbers, "F8_E5M2FNUZ").tolist() == [0, 0, 0, 0]
