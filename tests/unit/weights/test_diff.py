"""Figures of two models: right against arithmetic by hand, and never poisoned by what is odd."""

import math

import numpy as np
import pytest

from allmende.weights import Model, compare_models
from allmende.weights import diff as diff_module
from allmende.weights.diff import TensorDiff
from allmende.weights.diff_rows import rows_of
from allmende.weights.diff_words import cell_text, findings, number_text, share_text
from tests.unit.weights.models_in_memory import model

RANDOM = np.random.default_rng(7)
Arrays = dict[str, np.ndarray]


def one(a: np.ndarray, b: np.ndarray) -> TensorDiff:
    (found,) = compare_models(model("a", {"w": a}), model("b", {"w": b})).tensors
    return found


def test_figures_are_those_of_plain_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_module, "_PIECE", 1000)
    a = RANDOM.standard_normal((120, 70)).astype(np.float32)
    b = a.copy()
    b[3:50, 10:20] += 0.25
    found = one(a, b).figures
    assert found is not None
    wide_a, wide_b = a.astype(float).ravel(), b.astype(float).ravel()
    assert found.elements == a.size
    assert found.changed == 470
    assert found.relative == pytest.approx(np.linalg.norm(wide_b - wide_a) / np.linalg.norm(wide_a))
    assert found.cosine == pytest.approx(wide_a @ wide_b / np.linalg.norm(wide_a) / np.linalg.norm(wide_b))
    assert found.largest == pytest.approx(0.25)
    assert found.share_changed == 470 / 8400


def test_the_same_is_the_same() -> None:
    a = RANDOM.standard_normal((16, 16)).astype(np.float32)
    found = compare_models(model("a", {"w": a}), model("b", {"w": a.copy()}))
    assert not found.differs
    assert found.tensors[0].status == "same"
    assert found.tensors[0].spectrum is None
    assert (found.total.relative, found.total.cosine, found.total.changed) == (0, 1, 0)


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    a = np.ones(1000, np.float32)
    b = a.copy()
    a[0], b[0] = np.nan, np.nan
    b[1], b[2] = np.inf, np.nan
    b[3] = 3
    found = one(a, b).figures
    assert found is not None
    assert (found.not_finite_a, found.not_finite_b, found.changed) == (1, 3, 3)
    assert found.relative == pytest.approx(2 / math.sqrt(997))
    assert found.largest == 2
    assert "3 values in B are not finite; the figures leave them out." in findings(
        compare_models(model("a", {"w": a}), model("b", {"w": b}))
    )


def test_values_whose_squares_overflow_are_left_out_too() -> None:
    found = one(np.array([1e300, 1.0]), np.array([-1e300, 1.5])).figures
    assert found is not None
    assert (found.changed, found.not_finite_a, found.not_finite_b) == (2, 1, 1)
    assert found.relative == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_integers_are_compared_exactly_beyond_what_floats_hold(kind: str) -> None:
    a = np.array([2**53, 2**53 + 1, 5], kind)
    found = one(a, np.array([2**53 + 1, 2**53 + 1, 5], kind))
    assert found.exact
    assert found.figures is not None
    assert found.figures.changed == 1
    assert found.status == "changed"


def test_integers_do_not_count_among_the_weights() -> None:
    a: Arrays = {"w": np.ones(4, np.float32), "ids": np.arange(1000)}
    b: Arrays = {"w": np.ones(4, np.float32), "ids": np.arange(1000) + 1}
    found = compare_models(model("a", a), model("b", b))
    assert found.differs
    assert (found.total.elements, found.total.changed) == (4, 0)
    cells = {kind: cell_text(cell) for row in rows_of(found) for kind, cell in row.cells.items()}
    assert cells == {"other": "0"}
    assert findings(found)[0] == "1 of 2 tensors in both changed, none of them in weights."


def test_a_change_from_zero_has_no_relative_size() -> None:
    found = one(np.zeros(4, np.float32), np.ones(4, np.float32)).figures
    assert found is not None
    assert (found.relative, found.cosine, found.share_changed) == (None, None, 1)


def test_a_cast_is_the_change_that_it_makes_and_the_type_is_told() -> None:
    a = RANDOM.standard_normal(5000).astype(np.float32)
    found = one(a, a.astype(np.float16))
    assert found.status == "changed"
    assert found.figures is not None
    assert 0 < (found.figures.relative or 0) < 5e-4
    exact = one(np.ones(4, np.float32), np.ones(4, np.float16))
    assert exact.status == "same"
    assert exact.differs


def test_a_vocabulary_that_grew_is_compared_on_its_common_rows() -> None:
    a = RANDOM.standard_normal((100, 16)).astype(np.float32)
    b = np.concatenate([a, np.ones((7, 16), np.float32)])
    found = one(a, b)
    assert (found.status, found.rows_added) == ("rows", 7)
    assert found.figures is not None
    assert (found.figures.elements, found.figures.changed) == (1600, 0)
    back = one(b, a)
    assert back.rows_added == -7
    assert one(np.ones(5, np.float32), np.ones(8, np.float32)).rows_added == 3


def test_other_shapes_are_told_and_not_compared() -> None:
    found = one(np.ones((4, 6), np.float32), np.ones((4, 7), np.float32))
    assert (found.status, found.figures, found.rows_added) == ("reshaped", None, 0)
    assert one(np.ones((), np.float32), np.ones(1, np.float32)).status == "reshaped"
    assert one(np.full((), 1.0), np.full((), 2.0)).status == "changed"


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0)])
def test_tensors_without_values_are_the_same(shape: tuple[int, ...]) -> None:
    empty = np.zeros(shape, np.float32)
    assert one(empty, empty).status == "same"


