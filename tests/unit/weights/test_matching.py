"""Tensors find their counterparts by name and by content, and strangers find none."""

import time

import numpy as np
import pytest

from allmende.weights.matching import match
from allmende.weights.sign_codes import SAMPLES, best_options, informative, sign_codes
from allmende.weights.tensors import WeightTensor
from tests.weight_tensors import Array, tensor_of

Arrays = dict[str, Array]
RNG = np.random.default_rng(11)


def block(seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        "attn.q.weight": rng.normal(size=(32, 32)).astype(np.float32),
        "attn.k.weight": rng.normal(size=(32, 32)).astype(np.float32),
        "attn.k.bias": rng.normal(size=32).astype(np.float32),
        "mlp.up.weight": rng.normal(size=(64, 32)).astype(np.float32),
        "norm1.weight": (1 + 0.1 * rng.normal(size=32)).astype(np.float32),
        "norm2.weight": (1 + 0.1 * rng.normal(size=32)).astype(np.float32),
    }


def model(layers: list[int], vocabulary: int = 100) -> Arrays:
    """Layers made from these seeds, in this order, between an embedding and a norm."""
    rng = np.random.default_rng(0)
    found = {"embed.weight": rng.normal(size=(200, 32)).astype(np.float32)[:vocabulary]}
    for number, seed in enumerate(layers):
        found |= {f"layers.{number}.{name}": values for name, values in block(seed).items()}
    found["norm.weight"] = (1 + 0.1 * rng.normal(size=32)).astype(np.float32)
    return found


def trained(arrays: Arrays, much: float = 0.1) -> Arrays:
    return {
        name: (values + much * values.std() * RNG.normal(size=values.shape)).astype(np.float32)
        for name, values in arrays.items()
    }


def tensors(arrays: Arrays) -> dict[str, WeightTensor]:
    return {name: tensor_of(name, values) for name, values in arrays.items()}


def matched(query: Arrays, candidate: Arrays) -> dict[str, str]:
    return match(tensors(query), tensors(candidate))


def renamed(arrays: Arrays, seed: int = 4) -> tuple[Arrays, dict[str, str]]:
    """The arrays under names that tell nothing, in another order, and the old name of each."""
    order = np.random.default_rng(seed).permutation(len(arrays))
    old = list(arrays)
    truth = {f"t{place:04}": old[number] for place, number in enumerate(order)}
    return {name: arrays[before] for name, before in truth.items()}, truth


@pytest.mark.parametrize("much", [0.0, 0.1, 2.0])
def test_same_names_are_pairs_however_far_they_were_trained(much: float) -> None:
    arrays = model([1, 2, 3])
    assert matched(trained(arrays, much), arrays) == {name: name for name in arrays}


def test_strangers_of_the_same_names_are_pairs_too() -> None:
    arrays = model([1, 2, 3])
    assert matched(model([4, 5, 6]), arrays) == {name: name for name in arrays}


