"""Words of weights as numbers, and numbers as words again, with the same outcome on every machine.

Decoding is exact. Rounding is to nearest, ties to even (IEEE 754). A NaN keeps its sign and as much of its
payload as the other type has room for, and is made quiet by a cast that narrows it. What lies beyond the
largest finite value by half a step becomes infinite; in F8_E4M3, which has no infinity, the largest
value. The FNUZ types have one NaN, which stands for infinities too, and no minus zero. Integers do the work
wherever processors are known to differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.rans import coder

__all__ = ["FLOAT_TYPES", "Numbers", "numbers_of", "rounded_to", "words_of"]

Numbers: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
"""Values in a row: float32, or float64 where words or steps ask for it."""

_Words: TypeAlias = NDArray[np.unsignedinteger[Any]]

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "F64": "<u8", "F32": "<u4", "F16": "<u2", "BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1",
        "F8_E4M3FNUZ": "u1", "F8_E5M2FNUZ": "u1",
    }
)  # fmt: skip
FLOAT_TYPES = tuple(_WORDS)
"""The types of words with which a prediction can reckon, by the names of safetensors."""

_SIGN, _INFINITY = np.uint32(1 << 31), np.uint32(0x7F800000)


@dataclass(frozen=True, slots=True)
class _Narrow:
    """A float of 8 or 16 bits: its fields, its bias, and words without sign.

    These are the largest finite one, what stands for anything larger, and NaN.
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int
    largest: int
    above: int
    nan: int
    zero_is_unsigned: bool = False

    @property
    def has_infinity(self) -> bool:
        return self.largest < self.above < self.nan

    @property
    def sign(self) -> int:
        return 1 << (self.exponent_bits + self.mantissa_bits)


_NARROW: Mapping[str, _Narrow] = MappingProxyType(
    {
        "F16": _Narrow(5, 10, 15, largest=0x7BFF, above=0x7C00, nan=0x7E00),
        "F8_E4M3": _Narrow(4, 3, 7, largest=0x7E, above=0x7E, nan=0x7F),
        "F8_E5M2": _Narrow(5, 2, 15, largest=0x7B, above=0x7C, nan=0x7E),
        "F8_E4M3FNUZ": _Narrow(4, 3, 8, largest=0x7F, above=0x80, nan=0x80, zero_is_unsigned=True),
        "F8_E5M2FNUZ": _Narrow(5, 2, 16, largest=0x7F, above=0x80, nan=0x80, zero_is_unsigned=True),
    }
)


def numbers_of(data: memoryview | bytes, dtype: str) -> Numbers:
    """The values of words of a type of FLOAT_TYPES, every one exact: float32, and float64 for F64."""
    words = np.frombuffer(data, _WORDS[dtype])
    if dtype == "F64":
        wide: NDArray[np.float64] = words.view("<f8").astype(np.float64, copy=False)
        return wide
    if dtype == "F32":
        single: NDArray[np.float32] = words.view("<f4").astype(np.float32, copy=False)
        return single
    if dtype == "BF16":
        return (words.astype(np.uint32) << np.uint32(16)).view(np.float32)
    found: NDArray[np.float32] = _table(dtype)[words]
    return found


def words_of(numbers: Numbers, dtype: str) -> _Words:
    """The words of a type of FLOAT_TYPES nearest to these values, little-endian. Float64 goes by float32."""
    if dtype == "F64":
        return np.ascontiguousarray(rounded_to(numbers, "F64"), "<f8").view("<u8")
    bits = rounded_to(numbers, "F32").view(np.uint32)
    if dtype == "F32":
        return bits.astype("<u4", copy=False)
    if dtype == "BF16":
        return _brain(bits)
    narrow = _NARROW[dtype]
    return _rounded(bits, narrow) if dtype != "F16" else _half(bits, narrow)


def rounded_to(numbers: Numbers, dtype: str) -> Numbers:
    """The values after a cast to a type of FLOAT_TYPES: float64 for F64, for all others as float32."""
    if dtype == "F64":
        return numbers if numbers.dtype == np.float64 else _widened(numbers.view(np.uint32))
    if dtype == "F32":
        return numbers if numbers.dtype == np.float32 else _shortened(numbers.view(np.uint64))
    if dtype == "BF16":
        return (_brain(rounded_to(numbers, "F32").view(np.uint32)).astype(np.uint32) << np.uint32(16)).view(
            np.float32
        )
    return _table(dtype)[words_of(numbers, dtype)]


def _brain(bits: NDArray[np.uint32]) -> _Words:
    words = np.empty(len(bits), np.uint16)
    coder.brain_words(np.ascontiguousarray(bits), words)
    return words.astype("<u2", copy=False)


