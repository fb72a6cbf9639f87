"""The coder of blocks in numpy: what the C extension does, for machines where it could not be built.

It is the norm of the format: a stream of tokens is stored as its tables; u32 number of u16 units; 32 states
of u32; the units. Word i is in lane i % 32. A state is decoded by `x = frequency * (x >> 11) + slot - start`
and takes one unit when it falls below 65536, lanes in their order; after the last token every state is 65536
and no unit is left. Residuals add the raw bits of all words in their order, lowest bits first, the last byte
filled with zeros.
"""

import os
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.errors import MalformedEncoding
from allmende.codecs.rans_tables import SCALE, SCALE_BITS, Tables, plan_tables, read_tables
from allmende.codecs.rans_tokens import (
    FIRST_OF,
    RAW_BITS_OF,
    WordShape,
    keys_of,
    residuals,
    restored,
    token_count,
    tokens_of,
    unsigned_words,
)

__all__ = [
    "BRAIN",
    "COPY",
    "PLANES",
    "PLANE_CODED",
    "PLANE_CONSTANT",
    "PLANE_RAW",
    "READ",
    "RESIDUAL",
    "Call",
    "analyse",
    "brain_words",
    "carry_out",
    "decode_planes",
    "decode_residual",
    "encode_plane",
    "encode_residual",
    "fold",
    "histogram",
    "is_same",
    "join",
    "joined",
    "plan",
    "split",
    "unfold",
]

_LANES = 32
_LOW_STATE = 1 << 16
_HEAD_BYTES = 4 + 4 * _LANES
PLANE_RAW, PLANE_CONSTANT, PLANE_CODED = range(3)
"""The forms of a stored plane: as it is, one byte for all, entropy coded."""
_PLANE_HEAD_BYTES = 5

Bytes = bytes | bytearray | memoryview

COPY, PLANES, RESIDUAL, BRAIN, READ = range(5)
"""Calls that are carried out one after another: bytes as they are, `decode_planes`, `decode_residual`,
`brain_words`, and bytes of a file."""
Call: TypeAlias = (
    tuple[int, memoryview, Bytes, Bytes | None, int, int, int] | tuple[int, memoryview, int, int]
)
"""One of them: what it fills, from what, against which predicted words, and the shape of the words that it
fills, that is their size, and bits of exponent and mantissa. Of PLANES the second of these is `turn`. Or, of
READ: what it fills, from which descriptor, at which place."""


def analyse(
    plain: Bytes,
    predicted: Bytes,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
    tokens: NDArray[np.uint8],
    counts: NDArray[np.uint32],
) -> int:
    """Fill `tokens` with the token of each word, and add them up in `counts`, keys x tokens.

    Returns how many raw bits come with them.
    """
    shape = WordShape(size_bytes, exponent_bits, mantissa_bits)
    words, guesses = unsigned_words(plain, size_bytes), unsigned_words(predicted, size_bytes)
    tokens[:] = tokens_of(residuals(words, guesses, shape))
    kinds = token_count(size_bytes)
    places = keys_of(guesses, shape).astype(np.int64) * kinds + tokens
    counts += np.bincount(places, minlength=counts.size).astype(np.uint32).reshape(counts.shape)
    return int(RAW_BITS_OF[tokens].sum(dtype=np.int64))


def plan(counts: NDArray[np.uint32]) -> tuple[bytes, int]:
    """The tables that suit `counts`, keys x tokens, and the bits of both, see `plan_tables`.

    Raises ValueError where nothing was counted, or more than 2^30.
    """
    tables, bits = plan_tables(counts)
    return tables.document(), bits


def encode_residual(
    head: bytes,
    tokens: NDArray[np.uint8],
    plain: Bytes,
    predicted: Bytes,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
) -> bytes:
    """The payload of words whose `tokens` were found by `analyse`, with the tables in `head`."""
    shape = WordShape(size_bytes, exponent_bits, mantissa_bits)
    words, guesses = unsigned_words(plain, size_bytes), unsigned_words(predicted, size_bytes)
    tables, _ = read_tables(memoryview(head), shape.keys, token_count(size_bytes))
    contexts = tables.context_of(shape.keys)[keys_of(guesses, shape)]
    raw = _packed(residuals(words, guesses, shape) >> np.uint64(1), RAW_BITS_OF[tokens])
    return head + _encode_tokens(tokens, contexts, tables) + raw


