"""Samples: the same places of a tensor and of what it may have come from, and how predictions fit there.

What is read are runs of values, spread evenly, that begin and end at whole rows and whole blocks. A small
tensor is read whole.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.errors import MalformedEncoding, PredictionImpossible
from allmende.codecs.objects import Plain, Reference, ReferenceBytes, Resolve
from allmende.codecs.outputs import Blocks, Codes, Output, Words, output_bytes, written
from allmende.codecs.predictions import SOURCE_WORDS, Source, source_word_bytes
from allmende.codecs.programs import Inputs, block_values, run_program
from allmende.codecs.rounding import FLOAT_TYPES, Numbers, numbers_of
from allmende.codecs.steps import LowRank, Step

__all__ = ["Candidate", "Child", "Fit", "Sample", "Sampled", "draw_sample"]

_ALL_BELOW = 1 << 16
_RUNS, _RUN_VALUES, _LONGEST_UNIT = 12, 2048, 1 << 15
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Child:
    """The bytes for which a prediction is sought.

    `dtype` is a name of safetensors, or the name of a type of blocks of ggml; anything else is read as U8.
    `columns` is the length of a row, in values; 1 for what has no rows.
    """

    plain: Plain
    dtype: str
    columns: int = 1

    @property
    def words(self) -> str:
        """As which of SOURCE_WORDS the bytes are compared."""
        return self.dtype if self.dtype in SOURCE_WORDS else "U8"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Stored bytes from which a child may have been made; `dtype` and `columns` as those of a child.

    `origin` says from which file it is: what was found for one tensor of two files is tried first for others.
    """

    reference: Reference
    dtype: str
    columns: int = 1
    origin: str = ""

    @property
    def source(self) -> Source:
        """The candidate as a prediction names it."""
        return Source(self.reference, self.dtype if self.dtype in SOURCE_WORDS else "U8")


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a prediction met a sample: the share of words that were equal, and bits lacking per byte."""

    equal: float
    bits: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """A candidate, where it was read."""

    number: int
    origin: str
    source: Source
    columns: int
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Sample:
    """The child's bytes at the runs, and the candidates there that have as many values as is said.

    `values` is how many values each source has; `count` how many of them were read. Unless all were, runs are
    whole multiples of `unit`.
    """

    child: Child
    values: int
    runs: tuple[tuple[int, int], ...]
    candidates: tuple[Sampled, ...]
    unit: int
    _seen: dict[tuple[int, int], NDArray[np.uint8]] = field(default_factory=dict)
    _numbers: list[Numbers] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many values were read."""
        return sum(count for _, count in self.runs)

    def child_bytes(self, output: Output) -> NDArray[np.uint8] | None:
        """The child's bytes for the values read, if it has as many as this output makes of all values."""
        values, size = output_bytes(output)
        whole = self.values % values == 0 and self.values // values * size == self.child.plain.size_bytes
        if not whole or any(first % values or count % values for first, count in self.runs):
            return None
        if (values, size) not in self._seen:
            read = [
                self.child.plain.read_at(first // values * size, count // values * size)
                for first, count in self.runs
            ]
            self._seen[values, size] = np.frombuffer(b"".join(read), np.uint8)
        return self._seen[values, size]

    def child_numbers(self) -> Numbers | None:
        """The child's values, if it is of floats, as many as each candidate's."""
        if self.child.dtype not in FLOAT_TYPES:
            return None
        if not self._numbers:
            found = self.child_bytes(Words(self.child.dtype))
            if found is None:
                return None
            self._numbers.append(numbers_of(found.data, self.child.dtype))
        return self._numbers[0]

    @property
    def floats(self) -> tuple[Sampled, ...]:
        """The candidates with which can be reckoned."""
        return tuple(one for one in self.candidates if one.source.words in FLOAT_TYPES)

    def fit(self, chosen: Sequence[Sampled], steps: Sequence[Step], output: Output) -> Fit | None:
        """How well steps over these candidates, so written, meet the child. None if they cannot be tried.

        A mask is taken to keep what is not zero in the child.
        """
        child = self.child_bytes(output) if self._has_whole_blocks(steps, output) else None
        if child is None:
            return None
        numbers = run_program(steps, Inputs(lambda one: chosen[one].numbers, self._kept, _no_product))
        return _fit(written(numbers, output), child, output)

    def part(self) -> "Sample":
        """Only the first values of the first run, by whole rows."""
        first, count = self.runs[0]
        count = min(count, self.unit * -(-_RUN_VALUES // self.unit))
        if count == self.count:
            return self
        candidates = tuple(replace(one, numbers=one.numbers[:count]) for one in self.candidates)
        return Sample(self.child, self.values, ((first, count),), candidates, self.unit)

    def _kept(self) -> NDArray[np.bool_]:
        numbers = self.child_numbers()
        assert numbers is not None, "only values of floats are masked"
        kept: NDArray[np.bool_] = numbers != 0
        return kept

    def _has_whole_blocks(self, steps: Sequence[Step], output: Output) -> bool:
        try:
            block = block_values(steps, output_bytes(output)[0])
        except MalformedEncoding:
            return False
        return not (self.values % block or any(first % block or count % block for first, count in self.runs))


def _no_product(step: LowRank) -> NDArray[np.float32]:
    raise PredictionImpossible(f"A product of rank {step.rank} cannot be tried on a sample.")


def draw_sample(child: Child, candidates: Sequence[Candidate], values: int, resolve: Resolve) -> Sample:
    """Read those of the candidates that have this many values. Raises what reading raises."""
    chosen = [
        (number, candidate)
        for number, candidate in enumerate(candidates)
        if candidate.source.values == values
    ]
    unit = math.lcm(_BLOCK, *{candidate.columns for _, candidate in chosen})
    unit = _BLOCK if unit > _LONGEST_UNIT else unit
    runs = _runs(values, unit)
    sampled = []
    for number, candidate in chosen:
        plain = ReferenceBytes(candidate.reference, resolve)
        size = source_word_bytes(candidate.source.words)
        read = b"".join([plain.read_at(first * size, count * size) for first, count in runs])
        sampled.append(
            Sampled(
                number,
                candidate.origin,
                candidate.source,
                candidate.columns,
                _numbers(read, candidate.source.words),
            )
        )
    return Sample(child, values, runs, tuple(sampled), unit)


def _numbers(data: bytes, words: str) -> Numbers:
    if words in FLOAT_TYPES:
        return numbers_of(data, words)
    return np.frombuffer(data, np.int8 if words == "I8" else np.uint8).astype(np.float32)


def _runs(values: int, unit: int) -> tuple[tuple[int, int], ...]:
    units = values // unit
    each = -(-_RUN_VALUES // unit)
    if values <= _ALL_BELOW or units < 2 * each:
        return ((0, values),)
    runs = min(_RUNS, units // each)
    starts = [(units - each) * number // max(1, runs - 1) for number in range(runs)]
    return tuple((start * unit, each * unit) for start in starts)


def _fit(predicted: NDArray[np.uint8], child: NDArray[np.uint8], output: Output) -> Fit:
    if isinstance(output, Blocks | Codes):
        equal = float(np.mean(predicted == child))
        return Fit(equal, 8 * (1 - equal))
    size = output_bytes(output)[1]
    left, right = (_in_order(data.view(f"<u{size}"), output.dtype) for data in (predicted, child))
    apart = np.abs(left - right)
    # A word that is off by d costs about twice log2(d), as numbers of any size are written without a bound.
    bits = np.log2((1 + apart).astype(np.float32))
    return Fit(1 - np.count_nonzero(apart) / len(apart), float(np.mean(bits, dtype=np.float64)) / size)


def _in_order(words: NDArray[np.unsignedinteger], dtype: str) -> NDArray[np.integer] | NDArray[np.float64]:
    """Words as numbers that are as far from each other as the words are."""
    size = words.dtype.itemsize
    if dtype in {"U8", "I8"}:
        return (words if dtype == "U8" else words.view(np.int8)).astype(np.int32)
    wide: type[np.signedinteger] = np.int32 if size < 4 else np.int64
    signed: NDArray[np.signedinteger] = words.view(f"<i{size}").astype(wide)
    placed = np.where(signed < 0, -(signed & ((1 << (8 * size - 1)) - 1)), signed)
    # Two of eight bytes may be further apart than such a word can tell.
    return placed if size < 8 else placed.astype(np.float64)
