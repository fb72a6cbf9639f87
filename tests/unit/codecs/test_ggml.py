"""Blocks of ggml, against the package that its developers keep."""

from collections.abc import Callable

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import quantize

from allmende.codecs.ggml import GGML_KINDS, ggml_block_bytes, ggml_blocks

KINDS = sorted(GGML_KINDS)


def weights(seed: int, rows: int = 200) -> np.ndarray:
    random = np.random.default_rng(seed)
    sizes = 10.0 ** random.uniform(-6, 1, (rows, 1))
    return (sizes * random.standard_normal((rows, 96))).astype(np.float32)


def awkward() -> np.ndarray:
    rows = weights(5, 12)
    rows[0] = 0
    rows[1] = -0.0
    rows[2, ::2] = 0
    rows[3] = np.round(rows[3] / rows[3].max() * 127)
    rows[4] = 0.25
    rows[5, :32] = np.arange(-16, 16)
    rows[6] = np.abs(rows[6])
    rows[7] = -np.abs(rows[7])
    rows[8] *= np.float32(1e-30)
    rows[9] = np.where(np.arange(96) % 2, 1.0, -1.0)
    return rows


def between_levels(seed: int, levels: int) -> np.ndarray:
    """Values about half way between two levels of their block, where the last bit decides."""
    random = np.random.default_rng(seed)
    step = random.uniform(0.001, 0.01, (2000, 1)).astype(np.float32)
    blocks = step * (random.integers(0, levels - 1, (2000, 32)) - levels // 2 + np.float32(0.5))
    blocks[:, 0], blocks[:, 1] = -(levels // 2) * step[:, 0], (levels // 2 - 1) * step[:, 0]
    return blocks.astype(np.float32).ravel()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [lambda: weights(1), lambda: weights(2), awkward])
def test_blocks_are_those_of_the_reference(kind: str, make: Callable[[], np.ndarray]) -> None:
    values = make()
    with np.errstate(all="ignore"):
        expected = quantize(values, GGMLQuantizationType[kind])
    assert np.array_equal(ggml_blocks(values.ravel(), kind, "reference"), expected.ravel())


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_have_the_size_that_ggml_gives_them(kind: str) -> None:
    assert len(ggml_blocks(np.zeros(96, np.float32), kind, "reference")) == 3 * ggml_block_bytes(kind)


def test_a_tie_goes_away_from_zero_or_to_even() -> None:
    values = np.zeros(32, np.float32)
    values[:4] = 127, 2.5, -2.5, 3.5
    codes = {
        name: ggml_blocks(values, "Q8_0", name)[2:6].view(np.int8).tolist() for name in ("reference", "even")
    }
    assert codes == {"reference": [127, 3, -3, 4], "even": [127, 2, -2, 4]}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "Q8_0"])
def test_a_fused_sum_is_rounded_once(kind: str) -> None:
    values = between_levels(3, 1 << (4 if kind.startswith("Q4") else 5))
    apart = ggml_blocks(values, kind, "reference") != ggml_blocks(values, kind, "fused")
    assert 0 < apart.mean() < 0.2


def test_fused_codes_are_those_of_exact_arithmetic() -> None:
    values = between_levels(4, 16)
    blocks = values.reshape(-1, 32)
    found = ggml_blocks(values, "Q4_0", "fused").reshape(-1, 18)
    codes = np.concatenate([found[:, 2:] & 15, found[:, 2:] >> 4], axis=1)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    inverse = np.float32(1) / (largest / np.float32(-8))
    exact = blocks.astype(np.longdouble) * inverse.astype(np.longdouble) + np.longdouble(8.5)
    expected = np.minimum(np.trunc(exact.astype(np.float32)), 15)
    assert np.array_equal(codes, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_has_one_outcome(kind: str, special: float) -> None:
    values = weights(6, 1).ravel()
    values[5] = special
    found = ggml_blocks(values, kind, "reference").reshape(3, -1)
    assert np.array_equal(found[1:], ggml_blocks(values[32:], kind, "reference").reshape(2, -1))
    assert np.array_equal(found, ggml_blocks(values.copy(), kind, "reference").reshape(3, -1))