def test_what_only_one_has_is_listed() -> None:
    a = {"x": np.ones(3, np.float32), "only_a": np.ones((2, 3), np.float32)}
    b: Arrays = {"x": np.ones(3, np.float32), "only_b": np.ones(9, np.float16)}
    found = compare_models(model("a", a), model("b", b))
    assert [(tensor.name, tensor.shape) for tensor in found.removed] == [("only_a", (2, 3))]
    assert [(tensor.name, tensor.dtype) for tensor in found.added] == [("only_b", "F16")]
    assert found.differs


def test_models_without_a_name_in_common() -> None:
    found = compare_models(model("a", {"x": np.ones(3)}), model("b", {"y": np.ones(3)}))
    assert findings(found)[0] == "The two models have no tensor name in common."
    assert found.total.elements == 0


def test_wrapped_names_meet() -> None:
    weights = RANDOM.standard_normal((8, 8)).astype(np.float32)
    names = [f"layers.{layer}.self_attn.q_proj.weight" for layer in range(3)]
    bare = model("a", dict.fromkeys(names, weights))
    wrapped = model("b", {f"model.{name}": weights for name in names} | {"lm_head.weight": weights})
    found = compare_models(bare, wrapped)
    assert found.names == "canonical"
    assert {tensor.status for tensor in found.tensors} == {"same"}
    assert [tensor.name for tensor in found.added] == ["lm_head.weight"]


def test_a_problem_with_files_is_a_difference() -> None:
    a = model("a", {"x": np.ones(3, np.float32)})
    b = Model("b", a.layout, a.tensors, problems=("a.safetensors: broken",))
    assert compare_models(a, b).differs


def test_progress_is_told_and_ends_below_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_module, "_PIECE", 10)
    told: list[tuple[int, int]] = []
    a = model("a", {"x": np.ones(35, np.float32), "y": np.ones(5, np.float32)})
    compare_models(a, a, tell=lambda done, of: told.append((done, of)))
    assert told == [(0, 40), (10, 40), (20, 40), (30, 40), (35, 40)]


def test_rows_are_input_layers_and_output() -> None:
    names = ["lm_head.weight", "model.layers.10.mlp.up_proj.weight", "model.layers.2.mlp.up_proj.weight"]
    names += ["model.embed_tokens.weight", "model.layers.2.self_attn.q_proj.weight"]
    a = model("a", {name: np.ones((8, 8), np.float32) for name in names})
    rows = rows_of(compare_models(a, a))
    assert [row.label for row in rows] == ["input", "layer 2", "layer 10", "output"]
    assert list(rows[1].cells) == ["up", "q"]


def test_stacks_are_named_where_there_are_several() -> None:
    names = [
        "encoder.block.0.layer.0.SelfAttention.q.weight",
        "decoder.block.0.layer.0.SelfAttention.q.weight",
    ]
    a = model("a", {name: np.ones((8, 8), np.float32) for name in names})
    assert [row.label for row in rows_of(compare_models(a, a))] == ["encoder.block 0", "decoder.block 0"]


def test_untouched_layers_and_unrelated_matrices_are_found() -> None:
    names = [f"h.{layer}.attn.q.weight" for layer in range(5)]
    a = {name: RANDOM.standard_normal((32, 32)).astype(np.float32) for name in names}
    b = a | {name: RANDOM.standard_normal((32, 32)).astype(np.float32) for name in names[1:]}
    told = findings(compare_models(model("a", a), model("b", b)))
    assert "1 of 5 layers did not change: layer 0." in told
    assert any(sentence.startswith("The matrices of both have nothing in common") for sentence in told)


def test_pruning_is_found() -> None:
    a = RANDOM.standard_normal((50, 40)).astype(np.float32)
    b = np.where(np.abs(a) < 0.5, np.float32(0), a)
    found = compare_models(model("a", {"w": a}), model("b", {"w": b}))
    assert found.total.zeroed == found.total.changed == np.count_nonzero(b == 0)
    assert "100% of the changed values are zero in B, as pruning leaves them." in findings(found)
    back = compare_models(model("a", {"w": b}), model("b", {"w": a}))
    assert back.total.zeroed == 0


def test_names_of_any_length_are_cut_in_sentences() -> None:
    a = model("a", {"x" * 100_000: np.ones(3, np.float32), "y": np.ones(3, np.float32)})
    b = model("b", {"y": np.ones(3, np.float32)})
    assert max(map(len, findings(compare_models(a, b)))) < 300


def test_numbers_are_told_in_two_digits() -> None:
    assert [number_text(value) for value in (None, 0.0, 0.00123, 12.0, 1e-12)] == [
        "\N{EN DASH}", "0", "1.2e-3", "1.2e+1", "1.0e-12",
    ]  # fmt: skip


def test_shares_never_round_to_all_or_nothing() -> None:
    shares = (0.0, 1.0, 1e-9, 1 - 1e-9, 0.5, 0.005, 0.9987)
    assert [share_text(share) for share in shares] == [
        "0%", "100%", "<0.01%", ">99.99%", "50.0%", "0.50%", "99.87%",
    ]  # fmt: skip
