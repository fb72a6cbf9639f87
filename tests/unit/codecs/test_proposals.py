"""What was done to stored tensors is found, and predicted without a residual."""

from collections.abc import Callable

import numpy as np
import pytest

from allmende.codecs import (
    BytesPlain,
    Candidate,
    Child,
    Prediction,
    Predictor,
    Proposer,
    complete,
    parse_prediction,
)
from allmende.codecs.ggml import GGML_KINDS, ggml_blocks
from allmende.codecs.rounding import rounded_to, words_of
from allmende.codecs.steps import Mask, Prune
from tests.unit.codecs.storing import Objects

ROWS, COLUMNS = 320, 288
Singles = np.ndarray


def base(seed: int = 1) -> Singles:
    return (0.05 * np.random.default_rng(seed).standard_normal((ROWS, COLUMNS))).astype(np.float32)


def tuned(seed: int, drift: float = 0.003) -> Singles:
    """A relative of the base, as training makes it."""
    moved = np.random.default_rng(seed).standard_normal((ROWS, COLUMNS)) * drift
    return (base() + moved).astype(np.float32)


def as_bytes(values: Singles, dtype: str = "F32") -> bytes:
    return words_of(values.ravel(), dtype).tobytes()


class Family:
    """Stored parents, and a proposer for what was made of them."""

    def __init__(self, *parents: tuple[Singles, str]) -> None:
        self.objects = Objects()
        self.candidates = [
            Candidate(self.objects.add(as_bytes(values, dtype)), dtype, values.shape[-1], str(number))
            for number, (values, dtype) in enumerate(parents)
        ]
        self.proposer = Proposer(self.objects.resolve)

    def predicted(self, data: bytes, dtype: str, columns: int = COLUMNS) -> tuple[bytes, Prediction]:
        """The bytes of the best proposal, and its prediction."""
        child = Child(BytesPlain(data), dtype, columns)
        best, *_ = self.proposer.propose(child, self.candidates)
        prediction = complete(best, child.plain, self.objects.resolve)
        assert parse_prediction(prediction.document(), prediction.side) == prediction
        predictor = Predictor(prediction, self.objects.resolve)
        return bytes(predictor.read_at(0, predictor.size_bytes)), prediction


SINGLE = [(base(), "F32")]
PAIR = [(tuned(2), "F32"), (tuned(3), "F32")]
BRAIN = [(tuned(2), "BF16"), (tuned(3), "BF16"), (base(), "BF16")]


def through(values: Singles, *types: str) -> Singles:
    for dtype in types:
        values = rounded_to(values.ravel(), dtype).reshape(values.shape)
    return values


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F8_E4M3", "F8_E5M2", "F64", "F32"])
def test_a_cast(dtype: str) -> None:
    child = as_bytes(base(), dtype)
    assert Family(*SINGLE).predicted(child, dtype)[0] == child


@pytest.mark.parametrize("by", ["BF16", "F16", "F8_E4M3"])
def test_a_cast_there_and_back(by: str) -> None:
    child = as_bytes(through(base(), by))
    assert Family(*SINGLE).predicted(child, "F32")[0] == child


def test_a_widened_parent() -> None:
    child = as_bytes(through(base(), "BF16"))
    assert Family((base(), "BF16")).predicted(child, "F32")[0] == child


@pytest.mark.parametrize("factor", [1 - 4.35e-6, 1 - 1e-6, 1 - 3e-4, 0.5, 1.0001, -1.0])
def test_a_factor(factor: float) -> None:
    child = as_bytes(base() * np.float32(factor))
    assert Family(*SINGLE).predicted(child, "F32")[0] == child


def test_a_factor_of_the_rows_that_were_not_trained() -> None:
    """As AdamW leaves an embedding: most rows only decayed."""
    decayed = base() * np.float32(1 - 4.35e-6)
    decayed[::10] = tuned(7)[::10]
    found, _ = Family(*SINGLE).predicted(as_bytes(decayed), "F32")
    rows = np.frombuffer(found, "<f4").reshape(ROWS, COLUMNS)
    assert np.array_equal(np.delete(rows, np.s_[::10], axis=0), np.delete(decayed, np.s_[::10], axis=0))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16"])
def test_the_smallest_values_zeroed(share: float, dtype: str) -> None:
    bar = np.sort(np.abs(base()).ravel())[int(share * base().size)]
    child = as_bytes(np.where(np.abs(base()) <= bar, np.float32(0), base()), dtype)
    found, prediction = Family(*SINGLE).predicted(child, dtype)
    assert found == child
    assert any(isinstance(step, Prune) for step in prediction.steps)


def test_zeros_in_a_pattern() -> None:
    fours = base().reshape(-1, 4).copy()
    np.put_along_axis(fours, np.argsort(np.abs(fours), axis=1)[:, :2], 0, axis=1)
    child = as_bytes(fours)
    found, prediction = Family(*SINGLE).predicted(child, "F32")
    assert found == child
    assert Mask() in prediction.steps


