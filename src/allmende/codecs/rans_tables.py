"""Tables of the entropy coder: which keys share a context, how often each token comes in it, and their bytes.

A context is a run of keys (exponents, for floats). Frequencies of a context sum to SCALE. Stored tables: u8
number of contexts; u16 first key of each but the first; per context a bitmap of its tokens (lowest bit first)
and, in the order of tokens, their frequencies, one byte below 128 and else two; the last is what remains.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.errors import MalformedEncoding

__all__ = [
    "MAX_CONTEXTS",
    "SCALE",
    "SCALE_BITS",
    "Tables",
    "plan_tables",
    "read_tables",
]

SCALE_BITS = 11
SCALE = 1 << SCALE_BITS
MAX_CONTEXTS = 16
_MOST_GROUPS = 64
_MOST_COUNTED = 1 << 30
_LOG_ONE, _LOG_STEPS = 16, 11
"""Entropies are in parts of a bit, 2^16 of them; the 11 bits after a number's highest one are looked at."""
_BYTES_OF = [
    bytes([frequency]) if frequency < 128 else bytes([frequency & 127 | 128, frequency >> 7])
    for frequency in range(SCALE)
]
"""How each frequency is written."""


@dataclass(frozen=True, slots=True)
class Tables:
    """`first_keys[i]` is the lowest key of context i, 0 for the first; `frequencies`: contexts x tokens."""

    first_keys: tuple[int, ...]
    frequencies: NDArray[np.uint32]

    def document(self) -> bytes:
        """The bytes of these tables, as the module says."""
        written = bytearray([len(self.first_keys)])
        written += np.array(self.first_keys[1:], dtype="<u2").tobytes()
        bitmaps = np.packbits(self.frequencies > 0, axis=1, bitorder="little")
        for bitmap, row in zip(bitmaps, self.frequencies.tolist(), strict=True):
            written += bitmap.tobytes()
            written += b"".join(map(_BYTES_OF.__getitem__, [some for some in row if some][:-1]))
        return bytes(written)

    def context_of(self, keys: int) -> NDArray[np.uint8]:
        """The context of each key."""
        return (np.searchsorted(self.first_keys, np.arange(keys), side="right") - 1).astype(np.uint8)


def plan_tables(counts: NDArray[np.uint32]) -> tuple[Tables, int]:
    """Contexts and frequencies that suit `counts` (keys x tokens, not all 0), and the bits they cost.

    The bits are those of the tables and of the tokens, without raw bits. Neighbouring keys are joined as long
    as a table saved is worth more than what the tokens then cost. All is reckoned in whole numbers, so that
    the C extension plans the same.
    """
    keys, rows = _groups(counts)
    costs = _costs(np.array(rows)).tolist()
    joined = _costs(np.array(rows[:-1]) + np.array(rows[1:])).tolist() if len(rows) > 1 else []
    while len(rows) > 1:
        gains = [costs[i] + costs[i + 1] - joined[i] for i in range(len(joined))]
        best = max(range(len(gains)), key=gains.__getitem__)
        if gains[best] <= 0 and len(rows) <= MAX_CONTEXTS:
            break
        rows[best], costs[best] = rows[best] + rows[best + 1], joined[best]
        del rows[best + 1], costs[best + 1], keys[best + 1], joined[best]
        pairs = [i for i in (best - 1, best) if 0 <= i < len(joined)]
        if pairs:
            again = _costs(np.array([rows[i] + rows[i + 1] for i in pairs])).tolist()
            for i, cost in zip(pairs, again, strict=True):
                joined[i] = cost
    return Tables((0, *keys[1:]), _frequencies(np.array(rows))), sum(costs) >> _LOG_ONE


def _groups(counts: NDArray[np.uint32]) -> tuple[list[int], list[NDArray[np.int64]]]:
    """First keys and counts of runs of keys to begin with: rare keys are in one with their neighbours."""
    sums = np.add.reduce(counts, axis=1, dtype=np.int64)
    firsts = sums.nonzero()[0]
    totals = np.cumsum(sums[firsts])
    if not len(totals) or totals[-1] > _MOST_COUNTED:
        raise ValueError("nothing was counted, or too much")
    numbers = (totals - 1) * _MOST_GROUPS // totals[-1]
    starts = np.concatenate(([0], (numbers[1:] != numbers[:-1]).nonzero()[0] + 1))
    return firsts[starts].tolist(), list(np.add.reduceat(counts[firsts].astype(np.int64), starts, axis=0))


