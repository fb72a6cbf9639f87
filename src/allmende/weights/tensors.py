"""A tensor of a model: what it is called, what shape and type it has, and its values, read where they lie.

`values` and `at` answer float32 (or float64), whatever the tensor is stored in; a quantised tensor says with
`rounding_cell` which values it would have rounded to these. Nothing is kept: each call reads its bytes anew.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from allmende.weights.number_types import Floats, decode, number_type
from allmende.weights.places import MappedFile, Place

__all__ = ["Cell", "PlainWords", "Source", "Span", "WeightTensor"]

Cell: TypeAlias = tuple[Floats, Floats]
"""Distances to the lower and to the upper edge of a rounding cell, both at least zero."""

_READ_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Span:
    """A run of bytes in a place."""

    place: Place
    start: int
    size_bytes: int

    def read(self, first: int, count: int) -> memoryview:
        """`count` bytes of it from `first` on."""
        return self.place.read_at(self.start + first, count)

    def pieces(self) -> Iterator[memoryview]:
        """All of it, 8 MiB at a time."""
        for first in range(0, self.size_bytes, _READ_BYTES):
            yield self.read(first, min(_READ_BYTES, self.size_bytes - first))


class Source(Protocol):
    """How the values of a tensor are had from its bytes, in the row-major order of its shape."""

    @property
    def spans(self) -> tuple[Span, ...]:
        """All bytes that make the tensor; the first are its own, the others scales and the like."""
        ...

    def values(self, first: int, count: int) -> Floats:
        """`count` values from the flat position `first` on."""
        ...

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """The values at flat positions, in the shape of `positions`."""
        ...

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """For a quantised tensor the distance from each of these values to the lower and to the upper edge of
        what rounds to it; None for plain numbers, and where a value's level depends on its neighbours.

        At the lowest and the highest level one of them is infinite, since all beyond is clamped. Where the
        scale is zero both are zero. Writers that round with a scale which they then store as a narrower type
        make wider cells; the distances include that.
        """
        ...


@dataclass(frozen=True, slots=True)
class WeightTensor:
    """One tensor. `dtype` is that of safetensors, or of ggml for its quantised types, or a name such as
    NF4.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    source: Source

    @property
    def elements(self) -> int:
        """How many values it has; one for a scalar."""
        return math.prod(self.shape)

    @property
    def matrix(self) -> tuple[int, int]:
        """Its shape as rows and columns: the first dimension, and all others together."""
        return (self.shape[0], math.prod(self.shape[1:])) if len(self.shape) > 1 else (1, self.elements)

    def values(self, first: int = 0, count: int | None = None) -> Floats:
        """Values in row-major order; all without arguments. Raises BytesMissing."""
        return self.source.values(first, self.elements - first if count is None else count)

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """The values at flat positions."""
        return self.source.at(positions)

    def rows(self, chosen: NDArray[np.int64]) -> Floats:
        """Whole rows of its matrix, as an array of (rows chosen, columns)."""
        width = self.matrix[1]
        found = [self.source.values(int(row) * width, width) for row in chosen]
        return np.stack(found) if found else np.empty((0, width), np.float32)

    def pieces(self, count: int = 1 << 20) -> Iterator[tuple[int, Floats]]:
        """All values, at most `count` at a time, each with its flat position: bounded memory."""
        for first in range(0, self.elements, count):
            yield first, self.source.values(first, min(count, self.elements - first))

    def digest(self) -> str:
        """BLAKE3 of the bytes that it is made of: equal digests and types are equal tensors."""
        hasher = blake3()
        for span in self.source.spans:
            for piece in span.pieces():
                hasher.update(piece)
        return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class PlainWords:
    """One word a value, as safetensors, npy, ONNX and the unquantised types of GGUF have them."""

    span: Span
    dtype: str

    @property
    def spans(self) -> tuple[Span, ...]:
        """See Source."""
        return (self.span,)

    def values(self, first: int, count: int) -> Floats:
        """See Source."""
        words = _words_of(self.dtype)
        raw = self.span.read(first * words.itemsize, count * words.itemsize)
        return decode(np.frombuffer(raw, words), self.dtype)

    def at(self, positions: NDArray[np.int64]) -> Floats:
        """See Source."""
        words = _words_of(self.dtype)
        if positions.size == 0:
            return np.empty(positions.shape, np.float32)
        if isinstance(self.span.place, MappedFile):
            # Nothing of a mapped file is read before it is touched.
            whole = np.frombuffer(self.span.read(0, self.span.size_bytes), words)
            return decode(whole[positions], self.dtype)
        starts, inverse = _runs(positions.ravel())
        read = [
            self.span.read(start * words.itemsize, (end - start) * words.itemsize) for start, end in starts
        ]
        found = np.concatenate([np.frombuffer(raw, words) for raw in read])
        return decode(found[inverse], self.dtype).reshape(positions.shape)

    def rounding_cell(self, first: int, count: int) -> Cell | None:
        """See Source."""
        return None


def _words_of(dtype: str) -> "np.dtype[Any]":
    words = number_type(dtype)
    assert words is not None, f"{dtype} is not a type of whole words"
    return words


def _runs(positions: NDArray[np.int64]) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """Neighbouring positions joined to runs, and for each position its place in what the runs hold."""
    order, inverse = np.unique(positions, return_inverse=True)
    breaks = np.flatnonzero(np.diff(order) > 1) + 1
    firsts = order[np.concatenate(([0], breaks))]
    lasts = order[np.concatenate((breaks - 1, [len(order) - 1]))]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)], inverse
