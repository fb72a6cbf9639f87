"""Tokens: how a word is told by how far it is from the word that was predicted.

Words of floats are put in order (the negative ones turned round), so that neighbours differ by one whatever
their exponents; the difference is taken outwards from zero and folded to an unsigned number, the sign
lowest. Below 16 that number is the token. Above, a token stands for the number's length, its second bit and
its sign; the bits between are raw. Every bit pattern has its own difference: NaN, infinities and both zeros
are words as any other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FIRST_OF",
    "RAW_BITS_OF",
    "WordShape",
    "keys_of",
    "residuals",
    "restored",
    "token_count",
    "tokens_of",
    "unsigned_words",
]

_EXACT = 16
Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class WordShape:
    """What of a word type the coder needs. Integers have no exponent: their highest byte is their key."""

    size_bytes: int
    exponent_bits: int
    mantissa_bits: int

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return 1 << self.exponent_bits if self.exponent_bits else 256

    @property
    def sign(self) -> np.uint64:
        """The highest bit."""
        return np.uint64(1 << (8 * self.size_bytes - 1))

    @property
    def mask(self) -> np.uint64:
        """All bits of a word."""
        return np.uint64((1 << (8 * self.size_bytes)) - 1)


def token_count(size_bytes: int) -> int:
    """How many tokens there are for words of so many bytes."""
    return _EXACT + (8 * size_bytes - 4) * 4


def unsigned_words(data: bytes | bytearray | memoryview, size_bytes: int) -> Words:
    """Bytes as unsigned words."""
    return np.frombuffer(data, dtype=f"<u{size_bytes}").astype(np.uint64)


def keys_of(predicted: Words, shape: WordShape) -> NDArray[np.uint16]:
    """Exponents of predicted words; highest bytes of integers."""
    shift = shape.mantissa_bits if shape.exponent_bits else 8 * shape.size_bytes - 8
    return (predicted >> np.uint64(shift) & np.uint64(shape.keys - 1)).astype(np.uint16)


def residuals(words: Words, predicted: Words, shape: WordShape) -> Words:
    """How far words are from what was predicted, folded to unsigned numbers."""
    far = _ordered(words, shape) - _ordered(predicted, shape) & shape.mask
    if shape.exponent_bits:
        far = np.where(predicted & shape.sign, np.uint64(0) - far & shape.mask, far)
    return np.asarray((far << np.uint64(1) ^ -(far >> np.uint64(8 * shape.size_bytes - 1))) & shape.mask)


def restored(zigzag: Words, predicted: Words, shape: WordShape) -> Words:
    """The reverse of `residuals`."""
    far = zigzag >> np.uint64(1) ^ -(zigzag & np.uint64(1))
    if shape.exponent_bits:
        far = np.where(predicted & shape.sign, -far, far)
    places = _ordered(predicted, shape) + far & shape.mask
    if not shape.exponent_bits:
        return np.asarray(places)
    return np.where(places & shape.sign, places ^ shape.sign, ~places & shape.mask)


def tokens_of(zigzag: Words) -> NDArray[np.uint8]:
    """The token of each folded difference."""
    length = _bit_lengths(np.maximum(zigzag, np.uint64(_EXACT)))
    second = zigzag >> (length - np.uint64(2)) & np.uint64(1)
    told = _EXACT + (length - np.uint64(5)) * np.uint64(4) + second * np.uint64(2) + (zigzag & np.uint64(1))
    return np.where(zigzag < _EXACT, zigzag, told).astype(np.uint8)


def _ordered(words: Words, shape: WordShape) -> Words:
    if not shape.exponent_bits:
        return words
    return np.where(words & shape.sign, ~words & shape.mask, words | shape.sign)


def _bit_lengths(values: Words) -> Words:
    lengths = np.zeros(len(values), dtype=np.uint64)
    for step in (32, 16, 8, 4, 2, 1):
        more = values >> np.uint64(step) > 0
        lengths[more] += np.uint64(step)
        values = np.where(more, values >> np.uint64(step), values)
    return lengths + np.uint64(1)


def _first_of(token: int) -> int:
    if token < _EXACT:
        return token
    kind = token - _EXACT
    length = 5 + (kind >> 2)
    return 1 << (length - 1) | (kind >> 1 & 1) << (length - 2) | (kind & 1)


FIRST_OF: Words = np.array([_first_of(token) for token in range(256)], dtype=np.uint64)
"""The smallest folded difference of each token."""

RAW_BITS_OF: NDArray[np.uint8] = np.array(
    [0 if token < _EXACT else 2 + (token - _EXACT >> 2) for token in range(256)], dtype=np.uint8
)
"""How many raw bits stand between the second and the lowest bit of a token's difference."""
