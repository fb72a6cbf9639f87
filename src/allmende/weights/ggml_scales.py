"""The scales within ggml's blocks of evenly spread levels: how far apart they lie, and where code zero is.

Layouts are those of `block_q4_0` to `block_q6_K` in ggml-common.h; all numbers are little-endian.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from allmende.weights.number_types import Floats, spacing

__all__ = ["EVEN_TYPES", "Levels", "levels_of"]

_Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of the parts of blocks: `offset + code * step`, with codes from `lowest` to `highest`.

    Arrays are of (blocks, parts). The errors are how far the scales lie at most from those that the codes
    were made with: the older types round first and then store their scales as half floats; the K types round
    with the scales as they are stored.
    """

    step: Floats
    offset: Floats
    lowest: int
    highest: int
    step_error: Floats
    offset_error: Floats


def levels_of(name: str, blocks: _Bytes) -> Levels | None:
    """The levels of blocks (an array of (blocks, bytes per block)); None for types of uneven levels."""
    reader = _READERS.get(name)
    return None if reader is None else reader(blocks)


def _half(blocks: _Bytes, at: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _scaled(lowest: int, highest: int) -> Callable[[_Bytes], Levels]:
    def read(blocks: _Bytes) -> Levels:
        step = _half(blocks, 0)
        none = np.zeros_like(step)
        return Levels(step, none, lowest, highest, spacing(step, "F16") / 2, none)

    return read


def _shifted(highest: int) -> Callable[[_Bytes], Levels]:
    def read(blocks: _Bytes) -> Levels:
        step, offset = _half(blocks, 0), _half(blocks, 2)
        return Levels(step, offset, 0, highest, spacing(step, "F16") / 2, spacing(offset, "F16") / 2)

    return read


def _exact(step: Floats, offset: Floats, lowest: int, highest: int) -> Levels:
    return Levels(step, offset, lowest, highest, np.zeros_like(step), np.zeros_like(step))


def _q2_k(blocks: _Bytes) -> Levels:
    scales = blocks[:, :16]
    step = _half(blocks, 80) * (scales & 15)
    return _exact(step, -_half(blocks, 82) * (scales >> 4), 0, 3)


def _q3_k(blocks: _Bytes) -> Levels:
    # Sixteen scales of six bits: their low fours fill eight bytes, then their high twos four bytes.
    packed = blocks[:, 96:108]
    low = np.concatenate([packed[:, :8] & 15, packed[:, :8] >> 4], axis=1)
    high = np.concatenate([(packed[:, 8:] >> shift) & 3 for shift in (0, 2, 4, 6)], axis=1)
    scales = (low | (high << 4)).astype(np.int16) - 32
    step = _half(blocks, 108) * scales.astype(np.float32)
    return _exact(step, np.zeros_like(step), -4, 3)


def _four_or_five_bits(highest: int) -> Callable[[_Bytes], Levels]:
    def read(blocks: _Bytes) -> Levels:
        # Eight scales and eight offsets of six bits in twelve bytes: four whole ones of each, whose spare
        # bits are the high ones of the others, whose low ones share the last four bytes.
        steps, offsets, rest = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
        step = np.concatenate([steps & 63, (rest & 15) | ((steps >> 6) << 4)], axis=1)
        offset = np.concatenate([offsets & 63, (rest >> 4) | ((offsets >> 6) << 4)], axis=1)
        return _exact(_half(blocks, 0) * step, -_half(blocks, 2) * offset, 0, highest)

    return read


def _q6_k(blocks: _Bytes) -> Levels:
    step = _half(blocks, 208) * np.ascontiguousarray(blocks[:, 192:208]).view(np.int8)
    return _exact(step, np.zeros_like(step), -32, 31)


_READERS: Mapping[str, Callable[[_Bytes], Levels]] = MappingProxyType(
    {
        "Q4_0": _scaled(-8, 7),
        "Q4_1": _shifted(15),
        "Q5_0": _scaled(-16, 15),
        "Q5_1": _shifted(31),
        "Q8_0": _scaled(-127, 127),
        "Q2_K": _q2_k,
        "Q3_K": _q3_k,
        "Q4_K": _four_or_five_bits(15),
        "Q5_K": _four_or_five_bits(31),
        "Q6_K": _q6_k,
    }
)

EVEN_TYPES = frozenset(_READERS)
"""The types whose levels lie evenly within a part of a block."""
