"""Programs: a prediction's steps, checked as a whole and run on a stretch of values.

A program is checked before it runs: the stack never runs empty or deep, both sides of a sum have one width,
and one row of values is left. It then runs on any stretch that begins and ends at whole blocks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.errors import MalformedEncoding, PredictionImpossible
from allmende.codecs.rounding import Numbers, rounded_to
from allmende.codecs.steps import (
    MAX_BLOCK_VALUES,
    Arithmetic,
    Largest,
    Load,
    LowRank,
    Mask,
    Number,
    Prune,
    Round,
    Step,
    Width,
)

__all__ = ["MAX_STEPS", "Inputs", "block_values", "check_program", "require_exact_arithmetic", "run_program"]

MAX_STEPS = 64
_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run starts from: the values of a source, the bits of the mask, and those of the product."""

    load: Callable[[int], Numbers]
    bits: Callable[[], NDArray[np.bool_]]
    product: Callable[[LowRank], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of a place on the stack without running."""

    width: Width
    is_row: bool


def check_program(steps: Sequence[Step], wide_sources: Sequence[bool]) -> Width:
    """Raise MalformedEncoding unless the steps can run; how wide the values are that they leave.

    `wide_sources` says of each source whether its values are float64.
    """
    if not 1 <= len(steps) <= MAX_STEPS:
        raise MalformedEncoding(f"A prediction has {len(steps)} steps; it may have 1 to {MAX_STEPS}.")
    stack: list[_Kept] = []
    for step in steps:
        _check_step(step, stack, wide_sources)
        if len(stack) > _MAX_DEPTH:
            raise MalformedEncoding("A prediction keeps more values at once than are allowed.")
    if len(stack) != 1 or not stack[0].is_row:
        raise MalformedEncoding("A prediction's steps do not leave one row of values.")
    return stack[0].width


def _check_step(step: Step, stack: list[_Kept], wide_sources: Sequence[bool]) -> None:
    match step:
        case Load(source):
            if source >= len(wide_sources):
                raise MalformedEncoding(f"A prediction has no source {source}.")
            stack.append(_Kept("F64" if wide_sources[source] else "F32", is_row=True))
        case Number(value, width):
            _check_width(value, width)
            stack.append(_Kept(width, is_row=False))
        case LowRank():
            stack.append(_Kept("F32", is_row=True))
        case Arithmetic():
            above, below = _taken(stack), _taken(stack)
            if above.width != below.width or not (above.is_row or below.is_row):
                raise MalformedEncoding(
                    "A prediction reckons with values of two widths, or with numbers only."
                )
            stack.append(_Kept(below.width, is_row=True))
        case Round(dtype):
            _row(stack)
            stack.append(_Kept("F64" if dtype == "F64" else "F32", is_row=True))
        case Prune(limit):
            stack.append(_row(stack))
            _check_width(limit, stack[-1].width)
        case Mask() | Largest():
            stack.append(_row(stack))


def _taken(stack: list[_Kept]) -> _Kept:
    if not stack:
        raise MalformedEncoding("A prediction's step finds nothing to work on.")
    return stack.pop()


def _row(stack: list[_Kept]) -> _Kept:
    found = _taken(stack)
    if not found.is_row:
        raise MalformedEncoding("A prediction's step works on a number where a row belongs.")
    return found


def _check_width(value: float, width: Width) -> None:
    with np.errstate(over="ignore"):
        if width == "F32" and float(np.float32(value)) != value:
            raise MalformedEncoding("A prediction's number is wider than the values that it meets.")


def block_values(steps: Sequence[Step], *others: int) -> int:
    """At whole multiples of how many values a stretch may begin and end. Raises MalformedEncoding.

    `others` are blocks that what comes after the program asks for.
    """
    found = math.lcm(*others, *(step.block for step in steps if isinstance(step, Largest)))
    if found > MAX_BLOCK_VALUES:
        raise MalformedEncoding("A prediction's blocks fit together only in longer runs than are allowed.")
    return found


@cache
def require_exact_arithmetic() -> None:
    """Raise PredictionImpossible in a process whose arithmetic drops denormal numbers.

    Some libraries switch this on for the whole process when they are loaded. Whatever was predicted so would
    be refused by the check of its block; this says why.
    """
    smallest = np.full(16, 1, np.uint32).view(np.float32)
    if not np.array_equal((smallest * np.float32(1)).view(np.uint32), smallest.view(np.uint32)):
        raise PredictionImpossible(
            "A library in this process has switched off arithmetic with very small numbers.",
            hint="Start without the libraries that were built with -ffast-math.",
        )


def run_program(steps: Sequence[Step], inputs: Inputs) -> Numbers:
    """The values that checked steps leave. Every NaN is the same one if anything was reckoned."""
    stack: list[Numbers] = []
    with np.errstate(all="ignore"):
        for step in steps:
            _run_step(step, stack, inputs)
    found = stack.pop()
    if any(isinstance(step, Arithmetic | LowRank | Largest) for step in steps):
        nan = np.isnan(found)
        if nan.any():
            # Processors differ in the sign and payload of a NaN that arithmetic gives.
            found[nan] = np.nan
    return found


def _run_step(step: Step, stack: list[Numbers], inputs: Inputs) -> None:
    match step:
        case Load(source):
            stack.append(inputs.load(source))
        case Number(value, width):
            stack.append(np.full(1, value, np.float32) if width == "F32" else np.full(1, value, np.float64))
        case LowRank():
            stack.append(inputs.product(step))
        case Arithmetic(kind):
            above, below = stack.pop(), stack.pop()
            stack.append(_reckoned(kind, below, above))
        case Round(dtype):
            stack.append(rounded_to(stack.pop(), dtype))
        case Prune(limit, keeps_limit):
            size = np.abs(stack[-1])
            stack.append(_zeroed(stack.pop(), size < limit if keeps_limit else size <= limit))
        case Mask():
            stack.append(_zeroed(stack.pop(), ~inputs.bits()))
        case Largest(block):
            stack.append(_largest(stack.pop(), block))


def _zeroed(values: Numbers, where: NDArray[np.bool_]) -> Numbers:
    found: Numbers = np.where(where, values.dtype.type(0), values)
    return found


def _largest(values: Numbers, block: int) -> Numbers:
    found: Numbers = np.repeat(np.abs(values).reshape(-1, block).max(axis=1), block)
    return found


def _reckoned(kind: str, below: Numbers, above: Numbers) -> Numbers:
    match kind:
        case "add":
            return below + above
        case "sub":
            return below - above
        case "mul":
            return below * above
        case "div":
            return below / above
        case _:
            greater: Numbers = np.where(below > above, below, above)
            return greater