def linear(first: float, second: float, width: type = np.float32) -> Callable[[Singles, Singles], Singles]:
    return lambda a, b: width(first) * a.astype(width) + width(second) * b.astype(width)


@pytest.mark.parametrize(
    "merge",
    [
        linear(0.5, 0.5),
        linear(0.7, 0.3),
        linear(0.35, 0.65, np.float64),
        linear(1.2, -0.2),
        linear(1 - 0.9, 0.9, np.float64),
        linear(0.61803, 0.38197),
        linear(1.0, 0.25),
        lambda a, b: (a + b) / np.float32(2),
        lambda a, b: a + np.float32(0.3) * (b - a),
        lambda a, b: b - np.float32(0.3) * (b - a),
        lambda a, b: (a.astype(np.float64) + np.float64(np.float32(0.3)) * (b - a)).astype(np.float32),
    ],
)
def test_a_merge_of_two(merge: Callable[[Singles, Singles], Singles]) -> None:
    child = as_bytes(merge(PAIR[0][0], PAIR[1][0]))
    assert Family(*PAIR).predicted(child, "F32")[0] == child


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_a_merge_that_was_cast(dtype: str) -> None:
    child = as_bytes(linear(0.7, 0.3)(PAIR[0][0], PAIR[1][0]), dtype)
    assert Family(*PAIR).predicted(child, dtype)[0] == child


@pytest.mark.parametrize(
    "weights", [(0.5, 0.3, 0.2), (1 / 3, 1 / 3, 1 / 3), (0.8, 1.0, -0.8), (0.4, 0.4, 0.4)]
)
@pytest.mark.parametrize("width", [np.float32, np.float64])
def test_a_merge_of_three(weights: tuple[float, ...], width: type) -> None:
    parents = [*PAIR, *SINGLE]
    terms = [
        width(weight) * values.astype(width) for weight, (values, _) in zip(weights, parents, strict=True)
    ]
    child = as_bytes(terms[0] + terms[1] + terms[2])
    assert Family(*parents).predicted(child, "F32")[0] == child


def test_a_mean_of_three() -> None:
    parents = [*PAIR, *SINGLE]
    child = as_bytes((parents[0][0] + parents[1][0] + parents[2][0]) / np.float32(3))
    assert Family(*parents).predicted(child, "F32")[0] == child


def test_task_arithmetic_on_a_base() -> None:
    parents = [*PAIR, *SINGLE]
    changes = [values - base() for values, _ in PAIR]
    child = as_bytes(base() + (np.float32(0.6) * changes[0] + np.float32(0.3) * changes[1]))
    assert Family(*parents).predicted(child, "F32")[0] == child


def brain(values: Singles) -> Singles:
    return through(values, "BF16")


@pytest.mark.parametrize(
    "merge",
    [
        lambda a, b, c: brain(brain(a * np.float32(0.69921875)) + brain(b * np.float32(0.30078125))),
        lambda a, b, c: brain(brain(a * np.float32(0.5)) + brain(b * np.float32(0.5))),
        lambda a, b, c: brain(c + brain(np.float32(0.5) * brain(a - c) + np.float32(0.25) * brain(b - c))),
        lambda a, b, c: brain(np.float32(0.7) * a + np.float32(0.3) * b),
    ],
)
def test_a_merge_in_brain_floats(merge: Callable[..., Singles]) -> None:
    child = as_bytes(merge(*(brain(values) for values, _ in BRAIN)), "BF16")
    assert Family(*BRAIN).predicted(child, "BF16")[0] == child


@pytest.mark.parametrize("width", [np.float32, np.float64])
def test_the_way_along_an_arc(width: type) -> None:
    first: Singles = base(4).astype(width)
    second: Singles = (base(4) + 2 * base(5)).astype(width)
    cosine = np.sum(first * second) / np.sqrt(np.sum(first * first) * np.sum(second * second))
    angle = np.arccos(cosine)
    mixed = np.sin(width(0.6) * angle) * first + np.sin(width(0.4) * angle) * second
    child = as_bytes(mixed / np.sin(angle))
    found, _ = Family((base(4), "F32"), (base(4) + 2 * base(5), "F32")).predicted(child, "F32")
    assert found == child


@pytest.mark.parametrize("kind", sorted(GGML_KINDS))
@pytest.mark.parametrize("chain", [(), ("BF16",), ("F16",)])
def test_blocks_of_ggml(kind: str, chain: tuple[str, ...]) -> None:
    child = ggml_blocks(through(base(), *chain).ravel(), kind, "reference").tobytes()
    assert Family(*SINGLE).predicted(child, kind)[0] == child


def test_int8_by_rows_with_its_scales() -> None:
    largest = np.abs(base()).max(axis=1, keepdims=True)
    scale = np.maximum(largest / np.float32(127), np.float32(1e-12))
    family, codes = Family(*SINGLE), np.rint(base() / scale).astype(np.int8).tobytes()
    assert family.predicted(codes, "I8")[0] == codes
    assert family.predicted(as_bytes(scale), "F32", 1)[0] == as_bytes(scale)
    other = np.rint(base() * (np.float32(127) / largest)).astype(np.int8).tobytes()
    assert family.predicted(other, "I8")[0] == other


