"""The head of an encoding: what stands before the payloads of its blocks.

An encoding is, one after another and all little-endian:

    head      see _HEAD: magic, word type, block length, sizes, and the object's name
    document  of the prediction, canonical JSON; a zstd frame where that is shorter; empty without one
    side      the prediction's side stream, likewise
    blocks    a row a block, see _ROW: its form, its payload's length, 16 bytes of BLAKE3, see block_check
    check     16 bytes of BLAKE3 of all before
    payloads  of the blocks, to the end

The check covers all that is read at opening. Whoever changes a payload is found out by the block's own hash.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from blake3 import blake3

from allmende.codecs.blocks import MAX_BLOCK_WORDS, BlockCodec
from allmende.codecs.errors import MalformedEncoding, PredictionImpossible
from allmende.codecs.objects import MAX_OBJECT_BYTES, ObjectId, Plain
from allmende.codecs.planes import compressed, decompressed
from allmende.codecs.predictions import MAX_PREDICTION_BYTES, Prediction, parse_prediction
from allmende.codecs.word_types import WordType, word_type_of_code

__all__ = ["BLOCK_WORDS", "BlockRow", "EncodingHead", "block_check", "read_head", "write_head"]

BLOCK_WORDS = 128 * 1024
_MAX_SIDE_BYTES = 64 * 1024 * 1024

_MAGIC = b"AllmEnc1"
_HEAD = struct.Struct("<8sBB2sIQ32sIIII")
"""Magic, code of the word type, log2 of a block's words, two zeros, number of blocks, plain bytes, object;
then the stored and the plain length of the document, and of the side stream. Equal ones: stored as it is."""
_ROW = struct.Struct("<BI16s")
_CHECK_BYTES = 16
_LOWEST_LOG2, _HIGHEST_LOG2 = 10, MAX_BLOCK_WORDS.bit_length() - 1


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block: the number of its form, how long its payload is, and its hash, see `block_check`."""

    codec: int
    payload_bytes: int
    check: bytes


@dataclass(frozen=True, slots=True)
class EncodingHead:
    """What is known of an encoding before a block is decoded."""

    object_id: ObjectId
    plain_bytes: int
    words: WordType
    block_bytes: int
    prediction: Prediction | None
    blocks: tuple[BlockRow, ...]
    payload_starts: tuple[int, ...]
    """Where in the encoding each payload begins."""

    @property
    def parents(self) -> frozenset[ObjectId]:
        """The objects that have to be there to decode it."""
        return frozenset() if self.prediction is None else frozenset(self.prediction.parents)


def block_check(codec: int, plain: memoryview, payload: memoryview | bytes) -> bytes:
    """The hash of a block: of its plain bytes, then of its payload, unless that is the same.

    With the payload, a change is found also where it happens to mean nothing.
    """
    hashed = blake3(plain)
    if codec != BlockCodec.RAW:
        hashed.update(payload)
    return hashed.digest(_CHECK_BYTES)


def _head_check(before: bytes | memoryview) -> bytes:
    return blake3(before).digest(_CHECK_BYTES)


def write_head(
    object_id: ObjectId,
    plain_bytes: int,
    words: WordType,
    prediction: Prediction | None,
    blocks: Sequence[BlockRow],
) -> bytes:
    """The bytes before the payloads. Raises PredictionImpossible for one that takes too much room."""
    document = b"" if prediction is None else prediction.document()
    side = b"" if prediction is None else bytes(prediction.side)
    if len(document) > MAX_PREDICTION_BYTES or len(side) > _MAX_SIDE_BYTES:
        raise PredictionImpossible("The prediction takes more room than an encoding has for one.")
    kept_document, kept_side = _shorter(document), _shorter(side)
    head = _HEAD.pack(
        _MAGIC,
        words.code,
        BLOCK_WORDS.bit_length() - 1,
        bytes(2),
        len(blocks),
        plain_bytes,
        bytes.fromhex(object_id),
        len(kept_document),
        len(document),
        len(kept_side),
        len(side),
    )
    rows = b"".join(_ROW.pack(row.codec, row.payload_bytes, row.check) for row in blocks)
    checked = head + kept_document + kept_side + rows
    return checked + _head_check(checked)


def _shorter(data: bytes) -> bytes:
    frame = compressed(data, 9) if data else data
    return frame if len(frame) < len(data) else data


