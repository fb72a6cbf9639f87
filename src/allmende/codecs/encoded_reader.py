"""Reads the plain bytes of an encoding, and gives out none that were not checked, unless told to."""

from collections import OrderedDict
from concurrent.futures import Executor, Future
from threading import Lock

from allmende.codecs.blocks import decode_block
from allmende.codecs.encoding_head import block_check, read_head
from allmende.codecs.errors import DamagedObject, MalformedEncoding
from allmende.codecs.objects import Plain, Resolve
from allmende.codecs.predictor import Predictor

__all__ = ["EncodedReader"]

_KEPT_BLOCKS = 4


class EncodedReader:
    """The plain bytes of an encoding, decoded where they are read.

    Opening raises MalformedEncoding for what is no encoding or was changed before its payloads; the sources
    of its prediction are resolved when they are first needed. Reading raises DamagedObject for a block that
    is not what was written, whatever is to blame: its payload, or a source. The last few blocks are kept.
    Several threads may read at a time.

    With `ahead`, the next few blocks are decoded there while reading goes forwards. It must not be the
    executor in which this reading itself happens, nor one that the sources wait for: all would wait for each
    other.

    Without `verify` blocks are not held against their checks: for sources of something that is checked
    itself. Whoever finds that wrong then has to read the sources again, with their checks.
    """

    def __init__(
        self, stored: Plain, resolve: Resolve, ahead: Executor | None = None, *, verify: bool = True
    ) -> None:
        self._stored = stored
        self._verify = verify
        self._head = head = read_head(stored)
        self._predictor = None if head.prediction is None else Predictor(head.prediction, resolve)
        self._ahead = ahead
        self._kept: OrderedDict[int, memoryview] = OrderedDict()
        self._coming: dict[int, Future[memoryview]] = {}
        self._last = -1
        self._lock = Lock()
        self.size_bytes = head.plain_bytes
        self.object_id = head.object_id
        self.parents = head.parents

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject(f"An object of {self.size_bytes} bytes has no {count} bytes at {start}.")
        parts: list[memoryview] = []
        while count:
            number, skipped = divmod(start, self._head.block_bytes)
            part = self._block(number)[skipped : skipped + count]
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))

    def _block(self, number: int) -> memoryview:
        with self._lock:
            kept = self._kept.get(number)
            if kept is not None:
                self._kept.move_to_end(number)
            coming = self._coming.pop(number, None)
            if self._ahead is not None and number != self._last:
                self._start_ahead(self._ahead, number)
            self._last = number
        if kept is not None:
            return kept
        block = self._decoded(number) if coming is None else coming.result()
        with self._lock:
            self._kept[number] = block
            while len(self._kept) > _KEPT_BLOCKS:
                self._kept.popitem(last=False)
        return block

    def _start_ahead(self, ahead: Executor, number: int) -> None:
        """Have the next blocks decoded if this one follows the last; forget those that were passed over."""
        last = min(number + _KEPT_BLOCKS, len(self._head.blocks) - 1) if number == self._last + 1 else number
        for passed in [key for key in self._coming if not number < key <= last]:
            self._coming.pop(passed).cancel()
        for coming in range(number + 1, last + 1):
            if coming not in self._coming and coming not in self._kept:
                self._coming[coming] = ahead.submit(self._decoded, coming)

    def _decoded(self, number: int) -> memoryview:
        head, row = self._head, self._head.blocks[number]
        start = number * head.block_bytes
        count = min(head.block_bytes, head.plain_bytes - start)
        payload = self._stored.read_at(head.payload_starts[number], row.payload_bytes)
        guessed = None if self._predictor is None else self._predictor.read_at(start, count)
        try:
            block = decode_block(row.codec, payload, count, head.words, guessed)
        except MalformedEncoding as wrong:
            raise DamagedObject(f"Block {number} of {head.object_id} cannot be decoded.") from wrong
        if self._verify and block_check(row.codec, block, payload) != row.check:
            raise DamagedObject(f"Block {number} of {head.object_id} is not what was stored.")
        return block.toreadonly()
