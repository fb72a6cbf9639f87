"""Documents of predictions: written in one way, and believed in nothing."""

import json
from typing import Any

import pytest

from allmende.codecs import (
    MAX_OBJECT_BYTES,
    MAX_PREDICTION_BYTES,
    MalformedEncoding,
    ObjectId,
    Piece,
    Prediction,
    Source,
    parse_prediction,
)
from allmende.codecs.outputs import Blocks, Codes, Output, Words
from allmende.codecs.steps import Arithmetic, Largest, Load, LowRank, Mask, Number, Prune, Round, Step

ONE, OTHER = ObjectId("1" * 64), ObjectId("2" * 64)
SINGLE = Words("F32")
ADD, MUL = Arithmetic("add"), Arithmetic("mul")


def source(values: int = 64, words: str = "F32", name: ObjectId = ONE) -> Source:
    return Source((Piece(name, 0, values * 4),), words)


def prediction(*steps: Step, output: Output = SINGLE, side: bytes = b"", count: int = 1) -> Prediction:
    return Prediction(tuple(source(name=name) for name in (ONE, OTHER)[:count]), steps, output, side)


GOOD = [
    prediction(Load(0)),
    prediction(Load(0), Round("F64"), Number(0.1, "F64"), MUL),
    prediction(Load(0), Number(0.5), MUL, Load(1), Number(-0.5), MUL, ADD, Round("BF16"), count=2),
    prediction(Load(0), Prune(0.25), Prune(0.5, keeps_limit=True), output=Words("F16")),
    prediction(Load(0), Mask(), side=bytes(8)),
    prediction(Load(0), LowRank(2, 16), ADD, side=bytes(4 * 2 * (4 + 16))),
    prediction(Load(0), Load(0), Largest(32), Arithmetic("div"), output=Codes("NF4")),
    prediction(Load(0), Largest(16), output=Words("F32", 16)),
    prediction(Load(0), output=Blocks("Q5_1", "fused")),
    prediction(Load(0), Number(0.5), Arithmetic("max"), output=Words("I8")),
    Prediction(
        (Source((Piece(ONE, 40, 8), Piece(None, 0, 8), Piece(OTHER, 0, 4), Piece(ONE, 48, 4)), "BF16"),),
        (Load(0),),
        Words("BF16"),
    ),
]


@pytest.mark.parametrize("good", GOOD, ids=range(len(GOOD)))
def test_a_prediction_is_read_as_it_was_written(good: Prediction) -> None:
    assert parse_prediction(good.document(), good.side) == good


def test_its_parents_and_sizes_are_told() -> None:
    last = GOOD[-1]
    assert last.parents == (ONE, OTHER)
    assert (last.values, last.size_bytes, last.is_copy) == (12, 24, True)
    assert (GOOD[6].size_bytes, GOOD[7].size_bytes, GOOD[8].size_bytes) == (32, 16, 48)


@pytest.mark.parametrize(
    "make",
    [
        prediction,
        lambda: prediction(MUL),
        lambda: prediction(Load(0), MUL),
        lambda: prediction(Load(1)),
        lambda: prediction(Load(0), Load(0)),
        lambda: prediction(Number(1.0)),
        lambda: prediction(Load(0), Number(1.0), Number(1.0), ADD, ADD),
        lambda: prediction(Number(1.0), Round("BF16"), Load(0), ADD),
        lambda: prediction(Load(0), Number(0.1), MUL),
        lambda: prediction(Load(0), Prune(0.1)),
        lambda: prediction(Load(0), Number(0.5, "F64"), MUL),
        lambda: prediction(Load(0), Mask()),
        lambda: prediction(Load(0), side=b"x"),
        lambda: prediction(Load(0), LowRank(1, 60), ADD, side=bytes(4 * 61)),
        lambda: prediction(Load(0), LowRank(1, 64), ADD, LowRank(1, 64), ADD, side=bytes(4 * 65)),
        lambda: prediction(Load(0), Largest(60)),
        lambda: prediction(Load(0), Largest(64), output=Words("F32", 63)),
        lambda: prediction(Load(0), Round("F64"), output=Blocks("Q8_0", "even")),
        lambda: prediction(*(Load(0),) * 17, *(ADD,) * 16),
        lambda: prediction(Load(0), *[Round("BF16")] * 64),
        lambda: Prediction((), (Load(0),), Words("F32")),
        lambda: Prediction((source(),) * 9, (Load(0),), Words("F32")),
        lambda: Prediction((source(), source(32)), (Load(0),), Words("F32")),
        lambda: Prediction((source(words="Q8_0"),), (Load(0),), Words("F32")),
        lambda: Prediction((Source((), "F32"),), (Load(0),), Words("F32")),
        lambda: Prediction((Source((Piece(ONE, -4, 8),), "F32"),), (Load(0),), Words("F32")),
        lambda: Prediction((Source((Piece(ONE, 0, 6),), "F32"),), (Load(0),), Words("F32")),
        lambda: Prediction((Source((Piece(ONE, MAX_OBJECT_BYTES, 4),), "F32"),), (Load(0),), Words("F32")),
        lambda: Prediction((Source((Piece(None, 4, 4),), "F32"),), (Load(0),), Words("F32")),
        lambda: Prediction((Source((Piece(None, 0, 1 << 40),), "F32"),), (Load(0),), Words("F32")),
        lambda: Prediction((Source((Piece(None, 0, MAX_OBJECT_BYTES),), "F16"),), (Load(0),), Words("F32")),
        lambda: Prediction((Source((Piece(ONE, 0, 1),) * 65537, "U8"),), (Load(0),), Words("U8")),
    ],
)
def test_what_does_not_fit_together_is_not_made(make: Any) -> None:
    with pytest.raises(MalformedEncoding):
        make()


