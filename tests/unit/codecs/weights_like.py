"""Arrays that look like weights and their fine-tunes, for the tests of codecs."""

import numpy as np
from numpy.typing import NDArray

from allmende.codecs import WordType

__all__ = ["drifted", "edge_words", "rounded"]


def rounded(values: NDArray[np.float64], words: WordType) -> bytes:
    """The values as little-endian words; the types that numpy has not are cut off from float32."""
    if words.name == "BF16":
        bits = values.astype("<f4").view("<u4")
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()
    if words.name in ("F8_E4M3", "F8_E5M2"):
        return (values.astype("<f2").view("<u2") >> 8).astype(np.uint8).tobytes()
    if not words.is_float:
        return (values * 1000).astype("<i8").view("<u8").astype(f"<u{words.size_bytes}").tobytes()
    return values.astype({"F16": "<f2", "F32": "<f4", "F64": "<f8"}[words.name]).tobytes()


def drifted(words: WordType, count: int, step: float, seed: int = 0) -> tuple[bytes, bytes]:
    """Weights with a scale of their own per row of 64, and the same after a drift of about `step`."""
    random = np.random.default_rng(seed)
    scale = np.exp(random.normal(0, 0.5, -(-count // 64))).repeat(64)[:count]
    values = random.normal(0, 0.05, count) * scale
    return rounded(values, words), rounded(values + random.normal(0, step, count), words)


def edge_words(words: WordType, count: int, seed: int = 0) -> bytes:
    """Words of every kind: zeros of both signs, infinities, NaN with payloads, the smallest, noise."""
    random = np.random.default_rng(seed)
    bits = 8 * words.size_bytes
    edges = [0, 1, 2**bits - 1, 2 ** (bits - 1), 2 ** (bits - 1) - 1, 2 ** (bits - 1) + 1]
    if words.is_float:
        infinity = ((1 << words.exponent_bits) - 1) << words.mantissa_bits
        edges += [infinity, infinity + 1, infinity | 1 << (bits - 1), (infinity | 1 << (bits - 1)) + 1]
    chosen = np.array(edges, dtype="<u8")[random.integers(len(edges), size=count)]
    noise = random.integers(2**64, size=count, dtype="<u8")
    return np.where(random.random(count) < 0.7, chosen, noise).astype(f"<u{words.size_bytes}").tobytes()
