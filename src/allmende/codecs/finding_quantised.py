"""Finding what was quantised from one stored tensor: blocks of ggml, int8, fp8 and NF4, and their scales."""

import math
from collections.abc import Iterator

import numpy as np

from allmende.codecs.drafts import Draft, Open
from allmende.codecs.ggml import GGML_KINDS, GGML_ROUNDINGS
from allmende.codecs.outputs import Blocks, Codes, Output, Words
from allmende.codecs.rounding import numbers_of
from allmende.codecs.samples import Sample, Sampled
from allmende.codecs.steps import Arithmetic, Largest, Load, Number, Round, Step

__all__ = ["find_blocks", "find_codes", "find_scales", "scale_of"]

_THROUGH: tuple[tuple[Step, ...], ...] = ((), (Round("BF16"),), (Round("F16"),))
_SMALLEST_SCALE = float(np.float32(1e-12))
_LARGEST_CODE = {
    "I8": 127.0,
    "F8_E4M3": 448.0,
    "F8_E5M2": 57344.0,
    "F8_E4M3FNUZ": 240.0,
    "F8_E5M2FNUZ": 57344.0,
}
_DIV, _MUL, _MAX = Arithmetic("div"), Arithmetic("mul"), Arithmetic("max")
_NF4_BLOCKS = (64, 128, 256, 512)


def find_blocks(sample: Sample) -> Iterator[Draft]:
    """Blocks of ggml: of each candidate, straight and by way of 16 bits, in each writer's rounding."""
    kind = sample.child.dtype
    if kind not in GGML_KINDS:
        return
    for one in sample.floats:
        for rounding in GGML_ROUNDINGS:
            if rounding == ("fused" if kind == "Q8_0" else "even"):
                continue
            for chain in _ways(one):
                yield Draft([one], (Load(0), *chain), Blocks(kind, rounding))


def find_codes(sample: Sample) -> Iterator[Draft]:
    """Codes whose scale stands elsewhere: int8 and fp8 by rows or as a whole, NF4 by blocks."""
    dtype = sample.child.dtype
    if dtype in _LARGEST_CODE:
        for one in sample.floats:
            for chain in _ways(one):
                yield from _scaled(sample, one, chain)
    elif dtype == "U8" and sample.child.plain.size_bytes * 2 == sample.values:
        for one in sample.floats:
            for chain in _ways(one):
                for block in _NF4_BLOCKS:
                    for steps in _by_blocks((Load(0), *chain), block, 1.0):
                        yield Draft([one], steps, Codes("NF4"))


def find_scales(sample: Sample) -> Iterator[Draft]:
    """The scales themselves: the largest size of each row or block, as it is or by the largest code."""
    dtype = sample.child.dtype
    size = {"F32": 4, "F16": 2, "BF16": 2}.get(dtype)
    if size is None or sample.child.plain.size_bytes == 0:
        return
    every, rest = divmod(sample.values * size, sample.child.plain.size_bytes)
    if rest or every < 2:
        return
    for one in sample.floats:
        for chain in _ways(one):
            for divisor in (1.0, 127.0, 448.0):
                steps = (Load(0), *chain, Largest(every), *_parts(divisor))
                yield Draft([one], steps, Words(dtype, every))
                yield Draft([one], (*steps, Number(_SMALLEST_SCALE), _MAX), Words(dtype, every))


def _ways(one: Sampled) -> Iterator[tuple[Step, ...]]:
    if one.source.words == "F64":
        yield (Round("F32"),)
        return
    yield from (chain for chain in _THROUGH if one.source.words == "F32" or not chain)


def _scaled(sample: Sample, one: Sampled, chain: tuple[Step, ...]) -> Iterator[Draft]:
    values: tuple[Step, ...] = (Load(0), *chain)
    dtype = sample.child.dtype
    code = _LARGEST_CODE[dtype]
    if one.columns > 1:
        for steps in _by_blocks(values, one.columns, code):
            yield Draft([one], steps, Words(dtype))
    if chain and one.source.words != "F64":
        # With one scale for all a detour by 16 bits is too rare for the trials that it costs.
        return
    guess = _fitting_scale(sample, one)
    for last in (_DIV, _MUL) if guess else ():
        scale = float(np.float32(guess if last == _DIV else 1 / guess))
        if 0 < scale < math.inf:
            yield Draft([one], (*values, Number(scale), last), Words(dtype), Open.LARGEST)


def _fitting_scale(sample: Sample, one: Sampled) -> float:
    """The one scale that brings a candidate nearest to the child; 0 if there is none."""
    data = sample.child_bytes(Words(sample.child.dtype))
    if data is None:
        return 0.0
    words = sample.child.dtype
    codes = data.view(np.int8) if words == "I8" else numbers_of(data.data, words)
    known = np.isfinite(codes) & np.isfinite(one.numbers)
    wide, parents = codes[known].astype(np.float64), one.numbers[known].astype(np.float64)
    squares = float(np.sum(wide * wide))
    return max(0.0, float(np.sum(wide * parents)) / squares) if squares else 0.0


def scale_of(largest: np.float32, output: Output, *, inverse: bool) -> float:
    """The scale by which a largest value becomes the largest code, or its inverse; not finite for zeros."""
    assert isinstance(output, Words), "codes with a scale of their own are words"
    code = np.float32(_LARGEST_CODE[output.dtype])
    with np.errstate(all="ignore"):
        return float(code / largest if inverse else largest / code)


def _by_blocks(values: tuple[Step, ...], block: int, code: float) -> Iterator[tuple[Step, ...]]:
    """Values in shares of their block's largest: divided by the scale, or multiplied with its inverse."""
    largest: tuple[Step, ...] = (*values, Largest(block))
    floor: tuple[Step, ...] = (Number(_SMALLEST_SCALE), _MAX)
    yield (*values, *largest, *_parts(code), *floor, _DIV)
    yield (*values, Number(code), *largest, *floor, _DIV, _MUL)


def _parts(divisor: float) -> tuple[Step, ...]:
    return () if divisor == 1 else (Number(divisor), _DIV)
