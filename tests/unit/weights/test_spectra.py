"""The rank of a change: exact where it has one, silent where it has none."""

import numpy as np
import pytest

from allmende.weights.number_types import round_through
from allmende.weights.spectra import Spectrum, spectrum_of_change
from tests.unit.weights.models_in_memory import tensor

RANDOM = np.random.default_rng(11)


def of_change(a: np.ndarray, b: np.ndarray) -> Spectrum | None:
    return spectrum_of_change(tensor("w", a), tensor("w", b), min(len(a), len(b)))


def low_rank(rows: int, columns: int, rank: int) -> np.ndarray:
    return RANDOM.standard_normal((rows, rank)) @ RANDOM.standard_normal((rank, columns)) * 0.01


@pytest.mark.parametrize("rank", [1, 4, 8, 16])
@pytest.mark.parametrize("shape", [(64, 64), (300, 64), (1500, 700)])
def test_the_rank_of_a_merged_adapter_is_found(shape: tuple[int, int], rank: int) -> None:
    a = RANDOM.standard_normal(shape).astype(np.float32) * 0.05
    found = of_change(a, (a + low_rank(*shape, rank)).astype(np.float32))
    assert found is not None
    assert found.rank == rank
    assert 1 <= found.effective_rank <= rank + 0.01
    assert found.sampled == (max(shape) > 512)
    assert found.of == min(*shape, 512)


def test_the_rank_is_found_through_the_rounding_of_bf16() -> None:
    a = round_through((RANDOM.standard_normal((256, 256)) * 0.05).astype(np.float32), "BF16")
    b = round_through((a + low_rank(256, 256, 8)).astype(np.float32), "BF16")
    found = of_change(a, b)
    assert found is not None
    assert found.rank == 8


def test_noise_has_no_rank() -> None:
    a = np.zeros((200, 200), np.float32)
    found = of_change(a, RANDOM.standard_normal((200, 200)).astype(np.float32))
    assert found is not None
    assert (found.rank, found.gap) == (None, None)
    assert found.effective_rank > 100


def test_vectors_small_matrices_and_no_change_have_no_spectrum() -> None:
    assert of_change(np.zeros(100, np.float32), np.ones(100, np.float32)) is None
    assert of_change(np.zeros((7, 100), np.float32), np.ones((7, 100), np.float32)) is None
    assert of_change(np.ones((9, 9), np.float32), np.ones((9, 9), np.float32)) is None


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_very_small_and_very_large_changes_keep_their_rank(scale: float) -> None:
    found = of_change(np.zeros((40, 40)), low_rank(40, 40, 3) * scale)
    assert found is not None
    assert found.rank == 3


def test_values_that_are_not_finite_do_not_poison_it() -> None:
    a = np.zeros((40, 40), np.float32)
    b = low_rank(40, 40, 2).astype(np.float32)
    b[0, 0], b[5, 5] = np.nan, np.inf
    found = of_change(a, b)
    assert found is not None
    assert np.isfinite(found.effective_rank)


def test_rows_that_only_one_has_are_left_out() -> None:
    a = np.zeros((60, 50), np.float32)
    b = np.concatenate([low_rank(60, 50, 5), RANDOM.standard_normal((30, 50))]).astype(np.float32)
    found = of_change(a, b)
    assert found is not None
    assert found.rank == 5


def test_a_stack_of_experts_is_one_matrix_above_the_other() -> None:
    a = np.zeros((4, 64, 48), np.float32)
    b = np.stack([low_rank(64, 48, 2) for _ in range(4)]).astype(np.float32)
    found = of_change(a, b)
    assert found is not None
    assert (found.rank, found.of) == (8, 48)


def test_very_wide_rows_are_sampled_without_being_read_whole() -> None:
    a = np.zeros((8, (1 << 20) + 8), np.float32)
    b = a.copy()
    b[:, ::3] = 1
    found = of_change(a, b)
    assert found is not None
    assert (found.rank, found.of) == (1, 8)