def decode_residual(
    payload: Bytes,
    predicted: Bytes,
    out: bytearray | memoryview,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
) -> None:
    """Fill `out` with the words of a payload. Raises MalformedEncoding."""
    shape = WordShape(size_bytes, exponent_bits, mantissa_bits)
    data, guesses = memoryview(payload), unsigned_words(predicted, size_bytes)
    tables, used = read_tables(data, shape.keys, token_count(size_bytes))
    contexts = tables.context_of(shape.keys)[keys_of(guesses, shape)]
    tokens, body = _decode_tokens(data[used:], contexts, tables)
    lengths = RAW_BITS_OF[tokens]
    raw, raw_bits = data[used + body :], int(lengths.sum(dtype=np.int64))
    if (raw_bits + 7) // 8 != len(raw) or (raw_bits & 7 and raw[-1] >> (raw_bits & 7)):
        raise MalformedEncoding("The raw bits of a block are not as many as its tokens say.")
    zigzag = FIRST_OF[tokens] | _unpacked(raw, lengths) << np.uint64(1)
    words = restored(zigzag, guesses, shape).astype(f"<u{size_bytes}")
    memoryview(out).cast("B")[:] = words.data.cast("B")


def encode_plane(head: bytes, plane: Bytes) -> bytes:
    """The payload of a byte plane, whose bytes are its tokens, with the table in `head`."""
    tables, _ = read_tables(memoryview(head), 1, 256)
    tokens = np.frombuffer(plane, dtype=np.uint8)
    return head + _encode_tokens(tokens, np.zeros(len(tokens), dtype=np.uint8), tables)


def decode_planes(payload: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int) -> None:
    """Fill `out` with words whose planes are stored one after another: u8 form, u32 length, and the bytes.

    For `turn` see `split`. Raises MalformedEncoding.
    """
    data, at = memoryview(payload), 0
    planes, count = memoryview(bytearray(len(out))), len(out) // size_bytes
    for first in range(0, len(planes), count):
        head = data[at : at + _PLANE_HEAD_BYTES]
        at += _PLANE_HEAD_BYTES
        size = int.from_bytes(head[1:], "little")
        stored = data[at : at + size]
        if len(head) != _PLANE_HEAD_BYTES or len(stored) != size:
            raise MalformedEncoding("A plane breaks off.")
        at += size
        planes[first : first + count] = _plane(head[0], stored, count)
    if at != len(data):
        raise MalformedEncoding("A block has bytes after its planes.")
    join(planes, out, size_bytes, turn)


def _plane(form: int, data: memoryview, count: int) -> memoryview:
    if form == PLANE_RAW and len(data) == count:
        return data
    if form == PLANE_CONSTANT and len(data) == 1:
        return memoryview(bytes(data) * count)
    if form != PLANE_CODED:
        raise MalformedEncoding("A plane has a form that there is not, or the wrong length.")
    tables, used = read_tables(data, 1, 256)
    tokens, body = _decode_tokens(data[used:], np.zeros(count, dtype=np.uint8), tables)
    if used + body != len(data):
        raise MalformedEncoding("A plane has bytes after its end.")
    return tokens.data.cast("B")


def brain_words(singles: NDArray[np.uint32], out: NDArray[np.uint16]) -> None:
    """Fill `out` with the words of BF16 nearest to words of F32; ties go to even ones.

    A NaN keeps its sign and as much of its payload as there is room for, and is made quiet.
    """
    rounded = singles >> np.uint32(16)
    rounded &= np.uint32(1)
    rounded += np.uint32(0x7FFF)
    rounded += singles
    rounded >>= np.uint32(16)
    out[:] = rounded
    nan = np.isnan(singles.view(np.float32))
    if nan.any():
        out[nan] = (singles[nan] >> np.uint32(16)) | np.uint32(0x40)