def _logarithms() -> NDArray[np.int64]:
    """Those of numbers from 1 to 2, in the middle of each step, digit by digit."""
    y = (np.arange(1 << _LOG_STEPS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)) << np.uint64(19)
    y += np.uint64(1 << 31)
    digits = np.zeros(len(y), dtype=np.int64)
    for _ in range(_LOG_ONE):
        y = y * y >> np.uint64(31)
        above = y >> np.uint64(32)
        y >>= above
        digits = digits << 1 | above.astype(np.int64)
    return digits


_LOG_OF = _logarithms()


def _times_log(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """X * log2(x), in parts of a bit; 0 for 0."""
    mantissas, lengths = np.frexp(values)
    steps = (mantissas * (2 << _LOG_STEPS)).astype(np.int64) & ((1 << _LOG_STEPS) - 1)
    return np.asarray(values * ((lengths.astype(np.int64) - 1 << _LOG_ONE) + _LOG_OF[steps]))


def _entropies(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    totals = np.add.reduce(rows, axis=1)
    return np.asarray(_times_log(totals) - np.add.reduce(_times_log(rows), axis=1))


def _costs(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Parts of a bit that each row's tokens and its table take."""
    used = np.add.reduce(rows > 0, axis=1, dtype=np.int64)
    return np.asarray(_entropies(rows) + (rows.shape[1] + 10 * used + 16 << _LOG_ONE))


def _frequencies(rows: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Frequencies of each row that sum to SCALE and are at least 1 for what comes at all."""
    totals = np.add.reduce(rows, axis=1)[:, None]
    scaled = (rows * (2 * SCALE) + totals) // (2 * totals)
    scaled[(rows > 0) & (scaled == 0)] = 1
    for row, total in zip(scaled, np.add.reduce(scaled, axis=1).tolist(), strict=True):
        missing = SCALE - total
        while missing:
            largest = int(row.argmax())
            change = max(missing, -(int(row[largest]) // 2))
            row[largest] += change
            missing -= change
    return np.asarray(scaled, dtype=np.uint32)


def read_tables(data: memoryview, keys: int, tokens: int) -> tuple[Tables, int]:
    """Tables from the start of `data`, and how many bytes they take. Raises MalformedEncoding."""
    reader = _Bytes(data)
    contexts = reader.take(1)[0]
    if not 1 <= contexts <= MAX_CONTEXTS:
        raise MalformedEncoding(f"A block has {contexts} contexts; it may have 1 to {MAX_CONTEXTS}.")
    firsts = (0, *np.frombuffer(reader.take(2 * (contexts - 1)), dtype="<u2").tolist())
    if any(later <= earlier for earlier, later in pairwise(firsts)) or firsts[-1] >= keys:
        raise MalformedEncoding("The contexts of a block are not in order.")
    frequencies = np.zeros((contexts, tokens), dtype=np.uint32)
    for row in frequencies:
        bitmap = np.frombuffer(reader.take(tokens // 8), dtype=np.uint8)
        used = np.flatnonzero(np.unpackbits(bitmap, bitorder="little"))
        if not len(used):
            raise MalformedEncoding("A context of a block has no tokens.")
        row[used[:-1]] = [reader.frequency() for _ in range(len(used) - 1)]
        if (rest := SCALE - int(row.sum())) < 1:
            raise MalformedEncoding("The frequencies of a block are too large.")
        row[used[-1]] = rest
    return Tables(firsts, frequencies), reader.at


class _Bytes:
    """Takes bytes from the front, and never more than there are."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> memoryview:
        taken = self._data[self.at : self.at + count]
        if len(taken) != count:
            raise MalformedEncoding("The tables of a block break off.")
        self.at += count
        return taken

    def frequency(self) -> int:
        low = self.take(1)[0]
        value = low if low < 128 else (low & 127) | self.take(1)[0] << 7
        if not 1 <= value < SCALE or (low >= 128 and value < 128):
            raise MalformedEncoding("A frequency of a block is out of its range.")
        return value
