"""Completing: what a sample could not tell of a prediction, read off the whole child and its sources."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from allmende.codecs.drafts import Open
from allmende.codecs.errors import PredictionImpossible
from allmende.codecs.finding_arcs import share_of_arc, wide_arc
from allmende.codecs.finding_quantised import scale_of
from allmende.codecs.low_rank import change_of, factors_of
from allmende.codecs.objects import Plain, Resolve
from allmende.codecs.outputs import Output, Words
from allmende.codecs.predictions import Prediction, Source, source_word_bytes
from allmende.codecs.predictor import Predictor
from allmende.codecs.rounding import Numbers, numbers_of
from allmende.codecs.samples import Fit
from allmende.codecs.steps import Arithmetic, Load, LowRank, Number, Prune, Step

__all__ = ["Proposal", "complete"]

_RUN_VALUES = 1 << 18
_SCALES_APART = 0.01


@dataclass(frozen=True, slots=True)
class Proposal:
    """A prediction that met a sample, and what is still open of it: `complete` makes a Prediction of it."""

    sources: tuple[Source, ...]
    steps: tuple[Step, ...]
    output: Output
    fit: Fit
    open: Open


def complete(proposal: Proposal, child: Plain, resolve: Resolve) -> Prediction:
    """The prediction of a proposal. Reads all of the child and the sources if something is open.

    Raises PredictionImpossible if the whole is not as the sample was, and what reading raises.
    """
    steps, side = proposal.steps, b""
    match proposal.open:
        case Open.LIMIT:
            steps = _with_limit(proposal, child, resolve)
        case Open.MASK:
            side = _mask(proposal, child)
        case Open.LARGEST:
            steps = _with_largest(proposal, resolve)
        case Open.ANGLE:
            steps = _with_cosine(proposal, resolve)
        case Open.FACTORS:
            side = _factors(proposal, child, resolve)
        case Open.NOTHING:
            pass
    return Prediction(proposal.sources, steps, proposal.output, side)


def _with_limit(proposal: Proposal, child: Plain, resolve: Resolve) -> tuple[Step, ...]:
    """The largest of the values that became zero; those kept have to be larger."""
    place = next(number for number, step in enumerate(proposal.steps) if isinstance(step, Prune))
    cut, kept = 0.0, math.inf
    before = _numbers(proposal.sources, proposal.steps[:place], resolve)
    for values, found in zip(before, _child(proposal, child), strict=True):
        size, zero = np.abs(values), found == 0
        cut = max(cut, float(size[zero].max(initial=0)))
        kept = min(kept, float(size[~zero].min(initial=math.inf)))
    if cut > kept:
        raise PredictionImpossible("What was pruned is not what was smallest.")
    return (*proposal.steps[:place], Prune(cut, keeps_limit=cut == kept), *proposal.steps[place + 1 :])


def _mask(proposal: Proposal, child: Plain) -> bytes:
    kept = [np.packbits(found != 0, bitorder="little") for found in _child(proposal, child)]
    return b"".join(one.tobytes() for one in kept)


def _with_largest(proposal: Proposal, resolve: Resolve) -> tuple[Step, ...]:
    """The scale, or its inverse, made of the largest of all values instead of the sample's."""
    *before, guess, last = proposal.steps
    largest = np.float32(0)
    for values in _numbers(proposal.sources, before, resolve):
        largest = np.maximum(largest, np.abs(values).max(initial=0))
    scale = scale_of(largest, proposal.output, inverse=last == Arithmetic("mul"))
    if not (isinstance(guess, Number) and abs(scale - guess.value) <= _SCALES_APART * guess.value):
        # The scale was not made of the largest value, which may be no number at all; what fits the sample is
        # as near as one comes.
        return proposal.steps
    return (*before, Number(scale), last)


def _with_cosine(proposal: Proposal, resolve: Resolve) -> tuple[Step, ...]:
    """The cosine of the angle between both sources; the share stands in the steps already."""
    first, second = (_numbers(proposal.sources, (Load(number),), resolve) for number in (0, 1))
    sums = np.zeros(3)
    for left, right in zip(first, second, strict=True):
        one, other = left.astype(np.float64), right.astype(np.float64)
        sums += (np.sum(one * other), np.sum(one * one), np.sum(other * other))
    cosine = float(sums[0] / math.sqrt(sums[1] * sums[2])) if sums[1:].all() else math.nan
    if not -1 < cosine < 1:
        raise PredictionImpossible("There is no arc between these tensors.")
    wide = [source.words == "F64" for source in proposal.sources]
    return wide_arc(share_of_arc(proposal.steps), cosine, wide)


def _factors(proposal: Proposal, child: Plain, resolve: Resolve) -> bytes:
    (step,) = (step for step in proposal.steps if isinstance(step, LowRank))
    change = change_of(child, proposal.sources[0], step.columns, resolve)
    if change is None:
        raise PredictionImpossible("A product of low rank is not fitted to this matrix.")
    return factors_of(change, step.rank)


def _numbers(sources: tuple[Source, ...], steps: Sequence[Step], resolve: Resolve) -> Iterator[Numbers]:
    predictor = Predictor(Prediction(sources, tuple(steps), Words("F64")), resolve)
    run = predictor.prediction.run_values
    at_once = run * max(1, _RUN_VALUES // run)
    for first in range(0, predictor.prediction.values, at_once):
        yield predictor.numbers_at(first, min(at_once, predictor.prediction.values - first))


def _child(proposal: Proposal, child: Plain) -> Iterator[Numbers]:
    assert isinstance(proposal.output, Words), "only values of floats are pruned"
    dtype = proposal.output.dtype
    size = source_word_bytes(dtype)
    for first in range(0, child.size_bytes // size, _RUN_VALUES):
        count = min(_RUN_VALUES, child.size_bytes // size - first)
        yield numbers_of(child.read_at(first * size, count * size), dtype)
