"""Choosing how an object is stored: alone, or against the prediction that leaves the least, by trial.

Bases are chosen for each object by itself: a model that was merged of two, with a frozen part and a larger
vocabulary, is built on whatever is nearest in each place.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

from allmende.codecs import (
    BytesPlain,
    Candidate,
    Child,
    DamagedObject,
    Effort,
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
    object_id,
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
_SOURCE_PENALTY = 1.03
"""For each source beyond the first: two models that hardly differ always mix to something a little nearer."""
_NEXT_TO_NOTHING = 1000
"""A prediction that leaves so many times less than the object takes alone ends the search."""
_WORTH = 0.97
"""A prediction that saves less than this of what the object takes alone is not worth its base."""
_HELD_BYTES = 64 * 1024 * 1024
"""So much of what an object may rest on is kept plain while it is chosen, encoded and read back."""
_SMALL_BYTES = 8 * 1024 * 1024
"""What is not larger is kept when it is first read: samples are of about as many of its blocks as it has."""
_CLEAR = 0.7
"""What takes so much less than the object alone, by a small sample, needs no larger one. A small one shows
predictions as worse than they are: their tables are longer."""
_ALIKE = 6
"""After so many objects alike on the same bases, others are tried for every so many-th one only."""
_NEAR = 1.3
"""Of predictions of which a small sample shows no more than this between them a larger one tells the best."""


@dataclass(frozen=True, slots=True)
class _Trial:
    prediction: Prediction
    cost: float


class _Alone:
    """About what an object takes without a prediction, from samples that are drawn when asked for."""

    def __init__(self, plain: Plain, words: WordType) -> None:
        self._plain = plain
        self.words = words

    @cached_property
    def quick(self) -> int:
        """By a small sample."""
        return estimate(self._plain, self.words, effort=Effort.QUICK)

    @cached_property
    def _thorough(self) -> int:
        return estimate(self._plain, self.words)

    def is_clearly_more(self, size_bytes: float) -> bool:
        """Whether a prediction is worth its base by which the object takes so much."""
        return size_bytes < _CLEAR * self.quick or size_bytes < _WORTH * self._thorough


class _Favourites:
    """Which bases the objects before were built on, as the tensors of a model mostly have the same.

    Others are tried again where these do worse than before, and now and then.
    """

    def __init__(self) -> None:
        self._origins: frozenset[str] = frozenset()
        self._times = 0
        self._alone = 0
        self._most = 0.0

    def among(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates that are enough to try; none where all have to be."""
        chosen = [one for one in candidates if one.origin in self._origins]
        known = self._times >= _ALIKE and self._alone < _ALIKE and len(chosen) == len(self._origins)
        return chosen if known and len(chosen) < len(candidates) else []

    def do_as_well(self, share: float) -> bool:
        """Whether an object takes no greater share of its bytes on these than those before did."""
        self._alone += 1
        return share <= self._most

    def add(self, origins: frozenset[str], share: float) -> None:
        """Of all candidates those of these origins were the best, and an object takes such a share."""
        if origins != self._origins:
            self._origins, self._times, self._most = origins, 0, 0.0
        self._times += 1
        self._alone = 0
        self._most = max(self._most, share)


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

    def sampled(self, object_id: ObjectId) -> Plain:
        """An object of which some is read: kept if it is small."""
        return self._opened(object_id, min(self._room, _SMALL_BYTES))

    def whole(self, object_id: ObjectId) -> Plain:
        """An object of which all is read, and more than once."""
        return self._opened(object_id, self._room)

    def _opened(self, object_id: ObjectId, most: int) -> Plain:
        kept = self._kept.get(object_id)
        if kept is not None:
            return kept
        plain = self._resolve(object_id)
        if plain.size_bytes > most:
            return plain
        self._room -= plain.size_bytes
        self._kept[object_id] = BytesPlain(plain.read_at(0, plain.size_bytes))
        return self._kept[object_id]

    def check(self, ids: Iterable[ObjectId]) -> None:
        """Raises DamagedObject where what is kept of these is not what their names say."""
        for one in ids:
            kept = self._kept.get(one)
            if kept is not None and object_id(kept.read_at(0, kept.size_bytes)) != one:
                raise DamagedObject(f"The object {one} changed in memory.")

    def let_go(self) -> None:
        """Keep nothing any more."""
        self._kept.clear()
        self._room = _HELD_BYTES


