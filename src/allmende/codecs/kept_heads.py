"""Heads of encodings that were read lately, kept as they were parsed."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol, cast

from allmende.codecs.encoding_head import EncodingHead, read_head
from allmende.codecs.objects import Plain

__all__ = ["KeptHeads", "head_of"]

_MOST_UNITS = 32 * 1024
_UNIT_BYTES = 256
"""About what a block's row, or a piece of a source, takes in memory."""


class KeptHeads:
    """The last heads that were asked for, in some 8 MB: what is read often is not parsed each time.

    Only for encodings that never change where they lie. A head that is kept was held against its check when
    it was read; every block still has a check of its own. For use by many threads.
    """

    def __init__(self, most_units: int = _MOST_UNITS) -> None:
        self._most_units = most_units
        self._units = 0
        self._heads: OrderedDict[Hashable, EncodingHead] = OrderedDict()
        self._lock = threading.Lock()

    def head(self, place: Hashable, stored: Plain) -> EncodingHead:
        """The head of the encoding at a place, whose bytes are `stored`. Raises as `read_head`."""
        with self._lock:
            found = self._heads.get(place)
            if found is not None:
                self._heads.move_to_end(place)
                return found
        found = read_head(stored)
        with self._lock:
            if place not in self._heads:
                self._heads[place] = found
                self._units += _units(found)
            while self._units > self._most_units:
                self._units -= _units(self._heads.popitem(last=False)[1])
        return found


def _units(head: EncodingHead) -> int:
    """About how much memory a head takes."""
    found = 4 + len(head.blocks)
    if head.prediction is not None:
        found += sum(len(source.reference) for source in head.prediction.sources)
        found += len(head.prediction.side) // _UNIT_BYTES
    return found


class _KnowsHead(Plain, Protocol):
    def head(self) -> EncodingHead:
        """The head of the encoding that these bytes are."""
        ...


def head_of(stored: Plain) -> EncodingHead:
    """The head of an encoding, from where it is kept or from its bytes. Raises as `read_head`."""
    return cast(_KnowsHead, stored).head() if hasattr(stored, "head") else read_head(stored)
