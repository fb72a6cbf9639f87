"""Finding kin among many models: the keys of all of them, compared one by one with the query's.

The answers are exact, not approximate: at 256 bytes a model a million models are read through in a tenth of a
second or so on one core, and no structure has to be kept beside them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from allmende.weights.sketch import KEY_BYTES

__all__ = ["KIN_AGREEMENT", "Near", "SketchIndex"]

KIN_AGREEMENT = 0.60
"""Unrelated models agree in half of the bits; relatives, measured over many families, in 0.7 and more."""

_WORDS = KEY_BYTES // 8
_BITS = KEY_BYTES * 8
_CHUNK = 8192
_GROWTH = 1024


@dataclass(frozen=True, slots=True)
class Near:
    """A model that may be kin: its number, and the share of the key's bits that agree."""

    number: int
    agreement: float


class SketchIndex:
    """Keys by number, in memory: 256 bytes a model. Words of the keys lie in columns, for the search's
    sake.
    """

    def __init__(self) -> None:
        self._words = np.empty((_WORDS, 0), np.uint64)
        self._numbers = np.empty(0, np.int64)
        self._used = 0
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, keys: Iterable[tuple[int, bytes]]) -> None:
        """Take in keys of 256 bytes by number; a number that is there already gets the new key."""
        for number, key in keys:
            if len(key) != KEY_BYTES:
                raise ValueError(f"A key has {KEY_BYTES} bytes; this one has {len(key)}.")
            place = self._places.get(number)
            if place is None:
                place = self._place(number)
            self._words[:, place] = np.frombuffer(key, "<u8")

    def add_many(self, numbers: NDArray[np.int64], keys: NDArray[np.uint8]) -> None:
        """The same for arrays: keys of (models, 256)."""
        words = np.ascontiguousarray(keys).view("<u8")
        self._words = np.concatenate([self._words[:, : self._used], words.T], axis=1)
        self._numbers = np.concatenate([self._numbers[: self._used], numbers])
        self._places |= {int(number): self._used + place for place, number in enumerate(numbers)}
        self._used = len(self._numbers)

    def remove(self, number: int) -> None:
        """Forget a number; one that is not there is no error."""
        place = self._places.pop(number, None)
        if place is None:
            return
        last = self._used - 1
        self._words[:, place] = self._words[:, last]
        self._numbers[place] = self._numbers[last]
        if place != last:
            self._places[int(self._numbers[place])] = place
        self._used = last

    def near(self, key: bytes, *, least: float = KIN_AGREEMENT, most: int = 64) -> list[Near]:
        """The models whose keys agree with this one in a share of `least` or more, the nearest first."""
        agreements = 1 - self._distances(key) / _BITS
        told = np.flatnonzero(agreements >= least)
        told = told[np.argsort(-agreements[told], kind="stable")][:most]
        return [Near(int(self._numbers[place]), float(agreements[place])) for place in told]

    def _distances(self, key: bytes) -> NDArray[np.uint16]:
        words = np.frombuffer(key, "<u8")
        found = np.empty(self._used, np.uint16)
        # A chunk of one column stays in the cache of the core, and so does its sum.
        differing = np.empty(_CHUNK, np.uint64)
        counted = np.empty(_CHUNK, np.uint8)
        for first in range(0, self._used, _CHUNK):
            size = min(_CHUNK, self._used - first)
            total = found[first : first + size]
            total[:] = 0
            for column, word in zip(self._words, words, strict=True):
                np.bitwise_xor(column[first : first + size], word, out=differing[:size])
                np.bitwise_count(differing[:size], out=counted[:size])
                np.add(total, counted[:size], out=total)
        return found

    def _place(self, number: int) -> int:
        if self._used == self._words.shape[1]:
            room = max(_GROWTH, self._used)
            self._words = np.concatenate([self._words, np.empty((_WORDS, room), np.uint64)], axis=1)
            self._numbers = np.concatenate([self._numbers, np.empty(room, np.int64)])
        place = self._used
        self._numbers[place] = number
        self._places[number] = place
        self._used += 1
        return place
