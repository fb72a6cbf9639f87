"""Words in another order are read as NumPy shows them, from any place, in any part."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.weights.errors import BytesMissing
from allmende.weights.places import BytesPlace, MappedFile, Place
from allmende.weights.row_major import words_in_order
from allmende.weights.tensors import Span, WeightTensor

STORAGE = np.arange(5000, dtype=np.float32)


def places() -> list[Place]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(b"head" + STORAGE.tobytes())
        return [BytesPlace("x", path.read_bytes()), MappedFile("x", path)]


PLACES = places()


@given(
    st.sampled_from(PLACES),
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 120)), max_size=4),
    st.integers(0, 100),
    st.data(),
)
def test_any_view(place, dimensions, offset, draw):
    shape = tuple(length for length, _ in dimensions)
    stride = tuple(step for _, step in dimensions)
    expected = np.lib.stride_tricks.as_strided(STORAGE[offset:], shape, [step * 4 for step in stride]).ravel()
    words = words_in_order(Span(place, 4, STORAGE.nbytes), "F32", shape, stride, offset)
    tensor = WeightTensor("w", "F32", shape, words)
    assert np.array_equal(tensor.values(), expected)
    first = draw.draw(st.integers(0, expected.size - 1))
    count = draw.draw(st.integers(0, expected.size - first))
    assert np.array_equal(tensor.values(first, count), expected[first : first + count])
    chosen = np.array(draw.draw(st.lists(st.integers(0, expected.size - 1), max_size=5)), np.int64)
    assert np.array_equal(tensor.at(chosen), expected[chosen])
    assert b"".join(bytes(piece) for piece in words.span.pieces()) == expected.tobytes()


def test_parts_of_words_and_places_outside():
    words = words_in_order(Span(PLACES[0], 4, STORAGE.nbytes), "F32", (3, 2), (1, 3))
    whole = STORAGE[:6].reshape(2, 3).T.tobytes()
    assert bytes(words.span.read(3, 7)) == whole[3:10]
    with pytest.raises(BytesMissing):
        words.span.read(20, 5)
    with pytest.raises(BytesMissing):
        words.span.place.read_at(-1, 2)


def test_far_words_are_read_in_windows():
    """A place that refuses large reads: those of a transposed matrix stay below 16 MiB."""

    class Small(BytesPlace):
        largest = 0

        def read_at(self, start: int, count: int) -> memoryview:
            self.largest = max(self.largest, count)
            return super().read_at(start, count)

    rows, columns = 3000, 5000
    matrix = np.arange(rows * columns, dtype=np.float32)
    place = Small("x", matrix.tobytes())
    words = words_in_order(Span(place, 0, matrix.nbytes), "F32", (columns, rows), (1, columns))
    found = words.values(rows * 7, rows * 2)
    assert np.array_equal(found, matrix.reshape(rows, columns).T[7:9].ravel())
    assert place.largest <= 16 << 20
