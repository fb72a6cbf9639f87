"""Reads the plain bytes of an encoding, and gives out none that were not checked, unless told to."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate, pairwise
from threading import Lock

from allmende.codecs.blocks import BlockCodec, plan_block
from allmende.codecs.decoding import Decoding
from allmende.codecs.encoding_head import block_check
from allmende.codecs.errors import DamagedObject, MalformedEncoding
from allmende.codecs.kept_heads import head_of
from allmende.codecs.objects import Plain, Resolve, fill_from, taken_from
from allmende.codecs.planes import room
from allmende.codecs.predictor import Predictor

__all__ = ["EncodedReader"]

_KEPT_BLOCKS = 4
_BLOCKS_AT_ONCE = 64
_BYTES_AT_ONCE = 4 * 1024 * 1024
"""So many are decoded together, and one at least: what is noted down for them takes memory too."""


class EncodedReader:
    """The plain bytes of an encoding, decoded where they are read.

    Opening raises MalformedEncoding for what is no encoding or was changed before its payloads; the sources
    of its prediction are resolved when they are first needed. Reading raises DamagedObject for a block that
    is not what was written, whatever is to blame: its payload, or a source. Blocks that are read as a whole
    are decoded together; of those that are read in part the last few are kept. Several threads may read at a
    time.

    Without `verify` blocks are not held against their checks: for sources of something that is checked
    itself. Whoever finds that wrong then has to read the sources again, with their checks.
    """

    def __init__(self, stored: Plain, resolve: Resolve, *, verify: bool = True) -> None:
        self._stored = stored
        self._verify = verify
        self._head = head = head_of(stored)
        self._predictor = None if head.prediction is None else Predictor(head.prediction, resolve)
        self._kept: OrderedDict[int, memoryview] = OrderedDict()
        self._lock = Lock()
        self.size_bytes = head.plain_bytes
        self.object_id = head.object_id
        self.parents = head.parents

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        self._check_range(start, count)
        number, skipped = divmod(start, self._head.block_bytes)
        if 0 < count <= self._head.block_bytes - skipped:
            return self._block(number)[skipped : skipped + count]
        out = room(count)
        self._decode(out, start)
        return out.toreadonly()

    def read_into(self, out: memoryview, start: int) -> None:
        """Fill memory with the bytes from `start` on, as `read_at` gives them."""
        self._check_range(start, len(out))
        self._decode(out, start)

    def fill(self, out: memoryview, start: int, decoding: Decoding) -> None:
        """See Fillable. What is to be checked is decoded at once."""
        if self._verify:
            decoding.copy(self.read_at(start, len(out)), out)
            return
        self._check_range(start, len(out))
        for number, part, skipped in self._blocks_in(out, start):
            if len(part) < self._block_size(number):
                decoding.copy(self._block(number)[skipped : skipped + len(part)], part)
            else:
                self._plan_later(number, part, decoding)

    def _check_range(self, start: int, count: int) -> None:
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject(f"An object of {self.size_bytes} bytes has no {count} bytes at {start}.")

    def _block_size(self, number: int) -> int:
        return min(self._head.block_bytes, self.size_bytes - number * self._head.block_bytes)

    def _blocks_in(self, out: memoryview, start: int) -> Iterator[tuple[int, memoryview, int]]:
        """The blocks that `out` shows: number, where of `out`, and how much of its beginning is left out."""
        done = 0
        while done < len(out):
            number, skipped = divmod(start + done, self._head.block_bytes)
            part = out[done : done + self._block_size(number) - skipped]
            yield number, part, skipped
            done += len(part)

    def _block(self, number: int) -> memoryview:
        with self._lock:
            kept = self._kept.get(number)
            if kept is not None:
                self._kept.move_to_end(number)
                return kept
        block = room(self._block_size(number))
        self._decode(block, number * self._head.block_bytes)
        block = block.toreadonly()
        with self._lock:
            self._kept[number] = block
            while len(self._kept) > _KEPT_BLOCKS:
                self._kept.popitem(last=False)
        return block

    def _decode(self, out: memoryview, start: int) -> None:
        """Fill memory with what was decoded and checked."""
        whole: list[tuple[int, memoryview]] = []
        for number, part, skipped in self._blocks_in(out, start):
            if len(part) < self._block_size(number):
                part[:] = self._block(number)[skipped : skipped + len(part)]
            else:
                whole.append((number, part))
        at_once = max(1, min(_BLOCKS_AT_ONCE, _BYTES_AT_ONCE // self._head.block_bytes))
        for first in range(0, len(whole), at_once):
            self._decode_whole(whole[first : first + at_once])

    def _decode_whole(self, blocks: Sequence[tuple[int, memoryview]]) -> None:
        """Fill memory with whole blocks that follow each other: number and memory of each."""
        decoding = Decoding()
        payloads = self._payloads([number for number, _ in blocks])
        for (number, part), payload in zip(blocks, payloads, strict=True):
            self._plan(number, payload, part, decoding)
        try:
            decoding.carry_out()
        except MalformedEncoding as wrong:
            raise DamagedObject(f"Blocks of {self.object_id} cannot be decoded.") from wrong
        if not self._verify:
            return
        for (number, part), payload in zip(blocks, payloads, strict=True):
            row = self._head.blocks[number]
            if block_check(row.codec, part, payload) != row.check:
                raise DamagedObject(f"Block {number} of {self.object_id} is not what was stored.")

    def _payloads(self, numbers: Sequence[int]) -> list[memoryview]:
        """The payloads of blocks that follow each other, read together."""
        rows = [self._head.blocks[number] for number in numbers]
        ends = list(accumulate((row.payload_bytes for row in rows), initial=0))
        if not ends[-1]:
            return [memoryview(b"")] * len(rows)
        read = self._stored.read_at(self._head.payload_starts[numbers[0]], ends[-1])
        return [read[begin:end] for begin, end in pairwise(ends)]

    def _plan_later(self, number: int, out: memoryview, decoding: Decoding) -> None:
        """Note down how a whole block is read and decoded."""
        row, start = self._head.blocks[number], self._head.payload_starts[number]
        if row.codec == BlockCodec.RAW and row.payload_bytes == len(out):
            fill_from(self._stored, out, start, decoding)
        elif row.codec in (BlockCodec.RESIDUAL, BlockCodec.ALONE):
            with taken_from(self._stored, start, row.payload_bytes, decoding) as payload:
                self._plan(number, payload, out, decoding)
        else:
            self._plan(number, self._payloads([number])[0], out, decoding)

    def _plan(self, number: int, payload: memoryview, out: memoryview, decoding: Decoding) -> None:
        """Note down how a whole block is decoded."""
        head, predict = self._head, None
        if self._predictor is not None:
            predict = partial(self._predictor.fill, start=number * head.block_bytes)
        try:
            plan_block(head.blocks[number].codec, payload, out, head.words, predict, decoding)
        except MalformedEncoding as wrong:
            raise DamagedObject(f"Block {number} of {self.object_id} cannot be decoded.") from wrong
