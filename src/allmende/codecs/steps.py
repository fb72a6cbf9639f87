"""Steps: what a prediction does with the values it starts from, one after another, on a stack.

Each step is one operation of IEEE 754 on single values, or on blocks of neighbours whose order does not
matter, so that every machine comes to the same bits: nothing is fused, or summed in an order of the library's
own. A step is written down as a short list: its name, then its parameters; floats stand as hexadecimal
strings, which lose nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from allmende.codecs.errors import MalformedEncoding
from allmende.codecs.rounding import FLOAT_TYPES

__all__ = [
    "MAX_BLOCK_VALUES",
    "MAX_RANK",
    "MAX_SOURCES",
    "Arithmetic",
    "ArithmeticKind",
    "Largest",
    "Load",
    "LowRank",
    "Mask",
    "Number",
    "Prune",
    "Round",
    "Step",
    "Width",
    "float_of",
    "step_of_row",
    "step_row",
    "text_of",
]

MAX_SOURCES = 8
MAX_BLOCK_VALUES = 1 << 20
"""The longest run of neighbours that has to be looked at for one value: longer rows than any model has."""
MAX_RANK = 256

Width: TypeAlias = Literal["F32", "F64"]
ArithmeticKind: TypeAlias = Literal["add", "sub", "mul", "div", "max"]


@dataclass(frozen=True, slots=True)
class Load:
    """Push the values of a source: float64 if its words are F64, else float32."""

    source: int


@dataclass(frozen=True, slots=True)
class Number:
    """Push one finite number, as wide as said; it must have that width."""

    value: float
    width: Width = "F32"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Take two of the same width, `a` below `b`, and push what the kind says of them.

    That is `a + b`, `a - b`, `a * b`, `a / b`, or the greater of both, which is `b` unless `a` is greater.
    """

    kind: ArithmeticKind


@dataclass(frozen=True, slots=True)
class Round:
    """Cast to a type of floats: what is pushed is float64 for F64, and float32 for all others."""

    dtype: str


@dataclass(frozen=True, slots=True)
class Prune:
    """Turn into +0 what is no larger than a limit (by size); `keeps_limit` spares what equals it."""

    limit: float
    keeps_limit: bool = False


@dataclass(frozen=True, slots=True)
class Mask:
    """Turn into +0 where the side's bit is 0. Bits lie one for each value, the lowest of a byte first."""


@dataclass(frozen=True, slots=True)
class LowRank:
    """Push the product of two factors in the side, as float32 rows of this many columns.

    The products are added up in the order of the rank, each rounded to float32.
    """

    rank: int
    columns: int


@dataclass(frozen=True, slots=True)
class Largest:
    """Replace every value by the largest size in its block of this many neighbours."""

    block: int


Step: TypeAlias = Load | Number | Arithmetic | Round | Prune | Mask | LowRank | Largest
_Row: TypeAlias = list[str | int]


def text_of(value: float) -> str:
    """A float as text that loses nothing."""
    return value.hex()


def float_of(text: object) -> float:
    """The float of such a text; finite, and written in just this way. Raises MalformedEncoding."""
    if not isinstance(text, str) or len(text) > 32:
        raise MalformedEncoding("A prediction's number is no hexadecimal float.")
    try:
        value = float.fromhex(text)
    except (ValueError, OverflowError) as error:
        raise MalformedEncoding("A prediction's number is no hexadecimal float.") from error
    if not math.isfinite(value) or value.hex() != text:
        raise MalformedEncoding("A prediction's number is not finite, or not written in its one way.")
    return value


def step_row(step: Step) -> _Row:
    """A step as it is written down."""
    match step:
        case Load(source):
            return ["load", source]
        case Number(value, width):
            return ["number", text_of(value), width]
        case Arithmetic(kind):
            return [kind]
        case Round(dtype):
            return ["round", dtype]
        case Prune(limit, keeps_limit):
            return ["prune", text_of(limit), "below" if keeps_limit else "to"]
        case Mask():
            return ["mask"]
        case LowRank(rank, columns):
            return ["low_rank", rank, columns]
        case Largest(block):
            return ["largest", block]


def step_of_row(row: object) -> Step:
    """The step that is written down so. Raises MalformedEncoding for anything else."""
    if not isinstance(row, list) or not row or not isinstance(row[0], str):
        raise MalformedEncoding("A prediction's step is no list that begins with its name.")
    name, parameters = row[0], row[1:]
    found = _READERS.get(name)
    if found is None:
        raise MalformedEncoding(f"There is no step {name[:20]!r}.")
    read, count = found
    if len(parameters) != count:
        raise MalformedEncoding(f"The step {name!r} has {len(parameters)} parameters instead of {count}.")
    return read(parameters)


def _whole(value: object, largest: int) -> int:
    if type(value) is not int or not 0 <= value <= largest:
        raise MalformedEncoding(f"A step's parameter is no whole number up to {largest}.")
    return value


def _positive(value: object, largest: int) -> int:
    found = _whole(value, largest)
    if found == 0:
        raise MalformedEncoding("A step's parameter is 0.")
    return found


def _number(parameters: Sequence[object]) -> Number:
    value, width = float_of(parameters[0]), parameters[1]
    if width == "F64":
        return Number(value, "F64")
    if width != "F32":
        raise MalformedEncoding("A step's number is neither F32 nor F64.")
    return Number(value)


def _round(parameters: Sequence[object]) -> Round:
    dtype = parameters[0]
    if not isinstance(dtype, str) or dtype not in FLOAT_TYPES:
        raise MalformedEncoding("A step rounds to a type that is none of floats.")
    return Round(dtype)


def _prune(parameters: Sequence[object]) -> Prune:
    if parameters[1] not in ("below", "to"):
        raise MalformedEncoding("A step prunes neither below a limit nor to it.")
    return Prune(float_of(parameters[0]), parameters[1] == "below")


def _arithmetic(kind: ArithmeticKind) -> "_Reader":
    return (lambda _: Arithmetic(kind)), 0


_Reader: TypeAlias = tuple[Callable[[Sequence[object]], Step], int]
_READERS: Mapping[str, _Reader] = MappingProxyType(
    {kind: _arithmetic(kind) for kind in get_args(ArithmeticKind)}
    | {
        "load": (lambda row: Load(_whole(row[0], MAX_SOURCES - 1)), 1),
        "number": (_number, 2),
        "round": (_round, 1),
        "prune": (_prune, 2),
        "mask": (lambda _: Mask(), 0),
        "low_rank": (
            lambda row: LowRank(_positive(row[0], MAX_RANK), _positive(row[1], MAX_BLOCK_VALUES)),
            2,
        ),
        "largest": (lambda row: Largest(_positive(row[0], MAX_BLOCK_VALUES)), 1),
    }
)
