"""The predictor: the bytes that a prediction foretells, reckoned where they are read."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.decoding import Decoding, lent
from allmende.codecs.errors import DamagedObject
from allmende.codecs.objects import ReferenceBytes, Resolve
from allmende.codecs.outputs import Words, output_bytes, written
from allmende.codecs.predictions import Prediction, source_word_bytes
from allmende.codecs.programs import Inputs, require_exact_arithmetic, run_program
from allmende.codecs.rounding import FLOAT_TYPES, Numbers, numbers_of
from allmende.codecs.steps import Load, LowRank, Mask

__all__ = ["Predictor"]

_RUN_VALUES = 65536
"""How many values are reckoned at once: few enough for the processor's cache, and for memory."""

_CAST_VALUES = 4 * _RUN_VALUES


class Predictor:
    """The predicted bytes. Raises PredictionImpossible where this process cannot reckon exactly."""

    def __init__(self, prediction: Prediction, resolve: Resolve) -> None:
        require_exact_arithmetic()
        self.prediction = prediction
        self.size_bytes = prediction.size_bytes
        self._sources = [ReferenceBytes(source.reference, resolve) for source in prediction.sources]
        self._copies = prediction.is_copy
        self._casts_to_brain = _is_cast_to_brain(prediction)

    @cached_property
    def _side(self) -> "_Side":
        return _Side(self.prediction)

    @cached_property
    def _run(self) -> tuple[int, int]:
        """The values and bytes at whole multiples of which a run may begin and end."""
        values, size = output_bytes(self.prediction.output)
        return self.prediction.run_values, self.prediction.run_values // values * size

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain. Any bytes may be asked for; values are reckoned by whole blocks around them."""
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject(
                f"{self.size_bytes} bytes are predicted, and {count} at {start} were asked for."
            )
        if self._copies:
            return self._sources[0].read_at(start, count)
        if count == 0:
            return memoryview(b"")
        run_bytes = self._run[1]
        first, end = start // run_bytes, -(-(start + count) // run_bytes)
        runs = list(self._runs(first, end))
        found = memoryview((runs[0] if len(runs) == 1 else np.concatenate(runs)).data)
        skipped = start - first * run_bytes
        return found[skipped : skipped + count].toreadonly()

    def fill(self, out: memoryview, start: int, decoding: Decoding) -> None:
        """See Fillable. What only copies and casts is left for later; all else is reckoned now."""
        if self._copies:
            self._sources[0].fill(out, start, decoding)
        elif self._casts_to_brain and start % 2 == 0 and len(out) % 2 == 0:
            with lent(2 * len(out)) as singles:
                self._sources[0].fill(singles, 2 * start, decoding)
                decoding.brain(singles, out)
        else:
            decoding.copy(self.read_at(start, len(out)), out)

    def _runs(self, first: int, end: int) -> Iterator[NDArray[np.uint8]]:
        # Where nothing is reckoned, values are but written in another form: no need to stay in the cache.
        most = _RUN_VALUES if len(self.prediction.steps) > 1 else _CAST_VALUES
        run_values = self._run[0]
        at_once = max(1, most // run_values)
        for run in range(first, end, at_once):
            begin = run * run_values
            count = min(end - run, at_once) * run_values
            yield written(self.numbers_at(begin, count), self.prediction.output)

    def numbers_at(self, begin: int, count: int) -> Numbers:
        """Values before they are written; both are whole multiples of the prediction's `run_values`."""
        inputs = Inputs(
            lambda source: self._load(source, begin, count),
            lambda: self._side.bits(begin, count),
            lambda step: self._side.product(step, begin, count),
        )
        return run_program(self.prediction.steps, inputs)

    def _load(self, source: int, begin: int, count: int) -> Numbers:
        words = self.prediction.sources[source].words
        size = source_word_bytes(words)
        data = self._sources[source].read_at(begin * size, count * size)
        if words in FLOAT_TYPES:
            return numbers_of(data, words)
        return np.frombuffer(data, np.int8 if words == "I8" else np.uint8).astype(np.float32)


def _is_cast_to_brain(prediction: Prediction) -> bool:
    """Whether words of F32 are predicted as words of BF16: the commonest cast."""
    is_cast = prediction.steps == (Load(0),) and prediction.output == Words("BF16")
    return is_cast and prediction.sources[0].words == "F32"


class _Side:
    """The bits and factors beside a prediction."""

    def __init__(self, prediction: Prediction) -> None:
        bits = -(-prediction.values // 8) if Mask() in prediction.steps else 0
        self._bits = np.frombuffer(prediction.side, np.uint8, bits)
        self._factors = np.frombuffer(prediction.side, "<f4", offset=bits).astype(np.float32, copy=False)
        self._values = prediction.values

    def bits(self, begin: int, count: int) -> NDArray[np.bool_]:
        """Those of a stretch of values."""
        some = np.unpackbits(self._bits[begin // 8 : -(-(begin + count) // 8)], bitorder="little")
        return some[begin % 8 : begin % 8 + count].astype(np.bool_)

    def product(self, step: LowRank, begin: int, count: int) -> NDArray[np.float32]:
        """A stretch of the product's values, added up one rank after another."""
        rows = self._values // step.columns
        left = self._factors[: rows * step.rank].reshape(rows, step.rank)
        right = self._factors[rows * step.rank :].reshape(step.rank, step.columns)
        first, end = begin // step.columns, -(-(begin + count) // step.columns)
        skipped = begin - first * step.columns
        if end - first == 1:
            # Within one long row only what was asked for is reckoned.
            right, skipped = right[:, skipped : skipped + count], 0
        total = np.zeros((end - first, right.shape[1]), np.float32)
        for number in range(step.rank):
            total += left[first:end, number, None] * right[number]
        return total.ravel()[skipped : skipped + count]