def _half(bits: NDArray[np.uint32], narrow: _Narrow) -> _Words:
    # Converters round numbers alike everywhere; only NaNs are carried over differently.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        words: _Words = bits.view(np.float32).astype(np.float16).view(np.uint16)
    nan = (bits & ~_SIGN) > _INFINITY
    if nan.any():
        found = bits[nan]
        words[nan] = (
            ((found >> np.uint32(16)) & np.uint32(0x8000))
            | np.uint32(narrow.nan)
            | ((found >> np.uint32(13)) & np.uint32(0x1FF))
        )
    return words.astype("<u2", copy=False)


def _rounded(bits: NDArray[np.uint32], narrow: _Narrow) -> _Words:
    """Round float32 words to a type of 8 bits, on integers only."""
    size = bits & ~_SIGN
    exponent = (size >> np.uint32(23)).astype(np.int32)
    mantissa = (size & np.uint32(0x7FFFFF)) | (np.uint32(1 << 23) * (exponent > 0))
    # A denormal word is the mantissa shifted further; its exponent field is then 0 and fits without a bias.
    field = exponent - 127 + narrow.bias
    shift = (23 - narrow.mantissa_bits) + np.maximum(1 - field, 0)
    shift = np.minimum(shift, 25).astype(np.uint32)
    half = (np.uint32(1) << (shift - np.uint32(1))) - np.uint32(1)
    steps = (mantissa + half + ((mantissa >> shift) & np.uint32(1))) >> shift
    code = steps + (np.maximum(field - 1, 0).astype(np.uint32) << np.uint32(narrow.mantissa_bits))
    code = np.where((code > narrow.largest) | (field > 64), np.uint32(narrow.above), code)
    code = np.where(size > _INFINITY, np.uint32(narrow.nan), code)
    sign = np.where(bits & _SIGN, np.uint32(narrow.sign), np.uint32(0))
    if narrow.zero_is_unsigned:
        sign = np.where((code == 0) | (code == narrow.nan), np.uint32(0), sign)
    return (code | sign).astype(np.uint8)


@cache
def _table(dtype: str) -> NDArray[np.float32]:
    narrow = _NARROW[dtype]
    codes = np.arange(2 * narrow.sign, dtype=np.uint32)
    sign = np.where(codes & np.uint32(narrow.sign), _SIGN, np.uint32(0))
    size = codes & np.uint32(narrow.sign - 1)
    mantissa = size & np.uint32((1 << narrow.mantissa_bits) - 1)
    field = (size >> np.uint32(narrow.mantissa_bits)).astype(np.int64)
    shift = np.uint32(23 - narrow.mantissa_bits)
    bits = ((field + 127 - narrow.bias).astype(np.uint32) << np.uint32(23)) | (mantissa << shift)
    # Denormal words are normal float32: m * 2**(1 - bias - mantissa_bits), exact in double arithmetic.
    small = mantissa.astype(np.float64) * 2.0 ** (1 - narrow.bias - narrow.mantissa_bits)
    bits = np.where(field == 0, small.astype(np.float32).view(np.uint32), bits)
    special = mantissa << shift if narrow.has_infinity else np.uint32(0x400000)
    bits = np.where(size > narrow.largest, _INFINITY | special, bits) | sign
    if narrow.zero_is_unsigned:
        bits[narrow.sign] = 0x7FC00000
    found = bits.astype(np.uint32).view(np.float32)
    found.setflags(write=False)
    return found


def _widened(bits: NDArray[np.uint32]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        found = bits.view(np.float32).astype(np.float64)
    nan = (bits & ~_SIGN) > _INFINITY
    if nan.any():
        wide = bits[nan].astype(np.uint64)
        found.view(np.uint64)[nan] = (
            ((wide & np.uint64(1 << 31)) << np.uint64(32))
            | np.uint64(0x7FF0 << 48)
            | ((wide & np.uint64(0x7FFFFF)) << np.uint64(29))
        )
    return found


def _shortened(bits: NDArray[np.uint64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = bits.view(np.float64).astype(np.float32)
    nan = (bits & np.uint64((1 << 63) - 1)) > np.uint64(0x7FF0 << 48)
    if nan.any():
        wide = bits[nan]
        found.view(np.uint32)[nan] = (
            ((wide >> np.uint64(32)) & np.uint64(1 << 31))
            | np.uint64(0x7FC00000)
            | ((wide >> np.uint64(29)) & np.uint64(0x3FFFFF))
        ).astype(np.uint32)
    return found