def carry_out(calls: list[Call]) -> None:
    """Carry out calls in their order. Raises MalformedEncoding for the first one that cannot be."""
    for call in calls:
        if len(call) == 4:
            _read_all(*call)
            continue
        what, out, data, predicted, size_bytes, exponent_bits, mantissa_bits = call
        if what == COPY:
            out[:] = data
        elif what == PLANES:
            decode_planes(data, out, size_bytes, exponent_bits)
        elif what == BRAIN:
            words = np.empty(len(out) // 2, np.uint16)
            brain_words(np.frombuffer(data, "<u4").astype(np.uint32, copy=False), words)
            out[:] = words.astype("<u2", copy=False).view(np.uint8).data
        elif what == RESIDUAL and predicted is not None:
            decode_residual(data, predicted, out, size_bytes, exponent_bits, mantissa_bits)
        else:
            raise ValueError("there is no such call")


def _read_all(what: int, out: memoryview, file: int, place: int) -> None:
    if what != READ:
        raise ValueError("there is no such call")
    done = 0
    while done < len(out):
        some = os.preadv(file, [out[done:]], place + done)
        if not some:
            raise MalformedEncoding("A file ends before it should.")
        done += some


def joined(parts: list[memoryview]) -> bytes:
    """Runs of bytes as one."""
    return b"".join(parts)


def split(plain: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int) -> None:
    """Byte i of every word into plane i; with `turn`, words are first turned left by one bit."""
    words = np.frombuffer(plain, dtype=f"<u{size_bytes}")
    if turn:
        words = (words << 1 | words >> (8 * size_bytes - 1)).astype(f"<u{size_bytes}")
    np.frombuffer(out, dtype=np.uint8).reshape(size_bytes, -1)[:] = (
        words.view(np.uint8).reshape(-1, size_bytes).T
    )


def join(planes: Bytes, out: bytearray | memoryview, size_bytes: int, turn: int) -> None:
    """The reverse of `split`."""
    bytes_of = np.ascontiguousarray(np.frombuffer(planes, dtype=np.uint8).reshape(size_bytes, -1).T)
    words = bytes_of.view(f"<u{size_bytes}").reshape(-1)
    if turn:
        words = words >> 1 | words << (8 * size_bytes - 1)
    np.frombuffer(out, dtype=f"<u{size_bytes}")[:] = words


def fold(
    plain: Bytes,
    predicted: Bytes,
    out: bytearray | memoryview,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
) -> None:
    """Fill `out` with how far each word is from the predicted one, as words of the same size."""
    words, guesses = unsigned_words(plain, size_bytes), unsigned_words(predicted, size_bytes)
    folded = residuals(words, guesses, WordShape(size_bytes, exponent_bits, mantissa_bits))
    memoryview(out).cast("B")[:] = folded.astype(f"<u{size_bytes}").data.cast("B")


def unfold(
    folded: Bytes,
    predicted: Bytes,
    out: bytearray | memoryview,
    size_bytes: int,
    exponent_bits: int,
    mantissa_bits: int,
) -> None:
    """The reverse of `fold`."""
    zigzag, guesses = unsigned_words(folded, size_bytes), unsigned_words(predicted, size_bytes)
    words = restored(zigzag, guesses, WordShape(size_bytes, exponent_bits, mantissa_bits))
    memoryview(out).cast("B")[:] = words.astype(f"<u{size_bytes}").data.cast("B")


def is_same(one: Bytes, other: Bytes) -> bool:
    """Whether two runs of bytes are equal."""
    return bool(np.array_equal(np.frombuffer(one, np.uint8), np.frombuffer(other, np.uint8)))


def histogram(data: Bytes, counts: NDArray[np.uint32]) -> None:
    """Add up in `counts` how often each byte comes."""
    counts += (
        np.bincount(np.frombuffer(data, np.uint8), minlength=256).astype(np.uint32).reshape(counts.shape)
    )


def _encode_tokens(tokens: NDArray[np.uint8], contexts: NDArray[np.uint8], tables: Tables) -> bytes:
    frequencies = tables.frequencies.astype(np.uint64)
    starts = np.cumsum(frequencies, axis=1, dtype=np.uint64) - frequencies
    frequency, start = frequencies[contexts, tokens], starts[contexts, tokens]
    if len(frequency) and not frequency.all():
        raise ValueError("a token without a frequency")
    states, units = np.full(_LANES, _LOW_STATE, dtype=np.uint64), []
    for first in range(_LANES * ((len(tokens) - 1) // _LANES), -1, -_LANES):
        some = frequency[first : first + _LANES]
        x = states[: len(some)]
        full = x >= some << np.uint64(32 - SCALE_BITS)
        units.append(x[full].astype("<u2"))
        x = np.where(full, x >> np.uint64(16), x)
        states[: len(some)] = (x // some << np.uint64(SCALE_BITS)) + x % some + start[first : first + _LANES]
    stream = np.concatenate(units[::-1]) if units else np.zeros(0, dtype="<u2")
    return len(stream).to_bytes(4, "little") + states.astype("<u4").tobytes() + stream.tobytes()


def _decode_tokens(
    data: memoryview, contexts: NDArray[np.uint8], tables: Tables
) -> tuple[NDArray[np.uint8], int]:
    """As many tokens as there are contexts, and the bytes that they took."""
    if (
        len(data) < _HEAD_BYTES
        or (count := int.from_bytes(data[:4], "little")) > (len(data) - _HEAD_BYTES) // 2
    ):
        raise MalformedEncoding("The tokens of a block break off.")
    states = np.frombuffer(data[4:_HEAD_BYTES], dtype="<u4").astype(np.uint64)
    if (states < _LOW_STATE).any():
        raise MalformedEncoding("A state of a block is out of its range.")
    units = np.frombuffer(data[_HEAD_BYTES : _HEAD_BYTES + 2 * count], dtype="<u2").astype(np.uint64)
    token_at, frequency_at, beyond_at = _slots(tables)
    offsets = contexts.astype(np.int64) << SCALE_BITS
    tokens, at = np.empty(len(contexts), dtype=np.uint8), 0
    for first in range(0, len(contexts), _LANES):
        offset = offsets[first : first + _LANES]
        x = states[: len(offset)]
        slots = offset | (x & np.uint64(SCALE - 1)).astype(np.int64)
        tokens[first : first + _LANES] = token_at[slots]
        x = frequency_at[slots] * (x >> np.uint64(SCALE_BITS)) + beyond_at[slots]
        low = np.flatnonzero(x < _LOW_STATE)
        if at + len(low) > count:
            raise MalformedEncoding("The units of a block run out.")
        x[low] = x[low] << np.uint64(16) | units[at : at + len(low)]
        states[: len(offset)], at = x, at + len(low)
    if at != count or (states != _LOW_STATE).any():
        raise MalformedEncoding("The tokens of a block do not end where they should.")
    return tokens, _HEAD_BYTES + 2 * count


def _slots(tables: Tables) -> tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint64]]:
    """Of every slot of every context: its token, the token's frequency, its place among the token's slots."""
    rows, kinds = tables.frequencies.shape
    repeats = tables.frequencies.reshape(-1).astype(np.int64)
    token_at = np.repeat(np.tile(np.arange(kinds), rows), repeats).astype(np.uint8)
    beyond = np.arange(rows * SCALE) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return token_at, np.repeat(repeats, repeats).astype(np.uint64), beyond.astype(np.uint64)


def _packed(values: NDArray[np.uint64], lengths: NDArray[np.uint8]) -> bytes:
    """The lowest bits of the values, as many as `lengths` says, one after another."""
    some = np.flatnonzero(lengths)
    values, counts = values[some], lengths[some].astype(np.int64)
    ends = np.cumsum(counts)
    out = np.zeros((int(ends[-1]) + 7) // 8 * 8 if len(ends) else 0, dtype=np.uint8)
    for bit in range(int(counts.max()) if len(counts) else 0):
        has = counts > bit
        out[(ends - counts)[has] + bit] = (values[has] >> np.uint64(bit)).astype(np.uint8) & 1
    return np.packbits(out, bitorder="little").tobytes()


def _unpacked(raw: memoryview, lengths: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The reverse of `_packed`."""
    counts = lengths.astype(np.int64)
    starts = np.cumsum(counts) - counts
    padded = np.frombuffer(bytes(raw) + bytes(9), dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 8)
    values = np.zeros(len(counts), dtype=np.uint64)
    for done in (0, 32):
        wanted = np.clip(counts - done, 0, 32)
        has = np.flatnonzero(wanted)
        places = starts[has] + done
        window = np.ascontiguousarray(windows[places >> 3]).view("<u8").reshape(-1).astype(np.uint64)
        taken = window >> (places & 7).astype(np.uint64)
        mask = (np.uint64(1) << wanted[has].astype(np.uint64)) - np.uint64(1)
        values[has] |= (taken & mask) << np.uint64(done)
    return values
