"""What lies in a cell rounds to its level, and what lies outside of it does not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allmende.weights.rounding_cells import even_cell, listed_cell

LEVELS = st.lists(st.floats(-4, 4, width=16), min_size=2, max_size=16, unique=True)


@given(LEVELS, st.sampled_from([-2.0, -0.25, 0.5, 3.0]), st.floats(-20, 20))
def test_listed_cells_hold_just_what_is_rounded_to_them(levels, scale, value):
    units = np.array(levels)
    lower, upper = listed_cell(units, units, scale)
    distances = np.abs(units * scale - value)
    inside = (value - units * scale >= -lower) & (value - units * scale <= upper)
    assert inside[distances.argmin()]
    assert np.all(distances[inside] <= distances.min() + 1e-9)


@given(st.integers(-8, 7), st.sampled_from([-0.5, 0.25, 2.0]), st.floats(-20, 20))
def test_even_cells_hold_just_what_is_rounded_to_them(code, step, value):
    codes = np.arange(-8, 8, dtype=np.float64)
    lower, upper = even_cell(codes, np.array(step), -8, 7)
    distances = np.abs(codes * step - value)
    inside = (value - codes * step >= -lower) & (value - codes * step <= upper)
    assert inside[distances.argmin()]
    assert np.all(distances[inside] <= distances.min() + 1e-9)


def test_zero_scales_and_levels_that_are_none_have_no_cells():
    levels = np.array([-1.0, 0.0, np.nan, np.inf])
    lower, upper = listed_cell(levels, levels, np.array([1.0, 0.0, 1.0, 1.0]))
    assert lower.tolist() == [np.inf, 0, 0, 0]
    assert upper.tolist() == [0.5, 0, 0, 0]
    nothing = np.full(3, np.nan)
    assert listed_cell(nothing, nothing, 1.0)[0].tolist() == [0, 0, 0]
    assert [edge.tolist() for edge in even_cell(np.array([-8.0, 7.0]), np.zeros(2), -8, 7)] == [
        [0, 0],
        [0, 0],
    ]
