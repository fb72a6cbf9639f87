"""Decoding ahead: the parts of a content that come next are read in other threads while one is given out.

A part is about a MiB, of one object or of many small ones, and is cut where no block is split: no block is
decoded for two of them. Parts come in the order of the content, whichever was done first.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import pairwise

from allmende.codecs import Recipe, Stretch, room

__all__ = ["PartsAhead", "part_ends"]

_PART_BYTES = 1024 * 1024
"""A multiple of the length of every block, so that cutting an object there splits none."""
_PARTS_AHEAD = 3


class PartsAhead:
    """Reads a content forwards, a few parts ahead. For one thread, which closes it.

    `read` fills memory with the bytes from one place on, and may be called by several threads at a time. Not
    more than five parts are held, each of 1 to 2 MiB, and their memory is used again and again. Nothing at or
    after `until` is read before it is asked for. The executor must not be the one in which this reading
    itself happens, nor one that `read` waits for.
    """

    def __init__(
        self,
        ends: Sequence[int],
        read: Callable[[int, memoryview], None],
        executor: Executor,
        until: int,
    ) -> None:
        self._ends = ends
        self._read = read
        self._executor = executor
        self._until = until
        self._coming: dict[int, Future[_Part]] = {}
        self._part = self._passed = _Part(0, memoryview(b""), 0)
        self._spare: deque[memoryview] = deque()
        self._longest = max((end - begin for begin, end in pairwise([0, *ends])), default=0)

    def read_at(self, start: int, most: int) -> memoryview:
        """One to `most` bytes from `start` on, which lies in the content. Raises what `read` raises.

        They stay as they are while bytes of this part and of one other are asked for.
        """
        if not self._part.start <= start < self._part.start + self._part.size_bytes:
            # Let go of first: where the next one cannot be had there is none.
            spare, self._passed, self._part = self._passed, self._part, _Part(0, memoryview(b""), 0)
            if spare.size_bytes:
                self._spare.append(spare.room)
            self._part = self._next(bisect_right(self._ends, start), start)
        skipped = start - self._part.start
        return self._part.room[skipped : min(skipped + most, self._part.size_bytes)]

    def close(self) -> None:
        """Forget what was to come. What is being read in this moment comes to its end, and to nothing."""
        for coming in self._coming.values():
            coming.cancel()
        self._coming.clear()
        self._part = self._passed = _Part(0, memoryview(b""), 0)
        self._spare.clear()

    def _next(self, number: int, start: int) -> "_Part":
        """A part. One that nobody has begun is read here: nobody waits in a queue."""
        coming = self._coming.pop(number, None)
        self._begin_after(number)
        if coming is None or coming.cancel():
            return self._read_part(start, self._end(number, start))
        return coming.result()

    def _read_part(self, start: int, end: int) -> "_Part":
        """In whichever thread."""
        try:
            found = self._spare.pop()
        except IndexError:
            found = room(self._longest)
        self._read(start, found[: end - start])
        return _Part(start, found, end - start)

    def _begin_after(self, number: int) -> None:
        """Have the parts after this one read; forget those that were passed over."""
        last = min(number + _PARTS_AHEAD, len(self._ends) - 1)
        for passed in [key for key in self._coming if not number < key <= last]:
            self._coming.pop(passed).cancel()
        for key in range(number + 1, last + 1):
            begin = self._begin(key)
            if key in self._coming or begin >= self._until:
                continue
            try:
                self._coming[key] = self._executor.submit(self._read_part, begin, self._end(key, begin))
            except RuntimeError:
                return  # the executor was shut down meanwhile: this thread reads the rest alone

    def _begin(self, number: int) -> int:
        return self._ends[number - 1] if number else 0

    def _end(self, number: int, start: int) -> int:
        end = self._ends[number]
        return min(end, self._until) if start < self._until else end


@dataclass(frozen=True, slots=True)
class _Part:
    """A part that was read, into the beginning of some memory."""

    start: int
    room: memoryview
    size_bytes: int


def part_ends(recipe: Recipe) -> list[int]:
    """Where the parts of a content end."""
    ends: list[int] = []
    begin = 0
    for place in _places(recipe):
        if place - begin >= _PART_BYTES:
            ends.append(place)
            begin = place
    if begin < recipe.size_bytes:
        ends.append(recipe.size_bytes)
    return ends


def _places(recipe: Recipe) -> Iterator[int]:
    """Where a content may be cut: at the ends of its segments, and where no block of an object is split."""
    at = 0
    for segment in recipe.segments:
        start = segment.start if isinstance(segment, Stretch) else 0
        end = start + segment.size_bytes
        first = (start // _PART_BYTES + 1) * _PART_BYTES
        for place in range(first, end, _PART_BYTES):
            yield at + place - start
        at += segment.size_bytes
        yield at
