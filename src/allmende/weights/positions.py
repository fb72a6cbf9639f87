"""Which values of a matrix are looked at: the same ones in every model, whatever else was added to it.

A place in a matrix is drawn by hashing, from the power-of-two box around its shape, each slot on its own:
rows that are appended move no slot, except the few that now fall into them, and where the box itself
doubles half of the slots stay. Values are taken in short runs along a row, so that a block of a quantised
tensor or a range of a remote file is read once for several of them.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["RUN", "run_positions"]

RUN = 8
"""Values in a run."""

_ATTEMPTS = 64
_MIX_1 = np.uint64(0x9E3779B97F4A7C15)
_MIX_2 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_3 = np.uint64(0x94D049BB133111EB)


@lru_cache(maxsize=4096)
def run_positions(rows: int, columns: int, runs: int, seed: int = 0, run: int = RUN) -> NDArray[np.int64]:
    """Flat positions of `runs` runs of `run` values in a matrix: int64 of (runs, run), read-only.

    Both sides are at least 1; in a matrix narrower than a run the runs are as long as a row.
    """
    run = min(run, columns)
    slots = np.arange(runs, dtype=np.uint64)
    row = _drawn(slots, rows, seed * 2 + 1)
    # A run begins at a multiple of its length where there is room, so that runs do not overlap by halves.
    column = _drawn(slots, max(columns // run, 1), seed * 2 + 2) * run
    found = (row * columns + column)[:, None] + np.arange(run)
    found.setflags(write=False)
    return found


def _drawn(slots: NDArray[np.uint64], size: int, seed: int) -> NDArray[np.int64]:
    """A number below `size` for each slot: the first of its hashes, cut to the box, that fits."""
    box = np.uint64((1 << max(size - 1, 0).bit_length()) - 1)
    found = np.full(slots.shape, -1, np.int64)
    for attempt in range(_ATTEMPTS):
        hashed = (_mixed(slots, seed, attempt) & box).astype(np.int64)
        found = np.where((found < 0) & (hashed < size), hashed, found)
        if (found >= 0).all():
            return found
    return np.where(found < 0, 0, found)  # one slot in 2^64


def _mixed(slots: NDArray[np.uint64], seed: int, attempt: int) -> NDArray[np.uint64]:
    # splitmix64 (Steele, Lea, Flood 2014): a bijection of 64-bit words whose every bit depends on all.
    with np.errstate(over="ignore"):
        word = (slots + np.uint64(1)) * _MIX_1 + np.uint64(seed) * _MIX_2 + np.uint64(attempt) * _MIX_3
        word = (word ^ (word >> np.uint64(30))) * _MIX_2
        word = (word ^ (word >> np.uint64(27))) * _MIX_3
        return word ^ (word >> np.uint64(31))
