"""Changes of low rank: an adapter that was merged into a matrix, found on some rows and fitted to all.

The rows of such a change lie in a space of few dimensions, however many rows there are. Some of them show how
many dimensions it has; one pass over the matrix then gives what each row has of each, and a second one makes
the dimensions fit all rows. Only float32 is looked at: in 16 bits, rounding is larger than what would be won.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.codecs.objects import Plain, ReferenceBytes, Resolve
from allmende.codecs.predictions import Source
from allmende.codecs.rounding import numbers_of

__all__ = ["Change", "change_of", "factors_of", "rank_of"]

_ROWS, _RUN_ROWS, _FEWEST_ROWS = 128, 8, 16
"""So many rows are looked at, so many neighbours at a time: reading single ones costs more than reckoning."""
_MOST_COLUMNS = 1 << 15
_CLEAR_GAP = 8.0
_UNSEEN = 1e-7
_RUN_VALUES = 1 << 18

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Change:
    """What a float32 matrix has beyond its source, in rows of so many columns."""

    child: Plain
    parent: Plain
    rows: int
    columns: int

    def read(self, first: int, count: int) -> Doubles:
        """The difference in some rows."""
        start, size = 4 * first * self.columns, 4 * count * self.columns
        child, parent = (numbers_of(one.read_at(start, size), "F32") for one in (self.child, self.parent))
        with np.errstate(all="ignore"):
            found: Doubles = (child.astype(np.float64) - parent.astype(np.float64)).reshape(
                count, self.columns
            )
        return found


def change_of(child: Plain, source: Source, columns: int, resolve: Resolve) -> Change | None:
    """The change from a source, if both are float32 matrices of a size where factors can be worth it."""
    parent = ReferenceBytes(source.reference, resolve)
    rows, rest = divmod(child.size_bytes, 4 * columns)
    fits = source.words == "F32" and parent.size_bytes == child.size_bytes and not rest
    if not fits or rows < _FEWEST_ROWS or not _FEWEST_ROWS <= columns <= _MOST_COLUMNS:
        return None
    return Change(child, parent, rows, columns)


def rank_of(change: Change) -> int | None:
    """The rank, if singular values of some rows fall off clearly after so many, and other rows are alike."""
    sampled = _sampled(change)
    if not np.isfinite(sampled).all() or not sampled.any():
        return None
    seen, others = sampled[::2], sampled[1::2]
    values, directions = _spectrum(seen)
    half = len(values) // 2
    gaps = values[:half] / np.maximum(values[1 : half + 1], values[0] * _UNSEEN)
    rank = int(gaps.argmax()) + 1
    if gaps[rank - 1] < _CLEAR_GAP:
        return None
    # Rows that moved each in its own way have as many dimensions as were looked at, and others have more.
    basis = directions[:rank] @ seen / values[:rank, None]
    left = others - (others @ basis.T) @ basis
    return rank if np.sum(left**2) * _CLEAR_GAP**2 < np.sum(others**2) else None


def factors_of(change: Change, rank: int) -> bytes:
    """The factors of the change, float32: rows by rank, then rank by columns. Reads the whole twice."""
    sampled = _sampled(change)
    values, directions = _spectrum(sampled)
    basis = directions[:rank] @ sampled / np.maximum(values[:rank, None], values[0] * _UNSEEN)
    left = np.concatenate([(rows @ basis.T).astype(np.float32) for rows in _runs(change)])
    gram, mixed = np.zeros((rank, rank)), np.zeros((rank, change.columns))
    first = 0
    for rows in _runs(change):
        some = left[first : first + len(rows)].astype(np.float64)
        gram += some.T @ some
        mixed += some.T @ rows
        first += len(rows)
    right = np.linalg.lstsq(gram, mixed, rcond=None)[0].astype(np.float32)
    return left.astype("<f4").tobytes() + right.astype("<f4").tobytes()


def _spectrum(rows: Doubles) -> tuple[Doubles, Doubles]:
    """The singular values of rows, the largest first, and what each row has of each direction.

    Found from the products of the rows with each other, ten times sooner than from the rows themselves. That
    loses what is smaller than _UNSEEN of the largest, which rounding to float32 hides in any case.
    """
    squares, directions = np.linalg.eigh(rows @ rows.T)
    return np.sqrt(np.maximum(squares[::-1], 0)), directions.T[::-1]


def _sampled(change: Change) -> Doubles:
    if change.rows <= _ROWS:
        return change.read(0, change.rows)
    places = np.linspace(0, change.rows - _RUN_ROWS, _ROWS // _RUN_ROWS).astype(np.int64)
    return np.concatenate([change.read(int(place), _RUN_ROWS) for place in places])


def _runs(change: Change) -> Iterator[Doubles]:
    at_once = max(1, _RUN_VALUES // change.columns)
    for first in range(0, change.rows, at_once):
        yield change.read(first, min(at_once, change.rows - first))
