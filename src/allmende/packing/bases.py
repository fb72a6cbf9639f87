"""Bases: stored models by their tensors, and what of one lies where a tensor of another file has its bytes.

A base may lie in several files. Names are those that a family shares, whatever format a file is of; rows that
a converter moved are named one by one, rows that are missing are zeros, and rows that are too many are left
out.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from allmende.codecs import Candidate, ObjectId, Piece, Recipe, Reference, Stretch
from allmende.packing.cutting import Cut, Member, scaled_names
from allmende.packing.layout import PlacedTensor, tensors_in
from allmende.packing.reading import open_recipe
from allmende.packing.shelf import Shelf
from allmende.weights import StreamPlace, ggml_type, number_type

__all__ = ["Base", "base_of", "candidate_of", "objects_of", "open_base"]

_MAX_PIECES = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class _BaseTensor:
    placed: PlacedTensor
    recipe: "_PlacedRecipe"

    @property
    def values(self) -> int:
        return self.placed.values


@dataclass(frozen=True, slots=True, eq=False)
class _PlacedRecipe:
    """A recipe that is asked for ranges of its content."""

    recipe: Recipe
    ends: list[int]

    def pieces(self, start: int, size: int) -> Iterator[Piece]:
        """The pieces of objects that make a range. Literal bytes are in none: zeros take their place."""
        number = bisect_right(self.ends, start)
        while size:
            segment = self.recipe.segments[number]
            skipped = start - (self.ends[number] - segment.size_bytes)
            some = min(size, segment.size_bytes - skipped)
            if isinstance(segment, Stretch):
                yield Piece(self.recipe.objects[segment.number], segment.start + skipped, some)
            else:
                yield Piece(None, 0, some)
            start, size, number = start + some, size - some, number + 1


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A stored model; `origin` tells it from others."""

    origin: str
    tensors: Mapping[str, _BaseTensor]


def open_base(recipes: Sequence[Recipe], shelf: Shelf, origin: str) -> Base:
    """The tensors of a stored model, of whose files only the headers are decoded.

    Raises DamagedObject and ObjectMissing where these cannot be.
    """
    tensors: dict[str, _BaseTensor] = {}
    for recipe in recipes:
        with open_recipe(recipe, shelf) as reader:
            place = StreamPlace(recipe.sha256, cast(BinaryIO, reader), recipe.size_bytes)
            _add_tensors(tensors, recipe, tensors_in(place))
    return Base(origin, tensors)


def base_of(files: Iterable[tuple[Recipe, Iterable[PlacedTensor]]], origin: str) -> Base:
    """The same of files whose tensors are known; of their recipes the literals are not looked at."""
    tensors: dict[str, _BaseTensor] = {}
    for recipe, placed in files:
        _add_tensors(tensors, recipe, placed)
    return Base(origin, tensors)


def _add_tensors(tensors: dict[str, _BaseTensor], recipe: Recipe, found: Iterable[PlacedTensor]) -> None:
    placed = _PlacedRecipe(recipe, list(accumulate(one.size_bytes for one in recipe.segments)))
    for tensor in found:
        tensors.setdefault(tensor.name, _BaseTensor(tensor, placed))


def candidate_of(base: Base, one: Cut) -> Candidate | None:
    """What of a base lies where the bytes of a cut are; None where it has nothing of it."""
    if len(one.members) == 1:
        return _of_tensor(base, one.members[0])
    return _of_bundle(base, one)


# --- one tensor --------------------------------------------------------------------------------------------


def _of_tensor(base: Base, member: Member) -> Candidate | None:
    found = _find(base, member.tensor.name)
    if found is None:
        return None
    pieces = _aligned(found, member) if _is_alike(found, member.tensor) else _whole(found, member)
    if pieces is None:
        return None
    reference = _joined(pieces)
    usable = 0 < len(reference) <= _MAX_PIECES and any(piece.object_id for piece in reference)
    dtype, columns = found.placed.dtype, found.placed.columns
    return Candidate(reference, dtype, columns, base.origin) if usable else None


def _find(base: Base, name: str) -> _BaseTensor | None:
    """The tensor of this name, or of a scale that of what it scales."""
    names = (name, *scaled_names(name))
    return next((base.tensors[one] for one in names if one in base.tensors), None)


def _is_alike(found: _BaseTensor, child: PlacedTensor) -> bool:
    """Whether values stand at the same places: all of them, or those of the rows that both have."""
    return child.values == found.values or (
        len(child.shape) > 1 and len(found.placed.shape) > 1 and child.shape[1:] == found.placed.shape[1:]
    )


def _whole(found: _BaseTensor, member: Member) -> Iterable[Piece] | None:
    """All of the base's tensor, for what has fewer values than it: codes that are packed, scales of rows."""
    if member.size_bytes != member.tensor.size_bytes:
        return None
    placed = found.placed
    if placed.rows_from is not None:
        return _rows(found, np.argsort(placed.rows_from)[placed.rows_from])
    return found.recipe.pieces(placed.start, placed.size_bytes)


