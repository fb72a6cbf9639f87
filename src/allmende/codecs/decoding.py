"""A decoding: calls of the coder that are noted down first, and carried out together.

What one call takes for one block, a tenth of a millisecond, is short beside what threads lose by waiting for
the interpreter's lock between such calls. Here a run of blocks, with all that they are predicted from, is one
call that does not hold it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from allmende.codecs.errors import MalformedEncoding
from allmende.codecs.planes import room
from allmende.codecs.rans import coder
from allmende.codecs.rans_numpy import BRAIN, COPY, PLANES, READ, RESIDUAL, Call
from allmende.codecs.word_types import WordType

__all__ = ["Decoding", "lent"]


_LEAST_LENT_BYTES = 64 * 1024
_MOST_KEPT_BYTES = 2 * 1024 * 1024


class _Own(threading.local):
    """What is lent in a thread, kept by size: new memory costs more than to fill it."""

    def __init__(self) -> None:
        self.kept: dict[int, list[memoryview]] = {}


_OWN = _Own()


@contextmanager
def lent(size_bytes: int) -> Iterator[memoryview]:
    """Memory that is this thread's until the block ends, and holds anything."""
    size = max(_LEAST_LENT_BYTES, 1 << (size_bytes - 1).bit_length())
    kept = _OWN.kept.setdefault(size, [])
    found = kept.pop() if kept else room(size)
    yield found[:size_bytes]
    if size <= _MOST_KEPT_BYTES:
        kept.append(found)


class Decoding:
    """What has to be done so that some memory holds what it should. For one thread.

    Calls are carried out in the order in which they were noted down. So memory that is lent only while calls
    are noted down, which fill and use it, may be lent again for others after them.
    """

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._used: list[object] = []

    def copy(self, data: memoryview | bytes, out: memoryview) -> None:
        """These bytes as they are now; nobody changes them before all is carried out."""
        self._calls.append((COPY, out, data, None, 1, 0, 0))

    def read(self, owner: object, file: int, place: int, out: memoryview) -> None:
        """Bytes of an open file, which is not closed while its owner is there."""
        self._used.append(owner)
        self._calls.append((READ, out, file, place))

    def planes(self, payload: memoryview, out: memoryview, words: WordType) -> None:
        """The words whose planes are stored so."""
        self._calls.append((PLANES, out, payload, None, words.size_bytes, int(words.is_float), 0))

    def residual(self, payload: memoryview, predicted: memoryview, out: memoryview, words: WordType) -> None:
        """The words of a payload, against those predicted ones that are there by then."""
        shape = words.size_bytes, words.exponent_bits, words.mantissa_bits
        self._calls.append((RESIDUAL, out, payload, predicted, *shape))

    def brain(self, singles: memoryview, out: memoryview) -> None:
        """The words of BF16 nearest to words of F32 that are there by then."""
        self._calls.append((BRAIN, out, singles, None, 2, 0, 0))

    def carry_out(self) -> None:
        """Do what was noted down, once. Raises MalformedEncoding where payloads are malformed or missing."""
        calls, self._calls = self._calls, []
        try:
            coder.carry_out(calls)
        except (ValueError, OSError) as wrong:
            raise MalformedEncoding("Blocks are malformed, or cannot be read.") from wrong
        self._used.clear()
