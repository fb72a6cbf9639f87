"""Views answer what a copy would, in whatever pieces they are read."""

import numpy as np
import pytest

from allmende.weights.number_types import spacing
from allmende.weights.tensors import Source, WeightTensor
from allmende.weights.views import Offset, RowsMoved, Transposed, part_of
from tests.weight_tensors import tensor_of

ROWS, COLUMNS = 96, 64
VALUES = np.random.default_rng(5).normal(size=(ROWS, COLUMNS)).astype(np.float32)
NEAR = np.arange(ROWS).reshape(-1, 8, 2).swapaxes(1, 2).ravel()
FAR = np.arange(ROWS).reshape(3, -1, 4).swapaxes(0, 1).ravel()
PIECES = [(0, ROWS * COLUMNS), (0, 1), (5, 0), (63, 2), (70, 4500), (ROWS * COLUMNS - 3, 3)]


def base(dtype: str) -> WeightTensor:
    return tensor_of("base", VALUES, dtype)


def views(dtype: str) -> dict[str, tuple[Source, np.ndarray]]:
    tensor = base(dtype)
    held = tensor.values().reshape(ROWS, COLUMNS)
    return {
        "near": (RowsMoved(tensor.source, NEAR, COLUMNS), held[NEAR]),
        "far": (RowsMoved(tensor.source, FAR, COLUMNS), held[FAR]),
        "transposed": (Transposed(tensor.source, ROWS, COLUMNS), held.T),
        "offset": (Offset(tensor.source, 1.0, dtype), held - np.float32(1)),
    }


@pytest.mark.parametrize("dtype", ["F32", "F16", "Q8_0", "Q4_0"])
@pytest.mark.parametrize("view", ["near", "far", "transposed", "offset"])
def test_a_view_answers_what_a_copy_would(view: str, dtype: str) -> None:
    source, expected = views(dtype)[view]
    flat = expected.ravel()
    for first, count in PIECES:
        np.testing.assert_array_equal(source.values(first, count), flat[first : first + count])
    positions = np.random.default_rng(1).integers(0, flat.size, (7, 9))
    np.testing.assert_array_equal(source.at(positions), flat[positions])
    assert source.spans == base(dtype).source.spans or len(source.spans) == 1


@pytest.mark.parametrize("view", ["near", "far", "transposed"])
def test_rounding_cells_move_with_their_values(view: str) -> None:
    tensor = base("Q4_0")
    cell = tensor.source.rounding_cell(0, tensor.elements)
    assert cell is not None
    source, _ = views("Q4_0")[view]
    moved = {
        "near": lambda edge: edge[NEAR], "far": lambda edge: edge[FAR], "transposed": lambda edge: edge.T,
    }[view]  # fmt: skip
    for first, count in PIECES:
        found = source.rounding_cell(first, count)
        assert found is not None
        for side in (0, 1):
            expected = moved(cell[side].reshape(ROWS, COLUMNS)).ravel()[first : first + count]
            np.testing.assert_array_equal(found[side], expected)


def test_plain_numbers_have_no_cells_when_moved_and_those_of_before_when_offset() -> None:
    assert views("F32")["near"][0].rounding_cell(0, 3) is None
    assert views("F32")["transposed"][0].rounding_cell(0, 3) is None
    tensor = tensor_of("norm", np.full(4, 1.001, np.float32))
    found = Offset(tensor.source, 1.0, "F32").rounding_cell(0, 4)
    assert found is not None
    np.testing.assert_array_equal(found[0], spacing(tensor.values(), "F32") / 2)
    np.testing.assert_array_equal(found[0], found[1])


def test_rows_of_a_vector_move_too() -> None:
    tensor = tensor_of("bias", VALUES[:, 0])
    np.testing.assert_array_equal(RowsMoved(tensor.source, NEAR, 1).values(3, 40), VALUES[NEAR, 0][3:43])


@pytest.mark.parametrize("dtype", ["F16", "Q8_0"])
def test_a_part_is_made_of_its_own_bytes_only(dtype: str) -> None:
    whole = tensor_of("experts", VALUES.reshape(3, 32, 64), dtype)
    parts = [part_of(whole, f"expert {number}", number) for number in range(3)]
    held = whole.values().reshape(3, 32, 64)
    for number, part in enumerate(parts):
        assert part is not None
        assert part.shape == (32, 64)
        np.testing.assert_array_equal(part.values().reshape(part.shape), held[number])
    assert len({part.digest() for part in parts if part}) == 3


def test_what_does_not_lie_apart_is_not_parted() -> None:
    moved = WeightTensor("x", "F32", (ROWS, COLUMNS), views("F32")["near"][0])
    assert part_of(moved, "row", 0) is None
