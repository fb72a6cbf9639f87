"""What the texts of all repos mean, as vectors in memory that follow the database as the columns do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, select

from allmende.search.facet_lines import Numbers
from allmende.search.loaded import changed_since, last_change
from allmende.search.tables import search_vector
from allmende.storage import UnitOfWork

__all__ = ["LoadedVectors", "VectorColumns", "whole_numbers"]

_ROWS = 4096
"""So many vectors are made into floats at once: they stay in the cache of a core."""

Vectors = NDArray[np.int8]


def _no_vectors() -> Vectors:
    return np.empty((0, 0), np.int8)


@dataclass(frozen=True, slots=True)
class VectorColumns:
    """A vector for each repo that has one, in the order of their ids; nothing in it changes."""

    ids: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    vectors: Vectors = field(default_factory=_no_vectors)
    squares: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    """The squares of the vectors' lengths."""

    def changed(self, gone: Numbers, rows: Sequence[Row[Any]]) -> "VectorColumns":
        """These without some ids, and with rows whose ids are among those or new.

        A row of another length than the rest is left out: it is of no use to compare.
        """
        length = len(rows[0].vector) if rows and not len(self.ids) else self.vectors.shape[1]
        usable = [row for row in rows if len(row.vector) == length > 0]
        kept = ~np.isin(self.ids, gone)
        new = np.array([whole_numbers(row.vector) for row in usable], np.int8).reshape(len(usable), length)
        ids = np.concatenate([self.ids[kept], np.array([row.repo_id for row in usable], np.int64)])
        vectors = np.concatenate([self.vectors[kept].reshape(int(kept.sum()), length), new])
        order = np.argsort(ids, kind="stable")
        return VectorColumns(ids[order], vectors[order], _products(vectors[order]).astype(np.int64))

    def cosines(self, places: Numbers, vector: Vectors) -> NDArray[np.float64]:
        """The cosines of the angles between the vectors at these places and another one.

        Products of such whole numbers add up below 2^24, so float32 holds them exactly: the same on every
        machine. Raises ValueError for a vector of another length.
        """
        square = int(_products(vector[None, :])[0])
        lengths = np.sqrt(self.squares[places].astype(np.float64) * square)
        return _products(self.vectors[places], vector) / np.maximum(lengths, 1.0)


class LoadedVectors:
    """Shared by all threads of a process: some 260 bytes a repo, and of one model at a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._model = ""
        self._number = -1
        self._columns = VectorColumns()

    def at(self, uow: UnitOfWork, model: str) -> VectorColumns:
        """The vectors that a model made, as this unit of work sees the database, or newer ones."""
        number = last_change(uow)
        if uow.writes:
            # What is not committed yet may never be: it is for this unit alone.
            return VectorColumns().changed(np.empty(0, np.int64), _rows(uow, model, -1))
        with self._lock:
            if self._model != model:
                self._model, self._number, self._columns = model, -1, VectorColumns()
            if self._number < number:
                gone = np.array([row.repo_id for row in uow.all(changed_since(self._number))], np.int64)
                self._columns = self._columns.changed(gone, _rows(uow, model, self._number))
                self._number = number
            return self._columns


def _products(rows: Vectors, vector: Vectors | None = None) -> NDArray[np.float64]:
    """The sums of products of each row with a vector, or with itself."""
    found = np.empty(len(rows), np.float64)
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS].astype(np.float32)
        # Not by a matrix product: for so few numbers its threads cost more than they save.
        if vector is None:
            found[start : start + len(part)] = np.einsum("ij,ij->i", part, part)
        else:
            found[start : start + len(part)] = np.einsum("ij,j->i", part, vector.astype(np.float32))
    return found


def whole_numbers(vector: bytes) -> Vectors:
    """A vector as it is stored, as numbers."""
    return np.frombuffer(vector, np.int8)


def _rows(uow: UnitOfWork, model: str, number: int) -> Sequence[Row[Any]]:
    query = select(search_vector.c.repo_id, search_vector.c.vector).where(
        search_vector.c.model == model, search_vector.c.vector != b""
    )
    if number >= 0:
        query = query.where(search_vector.c.repo_id.in_(changed_since(number)))
    return uow.all(query.order_by(search_vector.c.repo_id))