def read_head(stored: Plain) -> EncodingHead:
    """The head of an encoding that is `stored` whole and alone.

    Raises MalformedEncoding for what is no encoding, was changed before its payloads, or has not exactly the
    length that it says. Nothing larger than the limits of documents and side streams is taken into memory.
    """
    if stored.size_bytes < _HEAD.size + _CHECK_BYTES:
        raise MalformedEncoding(f"An encoding is longer than {stored.size_bytes} bytes.")
    magic, code, log2, zeros, count, plain_bytes, name, *lengths = _HEAD.unpack(stored.read_at(0, _HEAD.size))
    if magic != _MAGIC:
        raise MalformedEncoding("These bytes do not begin as an encoding does.")
    words = word_type_of_code(code)
    if not _LOWEST_LOG2 <= log2 <= _HIGHEST_LOG2 or any(zeros):
        raise MalformedEncoding(f"A block of 2 to the power of {log2} words is out of range.")
    if not 0 < plain_bytes <= MAX_OBJECT_BYTES or plain_bytes % words.size_bytes:
        raise MalformedEncoding(f"An object of {plain_bytes} bytes is empty, too large, or no whole words.")
    block_bytes = words.size_bytes << log2
    if count != -(-plain_bytes // block_bytes):
        raise MalformedEncoding(f"{count} blocks do not make {plain_bytes} bytes.")
    kept_document, document_bytes, kept_side, side_bytes = lengths
    parts = _Parts(kept_document, document_bytes, kept_side, side_bytes, count)
    document, side, blocks = parts.read(stored)
    return EncodingHead(
        ObjectId(name.hex()),
        plain_bytes,
        words,
        block_bytes,
        _prediction(document, side, plain_bytes),
        blocks,
        _payload_starts(parts.end, blocks, stored.size_bytes),
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """The lengths of what follows the head, and how many blocks there are."""

    kept_document: int
    document: int
    kept_side: int
    side: int
    blocks: int

    @property
    def end(self) -> int:
        return _HEAD.size + self.kept_document + self.kept_side + self.blocks * _ROW.size + _CHECK_BYTES

    def read(self, stored: Plain) -> tuple[memoryview, memoryview, tuple[BlockRow, ...]]:
        """Document, side stream and rows, once the check over all of them holds."""
        if self.document > MAX_PREDICTION_BYTES or self.side > _MAX_SIDE_BYTES:
            raise MalformedEncoding("The prediction takes more room than an encoding has for one.")
        if self.kept_document > self.document or self.kept_side > self.side or self.end > stored.size_bytes:
            raise MalformedEncoding("The parts of an encoding are longer than they can be.")
        checked = stored.read_at(0, self.end - _CHECK_BYTES)
        if _head_check(checked) != stored.read_at(self.end - _CHECK_BYTES, _CHECK_BYTES):
            raise MalformedEncoding("An encoding was changed before its blocks.")
        after_document = _HEAD.size + self.kept_document
        after_side = after_document + self.kept_side
        return (
            _whole(checked[_HEAD.size : after_document], self.document),
            _whole(checked[after_document:after_side], self.side),
            tuple(BlockRow(*row) for row in _ROW.iter_unpack(checked[after_side:])),
        )


def _whole(kept: memoryview, size_bytes: int) -> memoryview:
    return kept if len(kept) == size_bytes else decompressed(kept, size_bytes)


def _prediction(document: memoryview, side: memoryview, plain_bytes: int) -> Prediction | None:
    if not len(document):
        if len(side):
            raise MalformedEncoding("An encoding has a side stream without a prediction.")
        return None
    prediction = parse_prediction(document, side)
    if prediction.size_bytes != plain_bytes:
        raise MalformedEncoding(
            f"{prediction.size_bytes} bytes are predicted for an object of {plain_bytes}."
        )
    return prediction


def _payload_starts(first: int, blocks: Sequence[BlockRow], stored_bytes: int) -> tuple[int, ...]:
    ends = tuple(accumulate((row.payload_bytes for row in blocks), initial=first))
    if ends[-1] != stored_bytes:
        raise MalformedEncoding(f"An encoding has {stored_bytes} bytes where its parts make {ends[-1]}.")
    return ends[:-1]
