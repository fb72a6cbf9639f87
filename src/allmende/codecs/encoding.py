"""Writing encodings: self-describing bytes from which an object is decoded, block by block."""

from collections.abc import Sequence
from dataclasses import dataclass

from blake3 import blake3

from allmende.codecs.blocks import Effort, Habit, decode_block, encode_block
from allmende.codecs.encoding_head import BLOCK_WORDS, BlockRow, block_check, write_head
from allmende.codecs.errors import DamagedObject, MalformedEncoding, PredictionImpossible
from allmende.codecs.objects import MAX_OBJECT_BYTES, ObjectId, Plain, Resolve
from allmende.codecs.predictions import Prediction
from allmende.codecs.predictor import Predictor
from allmende.codecs.rans import coder
from allmende.codecs.word_types import WORD_TYPES, WordType

__all__ = ["EncodedObject", "write_encoding"]

_BYTES = WORD_TYPES[0]


@dataclass(frozen=True, slots=True)
class EncodedObject:
    """An encoding that is ready to be stored: its parts, one after another, are its bytes.

    `parents` are the objects that have to be there to decode it.
    """

    object_id: ObjectId
    plain_bytes: int
    parts: Sequence[bytes | memoryview]
    parents: frozenset[ObjectId]

    @property
    def size_bytes(self) -> int:
        """How many bytes it takes when stored."""
        return sum(len(part) for part in self.parts)


def write_encoding(
    plain: Plain,
    words: WordType,
    prediction: Prediction | None,
    resolve: Resolve,
    effort: Effort = Effort.QUICK,
    *,
    verify: bool = True,
) -> EncodedObject:
    """An encoding of `plain`, against a prediction if there is one.

    Plain bytes are read once, block by block; each block is decoded again from its payload and compared
    before it counts. Without `verify` it is not: for who reads back what was stored. Bytes that are no whole
    words are coded as bytes. Raises MalformedEncoding for an object that is empty or too large,
    PredictionImpossible where not as many bytes are predicted, DamagedObject where a block did not come back
    as it was, and what reading `plain` and the prediction's sources raises.
    """
    if not 0 < plain.size_bytes <= MAX_OBJECT_BYTES:
        raise MalformedEncoding(f"An object has 1 to {MAX_OBJECT_BYTES} bytes, and not {plain.size_bytes}.")
    if plain.size_bytes % words.size_bytes:
        words = _BYTES
    predictor = None if prediction is None else Predictor(prediction, resolve)
    if predictor is not None and predictor.size_bytes != plain.size_bytes:
        raise PredictionImpossible(
            f"{predictor.size_bytes} bytes are predicted for an object of {plain.size_bytes}."
        )
    name, rows, payloads = blake3(), list[BlockRow](), list[bytes]()
    block_bytes, habit = BLOCK_WORDS * words.size_bytes, Habit()
    for start in range(0, plain.size_bytes, block_bytes):
        block = plain.read_at(start, min(block_bytes, plain.size_bytes - start))
        guessed = None if predictor is None else predictor.read_at(start, len(block))
        codec, payload = encode_block(block, words, guessed, effort, habit)
        if verify:
            _check_decoded(codec, payload, block, words, guessed)
        name.update(block)
        rows.append(BlockRow(codec, len(payload), block_check(codec, block, payload)))
        payloads.append(payload)
    object_id = ObjectId(name.hexdigest())
    head = write_head(object_id, plain.size_bytes, words, prediction, rows)
    parents = frozenset() if prediction is None else frozenset(prediction.parents)
    return EncodedObject(object_id, plain.size_bytes, (head, *filter(None, payloads)), parents)


def _check_decoded(
    codec: int, payload: bytes, block: memoryview, words: WordType, guessed: memoryview | None
) -> None:
    decoded = decode_block(codec, memoryview(payload), len(block), words, guessed)
    if not coder.is_same(decoded, block):
        raise DamagedObject("A block did not come back from its encoding as it was.")
