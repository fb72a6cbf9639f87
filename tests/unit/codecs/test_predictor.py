"""The predictor: the same bytes on every machine, wherever they are read."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from allmende.codecs import DamagedObject, ObjectId, ObjectMissing, Piece, Prediction, Predictor, Source
from allmende.codecs.outputs import Blocks, Codes, Output, Words
from allmende.codecs.programs import require_exact_arithmetic
from allmende.codecs.rounding import Numbers
from allmende.codecs.steps import Arithmetic, Largest, Load, LowRank, Mask, Number, Round, Step
from tests.unit.codecs.golden_predictions import FILE, golden
from tests.unit.codecs.storing import Objects

VALUES = 200_000


def test_predictions_are_what_they_were_everywhere() -> None:
    assert golden() == json.loads(FILE.read_text("utf-8"))


def weights(seed: int, count: int = VALUES) -> np.ndarray:
    return (0.05 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def predictor(*steps: Step, output: Output, side: bytes = b"", sources: int = 2) -> Predictor:
    objects = Objects()
    found = tuple(Source(objects.add(weights(seed).tobytes()), "F32") for seed in range(sources))
    return Predictor(Prediction(found, steps, output, side), objects.resolve)


def readable() -> Iterator[Predictor]:
    factors = weights(9, 2 * (200 + 1000)).tobytes()
    sum_of_both = (Load(0), Number(0.25), Arithmetic("mul"), Load(1), Arithmetic("add"))
    yield predictor(Load(1), output=Words("F32"))
    yield predictor(*sum_of_both, output=Words("BF16"))
    yield predictor(*sum_of_both, output=Blocks("Q5_1", "reference"))
    yield predictor(Load(0), Load(0), Largest(400), Arithmetic("div"), output=Codes("NF4"))
    yield predictor(Load(0), Largest(1000), output=Words("F32", 1000))
    yield predictor(Load(0), Mask(), output=Words("F16"), side=weights(8, VALUES // 32).tobytes())
    yield predictor(Load(0), LowRank(2, 1000), Arithmetic("add"), output=Words("F32"), side=factors)


@pytest.mark.parametrize("number", range(7))
def test_any_stretch_is_read_as_it_lies_in_the_whole(number: int) -> None:
    found = list(readable())[number]
    whole = bytes(found.read_at(0, found.size_bytes))
    random = np.random.default_rng(number)
    for start in [0, 1, found.size_bytes - 1, *random.integers(0, found.size_bytes, 12).tolist()]:
        count = int(random.integers(0, min(5000, found.size_bytes - start) + 1))
        assert bytes(found.read_at(start, count)) == whole[start : start + count]


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, -1), (VALUES * 4, 1), (1, VALUES * 4)])
def test_what_lies_outside_is_not_read(start: int, count: int) -> None:
    with pytest.raises(DamagedObject):
        predictor(Load(0), Round("BF16"), output=Words("F32")).read_at(start, count)


def test_what_an_object_does_not_have_is_not_read() -> None:
    objects = Objects()
    ((name, _, _),) = [(one.object_id, 0, 0) for one in objects.add(bytes(100))]
    too_long = Source((Piece(name, 0, 104),), "F32")
    found = Predictor(Prediction((too_long,), (Load(0),), Words("F32")), objects.resolve)
    assert bytes(found.read_at(0, 100)) == bytes(100)
    with pytest.raises(DamagedObject):
        found.read_at(96, 8)
    missing = Source((Piece(ObjectId("0" * 64), 0, 4),), "F32")
    with pytest.raises(ObjectMissing):
        Predictor(Prediction((missing,), (Load(0),), Words("F32")), objects.resolve).read_at(0, 4)


def test_zeros_and_pieces_are_joined_to_a_source() -> None:
    objects = Objects()
    ((first,), (second,)) = objects.add(weights(1).tobytes()), objects.add(weights(2).tobytes())
    pieces = (
        Piece(second.object_id, 400, 40),
        Piece(None, 0, 12),
        Piece(first.object_id, 0, 8),
    )
    found = Predictor(Prediction((Source(pieces, "F32"),), (Load(0),), Words("F64")), objects.resolve)
    expected = np.concatenate([weights(2)[100:110], np.zeros(3), weights(1)[:2]])
    assert np.array_equal(np.frombuffer(found.read_at(0, found.size_bytes), "<f8"), expected)


def test_factors_are_multiplied_in_their_order() -> None:
    left, right = weights(3, 40).reshape(20, 2), weights(4, 60).reshape(2, 30)
    objects = Objects()
    source = Source(objects.add(weights(5, 600).tobytes()), "F32")
    side = left.tobytes() + right.tobytes()
    steps = (Load(0), LowRank(2, 30), Arithmetic("add"))
    found = Predictor(Prediction((source,), steps, Words("F32"), side), objects.resolve)
    expected = np.empty((20, 30), np.float32)
    for row in range(20):
        for column in range(30):
            first = np.float32(left[row, 0] * right[0, column])
            expected[row, column] = np.float32(first + np.float32(left[row, 1] * right[1, column]))
    expected = weights(5, 600) + expected.ravel()
    assert np.array_equal(np.frombuffer(found.read_at(0, 2400), "<f4"), expected)


def test_this_process_reckons_with_the_smallest_numbers() -> None:
    require_exact_arithmetic()


def test_a_long_prediction_is_reckoned_in_short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = predictor(Load(0), Number(2.0), Arithmetic("mul"), output=Words("F32"), sources=1)
    counts: list[int] = []
    inner = found.numbers_at

    def noted(begin: int, count: int) -> Numbers:
        counts.append(count)
        return inner(begin, count)

    monkeypatch.setattr(found, "numbers_at", noted)
    found.read_at(0, found.size_bytes)
    assert max(counts) <= 65536
    assert sum(counts) == VALUES
