"""Blocks: a run of words in the shortest of a handful of forms, with or without a prediction of it.

Which form is taken is found by trial, on a sample where trying costs more than it can win. Decoding needs the
words' type, the number of bytes and, for the forms that say so, the predicted bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.decoding import Decoding, lent
from allmende.codecs.errors import MalformedEncoding
from allmende.codecs.planes import (
    coded_planes,
    compressed,
    decompressed,
    join_planes,
    planes_bytes,
    planes_coded,
    room,
    split_planes,
)
from allmende.codecs.rans import coder, decode_residual
from allmende.codecs.rans_tokens import WordShape, token_count
from allmende.codecs.word_types import WORD_TYPES, WordType

__all__ = [
    "MAX_BLOCK_WORDS",
    "BlockCodec",
    "Effort",
    "Habit",
    "decode_block",
    "encode_block",
    "plan_block",
    "quick_size",
]

MAX_BLOCK_WORDS = 1 << 20
_SAMPLES, _SAMPLE_WORDS = 4, 1024
_FLAT = {words.size_bytes: words for words in WORD_TYPES if not words.is_float}
_NEAR_ENOUGH = 1.1
"""An estimate from a sample may be wrong by this factor; what is nearer to the best is made whole."""
_AHEAD = ((1.3, 7), (1.05, 3))
"""A form that is so many times shorter than all others is taken for so many of the next blocks of an object
too, while they are not so many times longer or shorter than that one."""


class BlockCodec(IntEnum):
    """The forms of a block; the numbers stand in stored encodings and never change their meaning."""

    RAW = 0
    EQUAL = 1
    """What is predicted; without a prediction, zeros."""
    PLANES = 2
    """Byte planes, zstd."""
    XOR_PLANES = 3
    """Exclusive or with what is predicted, byte planes, zstd."""
    RESIDUAL = 4
    """Difference to what is predicted, in the order of numbers; entropy coded by predicted exponent."""
    ALONE = 5
    """Byte planes, each raw or entropy coded."""
    DIFFERENCE_PLANES = 6
    """The difference of RESIDUAL as byte planes, zstd: for differences that repeat."""


class Effort(IntEnum):
    """How hard the shortest form is looked for."""

    QUICK = 1
    """By estimates and samples."""
    THOROUGH = 2
    """Every form is made; about three times slower."""


@dataclass(slots=True)
class Habit:
    """What trials of the blocks before have shown, for the blocks of one object in their order."""

    share: float = 0.0
    """What RESIDUAL took of the last block that was tried."""
    ahead: float = 1.0
    """How many times shorter it was than all other forms, as far as that counts."""
    untried: int = 0
    """For how many blocks more it is taken without a trial."""

    def tried(self, expected: dict[BlockCodec, int], size_bytes: int) -> None:
        """The forms of a block were estimated so."""
        residual = expected.get(BlockCodec.RESIDUAL, size_bytes)
        others = min(size for codec, size in expected.items() if codec != BlockCodec.RESIDUAL)
        self.share = residual / size_bytes
        for self.ahead, self.untried in _AHEAD:
            if residual * self.ahead <= min(others, size_bytes):
                return
        self.untried = 0

    def holds(self, residual: int, size_bytes: int) -> bool:
        """Whether RESIDUAL, which takes so many bytes of a block, needs no trial; asked once a block."""
        self.untried -= 1
        return self.share / self.ahead <= residual / size_bytes <= self.share * self.ahead


def encode_block(
    plain: memoryview,
    words: WordType,
    predicted: memoryview | None,
    effort: Effort = Effort.QUICK,
    habit: Habit | None = None,
) -> tuple[BlockCodec, bytes]:
    """The form and payload of a block of whole words, never longer than the block itself.

    With a `habit`, forms are not tried for every block of an object where one is far ahead of the others.
    """
    _check_sizes(len(plain), words, predicted)
    if _is_equal(plain, predicted):
        return BlockCodec.EQUAL, b""
    best, payload = BlockCodec.RAW, None
    for codec, encode in _promising(plain, words, predicted, effort, habit or Habit()):
        made = encode()
        if len(made) < (len(plain) if payload is None else len(payload)):
            best, payload = codec, made
    return best, bytes(plain) if payload is None else payload


def quick_size(plain: memoryview, words: WordType, predicted: memoryview | None) -> int:
    """About how many bytes a block takes at most, by the form alone that is mostly the shortest."""
    _check_sizes(len(plain), words, predicted)
    if _is_equal(plain, predicted):
        return 0
    forms = _Forms(plain, words, predicted)
    return min(len(plain), forms.alone_bytes() if predicted is None else forms.analysed()[2])


def decode_block(
    codec: int, payload: memoryview, size_bytes: int, words: WordType, predicted: memoryview | None
) -> memoryview:
    """The plain bytes of a block. Raises MalformedEncoding for every payload that is none of this form.

    Time and memory are bounded by `size_bytes`, whatever the payload says.
    """
    _check_sizes(size_bytes, words, predicted)
    return _decoded(codec, payload, size_bytes, words, predicted)


class Predict(Protocol):
    """Notes down what fills memory with the bytes that are predicted for a block."""

    def __call__(self, out: memoryview, *, decoding: Decoding) -> None: ...


def plan_block(
    codec: int,
    payload: memoryview,
    out: memoryview,
    words: WordType,
    predict: Predict | None,
    decoding: Decoding,
) -> None:
    """Note down what fills `out` with the plain bytes of a block. Forms unknown to the coder are decoded now.

    Raises as `decode_block`; what is malformed may also be found only when the decoding is carried out.
    """
    if codec == BlockCodec.ALONE:
        decoding.planes(payload, out, words)
    elif codec == BlockCodec.RESIDUAL and predict is not None:
        with lent(len(out)) as predicted:
            predict(predicted, decoding=decoding)
            decoding.residual(payload, predicted, out, words)
    elif codec == BlockCodec.EQUAL and predict is not None and not len(payload):
        predict(out, decoding=decoding)
    else:
        decoding.copy(decode_block(codec, payload, len(out), words, _predicted(predict, len(out))), out)


def _predicted(predict: Predict | None, size_bytes: int) -> memoryview | None:
    if predict is None:
        return None
    found, decoding = room(size_bytes), Decoding()
    predict(found, decoding=decoding)
    decoding.carry_out()
    return found


def _check_sizes(size_bytes: int, words: WordType, predicted: memoryview | None) -> None:
    if size_bytes <= 0 or size_bytes % words.size_bytes or size_bytes > MAX_BLOCK_WORDS * words.size_bytes:
        raise MalformedEncoding(f"{size_bytes} bytes are no block of words of {words.size_bytes} bytes.")
    if predicted is not None and len(predicted) != size_bytes:
        raise MalformedEncoding(f"{len(predicted)} bytes are predicted for a block of {size_bytes}.")


def _is_equal(plain: memoryview, predicted: memoryview | None) -> bool:
    if predicted is None:
        return not np.frombuffer(plain, dtype=np.uint8).any()
    return coder.is_same(plain, predicted)


# --- which forms are tried ---------------------------------------------------------------------------

_Form = tuple[BlockCodec, Callable[[], bytes]]


def _promising(
    plain: memoryview, words: WordType, predicted: memoryview | None, effort: Effort, habit: Habit
) -> list[_Form]:
    """The forms that are worth making whole: those that a sample shows to be near the best."""
    forms = _Forms(plain, words, predicted)
    counted_on = effort == Effort.QUICK and predicted is not None and habit.untried
    if counted_on and habit.holds(forms.analysed()[2], len(plain)):
        return [(BlockCodec.RESIDUAL, forms.residual)]
    made: dict[BlockCodec, Callable[[], bytes]] = {
        BlockCodec.PLANES: forms.planes,
        BlockCodec.ALONE: forms.alone,
    }
    if predicted is not None:
        made |= {
            BlockCodec.RESIDUAL: forms.residual,
            BlockCodec.XOR_PLANES: forms.xor_planes,
            BlockCodec.DIFFERENCE_PLANES: forms.difference_planes,
        }
    if effort == Effort.THOROUGH or len(plain) <= 2 * _SAMPLES * _SAMPLE_WORDS * words.size_bytes:
        return list(made.items())
    expected = forms.expected(
        _sampled(plain, words), None if predicted is None else _sampled(predicted, words)
    )
    habit.tried(expected, len(plain))
    near = min(*expected.values(), len(plain)) * _NEAR_ENOUGH
    return [(codec, made[codec]) for codec, size in expected.items() if size <= near and size < len(plain)]


def _sampled(data: memoryview, words: WordType) -> memoryview:
    """Stretches from all over a block."""
    count = len(data) // words.size_bytes
    starts = [(count - _SAMPLE_WORDS) * i // (_SAMPLES - 1) for i in range(_SAMPLES)]
    size = words.size_bytes
    return memoryview(b"".join(data[start * size : (start + _SAMPLE_WORDS) * size] for start in starts))


class _Forms:
    """The forms of one block, made when asked for."""

    def __init__(self, plain: memoryview, words: WordType, predicted: memoryview | None) -> None:
        self._plain = plain
        self._words = words
        self._predicted = predicted
        self._count = len(plain) // words.size_bytes
        self._level = 1 if words.is_float else 3
        self._analysed: tuple[NDArray[np.uint8], bytes, int] | None = None

    def expected(self, plain: memoryview, predicted: memoryview | None) -> dict[BlockCodec, int]:
        """About how many bytes each form takes, from a sample of the block and of what was predicted."""
        scale = len(self._plain) / len(plain)
        sample = _Forms(plain, self._words, predicted)
        sizes = {
            BlockCodec.PLANES: len(sample.planes()) * scale,
            BlockCodec.ALONE: sample.alone_bytes() * scale,
        }
        if predicted is not None:
            sizes[BlockCodec.XOR_PLANES] = len(sample.xor_planes()) * scale
            sizes[BlockCodec.DIFFERENCE_PLANES] = len(sample.difference_planes()) * scale
            sizes[BlockCodec.RESIDUAL] = self.analysed()[2]
        return {codec: int(size) for codec, size in sizes.items()}

    def planes(self) -> bytes:
        return compressed(split_planes(self._plain, self._words), self._level)

    def alone(self) -> bytes:
        return coded_planes(split_planes(self._plain, self._words), self._count)

    def alone_bytes(self) -> int:
        """About how many bytes ALONE takes."""
        return planes_bytes(split_planes(self._plain, self._words), self._count)

    def xor_planes(self) -> bytes:
        flat = _FLAT[self._words.size_bytes]
        return compressed(split_planes(_xor(self._plain, self._guessed()), flat), self._level)

    def difference_planes(self) -> bytes:
        folded = bytearray(len(self._plain))
        coder.fold(self._plain, self._guessed(), folded, *_shape(self._words))
        return compressed(split_planes(folded, _FLAT[self._words.size_bytes]), self._level)

    def residual(self) -> bytes:
        tokens, tables, _ = self.analysed()
        return coder.encode_residual(tables, tokens, self._plain, self._guessed(), *_shape(self._words))

    def analysed(self) -> tuple[NDArray[np.uint8], bytes, int]:
        """Tokens, tables, and how many bytes RESIDUAL takes."""
        if self._analysed is None:
            keys = WordShape(*_shape(self._words)).keys
            tokens = np.empty(self._count, dtype=np.uint8)
            counts = np.zeros((keys, token_count(self._words.size_bytes)), dtype=np.uint32)
            raw = coder.analyse(self._plain, self._guessed(), *_shape(self._words), tokens, counts)
            tables, bits = coder.plan(counts)
            self._analysed = tokens, tables, (bits + raw) // 8 + 70
        return self._analysed

    def _guessed(self) -> memoryview:
        if self._predicted is None:
            raise MalformedEncoding("A block is told against a prediction, and there is none.")
        return self._predicted


def _shape(words: WordType) -> tuple[int, int, int]:
    return words.size_bytes, words.exponent_bits, words.mantissa_bits


def _xor(one: memoryview, other: memoryview) -> memoryview:
    found = np.frombuffer(one, dtype=np.uint8) ^ np.frombuffer(other, dtype=np.uint8)
    return found.data


# --- decoding ----------------------------------------------------------------------------------------


def _decoded(
    codec: int, payload: memoryview, size_bytes: int, words: WordType, predicted: memoryview | None
) -> memoryview:
    if codec == BlockCodec.RAW:
        if len(payload) != size_bytes:
            raise MalformedEncoding(f"A raw block has {len(payload)} bytes where {size_bytes} belong.")
        return payload
    if codec == BlockCodec.EQUAL:
        if len(payload):
            raise MalformedEncoding("A block that is as predicted has bytes of its own.")
        return memoryview(bytes(size_bytes)) if predicted is None else predicted
    if codec == BlockCodec.PLANES:
        return join_planes(decompressed(payload, size_bytes), words)
    if codec == BlockCodec.ALONE:
        return planes_coded(payload, size_bytes, words)
    decode = _DECODERS.get(codec)
    if decode is None:
        raise MalformedEncoding(f"There is no form of blocks with the number {codec}.")
    if predicted is None:
        raise MalformedEncoding("A block is told against a prediction, and there is none.")
    return decode(payload, words, predicted)


def _from_xor(payload: memoryview, words: WordType, predicted: memoryview) -> memoryview:
    planes = decompressed(payload, len(predicted))
    return _xor(join_planes(planes, _FLAT[words.size_bytes]), predicted)


def _from_difference(payload: memoryview, words: WordType, predicted: memoryview) -> memoryview:
    folded = join_planes(decompressed(payload, len(predicted)), _FLAT[words.size_bytes])
    out = bytearray(len(predicted))
    coder.unfold(folded, predicted, out, *_shape(words))
    return memoryview(out)


def _from_residual(payload: memoryview, words: WordType, predicted: memoryview) -> memoryview:
    out = room(len(predicted))
    decode_residual(payload, predicted, out, *_shape(words))
    return out


_DECODERS: dict[int, Callable[[memoryview, WordType, memoryview], memoryview]] = {
    BlockCodec.XOR_PLANES: _from_xor,
    BlockCodec.RESIDUAL: _from_residual,
    BlockCodec.DIFFERENCE_PLANES: _from_difference,
}