def _aligned(found: _BaseTensor, member: Member) -> Iterable[Piece] | None:
    """The values of the base that stand where the member's do, in the order in which the member has them."""
    child, placed = member.tensor, found.placed
    values = child.values
    first, rest = divmod(member.start * values, child.size_bytes)
    count, left = divmod(member.size_bytes * values, child.size_bytes)
    if rest or left:
        return None
    if child.rows_from is None and placed.rows_from is None:
        return _straight(found, first, count)
    columns = child.columns
    if columns != placed.columns or first % columns or count % columns:
        return None
    mine = np.arange(child.shape[0]) if child.rows_from is None else np.argsort(child.rows_from)
    theirs = np.arange(placed.shape[0]) if placed.rows_from is None else placed.rows_from
    wanted = mine[first // columns : (first + count) // columns]
    return _rows(found, np.where(wanted < len(theirs), theirs[np.minimum(wanted, len(theirs) - 1)], -1))


def _straight(found: _BaseTensor, first: int, count: int) -> Iterator[Piece] | None:
    size = _bytes_of(found, first)
    here = max(0, min(count, found.values - first))
    end = _bytes_of(found, first + here)
    missing = _bytes_of(found, count - here)
    if size is None or end is None or missing is None:
        return None
    return _with_zeros(found, size, end - size, missing)


def _with_zeros(found: _BaseTensor, start: int, size: int, missing: int) -> Iterator[Piece]:
    if size:
        yield from found.recipe.pieces(found.placed.start + start, size)
    if missing:
        yield Piece(None, 0, missing)


def _rows(found: _BaseTensor, rows: NDArray[np.int64]) -> Iterator[Piece] | None:
    """Rows of a tensor by their numbers, those that follow each other at once; -1 is a row of zeros."""
    size = _bytes_of(found, found.placed.columns)
    if size is None or not len(rows):
        return None
    return _runs_of_rows(found, rows, size)


def _runs_of_rows(found: _BaseTensor, rows: NDArray[np.int64], size: int) -> Iterator[Piece]:
    same = (np.diff(rows) == 1) & (rows[:-1] >= 0) | (rows[:-1] < 0) & (rows[1:] < 0)
    starts = np.concatenate(([0], np.flatnonzero(~same) + 1, [len(rows)]))
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        row, count = int(rows[begin]), end - begin
        if row < 0:
            yield Piece(None, 0, count * size)
        else:
            yield from found.recipe.pieces(found.placed.start + row * size, count * size)


def _bytes_of(found: _BaseTensor, values: int) -> int | None:
    """How many bytes so many values take; None where they end within a byte or a block."""
    size, rest = divmod(values * found.placed.size_bytes, max(1, found.values))
    return None if rest or _splits_block(found.placed.dtype, values) else size


def _splits_block(dtype: str, values: int) -> bool:
    kind = None if number_type(dtype) is not None else ggml_type(dtype)
    return kind is not None and values % kind.block_elements != 0


# --- bundles -----------------------------------------------------------------------------------------------


def _of_bundle(base: Base, one: Cut) -> Candidate | None:
    """The members that a base has, or what they are scales of, one after another; zeros for the others."""
    found = [_find(base, member.tensor.name) for member in one.members]
    kinds = Counter(
        (there.placed.dtype, there.values // member.tensor.values)
        for there, member in zip(found, one.members, strict=True)
        if there is not None
        and member.tensor.values
        and there.values in {member.tensor.values, one.every * member.tensor.values}
    )
    if not kinds:
        return None
    (dtype, every), _ = kinds.most_common(1)[0]
    word = number_type(dtype)
    if word is None:
        return None
    pieces: list[Piece] = []
    for there, member in zip(found, one.members, strict=True):
        values = every * member.tensor.values
        placed = None
        if there is not None and (there.placed.dtype, there.values) == (dtype, values):
            placed = _aligned(there, member) if every == 1 else _whole(there, member)
        pieces += [Piece(None, 0, values * word.itemsize)] if placed is None else placed
    reference = _joined(pieces)
    if len(reference) > _MAX_PIECES or not any(piece.object_id for piece in reference):
        return None
    return Candidate(reference, dtype, every, base.origin)


def _joined(pieces: Iterable[Piece]) -> Reference:
    """Pieces that follow each other in one object, as one."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and last.object_id == piece.object_id and _follows(piece, last):
            joined[-1] = Piece(last.object_id, last.start, last.size_bytes + piece.size_bytes)
        elif piece.size_bytes:
            joined.append(piece)
    return tuple(joined)


def _follows(piece: Piece, last: Piece) -> bool:
    return piece.object_id is None or last.start + last.size_bytes == piece.start


def objects_of(reference: Reference) -> frozenset[ObjectId]:
    """The objects of a reference."""
    return frozenset(piece.object_id for piece in reference if piece.object_id is not None)
