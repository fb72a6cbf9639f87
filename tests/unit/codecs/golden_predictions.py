"""Predictions of a fixed input: their bytes stand in golden/predictions.json, the same on every machine.

The input holds what arithmetic treats in its own way: every kind of NaN, infinities, numbers too small to be
normal, both zeros, ties, and numbers of all sizes. Run as a script, this writes the file anew.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from allmende.codecs import Prediction, Predictor, Source
from allmende.codecs.ggml import GGML_KINDS, GGML_ROUNDINGS
from allmende.codecs.outputs import Blocks, Codes, Output, Words
from allmende.codecs.predictions import SOURCE_WORDS, source_word_bytes
from allmende.codecs.rounding import FLOAT_TYPES
from allmende.codecs.steps import (
    Arithmetic,
    ArithmeticKind,
    Largest,
    Load,
    LowRank,
    Mask,
    Number,
    Prune,
    Round,
    Step,
)
from tests.unit.codecs.storing import Objects

FILE = Path(__file__).parent / "golden" / "predictions.json"
VALUES = 2048
SPECIAL = (
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x7F7FFFFF,
    0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7F800001, 0xFF800001, 0x7FC00000, 0xFFC00000, 0x7FFFFFFF,
    0xFFFFFFFF, 0x7FA12345, 0x3F808000, 0x3F818000, 0x3F801000, 0x3F803000, 0x33000000, 0x33000001,
    0x477FF000, 0x477FEFFF, 0x43E80000,
)  # fmt: skip
ARITHMETIC: tuple[ArithmeticKind, ...] = ("add", "sub", "mul", "div", "max")


def words(number: int) -> bytes:
    """Words without any library of chance: hashes, and in the first of two inputs the special ones."""
    hashes = b"".join(hashlib.sha256(f"{number} {place}".encode()).digest() for place in range(VALUES // 8))
    found = np.frombuffer(hashes, "<u4").copy()
    # Half of them are of the size of weights: an exponent field of 112 to 127.
    found[::2] = (found[::2] & 0x87FFFFFF) | 0x38000000
    special = np.array(SPECIAL, "<u4")
    if number == 0:
        found[: len(special) ** 2] = np.repeat(special, len(special))
    else:
        found[: len(special) ** 2] = np.tile(special, len(special))
    return found.tobytes()


def ordinary(number: int) -> bytes:
    """Words of weights only."""
    found = np.frombuffer(words(number + 10), "<u4") & 0x87FFFFFF | 0x38000000
    return found.astype("<u4").tobytes()


def programs() -> dict[str, tuple[tuple[Step, ...], Output, bytes]]:
    """Steps and outputs by their names."""
    single = Words("F32")
    found: dict[str, tuple[tuple[Step, ...], Output, bytes]] = {}
    for dtype in FLOAT_TYPES:
        found[f"to {dtype}"] = ((Load(0),), Words(dtype), b"")
        found[f"by {dtype}"] = ((Load(0), Round(dtype)), single, b"")
        found[f"by F64 to {dtype}"] = ((Load(0), Round("F64")), Words(dtype), b"")
    for kind in ARITHMETIC:
        found[kind] = ((Load(0), Load(1), Arithmetic(kind)), single, b"")
        wide = (Load(0), Round("F64"), Load(1), Round("F64"), Arithmetic(kind))
        found[f"{kind} in F64"] = (wide, Words("F64"), b"")
    bits = hashlib.sha256(b"mask").digest() * 8
    factors = ordinary(3)[: 4 * 3 * (32 + 64)]
    found |= {
        "factor": ((Load(0), Number(float(np.float32(1 - 4e-6))), Arithmetic("mul")), single, b""),
        "pruned to": ((Load(0), Prune(0.5)), single, b""),
        "pruned below": ((Load(0), Prune(float(np.float32(1.17e-38)), keeps_limit=True)), Words("BF16"), b""),
        "mask": ((Load(0), Mask()), single, bits),
        "low rank": ((Load(0), LowRank(3, 64), Arithmetic("add")), single, factors),
        "mask and low rank": ((LowRank(3, 64), Mask(), Load(1), Arithmetic("add")), single, bits + factors),
        "largest": ((Load(0), Largest(16)), single, b""),
        "one of each": ((Load(0), Largest(64), Number(127.0), Arithmetic("div")), Words("F32", 64), b""),
        "whole": ((Load(0), Number(37.0), Arithmetic("mul")), Words("I8"), b""),
        "whole without sign": ((Load(0), Number(37.0), Arithmetic("mul")), Words("U8"), b""),
        "levels": ((Load(0), Load(0), Largest(64), Arithmetic("div")), Codes("NF4"), b""),
    }
    for name in GGML_KINDS:
        for rounding in GGML_ROUNDINGS:
            found[f"{name} {rounding}"] = ((Load(0),), Blocks(name, rounding), b"")
    return found


def golden() -> dict[str, str]:
    """What is predicted, by its name: SHA-256 of the bytes, of special words and of ordinary ones."""
    objects, found = Objects(), {}
    for make in (words, ordinary):
        pair = tuple(Source(objects.add(make(number)), "F32") for number in (0, 1))
        for name, (steps, output, side) in programs().items():
            predictor = Predictor(Prediction(pair, steps, output, side), objects.resolve)
            data = predictor.read_at(0, predictor.size_bytes)
            found[f"{make.__name__}: {name}"] = hashlib.sha256(data).hexdigest()
    for dtype in SOURCE_WORDS:
        size = source_word_bytes(dtype)
        source = Source(objects.add(words(0)[: VALUES * size] if size <= 4 else words(0)), dtype)
        predictor = Predictor(Prediction((source,), (Load(0), Prune(0.0)), Words("F32")), objects.resolve)
        found[f"from {dtype}"] = hashlib.sha256(predictor.read_at(0, predictor.size_bytes)).hexdigest()
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=1, sort_keys=True) + "\n", "utf-8")
