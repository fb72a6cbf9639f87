"""A tensor whose words lie in another order than its shape, as a place where they lie in that order.

torch saves views into storages as they are (transposed, sliced, spread), and npy has arrays in the order of
Fortran. Read through this place such a tensor is like any other: its values, its digest and its samples are
those of the same tensor written row by row.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from allmende.weights.errors import BytesMissing
from allmende.weights.number_types import number_type
from allmende.weights.places import MappedFile
from allmende.weights.tensors import PlainWords, Span

__all__ = ["words_in_order"]

_READ_BYTES = 16 * 1024 * 1024
_NEAR_BYTES = 64 * 1024
_NEAR_BYTES_OF_MANY = 1024 * 1024
_MANY = 4096


def words_in_order(
    storage: Span, dtype: str, shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0
) -> PlainWords:
    """The words at `offset + sum(index * stride)` of a storage (counted in words of `dtype`), row by row.

    The caller has checked that they lie within the storage.
    """
    words = number_type(dtype)
    assert words is not None, f"{dtype} is not a type of whole words"
    count = math.prod(shape)
    if _in_order(shape, stride) or not count:
        start = storage.start + offset * words.itemsize
        return PlainWords(Span(storage.place, start, count * words.itemsize), dtype)
    place = _RowMajorPlace(storage, words.itemsize, shape, stride, offset)
    return PlainWords(Span(place, 0, place.size_bytes), dtype)


def _in_order(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    expected = 1
    for length, step in zip(reversed(shape), reversed(stride), strict=True):
        if length != 1 and step != expected:
            return False
        expected *= length
    return True


class _RowMajorPlace:
    """Words near each other are read together, 16 MiB at most: this and what is asked for bound memory."""

    def __init__(
        self, storage: Span, word_bytes: int, shape: tuple[int, ...], stride: tuple[int, ...], offset: int
    ) -> None:
        self.name = storage.place.name
        self.size_bytes = math.prod(shape) * word_bytes
        self._storage = storage
        self._word_bytes = word_bytes
        self._shape = shape
        self._stride = stride
        self._offset = offset

    def read_at(self, start: int, count: int) -> memoryview:
        """See Place."""
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise BytesMissing(f"A tensor in {self.name} has {self.size_bytes} bytes, not {start + count}.")
        first, end = start // self._word_bytes, -(-(start + count) // self._word_bytes)
        words = self._gathered(np.arange(first, end, dtype=np.int64))
        begin = start - first * self._word_bytes
        return memoryview(words.tobytes())[begin : begin + count]

    def _gathered(self, positions: NDArray[np.int64]) -> NDArray[np.void]:
        word = np.dtype((np.void, self._word_bytes))
        places = self._in_storage(positions)
        if isinstance(self._storage.place, MappedFile):
            # Nothing of a mapped file is read before it is touched.
            count = self._storage.size_bytes // self._word_bytes
            return np.frombuffer(self._storage.read(0, count * self._word_bytes), word)[places]
        wanted, inverse = np.unique(places, return_inverse=True)
        found = np.empty(wanted.shape, word)
        for begin, end in _read_together(wanted, self._word_bytes):
            start, last = int(wanted[begin]), int(wanted[end - 1])
            raw = self._storage.read(start * self._word_bytes, (last - start + 1) * self._word_bytes)
            found[begin:end] = np.frombuffer(raw, word)[wanted[begin:end] - start]
        return found[inverse]

    def _in_storage(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        rest = positions
        found = np.full(positions.shape, self._offset, np.int64)
        for length, step in zip(reversed(self._shape), reversed(self._stride), strict=True):
            rest, index = np.divmod(rest, length)
            found += index * step
        return found


def _read_together(wanted: NDArray[np.int64], word_bytes: int) -> Iterator[tuple[int, int]]:
    """Runs of places (sorted) that are near each other, as ranges of their indices."""
    near = (_NEAR_BYTES if len(wanted) < _MANY else _NEAR_BYTES_OF_MANY) // word_bytes
    most = _READ_BYTES // word_bytes
    begin = 0
    for end in [*(np.flatnonzero(np.diff(wanted) > near) + 1).tolist(), len(wanted)]:
        while begin < end:
            until = begin + int(np.searchsorted(wanted[begin:end], wanted[begin] + most))
            yield begin, until
            begin = until