def layers_of(pairs: dict[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, other in pairs.items():
        if name.startswith("layers."):
            assert name.split(".", 2)[2] == other.split(".", 2)[2]
            found.setdefault(name.split(".")[1], set()).add(other.split(".")[1])
    return found


@pytest.mark.parametrize("much", [0.0, 0.3])
@pytest.mark.parametrize("kept", [[1, 4, 5], [1, 2, 3, 2, 3, 4, 5], [5, 4, 3, 2, 1]])
def test_layers_that_moved_are_found_with_all_that_is_in_them(kept: list[int], much: float) -> None:
    pairs = matched(trained(model(kept), much), model([1, 2, 3, 4, 5]))
    assert layers_of(pairs) == {str(place): {str(seed - 1)} for place, seed in enumerate(kept)}
    assert pairs["embed.weight"] == "embed.weight"
    assert pairs["norm.weight"] == "norm.weight"


def test_a_model_cut_from_one_with_repeated_layers_is_found() -> None:
    pairs = matched(model([1, 2]), model([1, 1, 2, 2]))
    assert layers_of(pairs) == {"0": {"0"}, "1": {"2"}}


def test_names_that_tell_nothing_are_seen_through() -> None:
    arrays = model([1, 2, 3, 4])
    query, truth = renamed(trained(arrays, 0.05))
    assert matched(query, arrays) == truth


def test_new_names_with_their_own_layers_keep_layers_together() -> None:
    arrays = model([1, 2, 3])
    query = {name.replace("layers.", "h.").replace("attn.", "a_").replace("norm", "ln"): values
             for name, values in trained(arrays, 0.05).items()}  # fmt: skip
    assert matched(query, arrays) == dict(zip(query, arrays, strict=True))


@pytest.mark.parametrize("vocabulary", [90, 130])
@pytest.mark.parametrize("name", ["embed.weight", "another.name"])
def test_an_embedding_of_another_size_is_found(vocabulary: int, name: str) -> None:
    arrays = model([1], vocabulary)
    query = {name if old == "embed.weight" else old: values for old, values in trained(arrays).items()}
    assert matched(query, model([1]))[name] == "embed.weight"


def test_a_quantised_matrix_is_found_under_another_name() -> None:
    arrays = model([1, 2])
    query = {
        f"x.{name}": tensor_of(name, values, "Q4_0") for name, values in arrays.items() if values.ndim == 2
    }
    assert match(query, tensors(arrays)) == {name: name.removeprefix("x.") for name in query}


def test_a_pruned_matrix_is_found_under_another_name() -> None:
    arrays = {name: values for name, values in model([1, 2, 3]).items() if values.ndim == 2}
    pruned = {f"x.{name}": np.where(abs(values) < 1, 0, values) for name, values in arrays.items()}
    assert matched(pruned, arrays) == {name: name.removeprefix("x.") for name in pruned}


def test_strangers_of_other_names_find_nothing() -> None:
    query, _ = renamed(model([7, 8, 9, 10], 50))
    candidate = model([1, 2, 3, 4])
    del candidate["embed.weight"]
    assert not {name for name in matched(query, candidate) if query[name].ndim == 2}


def table(rows: int, columns: int) -> Array:
    angles = np.arange(rows)[:, None] / 10000 ** (np.arange(0, columns, 2) / columns)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((64, 64)), np.ones((64, 64)), np.tril(np.ones((64, 64))), np.full((64, 64), np.nan),
        abs(RNG.normal(size=(64, 64))), table(512, 256), table(64, 128), np.arange(4096.0).reshape(64, 64),
        np.linspace(-1, 1, 4096).reshape(64, 64),
    ],
    ids=["zeros", "ones", "mask", "nan", "positive", "positions", "wide positions", "numbers", "slope"],
)  # fmt: skip
def test_matrices_that_tell_nothing_are_no_evidence(values: np.ndarray) -> None:
    held = values.astype(np.float32)
    assert not sign_codes([tensor_of("x", held)], held.shape).any()
    assert matched({"one": held}, {"other": held}) == {}
    assert matched({"same": held}, {"same": held, "other": held}) == {"same": "same"}


def test_content_goes_before_a_name_that_stands_for_nothing() -> None:
    held = RNG.normal(size=(64, 64)).astype(np.float32)
    assert matched({"same": held}, {"same": np.zeros_like(held), "other": held}) == {"same": "other"}


def test_random_values_tell() -> None:
    assert informative(RNG.normal(size=(16, 16)).astype(np.float32))
    assert sign_codes([tensor_of("x", RNG.normal(size=(64, 64)))], (64, 64)).shape == (1, SAMPLES)


def test_chance_never_looks_like_kinship() -> None:
    these = RNG.choice(np.array([-1, 1], np.int8), (2000, SAMPLES))
    those = RNG.choice(np.array([-1, 1], np.int8), (2000, SAMPLES))
    those[:, 70:] *= RNG.choice(np.array([0, 1], np.int8), (2000, 1))
    assert not any(best_options(these, those))


def test_very_many_tensors_of_one_shape_take_bounded_time() -> None:
    codes = RNG.choice(np.array([-1, 1], np.int8), (20_000, SAMPLES))
    started = time.process_time()
    found = best_options(codes, codes)
    assert time.process_time() - started < 30
    assert [options.places for options in found[:3] if options] == [(0,), (1,), (2,)]


def test_nothing_matches_nothing() -> None:
    assert match({}, {}) == {}
    assert matched(model([1]), {}) == {}
    scalar = {"step": tensor_of("step", np.array(3, np.float32))}
    assert match(scalar, scalar) == {"step": "step"}
    empty = {"none": tensor_of("none", np.zeros((0, 9)))}
    assert match(empty, empty) == {"none": "none"}
