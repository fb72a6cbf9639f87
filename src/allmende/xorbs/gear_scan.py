"""Finding where the gear hash lets a chunk end, many bytes at a time.

The gear hash after a byte is twice the hash before it plus that byte's constant, modulo 2^64; so it depends
on the last 64 bytes alone, and may be computed anywhere in any order. A chunk may end after a byte when the
top 16 bits of the hash are zero.

Here a block is a table with 16 bytes, eight pairs, in a row. Going through its columns gives for all rows at
once the hash of what a row holds up to each pair; two doublings over whole rows give the full hash at the
end of each row; and that, shifted, completes the hashes inside the row after it. A pair's constants come
from a table of 65,536, in one look-up for two bytes. Only hashes after whole pairs are computed: whether the
hash between a pair's bytes can have its top bits zero shows, but for the topmost bit and a carry, in the
difference between the hash after the pair and the second byte's constant. The few places left are checked.
"""

import numpy as np
import numpy.typing as npt

from allmende.xorbs.gear import GEAR

__all__ = ["WINDOW_BYTES", "GearScanner"]

WINDOW_BYTES = 64
"""How many bytes the hash depends on."""

_ROW_BYTES = 16
_PAIRS = 8
_CONTEXT_ROWS = WINDOW_BYTES // _ROW_BYTES
_TOP_SHIFT = np.uint64(48)

_GEAR = np.array(GEAR, np.uint64)
_BYTE = np.arange(65536, dtype=np.int64)
_PAIR_GEAR = (_GEAR[_BYTE & 255] << np.uint64(1)) + _GEAR[_BYTE >> 8]
_SECOND_TOP = (_GEAR[_BYTE >> 8] >> _TOP_SHIFT).astype(np.uint16)
_COLUMN_SHIFTS = np.arange(2, 2 * _PAIRS + 1, 2, dtype=np.uint64)[:, None]


class GearScanner:
    """Finds ends in blocks of up to `block_bytes`; it owns the memory that this takes, some 15 times that."""

    def __init__(self, block_bytes: int) -> None:
        self.block_bytes = block_bytes
        rows = block_bytes // _ROW_BYTES + _CONTEXT_ROWS + 2
        self._pairs = np.empty(_PAIRS * rows, np.int64)
        self._partial = np.empty(_PAIRS * rows, np.uint64)
        self._full = np.empty((_PAIRS + 1) * rows, np.uint64)
        self._second_tops = np.empty(_PAIRS * rows, np.uint16)
        self._scratch = np.empty(rows, np.uint64)

    def ends(self, data: npt.NDArray[np.uint8], first: int, last: int) -> list[int]:
        """The places from `first` to `last` where the bytes before let a chunk end, ascending.

        `first` is at least 65, and `last` less than `block_bytes` further on and not beyond the data.
        """
        # Look-ups are quick only where pairs begin at even addresses.
        start = (first - WINDOW_BYTES - 1) & ~1
        rows = -(-(last - start) // _ROW_BYTES)
        table = data[start : start + rows * _ROW_BYTES]
        if len(table) < rows * _ROW_BYTES:
            table = np.concatenate([table, np.zeros(rows * _ROW_BYTES - len(table), np.uint8)])
        found = self._places(table.view("<u2").reshape(rows, _PAIRS))
        return [start + place for place in found if first <= start + place <= last]

    def _places(self, table: npt.NDArray[np.uint16]) -> list[int]:
        rows = len(table)
        inner = rows - _CONTEXT_ROWS
        pairs = self._pairs[: _PAIRS * rows].reshape(_PAIRS, rows)
        np.copyto(pairs, table.T)
        partial = self._partial_hashes(pairs)
        halves = partial[-1, 1:] + (partial[-1, :-1] << np.uint64(16))
        ends_of_rows = halves[2:] + (halves[:-2] << np.uint64(32))
        full = self._full[: (_PAIRS + 1) * inner].reshape(_PAIRS + 1, inner)
        full[0] = ends_of_rows[:-1]
        np.left_shift(full[0], _COLUMN_SHIFTS, out=full[1:])
        np.add(full[1:], partial[:, _CONTEXT_ROWS:], out=full[1:])
        return self._checked(pairs, full)

    def _partial_hashes(self, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
        """For each pair, the hash of what its row holds up to it."""
        rows = pairs.shape[1]
        partial = self._partial[: _PAIRS * rows].reshape(_PAIRS, rows)
        np.take(_PAIR_GEAR, pairs, out=partial, mode="wrap")
        scratch = self._scratch[:rows]
        for column in range(1, _PAIRS):
            np.left_shift(partial[column - 1], np.uint64(2), out=scratch)
            np.add(partial[column], scratch, out=partial[column])
        return partial

    def _checked(self, pairs: npt.NDArray[np.int64], full: npt.NDArray[np.uint64]) -> list[int]:
        """The places among all pairs; `full` has the hashes after each column, and in front those before."""
        second_tops = self._second_tops[: pairs.size].reshape(pairs.shape)
        np.take(_SECOND_TOP, pairs, out=second_tops, mode="wrap")
        tops = np.ascontiguousarray(full[1:].view("<u2")[:, 3::4])
        without_second = tops - second_tops[:, _CONTEXT_ROWS:]
        # Twice a number below 2^48 has a top of 0 or 1, and the sum may carry one more.
        near = np.flatnonzero(np.minimum(tops, without_second) <= 2)
        if not len(near):
            return []
        columns, rows = np.divmod(near, full.shape[1])
        before, after = full[columns, rows], full[columns + 1, rows]
        between = (before << np.uint64(1)) + _GEAR[pairs[columns, rows + _CONTEXT_ROWS] & 255]
        places = (rows + _CONTEXT_ROWS) * _ROW_BYTES + 2 * columns
        ends = np.concatenate([places[between >> _TOP_SHIFT == 0] + 1, places[after >> _TOP_SHIFT == 0] + 2])
        ends.sort()
        return [int(end) for end in ends]
