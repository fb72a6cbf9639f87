"""Decoding ahead: the parts of a content that come next are read in other threads while one is given out.

A part is about a MiB, of one object or of many small ones, and is cut where no block is split: no block is
decoded for two of them. Parts come in the order of the content, whichever was done first.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future

from allmende.codecs import Recipe, Stretch

__all__ = ["PartsAhead", "part_ends"]

_PART_BYTES = 1024 * 1024
"""A multiple of the length of every block, so that cutting an object there splits none."""
_PARTS_AHEAD = 3


class PartsAhead:
    """Reads a content forwards, a few parts ahead. For one thread, which closes it.

    `read` gives the bytes from one place to another, and may be called by several threads at a time. Not more
    than four parts are held, each of 1 to 2 MiB. Nothing at or after `until` is read before it is asked for.
    The executor must not be the one in which this reading itself happens, nor one that `read` waits for.
    """

    def __init__(
        self,
        ends: Sequence[int],
        read: Callable[[int, int], memoryview],
        executor: Executor,
        until: int,
    ) -> None:
        self._ends = ends
        self._read = read
        self._executor = executor
        self._until = until
        self._coming: dict[int, Future[memoryview]] = {}
        self._start = 0
        self._part = memoryview(b"")

    def read_at(self, start: int, most: int) -> memoryview:
        """One to `most` bytes from `start` on, which lies in the content. Raises what `read` raises."""
        if not self._start <= start < self._start + len(self._part):
            # Let go of first: where the next one cannot be had there is none.
            self._part = memoryview(b"")
            self._start, self._part = self._next(bisect_right(self._ends, start), start)
        skipped = start - self._start
        return self._part[skipped : skipped + most]

    def close(self) -> None:
        """Forget what was to come. What is being read in this moment comes to its end, and to nothing."""
        for coming in self._coming.values():
            coming.cancel()
        self._coming.clear()
        self._part = memoryview(b"")

    def _next(self, number: int, start: int) -> tuple[int, memoryview]:
        """A part and where it begins. One that nobody has begun is read here: nobody waits in a queue."""
        coming = self._coming.pop(number, None)
        self._begin_after(number)
        if coming is None or coming.cancel():
            return start, self._read(start, self._end(number, start))
        return self._begin(number), coming.result()

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
                self._coming[key] = self._executor.submit(self._read, begin, self._end(key, begin))
            except RuntimeError:
                return  # the executor was shut down meanwhile: this thread reads the rest alone

    def _begin(self, number: int) -> int:
        return self._ends[number - 1] if number else 0

    def _end(self, number: int, start: int) -> int:
        end = self._ends[number]
        return min(end, self._until) if start < self._until else end


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
