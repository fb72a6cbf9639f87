"""Choosing how an object is stored: alone, or against the prediction that leaves the least, by trial.

Bases are chosen for each object by itself: a model that was merged of two, with a frozen part and a larger
vocabulary, is built on whatever is nearest in each place.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from allmende.codecs import (
    BytesPlain,
    Candidate,
    Child,
    DamagedObject,
    EncodedObject,
    ObjectId,
    ObjectMissing,
    Plain,
    Prediction,
    PredictionImpossible,
    Predictor,
    Proposal,
    Proposer,
    ReferenceBytes,
    Resolve,
    WordType,
    complete,
    estimate,
    word_type,
    write_encoding,
)
from allmende.packing.bases import Base, candidate_of, objects_of
from allmende.packing.cutting import Cut
from allmende.packing.reading import is_readable
from allmende.packing.shelf import MAX_DEPTH, Shelved

__all__ = ["Chooser"]

_LEVEL_PENALTY = 1.15
"""For each level beyond the first: more is read and decoded for a byte of the object."""
_NEXT_TO_NOTHING = 1000
"""A prediction that leaves so many times less than the object takes alone ends the search."""
_WORTH = 0.97
"""A prediction that saves less than this of what the object takes alone is not worth its base."""
_HELD_BYTES = 64 * 1024 * 1024
"""So much of what an object may rest on is kept plain while it is chosen and encoded."""


@dataclass(frozen=True, slots=True)
class _Trial:
    prediction: Prediction
    cost: float


class _Known(Protocol):
    """What is asked of a shelf."""

    def find(self, ids: Iterable[ObjectId]) -> Mapping[ObjectId, Shelved]: ...

    def bases_of(self, object_id: ObjectId) -> frozenset[ObjectId]: ...


class _Held:
    """Opens objects, and keeps those for which there is room: bases are sampled, tried and read whole."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._kept: dict[ObjectId, Plain] = {}
        self._room = _HELD_BYTES

    def __call__(self, object_id: ObjectId) -> Plain:
        kept = self._kept.get(object_id)
        if kept is not None:
            return kept
        plain = self._resolve(object_id)
        if plain.size_bytes > self._room:
            return plain
        self._room -= plain.size_bytes
        self._kept[object_id] = BytesPlain(plain.read_at(0, plain.size_bytes))
        return self._kept[object_id]

    def let_go(self) -> None:
        """Keep nothing any more."""
        self._kept.clear()
        self._room = _HELD_BYTES


class Chooser:
    """Encodes the objects of one file against the bases that were given for it. For one thread."""

    def __init__(self, shelf: _Known, bases: Sequence[Base], opener: Resolve) -> None:
        self._shelf = shelf
        self._bases = bases
        self._opener = opener
        self._held = _Held(opener)
        self._proposer = Proposer(self._held)
        self._known: dict[ObjectId, Shelved] = {}

    def encode(
        self,
        one: Cut,
        plain: Plain,
        object_id: ObjectId,
        *,
        known: bool = False,
        avoiding: AbstractSet[ObjectId] = frozenset(),
    ) -> EncodedObject:
        """The smallest encoding that was found; `known` when the shelf has the object already.

        It rests on none of `avoiding`, nor on what cannot be read. Raises what reading `plain` raises.
        """
        candidates = [
            candidate
            for base in self._bases
            if (candidate := candidate_of(base, one)) is not None
            and self._may_use(objects_of(candidate.reference), object_id, avoiding, known=known)
        ]
        child = Child(plain, one.dtype, one.columns)
        try:
            return self._smallest(child, candidates)
        except (DamagedObject, ObjectMissing):
            sound = [
                candidate
                for candidate in candidates
                if is_readable(partial(ReferenceBytes, candidate.reference, self._opener))
            ]
            if len(sound) == len(candidates):
                raise  # it is no base that is damaged
            return self._smallest(child, sound)

    def _smallest(self, child: Child, candidates: Sequence[Candidate]) -> EncodedObject:
        try:
            return self._tried(child, candidates)
        finally:
            self._held.let_go()

    def _tried(self, child: Child, candidates: Sequence[Candidate]) -> EncodedObject:
        words = word_type(child.dtype)
        proposals = self._proposer.propose(child, candidates) if candidates else []
        most = _WORTH * estimate(child.plain, words) if proposals else 0.0
        best = self._best(child.plain, words, proposals, most)
        if best is None:
            return write_encoding(child.plain, words, None, self._held)
        encoded = write_encoding(child.plain, words, best.prediction, self._held)
        if encoded.size_bytes > most:
            alone = write_encoding(child.plain, words, None, self._held)
            return min(encoded, alone, key=lambda form: form.size_bytes)
        return encoded

    def _best(
        self, plain: Plain, words: WordType, proposals: Iterable[Proposal], most: float
    ) -> _Trial | None:
        """The trial that costs least, and less than `most`."""
        best: _Trial | None = None
        for proposal in proposals:
            trial = self._try(proposal, plain, words)
            if trial is not None and trial.cost < (most if best is None else best.cost):
                best = trial
                if best.cost * _NEXT_TO_NOTHING < most:
                    break
        return best

    def _try(self, proposal: Proposal, plain: Plain, words: WordType) -> _Trial | None:
        try:
            prediction = complete(proposal, plain, self._held)
            cost = estimate(plain, words, Predictor(prediction, self._held))
        except PredictionImpossible:
            return None
        described = len(prediction.document()) // 4 + len(prediction.side)
        return _Trial(prediction, (cost + described) * self._penalty(prediction.parents))

    def _penalty(self, parents: Iterable[ObjectId]) -> float:
        deepest = max((self._known[one].depth for one in parents if one in self._known), default=0)
        return _LEVEL_PENALTY**deepest

    def _may_use(
        self, bases: frozenset[ObjectId], object_id: ObjectId, avoiding: AbstractSet[ObjectId], *, known: bool
    ) -> bool:
        """Whether the object may come to rest on these: on the shelf, not too deep, and not on itself."""
        unseen = bases - self._known.keys()
        if unseen:
            self._known.update(self._shelf.find(unseen))
        if object_id in bases or bases & avoiding or not bases <= self._known.keys():
            return False
        if any(self._known[base].depth >= MAX_DEPTH for base in bases):
            return False
        return not known or all(object_id not in self._shelf.bases_of(base) for base in bases)
