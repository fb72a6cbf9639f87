"""Reading a serialized xorb while it is uploaded, one frame at a time.

Layout (draft-denis-xet, section on xorbs): for each chunk a frame, which is a header of eight bytes and the
chunk under its compression scheme; then, from old clients only, a footer (`xorb_footer`). A header is a
version byte, the compressed length in three little-endian bytes, the scheme, the unpacked length in three.
"""

from allmende.xorbs.chunk import Chunk
from allmende.xorbs.compression import STORED, decompress
from allmende.xorbs.errors import MalformedXorb
from allmende.xorbs.hashes import chunk_hash
from allmende.xorbs.xorb_footer import FOOTER_IDENT, check_footer, footer_bytes

__all__ = [
    "FRAME_HEADER_BYTES",
    "MAX_CHUNK_BYTES",
    "MAX_SERIALIZED_BYTES",
    "MAX_XORB_BYTES",
    "MAX_XORB_CHUNKS",
    "XorbReader",
    "frame_header",
]

FRAME_HEADER_BYTES = 8

MAX_CHUNK_BYTES = 128 * 1024
"""The longest chunk there is, unpacked."""

MAX_XORB_CHUNKS = 8 * 1024

MAX_XORB_BYTES = 64 * 1024 * 1024
"""The largest xorb there is, unpacked."""

MAX_SERIALIZED_BYTES = (
    MAX_XORB_BYTES + MAX_XORB_CHUNKS * FRAME_HEADER_BYTES + footer_bytes(1, MAX_XORB_CHUNKS)
)
"""The largest serialized xorb that is read, its footer included: clients compress only where it shortens."""

_VERSION = 0
_MAX_PACKED_BYTES = 2 * MAX_CHUNK_BYTES


def frame_header(size_bytes: int) -> bytes:
    """The header of the frame of an uncompressed chunk, which its bytes follow.

    Raises ValueError for a size that no chunk has.
    """
    if not 0 < size_bytes <= MAX_CHUNK_BYTES:
        raise ValueError(f"A chunk of {size_bytes} bytes cannot stand in a xorb.")
    length = size_bytes.to_bytes(3, "little")
    return bytes((_VERSION, *length, STORED, *length))


class XorbReader:
    """Takes a serialized xorb apart as its bytes arrive, and keeps at most one frame of it.

    Nothing compares the chunks with a name: whoever knows the xorb's hash checks it against the list that
    `finish` gives.
    """

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._frame_ends: list[int] = []
        self._unpacked_bytes = 0
        self._serialized_bytes = 0
        self._pending = bytearray()
        self._in_footer = False

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes | memoryview]:
        """Takes the next bytes, however they are cut, and gives the unpacked chunks that they completed.

        Chunks that arrived uncompressed are views of `data`: use them before that buffer is written again.
        Raises MalformedXorb as soon as a rule is broken; the reader is of no use from then on.
        """
        self._serialized_bytes += len(data)
        if self._serialized_bytes > MAX_SERIALIZED_BYTES:
            raise MalformedXorb(f"A serialized xorb has at most {MAX_SERIALIZED_BYTES} bytes.")
        view = memoryview(data).cast("B")
        unpacked: list[bytes | memoryview] = []
        at = self._complete_pending(view, unpacked)
        while not self._in_footer and len(view) - at >= FRAME_HEADER_BYTES:
            length = self._frame_bytes(view[at : at + FRAME_HEADER_BYTES])
            end = at + length
            if not length or end > len(view):
                break
            unpacked.append(self._unpack(view[at:end]))
            at = end
        self._keep(view[at:])
        return unpacked

    def finish(self) -> list[Chunk]:
        """The chunks of the xorb, all of whose bytes have been fed.

        Raises MalformedXorb when there are none, when the last is cut short, or when the footer does not
        agree with the chunks.
        """
        if self._in_footer:
            check_footer(bytes(self._pending), self._chunks, self._frame_ends)
        elif self._pending:
            raise MalformedXorb(f"The xorb ends {len(self._pending)} bytes into a frame.")
        if not self._chunks:
            raise MalformedXorb("The xorb holds no chunk.")
        return self._chunks

    def _complete_pending(self, view: memoryview, unpacked: list[bytes | memoryview]) -> int:
        """Fills up the frame that earlier bytes began; gives how much of `view` that took."""
        pending = self._pending
        if not pending or self._in_footer:
            return 0
        taken = max(0, FRAME_HEADER_BYTES - len(pending))
        pending += view[:taken]
        if len(pending) < FRAME_HEADER_BYTES:
            return len(view)
        length = self._frame_bytes(memoryview(pending)[:FRAME_HEADER_BYTES])
        if not length:
            return taken
        more = view[taken : taken + length - len(pending)]
        pending += more
        if len(pending) == length:
            # A new buffer, because the chunk may be a view of this one.
            self._pending = bytearray()
            unpacked.append(self._unpack(memoryview(pending)))
        return min(len(view), taken + len(more))

    def _keep(self, rest: memoryview) -> None:
        if self._in_footer and len(self._pending) + len(rest) > footer_bytes(1, len(self._chunks)):
            raise MalformedXorb("Bytes follow the footer of the xorb.")
        self._pending += rest

    def _frame_bytes(self, header: memoryview) -> int:
        """Checks a header and gives the length of its frame; 0 where instead the footer begins."""
        if header[:7] == FOOTER_IDENT:
            self._in_footer = True
            return 0
        packed_bytes = int.from_bytes(header[1:4], "little")
        size_bytes = int.from_bytes(header[5:8], "little")
        if header[0] != _VERSION:
            raise MalformedXorb(f"A frame has version {header[0]}; there is only {_VERSION}.")
        if not 0 < packed_bytes <= _MAX_PACKED_BYTES:
            raise MalformedXorb(
                f"A frame of {packed_bytes} bytes; from 1 to {_MAX_PACKED_BYTES} are allowed."
            )
        if not 0 < size_bytes <= MAX_CHUNK_BYTES:
            raise MalformedXorb(f"A chunk of {size_bytes} bytes; from 1 to {MAX_CHUNK_BYTES} are allowed.")
        if len(self._chunks) == MAX_XORB_CHUNKS:
            raise MalformedXorb(f"A xorb has at most {MAX_XORB_CHUNKS} chunks.")
        if self._unpacked_bytes + size_bytes > MAX_XORB_BYTES:
            raise MalformedXorb(f"A xorb has at most {MAX_XORB_BYTES} bytes unpacked.")
        return FRAME_HEADER_BYTES + packed_bytes

    def _unpack(self, frame: memoryview) -> bytes | memoryview:
        size_bytes = int.from_bytes(frame[5:8], "little")
        unpacked = decompress(frame[4], frame[FRAME_HEADER_BYTES:], size_bytes)
        self._chunks.append(Chunk(chunk_hash(unpacked), size_bytes))
        self._frame_ends.append((self._frame_ends[-1] if self._frame_ends else 0) + len(frame))
        self._unpacked_bytes += size_bytes
        return unpacked
