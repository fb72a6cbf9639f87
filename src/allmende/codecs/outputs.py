"""Outputs: how the values that a prediction comes to are written as the bytes of an object.

As words of a type, all of them or one of each block; as the packed codes of a table of 16 levels; or as
blocks of ggml. Integers are rounded to nearest, ties to even, and kept within their range; a NaN becomes 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.errors import MalformedEncoding
from allmende.codecs.ggml import GGML_KINDS, GGML_ROUNDINGS, GGML_VALUES, ggml_block_bytes, ggml_blocks
from allmende.codecs.rounding import FLOAT_TYPES, Numbers, words_of
from allmende.codecs.steps import MAX_BLOCK_VALUES

__all__ = [
    "LEVELS",
    "Blocks",
    "Codes",
    "Output",
    "Words",
    "output_bytes",
    "output_of_row",
    "output_row",
    "written",
]


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a type of floats, or I8 or U8; of every block of `every` values only the first."""

    dtype: str
    every: int = 1


@dataclass(frozen=True, slots=True)
class Codes:
    """The number of the nearest level of a table of LEVELS, two in a byte, the first in its upper half.

    A NaN is level 0.
    """

    table: str


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of ggml, of a kind and with a rounding that `ggml.py` names; from float32 only."""

    kind: str
    rounding: str


Output: TypeAlias = Words | Codes | Blocks

_NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
    1.0,
)  # fmt: skip
LEVELS: Mapping[str, NDArray[np.float32]] = MappingProxyType({"NF4": np.array(_NF4, np.float32)})
"""Tables of levels, rising: quantiles of the normal distribution, as the paper on QLoRA sets them."""

_WHOLE = MappingProxyType({"I8": (-128, 127), "U8": (0, 255)})
_WORD_BYTES = MappingProxyType({"F64": 8, "F32": 4, "F16": 2, "BF16": 2})
_Row: TypeAlias = list[str | int]


def output_row(output: Output) -> _Row:
    """An output as it is written down."""
    match output:
        case Words(dtype, every):
            return ["words", dtype, every]
        case Codes(table):
            return ["codes", table]
        case Blocks(kind, rounding):
            return ["blocks", kind, rounding]


def output_of_row(row: object) -> Output:
    """The output that is written down so. Raises MalformedEncoding for anything else."""
    match row:
        case ["words", str(dtype), int(every)] if dtype in FLOAT_TYPES or dtype in _WHOLE:
            if type(every) is int and 1 <= every <= MAX_BLOCK_VALUES:
                return Words(dtype, every)
        case ["codes", str(table)] if table in LEVELS:
            return Codes(table)
        case ["blocks", str(kind), str(rounding)] if kind in GGML_KINDS and rounding in GGML_ROUNDINGS:
            return Blocks(kind, rounding)
    raise MalformedEncoding("A prediction is written in a way that does not exist.")


def output_bytes(output: Output) -> tuple[int, int]:
    """For how many values how many bytes are written."""
    match output:
        case Words(dtype, every):
            return every, _WORD_BYTES.get(dtype, 1)
        case Codes():
            return 2, 1
        case Blocks(kind):
            return GGML_VALUES, ggml_block_bytes(kind)


def written(numbers: Numbers, output: Output) -> NDArray[np.uint8]:
    """The bytes of values, whose count is a whole multiple of output_bytes' first."""
    match output:
        case Words(dtype, every):
            chosen = numbers if every == 1 else numbers[::every]
            words = _whole(chosen, dtype) if dtype in _WHOLE else words_of(chosen, dtype)
            return np.ascontiguousarray(words).view(np.uint8)
        case Codes(table):
            codes = np.zeros(len(numbers), np.uint8)
            for middle in (LEVELS[table][1:] + LEVELS[table][:-1]) / np.float32(2):
                codes += numbers > middle
            return codes[::2] << np.uint8(4) | codes[1::2]
        case Blocks(kind, rounding):
            return ggml_blocks(numbers.astype(np.float32, copy=False), kind, rounding)


def _whole(numbers: Numbers, dtype: str) -> NDArray[np.uint8]:
    lowest, highest = _WHOLE[dtype]
    rounded = np.rint(np.where(np.isnan(numbers), 0, numbers))
    return np.clip(rounded, lowest, highest).astype(np.int16).astype(np.uint8)