@pytest.mark.parametrize("largest", [127.0, 448.0])
def test_codes_with_one_scale(largest: float) -> None:
    scale = np.abs(base()).max() / np.float32(largest)
    shares = base() / scale
    dtype = "I8" if largest == 127 else "F8_E4M3"
    child = np.rint(shares).astype(np.int8).tobytes() if dtype == "I8" else as_bytes(shares, dtype)
    assert Family(*SINGLE).predicted(child, dtype)[0] == child


def test_levels_of_four_bits_with_their_scales() -> None:
    from allmende.codecs.outputs import LEVELS

    blocks = base().reshape(-1, 64)
    scale = np.abs(blocks).max(axis=1, keepdims=True)
    levels = LEVELS["NF4"].astype(np.float64)
    codes = np.abs((blocks / scale)[..., None] - levels).argmin(axis=-1).astype(np.uint8).ravel()
    child = (codes[::2] << 4 | codes[1::2]).tobytes()
    family = Family(*SINGLE)
    assert family.predicted(child, "U8", 1)[0] == child
    assert family.predicted(as_bytes(scale), "F32", 1)[0] == as_bytes(scale)


def test_the_right_parent_of_many() -> None:
    parents = [(tuned(seed), "F32") for seed in range(10, 18)]
    child = as_bytes(parents[5][0], "BF16")
    found, prediction = Family(*parents).predicted(child, "BF16")
    assert found == child
    assert len(prediction.sources) == 1


def test_the_right_two_of_many() -> None:
    parents = [(tuned(seed), "F32") for seed in range(10, 18)]
    child = as_bytes(linear(0.7, 0.3)(parents[6][0], parents[2][0]))
    found, prediction = Family(*parents).predicted(child, "F32")
    assert found == child
    assert len(prediction.sources) == 2


def test_what_was_found_is_tried_where_a_sample_could_not_tell() -> None:
    """Two parents that share a tensor: nothing but the other tensors tells the weights."""
    family = Family(*PAIR)
    merged = linear(0.7, 0.3)(PAIR[0][0], PAIR[1][0])
    family.predicted(as_bytes(merged), "F32")
    shared = family.objects.add(as_bytes(base()))
    family.candidates = [Candidate(shared, "F32", COLUMNS, str(number)) for number in range(2)]
    child = as_bytes(linear(0.7, 0.3)(base(), base()))
    assert child != as_bytes(base())
    assert family.predicted(child, "F32")[0] == child


def test_a_fine_tune_is_predicted_from_the_nearer_parent() -> None:
    far, near = (tuned(2, 0.02), "F32"), (tuned(3), "F32")
    child = near[0] + np.float32(1e-5) * base(4)
    _, prediction = Family(far, near).predicted(as_bytes(child.astype(np.float32)), "F32")
    assert len(prediction.sources) == 1


def test_without_a_candidate_of_its_size_there_is_no_proposal() -> None:
    family = Family(*SINGLE)
    child = Child(BytesPlain(as_bytes(base()[:-1])), "F32", COLUMNS)
    assert family.proposer.propose(child, family.candidates) == []
    assert family.proposer.propose(child, []) == []


@pytest.mark.parametrize("values", [np.zeros(64), np.full(64, np.nan), np.full(64, np.inf), np.arange(1)])
def test_values_of_no_information_do_no_harm(values: np.ndarray) -> None:
    single: Singles = values.astype(np.float32)
    family = Family((single, "F32"), (single * 2, "F32"), (np.zeros(len(single), np.float32), "F32"))
    child = as_bytes(np.linspace(0, 1, len(values), dtype=np.float32))
    with np.errstate(all="raise"):
        proposals = family.proposer.propose(Child(BytesPlain(child), "F32"), family.candidates)
    for one in proposals:
        complete(one, BytesPlain(child), family.objects.resolve)


@pytest.mark.parametrize("rank", [1, 4, 16])
def test_a_merged_adapter(rank: int) -> None:
    random = np.random.default_rng(rank)
    left = random.standard_normal((ROWS, rank)).astype(np.float32)
    right = (0.001 * random.standard_normal((rank, COLUMNS))).astype(np.float32)
    child = as_bytes(base() + left @ right)
    family = Family(*SINGLE)
    family.proposer = Proposer(family.objects.resolve, low_rank=True)
    found, prediction = family.predicted(child, "F32")
    assert len(prediction.side) == 4 * rank * (ROWS + COLUMNS)
    apart = np.frombuffer(found, "<i4") - np.frombuffer(child, "<i4")
    assert np.mean(np.abs(apart) <= 2) > 0.95


def test_training_of_all_weights_has_no_low_rank() -> None:
    family = Family(*SINGLE)
    family.proposer = Proposer(family.objects.resolve, low_rank=True)
    assert family.predicted(as_bytes(tuned(3)), "F32")[1].side == b""