class Chooser:
    """Encodes the objects of one file against the bases that were given for it. For one thread.

    Without `verify` blocks are not decoded again when they are encoded: for who reads back what was stored.
    """

    def __init__(self, shelf: _Known, bases: Sequence[Base], opener: Resolve, *, verify: bool = True) -> None:
        self._verify = verify
        self._shelf = shelf
        self._bases = bases
        self._opener = opener
        self.held = _Held(opener)
        """Gives what the last encoding rests on, each byte of it as it was decoded and checked once."""
        self._proposer = Proposer(self.held.sampled)
        self._favourites = _Favourites()
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
        self.held.let_go()
        try:
            return self._among(child, candidates)
        except (DamagedObject, ObjectMissing):
            sound = [
                candidate
                for candidate in candidates
                if is_readable(partial(ReferenceBytes, candidate.reference, self._opener))
            ]
            if len(sound) == len(candidates):
                raise  # it is no base that is damaged
            self.held.let_go()
            return self._smallest(child, sound)

    def _among(self, child: Child, candidates: Sequence[Candidate]) -> EncodedObject:
        """The smallest encoding on these; on those alone that were right so far if they do as well."""
        few = self._favourites.among(candidates)
        if few:
            encoded = self._smallest(child, few)
            if self._favourites.do_as_well(encoded.size_bytes / encoded.plain_bytes):
                return encoded
        encoded = self._smallest(child, candidates)
        origins = (one.origin for one in candidates if encoded.parents & objects_of(one.reference))
        self._favourites.add(frozenset(origins), encoded.size_bytes / encoded.plain_bytes)
        return encoded

    def _smallest(self, child: Child, candidates: Sequence[Candidate]) -> EncodedObject:
        alone = _Alone(child.plain, word_type(child.dtype))
        prediction = self._best(child, candidates, alone) if candidates else None
        encoded = self._written(child.plain, alone.words, prediction)
        if prediction is None or alone.is_clearly_more(encoded.size_bytes):
            return encoded
        whole = self._written(child.plain, alone.words, None)
        return min(encoded, whole, key=lambda form: form.size_bytes)

    def _written(self, plain: Plain, words: WordType, prediction: Prediction | None) -> EncodedObject:
        return write_encoding(plain, words, prediction, self.held.whole, verify=self._verify)

    def _best(self, child: Child, candidates: Sequence[Candidate], alone: "_Alone") -> Prediction | None:
        """The prediction that costs least, if that is less than the object takes alone."""
        trials: list[_Trial] = []
        for proposal in self._proposer.propose(child, candidates):
            trial = self._try(proposal, child.plain, alone.words)
            if trial is None:
                continue
            if trial.cost * _NEXT_TO_NOTHING < alone.quick:
                return trial.prediction
            trials.append(trial)
        least = min((trial.cost for trial in trials), default=0.0)
        near = [trial for trial in trials if trial.cost <= _NEAR * least]
        if len(near) != 1 or not least < _CLEAR * alone.quick:
            near = [self._tried(one.prediction, child.plain, alone.words, Effort.THOROUGH) for one in near]
        best = min(near, key=lambda trial: trial.cost, default=None)
        return best.prediction if best is not None and alone.is_clearly_more(best.cost) else None

    def _try(self, proposal: Proposal, plain: Plain, words: WordType) -> _Trial | None:
        try:
            return self._tried(complete(proposal, plain, self.held.whole), plain, words, Effort.QUICK)
        except PredictionImpossible:
            return None

    def _tried(self, prediction: Prediction, plain: Plain, words: WordType, effort: Effort) -> _Trial:
        cost = estimate(plain, words, Predictor(prediction, self.held.sampled), effort)
        described = len(prediction.document()) // 4 + len(prediction.side)
        return _Trial(prediction, (cost + described) * self._penalty(prediction))

    def _penalty(self, prediction: Prediction) -> float:
        depths = (self._known[one].depth for one in prediction.parents if one in self._known)
        return _LEVEL_PENALTY ** max(depths, default=0) * _SOURCE_PENALTY ** (len(prediction.sources) - 1)

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
