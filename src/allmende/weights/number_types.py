"""Numbers as weights hold them: decoding to float32, and rounding as a cast to a narrower type would.

Names are those of safetensors. Decoding is exact: every value of 32 bits or fewer that is no integer has its
float32; integers and float64 become float64. Rounding is to nearest, ties to even (IEEE 754), which is what
torch and numpy do. The narrow floats follow the OCP 8-bit specification (E4M3 without infinities, E5M2 with
them) and, for the FNUZ forms, their makers' layout (bias one higher, no minus zero, 0x80 is NaN).
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "decode", "number_type", "round_through", "spacing"]

Floats: TypeAlias = NDArray[np.floating[Any]]
"""Values of weights: float32, or float64 where float32 would not hold them."""

_NUMPY: Mapping[str, str] = MappingProxyType(
    {
        "BOOL": "u1", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
        "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2",
        "F8_E4M3": "u1", "F8_E5M2": "u1", "F8_E4M3FNUZ": "u1", "F8_E5M2FNUZ": "u1", "F8_E8M0": "u1",
    }
)  # fmt: skip
_EIGHT_BITS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    # bits of exponent, bits of mantissa, bias
    {"F8_E4M3": (4, 3, 7), "F8_E5M2": (5, 2, 15), "F8_E4M3FNUZ": (4, 3, 8), "F8_E5M2FNUZ": (5, 2, 16)}
)
_MANTISSA_BITS: Mapping[str, int] = MappingProxyType(
    {
        "F64": 52,
        "F32": 23,
        "F16": 10,
        "BF16": 7,
        "F8_E4M3": 3,
        "F8_E5M2": 2,
        "F8_E4M3FNUZ": 3,
        "F8_E5M2FNUZ": 2,
    }
)
_SMALLEST_EXPONENT: Mapping[str, int] = MappingProxyType(
    {"F64": -1022, "F32": -126, "F16": -14, "BF16": -126, "F8_E4M3": -6, "F8_E5M2": -14, "F8_E4M3FNUZ": -7,
     "F8_E5M2FNUZ": -15}
)  # fmt: skip


def number_type(dtype: str) -> np.dtype[Any] | None:
    """How numpy reads the words of a type; None for types that are no words of whole bytes."""
    code = _NUMPY.get(dtype)
    return None if code is None else np.dtype(code)


def decode(words: NDArray[np.generic], dtype: str) -> Floats:
    """The values of words of a type (see number_type), in the words' shape."""
    if dtype == "BF16":
        return (words.astype(np.uint32) << 16).view(np.float32)
    if dtype in _EIGHT_BITS:
        found: Floats = _table(dtype)[words]
        return found
    if dtype == "F8_E8M0":
        return np.where(words == 255, np.float32(np.nan), np.exp2(words.astype(np.float32) - 127))
    if dtype in {"F32", "F16", "BOOL", "U8", "I8", "U16", "I16"}:
        return words.astype(np.float32, copy=False)
    return words.astype(np.float64, copy=False)


def round_through(values: Floats, dtype: str) -> Floats:
    """The values after a cast to a type of floats and back. Types of integers and unknown ones: unchanged."""
    if dtype == "F64":
        return values
    single = values.astype(np.float32, copy=False)
    if dtype == "BF16":
        bits = single.view(np.uint32)
        rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) & np.uint32(0xFFFF0000)
        return np.where(np.isnan(single), single, rounded.view(np.float32))
    if dtype == "F16":
        with np.errstate(over="ignore"):
            return single.astype(np.float16).astype(np.float32)
    if dtype in _EIGHT_BITS:
        return _to_eight_bits(single, dtype)
    return single if dtype == "F32" else values


def spacing(values: Floats, dtype: str) -> Floats:
    """The distance between neighbouring values of a type of floats at each value; 0 for other types."""
    bits = _MANTISSA_BITS.get(dtype)
    if bits is None:
        return np.zeros(values.shape, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.frexp(np.abs(values.astype(np.float64)))[1] - 1
    exponent = np.where(values == 0, _SMALLEST_EXPONENT[dtype], exponent)
    found: Floats = np.ldexp(1.0, np.maximum(exponent, _SMALLEST_EXPONENT[dtype]) - bits)
    return found


@cache
def _table(dtype: str) -> NDArray[np.float32]:
    exponent_bits, mantissa_bits, bias = _EIGHT_BITS[dtype]
    codes = np.arange(256)
    sign = np.where(codes & 0x80, -1.0, 1.0)
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    mantissa = (codes & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    normal = np.ldexp(1 + mantissa, exponent - bias)
    values = sign * np.where(exponent == 0, np.ldexp(mantissa, 1 - bias), normal)
    if dtype.endswith("FNUZ"):
        values[0x80] = np.nan
    elif dtype == "F8_E4M3":
        values[[0x7F, 0xFF]] = np.nan
    else:
        top = exponent == 31
        values[top] = np.where(mantissa[top] == 0, sign[top] * np.inf, np.nan)
    return values.astype(np.float32)


def _to_eight_bits(values: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    # The codes of positive values stand in the order of the values, so the nearest is found by bisection.
    positive = _table(dtype)[:0x80]
    positive = positive[np.isfinite(positive)]
    size = np.abs(values)
    above = np.clip(np.searchsorted(positive, size), 1, len(positive) - 1)
    below = above - 1
    to_below, to_above = size - positive[below], positive[above] - size
    tie_up = (to_above == to_below) & (above % 2 == 0)
    code = np.where((to_above < to_below) | tie_up, above, below)
    return np.where(np.isnan(values), values, np.copysign(positive[code], values))
