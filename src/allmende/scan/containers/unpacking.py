"""Taking compressed bytes apart piece by piece, within the budget."""

import lzma
import zlib
from collections.abc import Generator
from typing import Protocol

from allmende.scan.budget import Budget, LimitReached
from allmende.scan.findings import Rule, Severity
from allmende.scan.scanning import Unreadable
from allmende.scan.source import Source

__all__ = ["ENCRYPTED", "NOT_UNPACKED", "RULES", "Decompressor", "pieces"]

ENCRYPTED = Rule(
    "archive-encrypted",
    Severity.HIGH,
    "encrypted",
    "What is encrypted cannot be looked into.",
    "Publish the files unencrypted.",
    "APPNOTE 6.3, encryption.",
)
NOT_UNPACKED = Rule(
    "container-not-unpacked",
    Severity.HIGH,
    "compressed in a way that is not unpacked here",
    "The scanner unpacks zip (stored, deflate, bzip2, LZMA), tar, gzip, bzip2, xz, LZMA, lz4 and zlib. "
    "What is inside other containers was not looked into.",
    "Publish the files themselves, or in a zip file.",
    "docs/scanning.md, containers.",
)
RULES = (ENCRYPTED, NOT_UNPACKED)

_READ_BYTES = 64 * 1024
_PIECE_BYTES = 256 * 1024


class Decompressor(Protocol):
    """What `zlib`, `bz2` and `lzma` have in common, nearly."""

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes:
        """Up to `max_length` bytes of what comes out."""


def pieces(
    packed: Source, decompressor: Decompressor, budget: Budget, over: "list[LimitReached] | None" = None
) -> Generator[bytes, None, int]:
    """What comes out of one compressed stream; returns how many bytes went in.

    What comes out beyond the ratio is counted to the end of the stream and not given out: a little too much
    may be a table of zeros, far too much is a bomb. The limit is raised then, or put into `over`.
    Raises LimitReached, and Unreadable where it is broken; everything up to the break was given out before.
    """
    offset = 0
    data = b""
    wanted_bytes = 1
    more_may_come = False
    beyond = [] if over is None else over
    while True:
        if not data and not _waiting(decompressor):
            data = packed.read_at(offset, _READ_BYTES)
            offset += len(data)
            if not data and not more_may_come:
                break
        try:
            piece = decompressor.decompress(data, wanted_bytes)
        except (zlib.error, OSError, lzma.LZMAError, EOFError, RuntimeError) as error:
            raise Unreadable(f"The compressed data are broken: {error}.", offset) from None
        data = getattr(decompressor, "unconsumed_tail", b"")
        more_may_come = len(piece) == wanted_bytes
        # A failure takes with it what the same call unpacked, so that the first calls ask for little.
        wanted_bytes = min(2 * wanted_bytes, _PIECE_BYTES)
        if piece and _counted(len(piece), budget, beyond):
            yield piece
        if getattr(decompressor, "eof", False):
            unused: bytes = getattr(decompressor, "unused_data", b"") or b""
            offset -= len(unused)
            break
    if over is None and beyond:
        raise beyond[0]
    if not getattr(decompressor, "eof", True):
        raise Unreadable("The compressed data end too early.", packed.size_bytes)
    return offset


def _counted(size_bytes: int, budget: Budget, beyond: list[LimitReached]) -> bool:
    """Whether what came out may be given out. Raises LimitReached, but for the ratio."""
    try:
        budget.add_expanded(size_bytes)
    except LimitReached as limit:
        if limit.limit != "ratio":
            raise
        beyond[:] = [limit]
    return not beyond


def _waiting(decompressor: Decompressor) -> bool:
    """Whether more comes out without more going in (`bz2` and `lzma` keep what they were given)."""
    return not getattr(decompressor, "needs_input", True)
