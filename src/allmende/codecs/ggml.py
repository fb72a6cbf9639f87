"""Blocks of ggml as its own quantiser writes them: Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1, from 32 values each.

The scale is taken from the block's largest value; in the types that end in 1 the smallest is stored beside
it. Scales are float16, but codes are reckoned with the float32 before it was rounded. Writers differ in one
place, the rounding of codes: "reference" is that of llama.cpp's portable code and of the package `gguf`;
"fused" that of the same code on processors whose compiler joins a product and a sum; "even" that of writers
who round to the nearest, ties to even, instead of away from zero (Q8_0 only).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.rounding import words_of

__all__ = ["GGML_KINDS", "GGML_ROUNDINGS", "GGML_VALUES", "ggml_block_bytes", "ggml_blocks"]

GGML_VALUES = 32
GGML_ROUNDINGS = ("reference", "fused", "even")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a type of blocks is laid out: bits of a code, and whether the smallest value is stored."""

    bits: int
    has_smallest: bool


GGML_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "Q4_0": _Kind(4, has_smallest=False),
        "Q4_1": _Kind(4, has_smallest=True),
        "Q5_0": _Kind(5, has_smallest=False),
        "Q5_1": _Kind(5, has_smallest=True),
        "Q8_0": _Kind(8, has_smallest=False),
    }
)


def ggml_block_bytes(kind: str) -> int:
    """How many bytes a block of this type takes."""
    found = GGML_KINDS[kind]
    return 2 + 2 * found.has_smallest + GGML_VALUES * found.bits // 8


def ggml_blocks(values: NDArray[np.float32], kind: str, rounding: str) -> NDArray[np.uint8]:
    """The blocks of values (a multiple of 32), one after another. What is no number counts as level 0."""
    layout = GGML_KINDS[kind]
    blocks = values.reshape(-1, GGML_VALUES)
    with np.errstate(all="ignore"):
        if layout.bits == 8:
            scales, codes = _bytes(blocks, rounding)
        elif layout.has_smallest:
            scales, codes = _from_smallest(blocks, layout.bits, fused=rounding == "fused")
        else:
            scales, codes = _from_middle(blocks, layout.bits, fused=rounding == "fused")
        parts = [words_of(_one_nan(scale), "F16").view(np.uint8).reshape(-1, 2) for scale in scales]
    if layout.bits == 5:
        parts.append(np.packbits(codes >> np.uint8(4), axis=1, bitorder="little"))
    if layout.bits < 8:
        codes = codes[:, :16] & np.uint8(15) | codes[:, 16:] << np.uint8(4)
    return np.concatenate([*parts, codes], axis=1).ravel()


_Scales = tuple[NDArray[np.float32], ...]


def _bytes(blocks: NDArray[np.float32], rounding: str) -> tuple[_Scales, NDArray[np.uint8]]:
    scale = np.abs(blocks).max(axis=1) / np.float32(127)
    levels = blocks * _inverse(scale)[:, None]
    if rounding == "even":
        rounded = np.rint(levels)
    else:
        size = np.abs(levels)
        whole = np.floor(size)
        rounded = np.copysign(whole + np.floor(np.float32(2) * (size - whole)), levels)
    return (scale,), _codes(rounded, -127, 127)


def _from_middle(blocks: NDArray[np.float32], bits: int, *, fused: bool) -> tuple[_Scales, NDArray[np.uint8]]:
    middle = 1 << (bits - 1)
    largest = _chosen(blocks, np.abs(blocks).argmax(axis=1))
    scale = largest / np.float32(-middle)
    levels = _product_and_sum(blocks, _inverse(scale)[:, None], middle + 0.5, fused=fused)
    return (scale,), _codes(levels, 0, 2 * middle - 1).view(np.uint8)


def _from_smallest(
    blocks: NDArray[np.float32], bits: int, *, fused: bool
) -> tuple[_Scales, NDArray[np.uint8]]:
    # By place and not by max(): of two zeros of different sign the first is meant.
    smallest = _chosen(blocks, blocks.argmin(axis=1))
    scale = (_chosen(blocks, blocks.argmax(axis=1)) - smallest) / np.float32((1 << bits) - 1)
    levels = _product_and_sum(blocks - smallest[:, None], _inverse(scale)[:, None], 0.5, fused=fused)
    return (scale, smallest), _codes(levels, 0, (1 << bits) - 1).view(np.uint8)


def _one_nan(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    # Which NaN comes of several, or of a quotient, differs between processors.
    return np.where(np.isnan(scale), np.float32(np.nan), scale)


def _chosen(blocks: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.float32]:
    return np.take_along_axis(blocks, places[:, None], axis=1)[:, 0]


def _inverse(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(scale == 0, np.float32(0), np.float32(1) / scale)


def _product_and_sum(
    left: NDArray[np.float32], right: NDArray[np.float32], added: float, *, fused: bool
) -> NDArray[np.float32]:
    if not fused:
        return left * right + np.float32(added)
    # A product of two float32 is exact in float64, so only the sum is rounded.
    return (left.astype(np.float64) * right.astype(np.float64) + added).astype(np.float32)


def _codes(levels: NDArray[np.float32], lowest: int, highest: int) -> NDArray[np.uint8]:
    known = np.where(np.isnan(levels), np.float32(0), levels)
    return np.clip(np.trunc(known), lowest, highest).astype(np.int16).astype(np.uint8)
