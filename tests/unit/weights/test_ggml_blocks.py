"""Blocks of ggml: values as `gguf` has them, and cells that hold what was rounded."""

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

from allmende.formats import GGML_TYPES
from allmende.weights.ggml_blocks import GgmlBlocks, can_dequantise, ggml_type
from allmende.weights.places import BytesPlace
from allmende.weights.tensors import Span

QUANTISED = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
K_TYPES = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
READABLE = [kind.name for kind in GGML_TYPES.values() if can_dequantise(kind)]
SCALES_AT = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}


def source_of(name: str, raw: np.ndarray) -> GgmlBlocks:
    kind = ggml_type(name)
    assert kind is not None
    data = raw.tobytes()
    return GgmlBlocks(Span(BytesPlace("x", b"pad" + data), 3, len(data)), kind)


def random_blocks(name: str, count: int, seed: int = 1) -> np.ndarray:
    kind = ggml_type(name)
    assert kind is not None
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (count, kind.bytes_per_block), np.uint8)
    for at in SCALES_AT.get(name, ()):
        scales = rng.uniform(0.001, 0.1, (count, 1)).astype(np.float16)
        blocks[:, at : at + 2] = scales.view(np.uint8).reshape(count, 2)
    return blocks


@pytest.mark.parametrize("name", READABLE)
def test_values_of_random_blocks_are_those_of_gguf(name):
    blocks = random_blocks(name, 5)
    with np.errstate(all="ignore"):
        expected = dequantize(blocks, GGMLQuantizationType[name]).ravel()
    source = source_of(name, blocks)
    assert np.array_equal(source.values(0, expected.size), expected, equal_nan=True)
    first, count = expected.size // 3, expected.size // 2
    assert np.array_equal(source.values(first, count), expected[first : first + count], equal_nan=True)
    chosen = np.array([[0, expected.size - 1], [7, 7]])
    assert np.array_equal(source.at(chosen), expected[chosen], equal_nan=True)


def test_the_types_in_use_are_readable():
    assert {*QUANTISED, *K_TYPES, "TQ1_0", "TQ2_0", "MXFP4", "IQ4_NL", "IQ2_XXS"} <= set(READABLE)
    assert not can_dequantise(GGML_TYPES[0])


@pytest.mark.parametrize("name", QUANTISED)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 30.0])
def test_what_was_rounded_lies_in_the_cell(name, scale):
    original = (np.random.default_rng(3).standard_normal((64, 256)) * scale).astype(np.float32)
    source = source_of(name, quantize(original, GGMLQuantizationType[name]))
    cell = source.rounding_cell(0, original.size)
    assert cell is not None
    distance = original.ravel().astype(np.float64) - source.values(0, original.size)
    tiny = np.abs(original).max() * 1e-5
    assert np.all(-distance <= cell[0] + tiny)
    assert np.all(distance <= cell[1] + tiny)


@pytest.mark.parametrize("name", QUANTISED)
def test_a_neighbouring_level_lies_outside_of_the_cell(name):
    original = np.random.default_rng(4).standard_normal((64, 256)).astype(np.float32)
    source = source_of(name, quantize(original, GGMLQuantizationType[name]))
    cell = source.rounding_cell(0, original.size)
    assert cell is not None
    blocks = source.values(0, original.size).reshape(-1, 32)
    lower, upper = cell[0].reshape(-1, 32), cell[1].reshape(-1, 32)
    for at in range(len(blocks)):
        levels = np.unique(blocks[at])
        for value, below, above in zip(blocks[at], lower[at], upper[at], strict=True):
            others = levels[levels != value]
            assert not np.any((others > value - below * 0.999) & (others < value + above * 0.999))


@pytest.mark.parametrize("name", K_TYPES)
def test_cells_of_k_types_tile_the_line(name):
    """Where two values of a part are neighbouring levels, the upper edge of one is the lower of the other."""
    blocks = random_blocks(name, 40)
    source = source_of(name, blocks)
    size = 32 if name in {"Q4_K", "Q5_K"} else 16
    values = source.values(0, 40 * 256).astype(np.float64).reshape(-1, size)
    cell = source.rounding_cell(0, 40 * 256)
    assert cell is not None
    lower, upper = cell[0].reshape(-1, size), cell[1].reshape(-1, size)
    met = 0
    for row in range(len(values)):
        order = np.argsort(values[row])
        ordered, below, above = values[row][order], lower[row][order], upper[row][order]
        step = 2 * np.min(np.where(np.isfinite(below), below, above))
        for at in np.flatnonzero(np.diff(ordered) > 0):
            gap = ordered[at + 1] - ordered[at]
            assert gap > step * 0.999
            assert above[at] == pytest.approx(step / 2)
            assert below[at + 1] == pytest.approx(step / 2)
            met += gap == pytest.approx(step, rel=1e-3)
    assert met > 1000


@pytest.mark.parametrize("name", [*QUANTISED, *K_TYPES])
def test_ends_are_clamped_and_zero_scales_leave_nothing(name):
    source = source_of(name, random_blocks(name, 100))
    cell = source.rounding_cell(0, 100)
    assert cell is not None
    whole = source.rounding_cell(0, 100 * source.kind.block_elements)
    assert whole is not None
    assert np.isinf(whole[0]).any()
    assert np.isinf(whole[1]).any()
    assert np.array_equal(whole[0][:100], cell[0])
    zeros = source_of(name, np.zeros((1, source.kind.bytes_per_block), np.uint8))
    nothing = zeros.rounding_cell(0, 32)
    assert nothing is not None
    assert not nothing[0].any()
    assert not nothing[1].any()


def test_types_of_tables_have_no_cells():
    assert source_of("IQ2_XXS", random_blocks("IQ2_XXS", 1)).rounding_cell(0, 1) is None
