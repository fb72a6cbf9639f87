"""Estimates what an encoding would take, from a sample, so that many predictions can be compared."""

from allmende.codecs.blocks import Effort, encode_block
from allmende.codecs.errors import PredictionImpossible
from allmende.codecs.objects import Plain
from allmende.codecs.word_types import WORD_TYPES, WordType

__all__ = ["estimate"]

_STRETCHES = 16
_STRETCH_WORDS = 8192


def estimate(plain: Plain, words: WordType, predicted: Plain | None = None) -> int:
    """About how many bytes the blocks of an encoding of `plain` would take, against what is predicted.

    Codes 16 stretches from all over the object as one block; an object that is not longer than they are is
    coded whole. Raises PredictionImpossible where not as many bytes are predicted, and what reading raises.
    """
    if predicted is not None and predicted.size_bytes != plain.size_bytes:
        raise PredictionImpossible(
            f"{predicted.size_bytes} bytes are predicted for an object of {plain.size_bytes}."
        )
    if plain.size_bytes % words.size_bytes:
        words = WORD_TYPES[0]
    sample = _sample(plain, words)
    _, payload = encode_block(
        sample, words, None if predicted is None else _sample(predicted, words), Effort.QUICK
    )
    return len(payload) * plain.size_bytes // len(sample)


def _sample(plain: Plain, words: WordType) -> memoryview:
    count = plain.size_bytes // words.size_bytes
    if count <= _STRETCHES * _STRETCH_WORDS:
        return plain.read_at(0, plain.size_bytes)
    starts = ((count - _STRETCH_WORDS) * i // (_STRETCHES - 1) for i in range(_STRETCHES))
    size = words.size_bytes
    return memoryview(b"".join(plain.read_at(start * size, _STRETCH_WORDS * size) for start in starts))
