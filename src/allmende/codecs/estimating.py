"""Estimates what an encoding would take, from a sample, so that many predictions can be compared."""

from collections.abc import Mapping
from types import MappingProxyType

from allmende.codecs.blocks import Effort, encode_block, quick_size
from allmende.codecs.errors import PredictionImpossible
from allmende.codecs.objects import Plain
from allmende.codecs.word_types import WORD_TYPES, WordType

__all__ = ["estimate"]

_STRETCHES: Mapping[Effort, tuple[int, int]] = MappingProxyType(
    {Effort.QUICK: (8, 1024), Effort.THOROUGH: (16, 8192)}
)
"""How many stretches of how many words are read."""


def estimate(
    plain: Plain, words: WordType, predicted: Plain | None = None, effort: Effort = Effort.THOROUGH
) -> int:
    """About how many bytes the blocks of an encoding of `plain` would take, against what is predicted.

    Codes stretches from all over the object as one block, more and longer ones with more effort; an object
    that is not longer than they are is coded whole. Quickly, only the forms are counted that are the shortest
    of nearly all blocks. Raises PredictionImpossible where not as many bytes are
    predicted, and what reading raises.
    """
    if predicted is not None and predicted.size_bytes != plain.size_bytes:
        raise PredictionImpossible(
            f"{predicted.size_bytes} bytes are predicted for an object of {plain.size_bytes}."
        )
    if plain.size_bytes % words.size_bytes:
        words = WORD_TYPES[0]
    sample = _sample(plain, words, effort)
    guessed = None if predicted is None else _sample(predicted, words, effort)
    if effort == Effort.QUICK:
        size = quick_size(sample, words, guessed)
    else:
        size = len(encode_block(sample, words, guessed)[1])
    return size * plain.size_bytes // len(sample)


def _sample(plain: Plain, words: WordType, effort: Effort) -> memoryview:
    stretches, each = _STRETCHES[effort]
    count = plain.size_bytes // words.size_bytes
    if count <= stretches * each:
        return plain.read_at(0, plain.size_bytes)
    starts = ((count - each) * i // (stretches - 1) for i in range(stretches))
    size = words.size_bytes
    return memoryview(b"".join(plain.read_at(start * size, each * size) for start in starts))