def changed(**values: object) -> bytes:
    document = json.loads(prediction(Load(0), Number(0.5), MUL).document())
    return json.dumps({**document, **values}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"{}",
        b"[" * 100_000,
        b"9" * 5000,
        b"\xff",
        b" " * (MAX_PREDICTION_BYTES + 1),
        changed() + b" ",
        changed(version=2),
        changed(version=True),
        changed(more=1),
        changed(parents=[]),
        changed(parents=["1" * 63]),
        changed(parents=["1" * 63 + "G"]),
        changed(parents=["1" * 64, "2" * 64]),
        changed(parents=["1" * 64, "1" * 64]),
        changed(sources=[]),
        changed(sources=[{"words": "F32", "pieces": [0, 0]}]),
        changed(sources=[{"words": "F32", "pieces": [0, 0.0, 256]}]),
        changed(sources=[{"words": "F32", "pieces": [1, 0, 256]}]),
        changed(sources=[{"words": "F32", "pieces": [-2, 0, 256]}]),
        changed(sources=[{"words": "F32", "pieces": [0, -1, 256]}]),
        changed(sources=[{"words": "F32", "pieces": [0, 0, 10**30]}]),
        changed(sources=[{"words": ["F32"], "pieces": [0, 0, 256]}]),
        changed(sources=[{"pieces": [0, 0, 256], "words": "F32"}]),
        changed(steps=[]),
        changed(steps=[["load", 0, 0]]),
        changed(steps=[["load", True]]),
        changed(steps=[["load", -1]]),
        changed(steps=[["load", 1 << 70]]),
        changed(steps=[["open", 0]]),
        changed(steps=["load"]),
        changed(steps=[[["load"], 0]]),
        changed(steps=[["load", 0], ["number", "0x1p-1", "F32"], ["mul"]]),
        changed(steps=[["load", 0], ["number", 0.5, "F32"], ["mul"]]),
        changed(steps=[["load", 0], ["number", "inf", "F32"], ["mul"]]),
        changed(steps=[["load", 0], ["number", "nan", "F32"], ["mul"]]),
        changed(steps=[["load", 0], ["number", "0x1.0p+99999", "F32"], ["mul"]]),
        changed(steps=[["load", 0], ["number", "0x1.0000000000000p-1", "F16"], ["mul"]]),
        changed(steps=[["load", 0], ["round", "U8"]]),
        changed(steps=[["load", 0], ["round", ["BF16"]]]),
        changed(steps=[["load", 0], ["prune", "0x1.0000000000000p-1", "above"]]),
        changed(steps=[["load", 0], ["prune", "0x1.0000000000000p-1", []]]),
        changed(steps=[["load", 0], ["low_rank", 0, 8], ["add"]]),
        changed(steps=[["load", 0], ["low_rank", 257, 8], ["add"]]),
        changed(steps=[["load", 0], ["largest", 1 << 21]]),
        changed(output=["words", "F32"]),
        changed(output=["words", "F32", 0]),
        changed(output=["words", "F32", True]),
        changed(output=["words", "F7", 1]),
        changed(output=["codes", "NF5"]),
        changed(output=["blocks", "Q4_K", "reference"]),
        changed(output=["blocks", "Q4_0", "other"]),
        changed(output={"words": 1}),
    ],
)
def test_a_document_that_is_not_exactly_one_is_refused(document: bytes) -> None:
    with pytest.raises(MalformedEncoding):
        parse_prediction(document)


def test_the_good_document_of_these_changes_is_read() -> None:
    assert parse_prediction(changed()).steps == (Load(0), Number(0.5), MUL)


def test_rows_in_another_order_are_written_in_few_different_numbers() -> None:
    rows = [Piece(ONE, 256 * (half * 512 + row), 256) for row in range(512) for half in (0, 1)]
    document = json.loads(Prediction((Source(tuple(rows), "F32"),), (Load(0),), Words("F32")).document())
    assert len(set(document["sources"][0]["pieces"])) <= 5
